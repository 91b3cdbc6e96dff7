//! Keys that the gateway makes for itself and keeps in its state directory.

use std::fs::OpenOptions;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use anyhow::Context as _;

const KEY: usize = 32;

/// The key of pseudonyms: the same value gets the same token as long as it is kept.
///
/// # Errors
/// It can't be read or made.
pub fn mask_key(state: &Path) -> anyhow::Result<weir_mask::Key> {
    let path = state.join("mask.key");
    let mut key = [0u8; KEY];
    if let Ok(mut file) = OpenOptions::new().read(true).open(&path) {
        file.read_exact(&mut key).with_context(|| format!("reading {}", path.display()))?;
        return Ok(weir_mask::Key::from_bytes(key));
    }
    aws_lc_rs::rand::fill(&mut key).map_err(|_| anyhow::anyhow!("drawing randomness"))?;
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&path)
        .with_context(|| format!("making {}", path.display()))?;
    file.write_all(&key).and_then(|()| file.sync_all()).context("writing the key of pseudonyms")?;
    Ok(weir_mask::Key::from_bytes(key))
}

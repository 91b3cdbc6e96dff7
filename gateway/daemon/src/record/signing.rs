//! The host's key, with which coverage rows are signed. Made at the first start; only root reads it.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use weir_ledger::{CoverageRow, coverage};
use weir_model::entry::Coverage;

/// The private key, PKCS #8.
pub const KEY_FILE: &str = "host.key";
/// The public key, hex.
pub const PUBLIC_FILE: &str = "host.pub";

/// Why there is no key to sign with.
#[derive(Debug, thiserror::Error)]
pub enum SigningError {
    /// A file operation failed.
    #[error("{what} {}: {source}", path.display())]
    Io {
        /// What was being done.
        what: &'static str,
        /// To which file.
        path: PathBuf,
        /// Why it failed.
        source: std::io::Error,
    },
    /// Others may read the key.
    #[error("the key {} has mode {mode:o}, not 600: chmod 600 it, or make a new one if others have read it", path.display())]
    Mode {
        /// Which key.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// The file holds no key.
    #[error("the key {} is not an Ed25519 key", .0.display())]
    Key(PathBuf),
    /// The library refused.
    #[error("making a key")]
    Generate,
}

/// Signs as this host.
pub struct Signer {
    pair: Ed25519KeyPair,
    public: String,
}

impl std::fmt::Debug for Signer {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Signer").field("public", &self.public).finish_non_exhaustive()
    }
}

impl Signer {
    /// The host's key, made where there is none.
    ///
    /// # Errors
    /// It can't be read or made, or others can read it.
    pub fn open_or_create(state: &Path) -> Result<Self, SigningError> {
        let path = state.join(KEY_FILE);
        if !path.exists() {
            create(&path)?;
        }
        let failed = |source| SigningError::Io { what: "reading", path: path.clone(), source };
        let mode = fs::metadata(&path).map_err(failed)?.mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(SigningError::Mode { path, mode });
        }
        let document = zeroize::Zeroizing::new(fs::read(&path).map_err(failed)?);
        let pair = Ed25519KeyPair::from_pkcs8(&document).map_err(|_| SigningError::Key(path))?;
        let public = hex(pair.public_key().as_ref());
        let shown = state.join(PUBLIC_FILE);
        if fs::read_to_string(&shown).ok().as_deref().map(str::trim) != Some(&public) {
            fs::write(&shown, format!("{public}\n")).map_err(|source| SigningError::Io {
                what: "writing",
                path: shown,
                source,
            })?;
        }
        Ok(Self { pair, public })
    }

    /// The public key, hex.
    pub fn public(&self) -> &str {
        &self.public
    }

    /// Signs an entry, as the row that it will be; answers with what the next one carries as
    /// `previous`.
    pub fn sign(&self, entry: &mut Coverage, host: &str) -> String {
        entry.key.clone_from(&self.public);
        let bytes = coverage::signed_bytes(&coverage::row(entry, 0, host));
        entry.signature = self.pair.sign(&bytes).as_ref().to_vec();
        coverage::link(&bytes)
    }
}

/// Whether a row is what the holder of the key in it has signed.
pub fn is_signed(row: &CoverageRow) -> bool {
    let Some(key) = unhex(&row.key) else { return false };
    let bytes = coverage::signed_bytes(row);
    UnparsedPublicKey::new(&ED25519, key).verify(&bytes, &row.signature).is_ok()
}

fn create(path: &Path) -> Result<(), SigningError> {
    let random = aws_lc_rs::rand::SystemRandom::new();
    let document = Ed25519KeyPair::generate_pkcs8(&random).map_err(|_| SigningError::Generate)?;
    // Whole or not at all: half a key would keep the gateway from starting ever again.
    let temporary = path.with_added_extension("new");
    let write = || {
        let mut file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&temporary)?;
        file.write_all(document.as_ref())?;
        file.sync_all()?;
        fs::rename(&temporary, path)
    };
    write().map_err(|source| SigningError::Io { what: "making", path: path.to_owned(), source })
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(2) || !text.is_ascii() {
        return None;
    }
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(text.get(at..at + 2)?, 16).ok())
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn signed(signer: &Signer) -> CoverageRow {
        let mut entry = Coverage { kind: "end".to_owned(), seq: 1, ..Coverage::default() };
        signer.sign(&mut entry, "host");
        coverage::row(&entry, 4, "host")
    }

    #[test]
    fn a_row_that_was_changed_is_not_signed() {
        let state = tempfile::tempdir().unwrap();
        let signer = Signer::open_or_create(state.path()).unwrap();
        let row = signed(&signer);
        assert!(is_signed(&row));
        for changed in [
            CoverageRow { seq: 2, ..row.clone() },
            CoverageRow { host: "other".into(), ..row.clone() },
            CoverageRow { violated: 1, ..row.clone() },
            CoverageRow { gap: Some(String::new()), ..row.clone() },
            CoverageRow { key: "00".repeat(32), ..row.clone() },
            CoverageRow { key: "zz".to_owned(), ..row.clone() },
            CoverageRow { signature: Vec::new(), ..row.clone() },
        ] {
            assert!(!is_signed(&changed));
        }
        assert!(
            is_signed(&CoverageRow { entry_index: 77, ..row }),
            "the log's index is not signed"
        );
    }

    #[test]
    fn the_key_is_kept_and_nobody_else_reads_it() {
        let state = tempfile::tempdir().unwrap();
        let first = Signer::open_or_create(state.path()).unwrap();
        assert_eq!(Signer::open_or_create(state.path()).unwrap().public(), first.public());
        let path = state.path().join(KEY_FILE);
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        let refused = Signer::open_or_create(state.path()).unwrap_err();
        assert!(matches!(refused, SigningError::Mode { mode: 0o640, .. }), "{refused}");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        fs::write(&path, b"no key").unwrap();
        assert!(matches!(Signer::open_or_create(state.path()), Err(SigningError::Key(_))));
    }
}

//! What sessions are, on disk: so that the next gateway takes them up.

use std::fs;
use std::io::Write as _;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use weir_model::{Identity, SessionId};

/// What survives the gateway's own end, one file per session.
#[derive(Serialize, Deserialize)]
pub struct Kept {
    /// The session.
    pub session: SessionId,
    /// Its binding.
    pub binding: u64,
    /// The name of its leaf.
    pub leaf: String,
    /// To whom it is bound.
    pub identity: Identity,
    /// The Unix user that it runs as.
    pub uid: u32,
    /// The process that leads it.
    pub leader: u32,
    /// Its command line.
    pub command: Vec<String>,
    /// When it was opened, in microseconds since the Unix epoch.
    pub opened_us: i64,
    /// The layers of its jail.
    pub jail: Vec<String>,
    /// What was left open.
    pub relaxed: Vec<String>,
}

/// Where sessions are kept.
pub struct Sessions {
    dir: PathBuf,
}

impl Sessions {
    /// Keeps sessions in a directory.
    pub fn new(dir: PathBuf) -> Self {
        Self { dir }
    }

    /// Writes a session down, whole or not at all.
    ///
    /// # Errors
    /// The disk is full, or the directory can't be written to.
    pub fn keep(&self, kept: &Kept) -> anyhow::Result<()> {
        fs::create_dir_all(&self.dir)?;
        let temporary = self.dir.join(format!(".{}.new", kept.binding));
        let mut file = fs::File::create(&temporary)?;
        file.write_all(&serde_json::to_vec(kept)?)?;
        file.sync_all()?;
        fs::rename(&temporary, self.file(kept.binding))?;
        Ok(())
    }

    /// The session of a binding.
    ///
    /// # Errors
    /// It was not kept, or by another version in another form.
    pub fn read(&self, binding: u64) -> anyhow::Result<Kept> {
        Ok(serde_json::from_slice(&fs::read(self.file(binding))?)?)
    }

    /// Removes what was written down.
    pub fn forget(&self, binding: u64) {
        if let Err(error) = fs::remove_file(self.file(binding)) {
            tracing::debug!(%error, "forgetting a session");
        }
    }

    fn file(&self, binding: u64) -> PathBuf {
        self.dir.join(format!("{binding}.json"))
    }
}

//! Hands the record to another process and back, with appends waiting meanwhile, not failing.
//!
//! The lock is the file's, so it is never open in between: both processes have it until the earlier
//! one lets go. The life of the record goes on: what is open stays open, indices go on.

use std::fs::File;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, RwLockWriteGuard};

use super::error::{Doing as _, RecordError};
use super::recover::{self, Life};
use super::remote::Remote;
use super::{Config, Here, Place, Recorder, Recovery, commit};

/// What the next writer of a record needs.
#[derive(Debug)]
pub struct Handed {
    /// The record's lock.
    pub lock: OwnedFd,
    /// The number of its life.
    pub life: u64,
}

/// A record that is written by nobody. All appends wait until it is entrusted or taken back; where
/// it is dropped they fail.
pub struct Released<'a> {
    place: RwLockWriteGuard<'a, Place>,
    config: Config,
    host: String,
    lock: File,
    boot: u64,
}

impl Recorder {
    /// Opens a record that another process has released.
    pub fn inherit(
        config: &Config,
        host: &str,
        handed: Handed,
    ) -> Result<(Self, Recovery), RecordError> {
        let life = Life { lock: File::from(handed.lock), boot: handed.life };
        let (shared, recovery) = recover::open(config, host, commit::fdatasync, Some(life))?;
        Self::start(shared, recovery)
    }

    /// Puts all that is written on the disk and stops writing. Blocks; to be called where no task
    /// runs that others wait for.
    pub fn release(&self) -> Result<Released<'_>, RecordError> {
        let mut place = self.write();
        let Place::Here(Here { shared, .. }) = &*place else { return Err(RecordError::Closed) };
        shared.commit.check()?;
        let path = shared.config.dir.join("lock");
        let lock = shared.lock.try_clone().doing("sharing", &path)?;
        let (config, host, boot) = (shared.config.clone(), shared.host.clone(), shared.boot);
        let shared = Arc::clone(shared);
        // The threads end here, and the last commit with them.
        *place = Place::Nowhere;
        if let Some(why) = shared.commit.failure() {
            return Err(RecordError::Failed(why));
        }
        Ok(Released { place, config, host, lock, boot })
    }
}

impl Released<'_> {
    /// What the next writer needs.
    pub fn handed(&self) -> Result<Handed, RecordError> {
        let lock = self.lock.try_clone().doing("sharing", &self.config.dir.join("lock"))?;
        Ok(Handed { lock: lock.into(), life: self.boot })
    }

    /// Sends what is appended from now on to the next writer, which `Recorder::admit`s it.
    pub fn entrust(mut self, socket: UnixStream) -> Result<(), RecordError> {
        *self.place = Place::There(Arc::new(Remote::start(socket)?));
        Ok(())
    }

    /// Goes on as before. The other process must be gone: it may have written, too.
    pub fn take_back(mut self) -> Result<(), RecordError> {
        let life = Life { lock: self.lock, boot: self.boot };
        let opened = recover::open(&self.config, &self.host, commit::fdatasync, Some(life));
        let (shared, recovery) = opened?;
        let event = recovery.event();
        *self.place = Place::Here(Here::start(shared)?);
        let Place::Here(here) = &*self.place else { return Err(RecordError::Closed) };
        event.map_or(Ok(()), |event| {
            here.shared.write(super::Class::Process, &[(&event, &[])]).map(drop)
        })
    }
}

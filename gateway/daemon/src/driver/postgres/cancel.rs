//! Cancel requests: a client gets a key of Weir's own, and Weir knows whose statement it means.
//!
//! The number beside the key is the backend's true one, which clients also meet elsewhere: as the
//! sender of notifications, in pg_stat_activity, in pg_blocking_pids().

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, mpsc};
use weir_model::{SessionId, limits};
use weir_wire::postgres::startup;

use super::login::LoginError;
use super::way::Way;
use crate::driver::buffer::Buffer;
use crate::flow::services;

/// What a client is told to cancel with.
#[derive(Clone)]
pub struct CancelKey {
    /// The backend's process id.
    pub pid: u32,
    /// 4 bytes in protocol 3.0, 32 in 3.2.
    pub key: Vec<u8>,
}

impl CancelKey {
    /// A fresh key for a client of the minor version that was agreed on. A target that told no key
    /// has no number either, and gets one.
    pub fn new(target: Option<&CancelTarget>, minor: u16) -> Self {
        let random = [services::random().to_ne_bytes(), services::random().to_ne_bytes()].concat();
        let length = if minor >= 2 { 32 } else { 4 };
        let pid = target.map_or_else(|| (services::random() as u32) & 0x7fff_ffff, |own| own.pid);
        Self { pid, key: random.into_iter().take(length).collect() }
    }
}

/// How the target itself is told.
#[derive(Clone)]
pub struct CancelTarget {
    /// Where, and encrypted as the session is: the key must not be read on the way.
    pub way: Way,
    /// Its backend's number.
    pub pid: u32,
    /// Its backend's key.
    pub key: Vec<u8>,
}

struct Cancellable {
    session: SessionId,
    target: Option<CancelTarget>,
    interrupt: Arc<Notify>,
}

type Table = Arc<Mutex<HashMap<(u32, Vec<u8>), Cancellable>>>;

/// A request that means none of this gateway's connections.
#[derive(Debug)]
pub struct Stray {
    /// Who asks.
    pub session: SessionId,
    /// Whom it means.
    pub pid: u32,
    /// The proof.
    pub key: Vec<u8>,
}

/// All connections that can be cancelled.
#[derive(Clone, Default)]
pub struct CancelKeys {
    table: Table,
    strays: Arc<Mutex<Option<mpsc::Sender<Stray>>>>,
}

/// One connection's entry; dropping it takes it out.
pub struct Registered {
    table: Table,
    id: (u32, Vec<u8>),
    interrupt: Arc<Notify>,
}

impl Registered {
    /// Rings when this connection's statement is to be cancelled.
    pub fn interrupt(&self) -> Arc<Notify> {
        self.interrupt.clone()
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        self.table.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.id);
    }
}

impl CancelKeys {
    /// Registers a connection.
    pub fn register(
        &self,
        session: SessionId,
        key: CancelKey,
        target: Option<CancelTarget>,
    ) -> Registered {
        let interrupt = Arc::new(Notify::new());
        let id = (key.pid, key.key);
        let entry = Cancellable { session, target, interrupt: interrupt.clone() };
        self.table.lock().unwrap_or_else(PoisonError::into_inner).insert(id.clone(), entry);
        Registered { table: self.table.clone(), id, interrupt }
    }

    /// Says where requests go that mean none of this gateway's connections: to the gateway before it, as
    /// long as that serves some.
    pub fn pass_on(&self, to: Option<mpsc::Sender<Stray>>) {
        *self.strays.lock().unwrap_or_else(PoisonError::into_inner) = to;
    }

    fn stray(&self, session: SessionId, pid: u32, key: &[u8]) -> bool {
        let strays = self.strays.lock().unwrap_or_else(PoisonError::into_inner);
        let stray = || Stray { session, pid, key: key.to_vec() };
        strays.as_ref().is_some_and(|to| to.try_send(stray()).is_ok())
    }

    /// Cancels what a connection of the same session is doing; whether there may have been one.
    pub async fn cancel(&self, session: SessionId, pid: u32, key: &[u8]) -> bool {
        let target = {
            let table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
            let Some(found) = table.get(&(pid, key.to_vec())) else {
                return self.stray(session, pid, key);
            };
            if found.session != session {
                return false;
            }
            // No waiter, no wake-up: a statement that is not held must not be hit later.
            found.interrupt.notify_waiters();
            found.target.clone()
        };
        let Some(target) = target else { return true };
        let mut out = Vec::new();
        if startup::encode_cancel(target.pid, &target.key, &mut out).is_err() {
            return false;
        }
        let sent = async {
            let mut stream = target.way.again().await?;
            stream.write(&out).await?;
            // The server closes when it has acted; then the client may believe it too.
            let mut rest = Buffer::default();
            while stream.read(&mut rest, 1).await.is_ok_and(|count| count > 0) {
                rest.consume(rest.unread().len());
            }
            Ok::<(), LoginError>(())
        };
        let limit = Duration::from_millis(limits::CANCEL_MS);
        matches!(tokio::time::timeout(limit, sent).await, Ok(Ok(())))
    }
}

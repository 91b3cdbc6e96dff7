//! Names that DNS taught: which host name an address was last resolved from.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use weir_model::{SessionId, limits};

/// Name by session and address. A session's own answers alone count for it, so that one agent
/// can't teach another's flows a name.
#[derive(Default)]
pub struct LearntNames {
    inner: Mutex<HashMap<(SessionId, IpAddr), (String, i64)>>,
}

impl LearntNames {
    /// Learns that a name resolved to an address, until `until_us`.
    pub fn learn(
        &self,
        session: SessionId,
        address: IpAddr,
        name: &str,
        now_us: i64,
        until_us: i64,
    ) {
        let mut names = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        if names.len() >= limits::NAMES {
            names.retain(|_, (_, until)| *until > now_us);
            if names.len() >= limits::NAMES {
                names.clear();
            }
        }
        names.insert((session, address.to_canonical()), (name.to_owned(), until_us));
    }

    /// The name from which a session resolved an address, if that is still fresh.
    pub fn of(&self, session: SessionId, address: IpAddr, now_us: i64) -> Option<String> {
        let names = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let (name, until) = names.get(&(session, address.to_canonical()))?;
        (*until > now_us).then(|| name.clone())
    }

    /// All that is known, to be learnt by another gateway.
    pub fn all(&self) -> Vec<(SessionId, IpAddr, String, i64)> {
        let names = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let each = names.iter().map(|((of, address), (name, until))| (*of, *address, name, *until));
        each.map(|(of, address, name, until)| (of, address, name.clone(), until)).collect()
    }

    /// Forgets what a session learnt.
    pub fn forget(&self, session: SessionId) {
        let mut names = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        names.retain(|(of, _), _| *of != session);
    }
}

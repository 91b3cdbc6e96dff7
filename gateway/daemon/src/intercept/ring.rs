//! Waits for the rings of the eBPF programs to have something.

#![allow(unsafe_code)]

use std::io;
use std::os::fd::AsRawFd;

use tokio::io::Interest;
use tokio::io::unix::{AsyncFd, AsyncFdReadyMutGuard};

use super::{Closes, Denials};

mod sealed {
    pub trait Ring {}
}

/// A ring that can be waited for.
#[allow(private_bounds)] // the safety of `Waiting` rests on the two that there are
pub trait Ring: AsRawFd + sealed::Ring {}

impl sealed::Ring for Denials {}
impl Ring for Denials {}
impl sealed::Ring for Closes {}
impl Ring for Closes {}

/// A ring and its readiness.
#[derive(Debug)]
pub struct Waiting<T: Ring>(AsyncFd<T>);

impl<T: Ring> Waiting<T> {
    /// Registers a ring with the runtime.
    ///
    /// # Errors
    /// The runtime refuses.
    pub fn new(ring: T) -> io::Result<Self> {
        // SAFETY: both rings own their map's descriptor, always give the same one, and keep it open
        // as long as they live, which is as long as the registration.
        let registered = unsafe { AsyncFd::register_with_interest(ring, Interest::READABLE) };
        registered.map(Self).map_err(io::Error::from)
    }

    /// Waits until there is something to take.
    ///
    /// # Errors
    /// The runtime ends.
    pub async fn ready(&mut self) -> io::Result<AsyncFdReadyMutGuard<'_, T>> {
        self.0.readable_mut().await
    }
}

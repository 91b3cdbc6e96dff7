//! The threads that serve flows: one runtime each, a flow stays where it was accepted.

use std::io;
use std::sync::Arc;

use tokio::sync::{mpsc, watch};
use weir_model::limits;

use crate::flow::accept::{self, Facts};
use crate::flow::services::Services;

/// A listener is closed when the other end of its watch is dropped.
type Job = (std::net::TcpListener, Facts, watch::Receiver<()>);

/// Worker threads, each waiting for listeners.
pub struct Workers {
    threads: Vec<mpsc::Sender<Job>>,
}

impl Workers {
    /// Starts `count` workers, one per core where that is 0.
    ///
    /// # Errors
    /// A thread or its runtime can't be made.
    pub fn start(count: usize, services: &Arc<Services>) -> io::Result<Self> {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let count = if count == 0 { cores } else { count };
        let mut threads = Vec::with_capacity(count);
        for number in 0..count {
            let (sender, receiver) = mpsc::channel(limits::LISTENERS);
            let services = services.clone();
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            std::thread::Builder::new()
                .name(format!("weir-flow-{number}"))
                .stack_size(4 << 20)
                .spawn(move || {
                    let local = tokio::task::LocalSet::new();
                    local.block_on(&runtime, work(receiver, services));
                })?;
            threads.push(sender);
        }
        Ok(Self { threads })
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.threads.len()
    }

    /// Gives each worker one of a listener's sockets, until the other end of `open` is dropped.
    pub fn listen(
        &self,
        sockets: Vec<std::net::TcpListener>,
        facts: &Facts,
        open: &watch::Receiver<()>,
    ) {
        for (socket, worker) in sockets.into_iter().zip(self.threads.iter().cycle()) {
            if worker.try_send((socket, facts.clone(), open.clone())).is_err() {
                tracing::error!("a worker takes no more listeners");
            }
        }
    }
}

/// Runs a server until the other end of its watch is dropped; what it has begun goes on.
pub async fn until_closed(mut open: watch::Receiver<()>, server: impl Future<Output = ()>) {
    tokio::select! {
        () = server => {}
        // The value never changes, so this ends with the sender.
        _ = open.wait_for(|()| false) => {}
    }
}

async fn work(mut jobs: mpsc::Receiver<Job>, services: Arc<Services>) {
    while let Some((socket, facts, open)) = jobs.recv().await {
        let listener =
            socket.set_nonblocking(true).and_then(|()| tokio::net::TcpListener::from_std(socket));
        match listener {
            Ok(listener) => {
                let accepts = accept::accept(listener, facts, services.clone());
                tokio::task::spawn_local(until_closed(open, accepts));
            }
            Err(error) => tracing::error!(%error, "listening"),
        }
    }
}

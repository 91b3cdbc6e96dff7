//! The control socket as a gateway has it and hands it on.

use std::cell::OnceCell;
use std::os::fd::OwnedFd;
use std::rc::Rc;

use super::App;
use super::control::Commands;
use crate::control::{self, Handler, Passed, Server};

/// The control socket as the app has it: it can leave with its connections, and come back.
#[derive(Default)]
pub struct Control {
    serving: OnceCell<(Rc<Server>, std::os::unix::net::UnixListener)>,
}

impl Control {
    /// Serves the control socket for ever: a new one, or the one of the gateway before this one.
    ///
    /// # Errors
    /// The socket can't be made.
    pub fn serve(
        &self,
        app: &Rc<App>,
        taken: Option<std::os::unix::net::UnixListener>,
        passed: Vec<Passed>,
    ) -> std::io::Result<()> {
        let listener = match taken {
            Some(listener) => listener,
            None => control::bind(&app.config.gateway.control)?.into_std()?,
        };
        let handler: Rc<dyn Handler> = Rc::new(Commands::new(app));
        drop(self.serving.set((Server::new(handler), listener)));
        self.come_back(passed)
    }

    /// The socket, for a successor.
    ///
    /// # Errors
    /// There are too many descriptors.
    pub fn listener(&self) -> std::io::Result<OwnedFd> {
        self.parts()?.1.try_clone().map(OwnedFd::from)
    }

    /// Stops serving; `None` where sessions begin or end all the time.
    pub async fn leave(&self) -> Option<Vec<Passed>> {
        let (server, _) = self.parts().ok()?;
        server.leave().await
    }

    /// What left with a `leave` that gave up.
    pub fn left(&self) -> Vec<Passed> {
        self.parts().map(|(server, _)| server.left()).unwrap_or_default()
    }

    /// Serves again.
    ///
    /// # Errors
    /// The socket can't be used.
    pub fn come_back(&self, passed: Vec<Passed>) -> std::io::Result<()> {
        let (server, listener) = self.parts()?;
        let listener = listener.try_clone()?;
        listener.set_nonblocking(true)?;
        let listener = tokio::net::UnixListener::from_std(listener)?;
        tokio::task::spawn_local(server.clone().run(listener, passed));
        Ok(())
    }

    fn parts(&self) -> std::io::Result<&(Rc<Server>, std::os::unix::net::UnixListener)> {
        self.serving.get().ok_or_else(|| std::io::Error::other("the control socket is not open"))
    }
}

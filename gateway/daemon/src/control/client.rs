//! The commands' side: one blocking connection.

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::Duration;

use nix::sys::socket::getsockopt;
use nix::sys::socket::sockopt::PeerCredentials;
use nix::unistd::geteuid;
use weir_model::limits;

use super::frame::{FrameError, decode, encode};
use super::{Request, Response, Sealed, socket_path};

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Nobody listens.
    #[error(
        "connecting to the gateway at {path}: {source}; is it running (systemctl status weir), and \
         is --socket right?"
    )]
    Connect {
        /// The socket.
        path: PathBuf,
        /// What went wrong.
        source: io::Error,
    },
    /// Someone else listens.
    #[error("whoever listens at {path} is user {uid}, not root, so it is not told anything")]
    Impostor {
        /// The socket.
        path: PathBuf,
        /// Who listens.
        uid: u32,
    },
    /// The connection failed.
    #[error("asking the gateway for {request}: {source}")]
    Ask {
        /// What was asked for.
        request: &'static str,
        /// What went wrong.
        source: FrameError,
    },
    /// The gateway said no.
    #[error("{0}")]
    Refused(String),
    /// The gateway answered something else.
    #[error("the gateway's answer to {0} does not fit: is it the same version of weir?")]
    Unexpected(&'static str),
}

/// A connection to the gateway.
pub struct Client {
    from: BufReader<UnixStream>,
}

impl Client {
    /// Connects to the gateway that the command line names. Only root's gateway, or one's own, is
    /// spoken to, since it will be told tokens.
    pub fn connect(common: &crate::cli::Common) -> Result<Self, ClientError> {
        Self::connect_to(socket_path(common))
    }

    /// The same for a socket.
    pub fn connect_to(path: PathBuf) -> Result<Self, ClientError> {
        let connect = |source| ClientError::Connect { path: path.clone(), source };
        let stream = UnixStream::connect(&path).map_err(connect)?;
        let patience = Duration::from_millis(limits::CONTROL_MS);
        let answer = Duration::from_millis(limits::CONTROL_ANSWER_MS);
        stream.set_write_timeout(Some(patience)).map_err(connect)?;
        stream.set_read_timeout(Some(answer)).map_err(connect)?;
        let uid =
            getsockopt(&stream, PeerCredentials).map_err(|error| connect(error.into()))?.uid();
        if uid != 0 && uid != geteuid().as_raw() {
            return Err(ClientError::Impostor { path, uid });
        }
        Ok(Self { from: BufReader::new(stream) })
    }

    /// The socket, for what is said beside requests.
    pub fn into_stream(self) -> UnixStream {
        self.from.into_inner()
    }

    /// Asks, and waits for the answer.
    pub fn ask(&mut self, request: &Request) -> Result<Response, ClientError> {
        let name = request.name();
        let response = self.exchange(request);
        match response.map_err(|source| ClientError::Ask { request: name, source })? {
            Response::Error { error } => Err(ClientError::Refused(error)),
            response => Ok(response),
        }
    }

    fn exchange(&mut self, request: &Request) -> Result<Response, FrameError> {
        let line = encode(request, limits::CONTROL_BYTES)?;
        // Where the gateway hung up before, its reason is still to be read.
        let sent = self.from.get_mut().write_all(&line);
        let mut answer = Vec::new();
        let limit = limits::CONTROL_ANSWER_BYTES;
        let read = (&mut self.from).take(limit as u64 + 1).read_until(b'\n', &mut answer);
        match read {
            Ok(_) if answer.ends_with(b"\n") => decode(&answer),
            Ok(_) if answer.len() > limit => Err(FrameError::Long(limit)),
            Ok(_) => Err(sent.err().map_or(FrameError::Half, FrameError::Io)),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Err(FrameError::Late),
            Err(error) => Err(sent.err().unwrap_or(error).into()),
        }
    }
}

/// Becomes readable when the gateway goes away.
impl AsFd for Client {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.from.get_ref().as_fd()
    }
}

/// Has the gateway seal what was recorded so far.
pub fn seal(common: &crate::cli::Common) -> Result<Sealed, ClientError> {
    if let Response::Sealed(sealed) = Client::connect(common)?.ask(&Request::Seal)? {
        Ok(sealed)
    } else {
        Err(ClientError::Unexpected("seal"))
    }
}

/// Has the gateway try every known way around.
pub fn canary(
    common: &crate::cli::Common,
) -> Result<std::collections::BTreeMap<String, String>, ClientError> {
    if let Response::Canary { outcomes } = Client::connect(common)?.ask(&Request::Canary)? {
        Ok(outcomes)
    } else {
        Err(ClientError::Unexpected("canary"))
    }
}

/// How the gateway is.
pub fn status(common: &crate::cli::Common) -> Result<super::StatusView, ClientError> {
    if let Response::Status { status } = Client::connect(common)?.ask(&Request::Status)? {
        Ok(*status)
    } else {
        Err(ClientError::Unexpected("status"))
    }
}

//! The gateway's side: accepts, pins the peer, reads a request, has it handled, writes the answer.

use std::cell::RefCell;
use std::collections::HashMap;
use std::fs::{self, DirBuilder, Permissions};
use std::future::Future;
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, FileTypeExt as _, PermissionsExt as _};
use std::path::Path;
use std::pin::Pin;
use std::rc::Rc;
use std::time::Duration;

use tokio::io::AsyncWriteExt as _;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{UnixListener, UnixStream};
use tokio::task::{LocalSet, spawn_local};
use tokio::time::{sleep, timeout};
use weir_model::{SessionId, limits};
use zeroize::Zeroizing;

use super::frame::{FrameError, Lines, decode, encode};
use super::{Peer, Request, Response};

const PATIENCE: Duration = Duration::from_millis(limits::CONTROL_MS);
/// After `accept` failed, which it does while there are no descriptors left.
const PAUSE: Duration = Duration::from_millis(100);

/// What the gateway does with requests.
pub trait Handler {
    /// Whether a cgroup v2 path is below Weir's slice, so that its processes are agents.
    fn is_bound(&self, cgroup: &str) -> bool;

    /// Answers a request. It is never dropped half-way because its client went away.
    fn handle(&self, peer: Peer, request: Request) -> Pin<Box<dyn Future<Output = Response> + '_>>;

    /// An agent asked for what agents may not have; the client has its error, this is for the record.
    fn refused(&self, peer: &Peer, request: &Request);

    /// The connection of a session that `handle` answered with `Running` is gone, and it sent no
    /// `RunEnded`. Called once per such session, also where the server itself is dropped.
    fn abandoned(&self, session: SessionId);
}

/// Makes the control socket: anyone may connect, only the owner of the folder may replace it.
pub fn bind(path: &Path) -> io::Result<UnixListener> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        DirBuilder::new().recursive(true).mode(0o755).create(folder)?;
    }
    match fs::symlink_metadata(path) {
        Ok(found) if !found.file_type().is_socket() => {
            return Err(io::Error::other(format!("{} is not a socket", path.display())));
        }
        Ok(_) if std::os::unix::net::UnixStream::connect(path).is_ok() => {
            return Err(io::Error::new(
                io::ErrorKind::AddrInUse,
                format!("a gateway is listening at {} already", path.display()),
            ));
        }
        Ok(_) => fs::remove_file(path)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let listener = UnixListener::bind(path)?;
    fs::set_permissions(path, Permissions::from_mode(0o666))?;
    Ok(listener)
}

/// Serves until it is dropped. Handlers run on the calling thread.
pub async fn serve(listener: UnixListener, handler: Rc<dyn Handler>) {
    let seats = Seats::default();
    let accept = async {
        loop {
            match listener.accept().await {
                Ok((stream, _)) => {
                    spawn_local(connection(stream, handler.clone(), seats.clone()));
                }
                Err(error) => {
                    tracing::warn!(%error, "accepting a control connection");
                    sleep(PAUSE).await;
                }
            }
        }
    };
    LocalSet::new().run_until(accept).await
}

async fn connection(stream: UnixStream, handler: Rc<dyn Handler>, seats: Seats) {
    let peer = Peer::of(&stream);
    let (read, write) = stream.into_split();
    let mut connection = Connection {
        lines: Lines::new(read, limits::CONTROL_BYTES),
        write,
        runs: Runs { handler, sessions: Vec::new() },
    };
    let ended = match peer {
        Err(error) => connection.send(&Response::error(unknown_peer(&error))).await,
        Ok(peer) => match seats.take(peer.uid) {
            None => connection.send(&Response::error(NO_SEAT)).await,
            Some(_seat) => connection.serve(&peer).await,
        },
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a control connection ended");
        let _ = connection.send(&Response::error(error)).await;
    }
}

const NO_SEAT: &str =
    "the gateway has too many control connections open: end some, or try again in a moment";

fn unknown_peer(error: &io::Error) -> String {
    format!("the gateway could not tell which process is asking: {error}; run the command again")
}

struct Connection {
    lines: Lines<OwnedReadHalf>,
    write: OwnedWriteHalf,
    runs: Runs,
}

impl Connection {
    async fn serve(&mut self, peer: &Peer) -> Result<(), FrameError> {
        while let Some(line) = self.line().await? {
            let request = decode::<Request>(&line)?;
            drop(line);
            let response = match peer.again() {
                Ok(peer) => self.runs.answer(peer, request).await,
                Err(error) => Response::error(unknown_peer(&error)),
            };
            self.send(&response).await?;
        }
        Ok(())
    }

    /// The next line. A connection that holds a session may be silent as long as it likes; any other
    /// one, and everyone in the middle of a line, has to hurry.
    async fn line(&mut self) -> Result<Option<Zeroizing<Vec<u8>>>, FrameError> {
        if !self.runs.sessions.is_empty() && !self.lines.begin().await? {
            return Ok(None);
        }
        timeout(PATIENCE, self.lines.next()).await.map_err(|_| FrameError::Late)?
    }

    async fn send(&mut self, response: &Response) -> Result<(), FrameError> {
        let line = match encode(response, limits::CONTROL_ANSWER_BYTES) {
            Ok(line) => line,
            Err(error) => encode(&Response::error(error), limits::CONTROL_ANSWER_BYTES)?,
        };
        timeout(PATIENCE, self.write.write_all(&line)).await.map_err(|_| FrameError::Late)??;
        Ok(())
    }
}

/// The sessions that live as long as a connection.
struct Runs {
    handler: Rc<dyn Handler>,
    sessions: Vec<SessionId>,
}

impl Runs {
    async fn answer(&mut self, peer: Peer, request: Request) -> Response {
        if self.handler.is_bound(&peer.cgroup) && !request.agents_may() {
            self.handler.refused(&peer, &request);
            return Response::error(format!(
                "{} from inside an agent's session is refused, and on record: use a shell outside of it",
                request.name(),
            ));
        }
        let mut ended = None;
        match &request {
            Request::Run { uid, .. } if peer.uid != 0 && *uid != peer.uid => {
                return Response::error("only root may run a command as another user");
            }
            Request::RunEnded { session, .. } => {
                ended = self.sessions.iter().position(|own| own == session);
                if ended.is_none() {
                    return Response::error(format!("session {session} is not this connection's"));
                }
            }
            Request::Run { .. }
            | Request::Sessions
            | Request::Holds { .. }
            | Request::Hold { .. }
            | Request::Approve { .. }
            | Request::Deny { .. }
            | Request::Canary
            | Request::Seal
            | Request::Reload
            | Request::Status => {}
        }
        let response = self.handler.handle(peer, request).await;
        if let Response::Running { session, .. } = &response {
            self.sessions.push(*session);
        }
        if let (Some(place), Response::Ended) = (ended, &response) {
            self.sessions.remove(place);
        }
        response
    }
}

impl Drop for Runs {
    fn drop(&mut self) {
        self.sessions.drain(..).for_each(|session| self.handler.abandoned(session));
    }
}

/// Who has how many connections open, so that no user can keep the others out.
#[derive(Clone, Default)]
struct Seats(Rc<RefCell<HashMap<u32, usize>>>);

struct Seat {
    seats: Seats,
    uid: u32,
}

impl Seats {
    fn take(&self, uid: u32) -> Option<Seat> {
        let mut taken = self.0.borrow_mut();
        let others: usize = taken.iter().filter(|(uid, _)| **uid != 0).map(|(_, n)| n).sum();
        let mine = taken.get(&uid).copied().unwrap_or(0);
        // Root has as many seats as all others together, so that an operator always finds one.
        let free = match uid {
            0 => mine < limits::CONTROL_CONNECTIONS / 2,
            _ => {
                mine < limits::CONTROL_CONNECTIONS_PER_USER
                    && others < limits::CONTROL_CONNECTIONS / 2
            }
        };
        if !free {
            return None;
        }
        taken.insert(uid, mine + 1);
        Some(Seat { seats: self.clone(), uid })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut taken = self.seats.0.borrow_mut();
        if let Some(count) = taken.get_mut(&self.uid) {
            *count -= 1;
            if *count == 0 {
                taken.remove(&self.uid);
            }
        }
    }
}

//! The gateway's side: accepts, pins the peer, reads a request, has it handled, writes the answer.

use std::cell::{Cell, RefCell};
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
use tokio::sync::watch;
use tokio::task::{LocalSet, spawn_local};
use tokio::time::{Instant, sleep, sleep_until, timeout, timeout_at};
use weir_model::{SessionId, limits};
use zeroize::Zeroizing;

use super::frame::{FrameError, Lines, decode, encode};
use super::seats::Seats;
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

    /// A connection that `handle` answered with `HandingOver` is the way to the successor from now on.
    fn hand_over(&self, _to: std::os::unix::net::UnixStream, _peer: Peer) {}
}

/// A connection on its way to another process, with the sessions that live as long as it does.
#[derive(Debug)]
pub struct Passed {
    /// Nobody has read anything of its next request.
    pub stream: std::os::unix::net::UnixStream,
    /// The sessions.
    pub sessions: Vec<SessionId>,
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
    Server::new(handler).run(listener, Vec::new()).await;
}

/// A server whose open connections can go to another process.
pub struct Server {
    handler: Rc<dyn Handler>,
    seats: Seats,
    leaving: watch::Sender<bool>,
    left: RefCell<Vec<Passed>>,
    /// Connections that are in the middle of no request.
    idle: Cell<usize>,
    /// Requests that begin or end a session and are not answered yet.
    binding: Cell<usize>,
}

impl Server {
    /// A server that does not serve yet.
    pub fn new(handler: Rc<dyn Handler>) -> Rc<Self> {
        Rc::new(Self {
            handler,
            seats: Seats::default(),
            leaving: watch::Sender::new(false),
            left: RefCell::default(),
            idle: Cell::new(0),
            binding: Cell::new(0),
        })
    }

    /// Serves until it is dropped; begins with connections that another process had.
    pub async fn run(self: Rc<Self>, listener: UnixListener, passed: Vec<Passed>) {
        self.leaving.send_replace(false);
        let accept = async {
            for passed in passed {
                match UnixStream::from_std(passed.stream) {
                    Ok(stream) => {
                        self.spawn(stream, passed.sessions);
                    }
                    Err(error) => tracing::error!(%error, "going on with a control connection"),
                }
            }
            self.accept(listener).await;
            // Who is in the middle of a request is answered.
            std::future::pending().await
        };
        LocalSet::new().run_until(accept).await
    }

    async fn accept(self: &Rc<Self>, listener: UnixListener) {
        let mut leaving = self.leaving.subscribe();
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                _ = leaving.wait_for(|leaving| *leaving) => return,
            };
            match accepted {
                Ok((stream, _)) => {
                    self.spawn(stream, Vec::new());
                }
                Err(error) => {
                    tracing::warn!(%error, "accepting a control connection");
                    sleep(PAUSE).await;
                }
            }
        }
    }

    fn spawn(self: &Rc<Self>, stream: UnixStream, sessions: Vec<SessionId>) {
        self.idle.update(|idle| idle + 1);
        let server = self.clone();
        spawn_local(async move {
            connection(stream, sessions, server.clone()).await;
            server.idle.update(|idle| idle.saturating_sub(1));
        });
    }

    /// Stops accepting and reading, and gives the open connections away. `None` where a session is
    /// being made or ended all the time: then it serves on.
    pub async fn leave(&self) -> Option<Vec<Passed>> {
        self.leaving.send_replace(true);
        let settled = async {
            while self.idle.get() > 0 || self.binding.get() > 0 {
                sleep(Duration::from_millis(2)).await;
            }
        };
        if timeout(PATIENCE, settled).await.is_err() {
            return None;
        }
        Some(self.left.take())
    }

    /// The connections that have left, where `leave` gave up.
    pub fn left(&self) -> Vec<Passed> {
        self.left.take()
    }
}

/// Counts as long as it lives.
struct Counted<'a>(&'a Cell<usize>);

impl<'a> Counted<'a> {
    fn new(count: &'a Cell<usize>) -> Self {
        count.update(|count| count + 1);
        Self(count)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.update(|count| count.saturating_sub(1));
    }
}

async fn connection(stream: UnixStream, sessions: Vec<SessionId>, server: Rc<Server>) {
    let peer = Peer::of(&stream);
    let (read, write) = stream.into_split();
    let handler = server.handler.clone();
    let mut connection = Connection {
        lines: Lines::new(read, limits::CONTROL_BYTES),
        write,
        runs: Runs { handler, sessions },
        server: server.clone(),
    };
    let ended = match peer {
        Err(error) => connection.send(&Response::error(unknown_peer(&error))).await.map(|()| None),
        Ok(peer) => match server.seats.take(peer.uid) {
            None => connection.send(&Response::error(NO_SEAT)).await.map(|()| None),
            Some(_seat) => connection.serve(&peer).await,
        },
    };
    match ended {
        Ok(None) => {}
        Ok(Some(leaving)) => connection.leave(leaving),
        Err(error) => {
            tracing::debug!(%error, "a control connection ended");
            let _ = connection.send(&Response::error(error)).await;
        }
    }
}

/// Why a connection is not read any more.
enum Leaving {
    /// It goes to the successor as it is.
    Passed,
    /// It is the way to the successor.
    HandedOver(Peer),
}

/// What comes next on a connection.
enum Next {
    Line(Zeroizing<Vec<u8>>),
    End,
    Leave,
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
    server: Rc<Server>,
}

impl Connection {
    async fn serve(&mut self, peer: &Peer) -> Result<Option<Leaving>, FrameError> {
        loop {
            let line = match self.line().await? {
                Next::Line(line) => line,
                Next::End => return Ok(None),
                Next::Leave => return Ok(Some(Leaving::Passed)),
            };
            let request = decode::<Request>(&line)?;
            drop(line);
            self.server.idle.update(|idle| idle.saturating_sub(1));
            let response = match peer.again() {
                Ok(peer) => self.runs.answer(peer, request, &self.server.binding).await,
                Err(error) => Response::error(unknown_peer(&error)),
            };
            self.server.idle.update(|idle| idle + 1);
            let sent = self.send(&response).await;
            if matches!(response, Response::HandingOver) {
                // A successor that is gone already is noticed by whoever hands over.
                return Ok(Some(Leaving::HandedOver(peer.clone())));
            }
            sent?;
        }
    }

    /// The next line. A connection that holds a session may be silent as long as it likes; any other
    /// one, and everyone in the middle of a line, has to hurry.
    async fn line(&mut self) -> Result<Next, FrameError> {
        let deadline = Instant::now() + PATIENCE;
        let hurries = self.runs.sessions.is_empty();
        let mut leaving = self.server.leaving.subscribe();
        let begun = tokio::select! {
            biased;
            begun = self.lines.begin() => begun?,
            _ = leaving.wait_for(|leaving| *leaving) => return Ok(Next::Leave),
            () = sleep_until(deadline), if hurries => return Err(FrameError::Late),
        };
        if !begun {
            return Ok(Next::End);
        }
        let deadline = if hurries { deadline } else { Instant::now() + PATIENCE };
        let line = timeout_at(deadline, self.lines.next()).await;
        Ok(line.map_err(|_| FrameError::Late)??.map_or(Next::End, Next::Line))
    }

    /// Gives the connection away; its sessions go with it.
    fn leave(self, leaving: Leaving) {
        let Self { lines, write, mut runs, server } = self;
        let sessions = std::mem::take(&mut runs.sessions);
        let whole = lines.into_inner().reunite(write).map_err(io::Error::other);
        match (whole.and_then(UnixStream::into_std), leaving) {
            (Ok(stream), Leaving::Passed) => {
                server.left.borrow_mut().push(Passed { stream, sessions });
            }
            (Ok(stream), Leaving::HandedOver(peer)) => server.handler.hand_over(stream, peer),
            (Err(error), _) => {
                tracing::error!(%error, "giving a control connection away");
                runs.sessions = sessions;
            }
        }
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
    async fn answer(&mut self, peer: Peer, request: Request, binding: &Cell<usize>) -> Response {
        if self.handler.is_bound(&peer.cgroup) && !request.agents_may() {
            self.handler.refused(&peer, &request);
            return Response::error(format!(
                "{} from inside an agent's session is refused, and on record: use a shell outside of it",
                request.name(),
            ));
        }
        let mut ended = None;
        let mut _binding = None;
        match &request {
            Request::Run { uid, .. } if peer.uid != 0 && *uid != peer.uid => {
                return Response::error("only root may run a command as another user");
            }
            Request::Run { .. } => _binding = Some(Counted::new(binding)),
            Request::RunEnded { session, .. } => {
                _binding = Some(Counted::new(binding));
                ended = self.sessions.iter().position(|own| own == session);
                if ended.is_none() {
                    return Response::error(format!("session {session} is not this connection's"));
                }
            }
            Request::Sessions
            | Request::Holds { .. }
            | Request::Hold { .. }
            | Request::Approve { .. }
            | Request::Deny { .. }
            | Request::Canary
            | Request::Seal
            | Request::Reload
            | Request::Upgrade { .. }
            | Request::TakeOver(_)
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

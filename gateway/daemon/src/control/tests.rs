//! Client and server over a real socket, and what the server does with peers that misbehave.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::future::Future;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::rc::Rc;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::oneshot;
use weir_model::{HoldId, Secret, SessionId, limits};

use super::frame::Lines;
use super::*;
use crate::cli::Common;

/// Answers, and remembers what it saw.
#[derive(Default)]
struct Fake {
    bound: Cell<bool>,
    seen: RefCell<Vec<String>>,
}

impl Handler for Fake {
    fn is_bound(&self, _cgroup: &str) -> bool {
        self.bound.get()
    }

    fn handle(&self, peer: Peer, request: Request) -> Pin<Box<dyn Future<Output = Response> + '_>> {
        Box::pin(async move {
            self.seen.borrow_mut().push(request.name().to_owned());
            match request {
                Request::Run { token, child, .. } => {
                    assert_eq!(token.expose(), "t0ken");
                    match peer.child(child) {
                        Ok(_) => running(),
                        Err(error) => Response::error(error),
                    }
                }
                Request::RunEnded { .. } => Response::Ended,
                Request::Status => Response::Done { message: "fine".to_owned() },
                Request::Seal => Response::Sealed(Sealed { files: Vec::new(), rows: 7 }),
                Request::Reload => {
                    self.bound.set(true);
                    Response::Done { message: "now bound".to_owned() }
                }
                other => Response::error(format!("{} is not here", other.name())),
            }
        })
    }

    fn refused(&self, _peer: &Peer, request: &Request) {
        self.seen.borrow_mut().push(format!("refused {}", request.name()));
    }

    fn abandoned(&self, session: SessionId) {
        self.seen.borrow_mut().push(format!("abandoned {session}"));
    }
}

fn session() -> SessionId {
    SessionId::from_parts(3, 3)
}

fn running() -> Response {
    Response::Running {
        session: session(),
        environment: BTreeMap::new(),
        authority: String::new(),
        cgroup_mounts: Vec::new(),
        notes: Vec::new(),
    }
}

/// A server in a thread of its own; `stop` gives what its handler saw.
struct Server {
    folder: tempfile::TempDir,
    stop: oneshot::Sender<()>,
    thread: JoinHandle<Vec<String>>,
}

impl Server {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("weir/control.sock");
        let (stop, stopped) = oneshot::channel();
        let (ready, is_ready) = std::sync::mpsc::sync_channel(1);
        let thread = std::thread::spawn(move || {
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            let fake = Rc::new(Fake::default());
            runtime.block_on(async {
                let listener = bind(&path).unwrap();
                ready.send(()).unwrap();
                tokio::select! {
                    () = serve(listener, fake.clone()) => {}
                    _ = stopped => {}
                }
            });
            drop(runtime);
            fake.seen.take()
        });
        is_ready.recv().unwrap();
        Self { folder, stop, thread }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("weir/control.sock")
    }

    fn common(&self) -> Common {
        Common { config: PathBuf::new(), socket: Some(self.path()), json: false }
    }

    fn client(&self) -> Client {
        Client::connect(&self.common()).unwrap()
    }

    /// Gives the server time to notice what happened, and stops it.
    fn stop(self) -> Vec<String> {
        std::thread::sleep(Duration::from_millis(200));
        self.stop.send(()).unwrap();
        self.thread.join().unwrap()
    }
}

fn run(child: u32) -> Request {
    let uid = nix::unistd::geteuid().as_raw();
    let token = Secret::new("t0ken".to_owned());
    let command = vec!["true".to_owned()];
    Request::Run { token, agent: None, command, child, uid, jail: Vec::new(), relax: [].into() }
}

fn raw(path: &Path, bytes: &[u8]) -> String {
    let mut stream = UnixStream::connect(path).unwrap();
    let _ = stream.write_all(bytes);
    let mut answer = String::new();
    let _ = BufReader::new(stream).read_line(&mut answer);
    answer
}

#[test]
fn a_client_asks_and_is_answered() {
    let server = Server::start();
    let mode = std::fs::metadata(server.path()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o666);
    assert_eq!(seal(&server.common()).unwrap().rows, 7);
    let mut client = server.client();
    for _ in 0..3 {
        assert!(matches!(client.ask(&Request::Status).unwrap(), Response::Done { .. }));
    }
    let error = client.ask(&Request::Sessions).unwrap_err();
    assert_eq!(error.to_string(), "sessions is not here");
    drop(client);
    assert_eq!(server.stop(), ["seal", "status", "status", "status", "sessions"]);
}

#[test]
fn a_run_ends_with_its_report() {
    let mut waiting = std::process::Command::new("sleep").arg("60").spawn().unwrap();
    let server = Server::start();
    let mut client = server.client();
    assert!(matches!(client.ask(&run(waiting.id())).unwrap(), Response::Running { .. }));
    let ended = Request::RunEnded { session: session(), status: 0 };
    assert!(server.client().ask(&ended).is_err(), "it is another connection's");
    assert!(matches!(client.ask(&ended).unwrap(), Response::Ended));
    assert!(client.ask(&ended).is_err(), "it ended before");
    drop(client);
    assert_eq!(server.stop(), ["run", "run_ended"]);
    waiting.kill().unwrap();
    waiting.wait().unwrap();
}

#[test]
fn a_run_whose_connection_goes_is_abandoned_once() {
    let mut waiting = std::process::Command::new("sleep").arg("60").spawn().unwrap();
    let server = Server::start();
    let mut client = server.client();
    client.ask(&run(waiting.id())).unwrap();
    drop(client);
    let abandoned = format!("abandoned {}", session());
    assert_eq!(server.stop(), ["run".to_owned(), abandoned.clone()]);

    let server = Server::start();
    let mut client = server.client();
    client.ask(&run(waiting.id())).unwrap();
    assert_eq!(server.stop(), ["run".to_owned(), abandoned], "the server went first");
    waiting.kill().unwrap();
    waiting.wait().unwrap();
}

#[test]
fn only_a_child_of_the_peer_is_bound() {
    let server = Server::start();
    for stranger in [1, std::process::id(), u32::MAX] {
        assert!(server.client().ask(&run(stranger)).is_err(), "{stranger}");
    }
    assert_eq!(server.stop(), ["run", "run", "run"]);
}

#[test]
fn agents_get_the_status_and_nothing_else() {
    let server = Server::start();
    let mut client = server.client();
    // This connection was made before its process was bound.
    client.ask(&Request::Reload).unwrap();
    let id = HoldId("H-00000000".to_owned());
    let refused = [
        Request::Approve { id: id.clone(), comment: None },
        Request::Deny { id: id.clone(), comment: None },
        Request::Hold { id },
        Request::Holds { all: true },
        Request::Sessions,
        Request::Seal,
        Request::Reload,
        Request::Upgrade { binary: None },
        Request::TakeOver(Claim {
            form: handover::FORM,
            instance: "weir".to_owned(),
            layout: String::new(),
            record: PathBuf::new(),
            state: PathBuf::new(),
        }),
        run(1),
    ];
    for request in &refused {
        let error = client.ask(request).unwrap_err().to_string();
        assert!(error.contains("from inside an agent's session is refused"), "{error}");
    }
    assert!(client.ask(&Request::Status).is_ok());
    let seen = server.stop();
    assert_eq!(seen.len(), refused.len() + 2);
    assert_eq!((seen[0].as_str(), seen[1].as_str()), ("reload", "refused approve"));
}

#[test]
fn garbage_is_answered_with_an_error() {
    let server = Server::start();
    let check = |bytes: &[u8], expected: &str| {
        let answer = raw(&server.path(), bytes);
        assert!(answer.contains("error") && answer.contains(expected), "{answer}");
    };
    check(b"GET / HTTP/1.1\r\n\r\n", "not understood");
    check(b"\xff\xfe\n", "not understood");
    check(b"{\"request\":\"approve\"}\n", "not understood");
    check(b"{\"request\":\"holds\",\"all\":true,\"more\":1}\n", "not understood");
    check(b"{\"request\":\"nothing\"}\n", "not understood");
    check(&vec![b'x'; limits::CONTROL_BYTES + 1], "longer than");
    check(
        &b"[".repeat(limits::CONTROL_BYTES / 2).into_iter().chain([b'\n']).collect::<Vec<_>>(),
        "",
    );
    assert!(server.client().ask(&Request::Status).is_ok());
    assert_eq!(server.stop(), ["status"]);
}

#[test]
fn half_a_line_is_nothing() {
    let server = Server::start();
    let mut stream = UnixStream::connect(server.path()).unwrap();
    stream.write_all(b"{\"request\":\"se").unwrap();
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.contains("in the middle of a message"), "{answer}");
    assert!(server.stop().is_empty());
}

#[test]
fn one_user_can_not_take_all_connections() {
    let server = Server::start();
    let limit = match nix::unistd::geteuid().is_root() {
        true => limits::CONTROL_CONNECTIONS / 2,
        false => limits::CONTROL_CONNECTIONS_PER_USER,
    };
    let mut clients: Vec<Client> = (0..limit).map(|_| server.client()).collect();
    for client in &mut clients {
        assert!(client.ask(&Request::Status).is_ok());
    }
    let error = server.client().ask(&Request::Status).unwrap_err().to_string();
    assert!(error.contains("too many control connections"), "{error}");
    drop(clients);
    std::thread::sleep(Duration::from_millis(200));
    assert!(server.client().ask(&Request::Status).is_ok());
    server.stop();
}

#[test]
fn a_second_gateway_and_other_files_are_left_alone() {
    let server = Server::start();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        assert!(bind(&server.path()).is_err());
        let file = server.folder.path().join("file");
        std::fs::write(&file, "kept").unwrap();
        assert!(bind(&file).is_err());
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "kept");
        let stale = server.folder.path().join("stale");
        drop(bind(&stale).unwrap());
        assert!(stale.exists());
        assert!(bind(&stale).is_ok());
    });
    server.stop();
}

#[test]
fn a_missing_gateway_is_explained() {
    let folder = tempfile::tempdir().unwrap();
    let socket = Some(folder.path().join("none"));
    let common = Common { config: PathBuf::new(), socket, json: false };
    let error = Client::connect(&common).err().unwrap().to_string();
    assert!(error.contains("is it running"), "{error}");
}

#[test]
fn tokens_are_not_shown() {
    let request = run(1);
    assert!(!format!("{request:?}").contains("t0ken"));
    assert!(serde_json::to_string(&request).unwrap().contains("t0ken"));
}

#[tokio::test]
async fn lines_come_whole_however_they_are_cut() {
    let (mut write, read) = tokio::io::duplex(3);
    let writer = tokio::spawn(async move {
        use tokio::io::AsyncWriteExt as _;
        write.write_all(b"one\n\ntwo\nthr").await.unwrap();
    });
    let mut lines = Lines::new(read, 8);
    for expected in ["one", "", "two"] {
        assert_eq!(lines.next().await.unwrap().unwrap().as_slice(), expected.as_bytes());
    }
    assert!(lines.next().await.is_err());
    writer.await.unwrap();
}

#[test]
fn a_pinned_process_is_not_mistaken_for_its_successor() {
    let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
    let pinned = Pinned::open(child.id()).unwrap();
    assert_eq!(pinned.parent().unwrap(), std::process::id());
    assert!(pinned.cgroup().unwrap().starts_with('/'));
    child.kill().unwrap();
    // A zombie is as good as gone, and so is one whose number is free.
    std::thread::sleep(Duration::from_millis(100));
    assert!(pinned.check().is_err());
    child.wait().unwrap();
    assert!(pinned.check().is_err() && pinned.cgroup().is_err());
}

//! A control socket whose handler only says yes.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs;
use std::future::Future;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::pin::Pin;
use std::process::{Command, Output, Stdio};
use std::rc::Rc;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::oneshot;
use weir::control::{Handler, Peer, Request, Response, bind, serve};
use weir::tls::Authority;
use weir_model::SessionId;

/// Binds nothing, and remembers what it was told.
#[derive(Default)]
pub(crate) struct Yes {
    refuse: bool,
    authority: String,
    seen: RefCell<Vec<String>>,
}

impl Handler for Yes {
    fn is_bound(&self, _cgroup: &str) -> bool {
        false
    }

    fn handle(&self, peer: Peer, request: Request) -> Pin<Box<dyn Future<Output = Response> + '_>> {
        let (response, seen) = match request {
            Request::Run { .. } if self.refuse => {
                (Response::error("the token is expired: log in again"), "refused".to_owned())
            }
            Request::Run { token, agent, command, child, uid, jail, relax } => {
                assert_eq!(token.expose(), "t0ken");
                let child = peer.child(child).unwrap();
                assert_eq!(child.parent().unwrap(), peer.pid);
                let seen = format!("run {} {command:?} {uid}", agent.unwrap_or_default());
                let layers: Vec<String> = jail.iter().map(ToString::to_string).collect();
                assert_eq!(layers[..2], ["no-privileges", "seccomp"]);
                let relaxed: Vec<&str> = relax.iter().map(|relaxation| relaxation.name()).collect();
                let seen = format!("{seen} {}", relaxed.join(","));
                (running(&self.authority), seen.trim_end().to_owned())
            }
            Request::RunEnded { status, .. } => (Response::Ended, format!("ended {status}")),
            other => (Response::error("what?"), other.name().to_owned()),
        };
        self.seen.borrow_mut().push(seen);
        Box::pin(async { response })
    }

    fn refused(&self, _peer: &Peer, _request: &Request) {}

    fn abandoned(&self, _session: SessionId) {
        self.seen.borrow_mut().push("abandoned".to_owned());
    }
}

fn running(authority: &str) -> Response {
    Response::Running {
        session: SessionId::from_parts(3, 3),
        environment: BTreeMap::from([("GIVEN".to_owned(), "by the gateway".to_owned())]),
        authority: authority.to_owned(),
        cgroup_mounts: Vec::new(),
        notes: vec!["a note".to_owned()],
    }
}

pub(crate) struct Gateway {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) authority: Authority,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<Vec<String>>>,
}

impl Gateway {
    /// The binary where everybody can run it. Copied by a program: while this process had it open for
    /// writing, a child of another test would have it too, and what is open for writing does not run.
    pub(crate) fn copy_of_weir(&self) -> PathBuf {
        let to = self.folder.path().join("weir");
        let copied = Command::new("cp").arg(env!("CARGO_BIN_EXE_weir")).arg(&to).status().unwrap();
        assert!(copied.success());
        to
    }

    pub(crate) fn start(refuse: bool) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mode = fs::Permissions::from_mode(0o755);
        fs::set_permissions(folder.path(), mode).unwrap();
        let path = folder.path().join("control.sock");
        let authority = Authority::open_or_create(&folder.path().join("state")).unwrap();
        let pem = authority.certificate_pem().to_owned();
        let (stop, stopped) = oneshot::channel();
        let (ready, is_ready) = std::sync::mpsc::sync_channel(1);
        let thread = std::thread::spawn(move || {
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            let yes = Rc::new(Yes { refuse, authority: pem, ..Yes::default() });
            runtime.block_on(async {
                let listener = bind(&path).unwrap();
                ready.send(()).unwrap();
                tokio::select! {
                    () = serve(listener, yes.clone()) => {}
                    _ = stopped => {}
                }
            });
            drop(runtime);
            yes.seen.take()
        });
        is_ready.recv().unwrap();
        Self { folder, authority, stop: Some(stop), thread: Some(thread) }
    }

    pub(crate) fn stop(&mut self) -> Vec<String> {
        std::thread::sleep(Duration::from_millis(100));
        let _ = self.stop.take().unwrap().send(());
        self.thread.take().unwrap().join().unwrap()
    }

    pub(crate) fn weir(&self, arguments: &[&str], command: &[&str]) -> Command {
        let token = self.folder.path().join("token");
        fs::write(&token, "t0ken\n").unwrap();
        fs::set_permissions(&token, fs::Permissions::from_mode(0o600)).unwrap();
        let mut weir = Command::new(env!("CARGO_BIN_EXE_weir"));
        weir.arg("--socket").arg(self.folder.path().join("control.sock"));
        weir.arg("run").arg("--token-file").arg(token).args(arguments).arg("--").args(command);
        weir.env("WEIR_TOKEN", "t0ken").env("WEIR_TOKEN_FILE", "/nowhere").env("KEPT", "kept");
        weir.stdin(Stdio::null());
        weir
    }

    pub(crate) fn shell(&self, arguments: &[&str], script: &str) -> Output {
        self.weir(arguments, &["sh", "-c", script]).output().unwrap()
    }
}

pub(crate) fn text(output: &Output) -> String {
    let error = String::from_utf8_lossy(&output.stderr);
    format!("{}{error}", String::from_utf8_lossy(&output.stdout))
}

/// The lines of `/proc/self/status` as the command sees them.
pub(crate) fn status_of(output: &Output) -> BTreeMap<String, String> {
    let text = String::from_utf8_lossy(&output.stdout);
    let field = |line: &str| line.split_once(":\t").map(|(a, b)| (a.to_owned(), b.to_owned()));
    text.lines().filter_map(field).collect()
}

/// An interpreter that is nobody's own.
pub(crate) const PYTHON: &str = "/usr/bin/python3";

impl Gateway {
    /// A Python script in the jail.
    pub(crate) fn python(&self, arguments: &[&str], script: &str) -> Output {
        self.weir(arguments, &[PYTHON, "-c", script]).output().unwrap()
    }
}

/// A Python script without a jail, which shows that the attack works there.
pub(crate) fn outside(script: &str) -> Output {
    Command::new(PYTHON).args(["-c", script]).stdin(Stdio::null()).output().unwrap()
}

/// What a program said on standard output, which must have succeeded.
pub(crate) fn out(output: &Output) -> String {
    assert!(output.status.success(), "{:?} {}", output.status, text(output));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// Builds a C program.
pub(crate) fn compile(
    folder: &std::path::Path,
    name: &str,
    flags: &[&str],
    source: &str,
) -> String {
    let (code, program) = (folder.join(format!("{name}.c")), folder.join(name));
    fs::write(&code, source).unwrap();
    let mut gcc = Command::new("gcc");
    gcc.args(["-O1", "-o"]).arg(&program).arg(&code).args(flags);
    let built = gcc.output().unwrap();
    assert!(built.status.success(), "{}", text(&built));
    program.display().to_string()
}

//! One interceptor per test, and Python clients that start inside its leaf.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::fd::AsFd as _;
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::{Once, PoisonError, RwLock, RwLockReadGuard};
use std::time::{Duration, Instant};

use weir::intercept::{Asker, Bound, FlowFacts, Interceptor, Listeners, Options};

const PATIENCE: Duration = Duration::from_secs(20);

/// Waits for a line first, so that the sockets are made inside the leaf.
const PRELUDE: &str = r#"
import errno, os, socket, struct, sys
print("ready", flush=True)
sys.stdin.readline()
def say(*words): print(*words, flush=True)
def attempt(action):
    try: say(action())
    except OSError as e: say(errno.errorcode.get(e.errno, str(e)))
def tcp(address, family=socket.AF_INET):
    s = socket.socket(family, socket.SOCK_STREAM)
    s.settimeout(10)
    s.connect(address)
    return s
def udp(family=socket.AF_INET):
    s = socket.socket(family, socket.SOCK_DGRAM)
    s.settimeout(10)
    return s
"#;

static FORKS: RwLock<()> = RwLock::new(());

/// To be held while a process is started: until it runs its own program it has copies of all
/// sockets of this one, so a listener that another test loses would still be there.
pub(crate) fn forking() -> RwLockReadGuard<'static, ()> {
    FORKS.read().unwrap_or_else(PoisonError::into_inner)
}

pub(crate) struct Rig {
    pub(crate) options: Options,
    pub(crate) interceptor: Option<Interceptor>,
    pub(crate) bound: Bound,
    pub(crate) listeners: Option<Listeners>,
}

pub(crate) fn options(test: &str) -> Options {
    Options { instance: format!("t{}-{test}", std::process::id()), bpffs: None }
}

/// All interceptors of this process share its cgroup, so it moves before the first one starts.
pub(crate) fn settle() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap();
        let mount = mounts.lines().find(|line| line.contains(" - cgroup2 ")).expect("cgroup v2");
        let own = format!("{}/weir-tests", mount.split(' ').nth(4).unwrap());
        let _ = std::fs::create_dir(&own);
        std::fs::write(format!("{own}/cgroup.procs"), std::process::id().to_string())
            .expect("these tests need root");
    });
}

impl Rig {
    pub(crate) fn new(test: &str) -> Self {
        settle();
        let options = options(test);
        let mut interceptor = Interceptor::start(&options).expect("starting the interceptor");
        let bound = interceptor.bind(7, "agent").expect("binding");
        let listeners = interceptor.listen(std::process::id(), 1).expect("listening");
        Self { options, interceptor: Some(interceptor), bound, listeners }
    }

    pub(crate) fn interceptor(&mut self) -> &mut Interceptor {
        self.interceptor.as_mut().unwrap()
    }

    pub(crate) fn listeners(&self) -> &Listeners {
        self.listeners.as_ref().unwrap()
    }

    /// Runs a script inside the leaf.
    pub(crate) fn client(&self, script: &str) -> Client {
        self.started(Client::spawn(&["python3"], script))
    }

    pub(crate) fn started(&self, mut client: Client) -> Client {
        let interceptor = self.interceptor.as_ref().unwrap();
        interceptor.enter(&self.bound, client.child.id()).expect("entering the leaf");
        client.go();
        client
    }

    /// Loses the listeners, as a gateway that is killed does.
    pub(crate) fn lose_listeners(&mut self) {
        let _nothing_starts = FORKS.write().unwrap_or_else(PoisonError::into_inner);
        self.listeners = None;
    }

    pub(crate) fn accept(&self) -> TcpStream {
        accept(&self.listeners().tcp[0])
    }

    pub(crate) fn accept6(&self) -> TcpStream {
        accept(&self.listeners().tcp6[0])
    }

    pub(crate) fn facts(&self, stream: &TcpStream) -> Option<FlowFacts> {
        self.interceptor.as_ref().unwrap().facts().flow(stream.as_fd()).unwrap()
    }

    pub(crate) fn count(&self, name: &str) -> u64 {
        self.interceptor.as_ref().unwrap().named_counters(7).unwrap()[name]
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        if let Some(mut interceptor) = self.interceptor.take() {
            let retired = interceptor.retire();
            if !std::thread::panicking() {
                retired.expect("retiring");
            }
        }
    }
}

pub(crate) struct Client {
    pub(crate) child: Child,
    output: BufReader<ChildStdout>,
}

impl Client {
    /// Starts a script that waits; `command` is what runs Python.
    pub(crate) fn spawn(command: &[&str], script: &str) -> Self {
        let forking = forking();
        let mut child = Command::new(command[0])
            .args(&command[1..])
            .args(["-c", &format!("{PRELUDE}{script}")])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("python3 is needed");
        drop(forking);
        let output = BufReader::new(child.stdout.take().unwrap());
        let mut client = Self { child, output };
        assert_eq!(client.line(), "ready");
        client
    }

    /// Lets it go on.
    pub(crate) fn go(&mut self) {
        self.child.stdin.as_mut().unwrap().write_all(b"\n").unwrap();
    }

    pub(crate) fn line(&mut self) -> String {
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(crate) fn accept(listener: &TcpListener) -> TcpStream {
    let (stream, _) = patiently(|| listener.accept());
    stream.set_nonblocking(false).unwrap();
    stream
}

pub(crate) fn receive(socket: &UdpSocket) -> (Vec<u8>, std::net::SocketAddr) {
    let mut buffer = [0; 512];
    let (length, from) = patiently(|| socket.recv_from(&mut buffer));
    (buffer[..length].to_vec(), from)
}

fn patiently<T>(mut call: impl FnMut() -> std::io::Result<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match call() {
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                assert!(Instant::now() < deadline, "nothing came");
                std::thread::sleep(Duration::from_millis(1));
            }
            result => return result.unwrap(),
        }
    }
}

/// Who sent a query, from a socket that is still open.
pub(crate) fn there(asker: Option<Asker>) -> FlowFacts {
    match asker {
        Some(Asker::There(facts)) => facts,
        other => panic!("{other:?}"),
    }
}

/// Where an instance has pinned what this version made.
pub(crate) fn layout(options: &Options) -> PathBuf {
    let mut lives = fs::read_dir(pins(options)).unwrap().map(|entry| entry.unwrap().path());
    lives.find(|path| path.file_name().unwrap().to_str().unwrap().starts_with("v2-")).unwrap()
}

/// Where an instance has pinned anything.
pub(crate) fn pins(options: &Options) -> PathBuf {
    let bpffs = options.bpffs.clone().unwrap_or_else(|| "/sys/fs/bpf".into());
    bpffs.join("weir").join(&options.instance)
}

//! The command's own terminal. Each test types at a pseudo-terminal of its own, whose other end is the
//! user's terminal of `weir run`.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::fd::{AsFd as _, OwnedFd};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use rustix::pty::{OpenptFlags, grantpt, ioctl_tiocgptpeer, openpt, unlockpt};
use rustix::termios::{LocalModes, Winsize, tcgetattr, tcsetwinsize};

use crate::rig::{Gateway, PYTHON};

struct User {
    keys: File,
    terminal: OwnedFd,
    child: Child,
    screen: String,
}

fn size(rows: u16, columns: u16) -> Winsize {
    Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 }
}

impl User {
    /// Runs a command with a terminal, in a session of its own.
    fn start(command: &Command) -> Self {
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let master = openpt(flags).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let terminal = ioctl_tiocgptpeer(&master, flags).unwrap();
        tcsetwinsize(&master, size(30, 90)).unwrap();
        let end = || Stdio::from(terminal.try_clone().unwrap());
        let mut user = Command::new("setsid");
        user.args(["--ctty", "--wait"]).arg(command.get_program()).args(command.get_args());
        for (name, value) in command.get_envs() {
            user.env(name, value.unwrap_or_default());
        }
        let child = user.stdin(end()).stdout(end()).stderr(end()).spawn().unwrap();
        Self { keys: File::from(master), terminal, child, screen: String::new() }
    }

    fn types(&mut self, text: &str) {
        self.keys.write_all(text.as_bytes()).unwrap();
    }

    /// Reads until something is shown.
    fn sees(&mut self, text: &str) {
        let begin = Instant::now();
        while !self.screen.contains(text) {
            assert!(begin.elapsed() < Duration::from_secs(20), "no {text:?} in {:?}", self.screen);
            let mut ready =
                [nix::poll::PollFd::new(self.keys.as_fd(), nix::poll::PollFlags::POLLIN)];
            nix::poll::poll(&mut ready, 100_u16).unwrap();
            if ready[0].any().unwrap() {
                let mut bytes = [0; 4096];
                let count = self.keys.read(&mut bytes).unwrap();
                self.screen.push_str(&String::from_utf8_lossy(&bytes[..count]));
            }
        }
    }

    fn is_raw(&self) -> bool {
        let modes = tcgetattr(&self.terminal).unwrap().local_modes;
        !modes.intersects(LocalModes::ICANON | LocalModes::ECHO | LocalModes::ISIG)
    }

    fn waits_until_raw(&self) {
        let begin = Instant::now();
        while !self.is_raw() {
            assert!(begin.elapsed() < Duration::from_secs(20), "not raw: {:?}", self.screen);
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// The process of `weir run`, which `setsid` waits for.
    fn weir(&self) -> Pid {
        let pid = self.child.id();
        let children = format!("/proc/{pid}/task/{pid}/children");
        let first = std::fs::read_to_string(children).unwrap();
        // Where it did not have to fork, it has become the command itself.
        let pid = first.split_whitespace().next().map_or(pid, |pid| pid.parse().unwrap());
        Pid::from_raw(pid.cast_signed())
    }

    fn ends(&mut self) -> Option<i32> {
        let begin = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code();
            }
            assert!(begin.elapsed() < Duration::from_secs(20), "it goes on: {:?}", self.screen);
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for User {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

#[test]
fn the_command_has_a_terminal_of_its_own_with_the_user_s_size() {
    let gateway = Gateway::start(false);
    let script =
        "tty; stty size; trap 'stty size; exit 3' WINCH; echo ready; while :; do sleep 0.05; done";
    let mut user = User::start(&gateway.weir(&[], &["bash", "-c", script]));
    user.sees("ready\r\n");
    let outer = rustix::termios::ttyname(&user.terminal, Vec::new()).unwrap();
    assert!(user.screen.contains("/dev/pts/"), "{:?}", user.screen);
    assert!(!user.screen.contains(&format!("{}\r", outer.to_str().unwrap())), "{:?}", user.screen);
    assert!(user.screen.contains("30 90\r\n"), "{:?}", user.screen);
    tcsetwinsize(&user.keys, size(31, 101)).unwrap();
    user.sees("31 101");
    assert_eq!(user.ends(), Some(3));
}

#[test]
fn the_user_s_terminal_is_raw_meanwhile_and_then_as_it_was() {
    let check = |script: &str, act: &dyn Fn(&mut User), status: i32| {
        let gateway = Gateway::start(false);
        let mut user = User::start(&gateway.weir(&[], &["sh", "-c", script]));
        let before = tcgetattr(&user.terminal).unwrap();
        user.sees("ready");
        user.waits_until_raw();
        // A shell that is told between fork and exec loses the signal.
        std::thread::sleep(Duration::from_millis(300));
        act(&mut user);
        assert_eq!(user.ends(), Some(status), "{script}");
        let after = tcgetattr(&user.terminal).unwrap();
        assert_eq!(format!("{after:?}"), format!("{before:?}"), "{script}");
    };
    check("echo ready; read line; exit 5", &|user| user.types("x\r"), 5);
    check("echo ready; sleep 60", &|user| user.types("\x03"), 130);
    check("trap '' INT; echo ready; sleep 60", &|user| user.types("\x1c"), 131);
    check("echo ready; sleep 60", &|user| kill(user.weir(), Signal::SIGTERM).unwrap(), 143);
    check("echo ready; sleep 60", &|user| kill(user.weir(), Signal::SIGHUP).unwrap(), 129);
}

#[test]
fn control_z_stops_both_and_fg_goes_on() {
    let gateway = Gateway::start(false);
    let weir = gateway.weir(&[], &["cat"]);
    let line: Vec<String> = std::iter::once(weir.get_program())
        .chain(weir.get_args())
        .map(|word| format!("'{}'", word.to_str().unwrap()))
        .collect();
    let mut shell = Command::new("bash");
    shell.args(["--norc", "--noediting", "-i"]).env("PS1", "prompt> ").env("WEIR_TOKEN", "t0ken");
    let mut user = User::start(&shell);
    user.sees("prompt> ");
    user.types(&format!("{}\n", line.join(" ")));
    user.sees("a note");
    user.waits_until_raw();
    user.types("one\r");
    user.sees("one\r\none\r\n");
    user.types("\x1a");
    user.sees("Stopped");
    assert!(!user.is_raw());
    user.screen.clear();
    user.types("fg\n");
    user.waits_until_raw();
    user.types("two\r");
    user.sees("two\r\ntwo\r\n");
    user.screen.clear();
    user.types("\x04");
    user.sees("prompt> ");
    user.types("echo status $?\n");
    user.sees("status 0");
    user.types("exit\n");
    user.ends();
}

#[test]
fn an_interactive_shell_has_job_control() {
    let gateway = Gateway::start(false);
    let mut weir = gateway.weir(&[], &["bash", "--norc", "--noediting", "-i"]);
    weir.env("PS1", "inner> ");
    let mut user = User::start(&weir);
    user.sees("inner> ");
    user.types("sleep 50\r");
    std::thread::sleep(Duration::from_millis(300));
    user.types("\x1a");
    user.sees("Stopped");
    // A job that is not gone yet would keep the shell from leaving, and `wait` waits for no stopped one.
    user.types("kill -9 %1; disown -a; echo $((40 + 2))\r");
    user.sees("42");
    user.types("exit 9\r");
    assert_eq!(user.ends(), Some(9));
    assert!(!user.screen.contains("no job control"), "{:?}", user.screen);
}

#[test]
fn nothing_of_a_long_output_is_lost() {
    let gateway = Gateway::start(false);
    let mut user = User::start(&gateway.weir(&[], &["seq", "1", "30000"]));
    user.sees("\n30000\r\n");
    assert_eq!(user.screen.matches("\r\n").count() - user.screen.matches("weir:").count(), 30_000);
    assert_eq!(user.ends(), Some(0));
}

#[test]
fn only_what_is_a_terminal_is_replaced() {
    let gateway = Gateway::start(false);
    let script = "cat; [ -t 0 ] && echo input; [ -t 1 ] && echo output; true";
    let file = gateway.folder.path().join("input");
    std::fs::write(&file, "from a file\n").unwrap();
    let weir = gateway.weir(&[], &["sh", "-c", script]);
    let mut redirected = Command::new("sh");
    redirected.args(["-c", &format!("exec \"$@\" < {}", file.display()), "sh"]);
    redirected.arg(weir.get_program()).args(weir.get_args());
    let mut user = User::start(&redirected);
    user.sees("output");
    assert!(user.screen.contains("from a file\r\n") && !user.screen.contains("\r\r"));
    assert!(!user.screen.contains("input\r\n"), "{:?}", user.screen);
    assert_eq!(user.ends(), Some(0));
}

/// Types into whatever terminal it gets at: standard input and the controlling one.
const TYPE: &str = "
import fcntl, os, errno
for path in ('/proc/self/fd/0', '/dev/tty'):
    try:
        tty = os.open(path, os.O_RDWR)
        for byte in b'touch typed\\n': fcntl.ioctl(tty, 0x5412, bytes([byte]))
        print('typed')
    except OSError as e: print(errno.errorcode[e.errno])
print('done')
";

#[test]
fn nothing_is_typed_into_the_user_s_terminal() {
    let typed = |arguments: &[&str]| {
        let gateway = Gateway::start(false);
        let mut user = User::start(&gateway.weir(arguments, &[PYTHON, "-c", TYPE]));
        user.sees("done");
        assert_eq!(user.ends(), Some(0));
        user.screen.replace("\r\n", " ")
    };
    assert!(typed(&[]).contains("EPERM EPERM done"));
    // With the user's own terminal there is the filter alone, and no controlling terminal.
    assert!(typed(&["--relax", "terminal"]).contains("EPERM ENXIO done"));
    let mut direct = Command::new(PYTHON);
    let mut user = User::start(direct.args(["-c", TYPE]));
    user.sees("typed\r\ntyped\r\ndone");
    user.ends();
}

//! `weir run` against a control socket whose handler only says yes: what the command finds itself in.
//! Its jail, terminal and trust have files of their own.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod attacks;
mod rig;
mod sockets;
mod terminal;
mod trust;
mod usual;

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::{TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, geteuid};

use rig::{Gateway, status_of, text};

#[test]
fn the_command_s_status_is_weir_s() {
    let check = |command: &[&str], status: i32, ended: &str| {
        let mut gateway = Gateway::start(false);
        let output = gateway.weir(&["--agent", "robot"], command).output().unwrap();
        assert_eq!(output.status.code(), Some(status), "{command:?}: {}", text(&output));
        let run = format!("run robot {command:?} {}", geteuid());
        assert_eq!(gateway.stop(), [run, ended.to_owned()], "{command:?}");
        text(&output)
    };
    check(&["true"], 0, "ended 0");
    check(&["sh", "-c", "exit 7"], 7, "ended 7");
    check(&["sh", "-c", "kill -9 $$"], 137, "ended 137");
    let missing = check(&["/nowhere/at/all"], 127, "ended 127");
    assert!(missing.contains("running /nowhere/at/all: No such file"), "{missing}");
    let folder = check(&["/etc"], 126, "ended 126");
    assert!(folder.contains("running /etc: Permission denied"), "{folder}");
}

#[test]
fn a_refusal_is_told_and_nothing_runs() {
    let mut gateway = Gateway::start(true);
    let mark = gateway.folder.path().join("mark");
    let output = gateway.shell(&[], &format!("touch {}", mark.display()));
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(text(&output), "weir: the token is expired: log in again\n");
    assert!(!mark.exists());
    assert_eq!(gateway.stop(), ["refused"]);
}

#[test]
fn the_environment_gains_the_gateway_s_words_and_loses_the_token() {
    let gateway = Gateway::start(false);
    let output = gateway.shell(&[], "env");
    let text = text(&output);
    assert!(text.contains("GIVEN=by the gateway") && text.contains("KEPT=kept"), "{text}");
    assert!(text.contains("weir: a note"), "{text}");
    assert!(!text.contains("t0ken") && !text.contains("WEIR_TOKEN"), "{text}");
}

#[test]
fn the_command_has_a_session_and_no_files_of_its_own() {
    let gateway = Gateway::start(false);
    let leak = fs::File::open("/dev/zero").unwrap();
    let flags = nix::fcntl::FcntlArg::F_SETFD(nix::fcntl::FdFlag::empty());
    nix::fcntl::fcntl(&leak, flags).unwrap();
    // The shell's own redirections would disturb the count, so ls looks at itself.
    let output = gateway.weir(&[], &["ls", "-l", "/proc/self/fd"]).output().unwrap();
    let shown = text(&output);
    assert!(!shown.contains("/dev/zero") && !shown.contains("socket"), "{shown}");
    assert_eq!(shown.matches(" -> ").count(), 4, "{shown}"); // 0, 1, 2 and the folder
    let output = gateway.shell(&[], "cut -d' ' -f1,5,6 /proc/$$/stat");
    let shown = String::from_utf8_lossy(&output.stdout).into_owned();
    let numbers: Vec<&str> = shown.split_whitespace().collect();
    assert!(numbers.iter().all(|number| *number == numbers[0]), "{shown}");
}

#[test]
fn no_privilege_is_left_nor_comes_back() {
    let gateway = Gateway::start(false);
    let output = gateway.shell(&[], "cat /proc/self/status");
    let status = status_of(&output);
    assert_eq!(status["NoNewPrivs"], "1");
    let sets = if geteuid().is_root() {
        ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"].as_slice()
    } else {
        ["CapInh", "CapPrm", "CapEff", "CapAmb"].as_slice()
    };
    for set in sets {
        assert_eq!(status[*set], "0000000000000000", "{set}");
    }
    assert_eq!(status["SigBlk"], "0000000000000000");
    assert_eq!(text(&output).contains("runs as root"), geteuid().is_root());
}

#[test]
fn a_command_of_root_s_can_not_write_to_cgroups_or_mount() {
    if !geteuid().is_root() {
        return;
    }
    let table = fs::read_to_string("/proc/self/mountinfo").unwrap();
    let cgroup = table.lines().find(|line| line.contains(" - cgroup2 "));
    let Some(mount) = cgroup.and_then(|line| line.split(' ').nth(4)) else {
        return;
    };
    let gateway = Gateway::start(false);
    let script = format!(
        "echo $$ > {mount}/cgroup.procs && echo moved; mkdir {mount}/weir-test && echo made; \
         mount -o remount,rw {mount} && echo mounted; umount {mount} && echo unmounted; true"
    );
    let output = gateway.shell(&[], &script);
    assert_eq!(String::from_utf8_lossy(&output.stdout), "", "{}", text(&output));
    assert!(text(&output).contains("Read-only file system"), "{}", text(&output));
    let still = fs::read_to_string("/proc/self/mountinfo").unwrap();
    assert_eq!(still, table, "the host's mounts stay as they are");
}

#[test]
fn root_becomes_the_user_with_its_groups() {
    if !geteuid().is_root() {
        return;
    }
    let gateway = Gateway::start(false);
    let output = gateway.shell(&["--user", "nobody"], "cat /proc/self/status; echo $HOME $USER");
    let status = status_of(&output);
    let nobody = nix::unistd::User::from_name("nobody").unwrap().unwrap();
    let four = |id: u32| vec![id.to_string(); 4].join("\t");
    assert_eq!(status["Uid"], four(nobody.uid.as_raw()), "{}", text(&output));
    assert_eq!(status["Gid"], four(nobody.gid.as_raw()));
    assert_eq!(status["Groups"].trim(), nobody.gid.to_string());
    assert_eq!(status["CapBnd"], "0000000000000000");
    assert!(text(&output).contains(&format!("{} nobody", nobody.dir.display())));
    assert!(!text(&output).contains("runs as root"));
    let output = gateway.shell(&["--user", "no-such-user"], "true");
    assert!(text(&output).contains("there is no user no-such-user"), "{}", text(&output));
}

#[test]
fn an_agent_of_the_same_user_can_not_look_into_weir_run() {
    if !geteuid().is_root() {
        return;
    }
    let gateway = Gateway::start(false);
    // The binary may stand where only root gets to.
    let binary = gateway.copy_of_weir();
    let mut weir = Command::new(&binary);
    weir.arg("--socket").arg(gateway.folder.path().join("control.sock"));
    weir.args(["run", "--", "sh", "-c", "cat /proc/$PPID/environ && echo read; id -u"]);
    weir.env("WEIR_TOKEN", "t0ken").uid(65534).gid(65534).current_dir("/").stdin(Stdio::null());
    let output = weir.output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "65534\n", "{}", text(&output));
    assert!(text(&output).contains("Permission denied"), "{}", text(&output));
}

#[test]
fn a_network_socket_is_not_standard_input() {
    let gateway = Gateway::start(false);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let socket = || OwnedFd::from(TcpStream::connect(listener.local_addr().unwrap()).unwrap());
    let mut weir = gateway.weir(&[], &["true"]);
    let output = weir.stdin(Stdio::from(socket())).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output).contains("standard input is a network socket"), "{}", text(&output));
    let mut weir = gateway.weir(&["--relax", "socket-stdio"], &["true"]);
    assert!(weir.stdin(Stdio::from(socket())).output().unwrap().status.success());
}

fn start(gateway: &Gateway, script: &str) -> (Child, BufReader<std::process::ChildStdout>) {
    let mut weir = gateway.weir(&[], &["sh", "-c", script]);
    let mut child = weir.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    output.read_line(&mut line).unwrap();
    assert_eq!(line, "ready\n");
    (child, output)
}

#[test]
fn signals_reach_the_command() {
    for (signal, name, status) in
        [(Signal::SIGTERM, "TERM", 3), (Signal::SIGINT, "INT", 4), (Signal::SIGUSR1, "USR1", 5)]
    {
        let gateway = Gateway::start(false);
        let script =
            format!("trap 'exit {status}' {name}; echo ready; while :; do sleep 0.05; done");
        let (mut child, _output) = start(&gateway, &script);
        kill(Pid::from_raw(child.id().cast_signed()), signal).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(status), "{name}");
    }
}

#[test]
fn stopping_weir_stops_the_command_until_it_goes_on() {
    let gateway = Gateway::start(false);
    let (mut child, _output) = start(&gateway, "echo ready; sleep 0.5; exit 6");
    let pid = Pid::from_raw(child.id().cast_signed());
    kill(pid, Signal::SIGTSTP).unwrap();
    std::thread::sleep(Duration::from_millis(900));
    let state = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    assert!(state.contains(") T "), "{state}");
    assert!(child.try_wait().unwrap().is_none());
    kill(pid, Signal::SIGCONT).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(6));
}

#[test]
fn the_command_outlives_the_gateway_and_the_user_is_told() {
    let mut gateway = Gateway::start(false);
    let (child, _output) = start(&gateway, "echo ready; sleep 1; exit 5");
    assert_eq!(gateway.stop().last().unwrap(), "abandoned");
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(5));
    let told = String::from_utf8_lossy(&output.stderr).matches("the gateway is gone").count();
    assert_eq!(told, 1, "{}", text(&output));
}

#[test]
fn the_child_ends_where_nobody_binds_it() {
    let mut weir = Command::new(env!("CARGO_BIN_EXE_weir"));
    weir.arg("--socket").arg(PathBuf::from("/nowhere/control.sock"));
    weir.env("WEIR_TOKEN", "t0ken").args(["run", "--", "echo", "ran"]).stdin(Stdio::null());
    let output = weir.output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let text = text(&output);
    assert!(text.contains("connecting to the gateway at /nowhere/control.sock"), "{text}");
    assert!(!text.contains("ran"), "{text}");
}

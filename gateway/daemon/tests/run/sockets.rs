//! The sockets of services that would do for the agent what it can't do itself. Each test has a `/run`
//! of its own, in which real programs listen.

use std::process::{Command, Output, Stdio};

use crate::rig::{Gateway, PYTHON, out, text};

/// Listens at well-known places of a `/run` of its own, then runs a command there. `later` is made when
/// the command has begun.
const STAGE: &str = "
import os, socket, subprocess, sys, threading, time
subprocess.run(['mount', '-t', 'tmpfs', 'none', '/run'], check=True)
kept = []
def listen(path):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    s = socket.socket(socket.AF_UNIX); s.bind(path); s.listen(); os.chmod(path, 0o666); kept.append(s)
mine = sys.argv[1]
for path in ('/run/docker.sock', '/run/containerd/containerd.sock', '/run/podman/podman.sock',
             '/run/systemd/private', '/run/dbus/system_bus_socket', '/run/user/0/bus',
             '/run/user/0/gnupg/S.gpg-agent', '/run/postgresql/.s.PGSQL.5432', '/run/nscd/socket',
             mine + '/ssh-agent/agent.1', mine + '/mixed/editor.sock'): listen(path)
os.mkfifo('/run/initctl')
os.makedirs('/run/systemd/resolve'); open('/run/systemd/resolve/stub-resolv.conf', 'w').write('nameserver')
os.makedirs('/run/plain/deep'); open('/run/plain/deep/file', 'w').write('plain'); os.symlink('plain', '/run/link')
open(mine + '/mixed/file', 'w').write('beside')
def later():
    while not os.path.exists(mine + '/begun'): time.sleep(0.02)
    listen('/run/later.sock'); listen('/run/new/later.sock'); open(mine + '/go', 'w')
threading.Thread(target=later, daemon=True).start()
env = dict(os.environ, SSH_AUTH_SOCK=mine + '/ssh-agent/agent.1', DOCKER_HOST='unix:///run/docker.sock',
           DBUS_SESSION_BUS_ADDRESS='unix:path=/run/user/0/bus,guid=1', EDITOR_SOCKET=mine + '/mixed/editor.sock',
           CONTAINER_HOST='tcp://127.0.0.1:2375')
sys.exit(subprocess.run(sys.argv[2:], env=env).returncode)
";

/// Knocks at all of them; prints those that answer, and what else is there.
const KNOCK: &str = "
import os, socket, sys, time
mine = 'MINE'
open(mine + '/begun', 'w')
while not os.path.exists(mine + '/go'): time.sleep(0.02)
for path in ('/run/docker.sock', '/run/containerd/containerd.sock', '/run/podman/podman.sock', '/run/systemd/private',
             '/run/dbus/system_bus_socket', '/run/user/0/bus', '/run/user/0/gnupg/S.gpg-agent',
             '/run/postgresql/.s.PGSQL.5432', '/run/nscd/socket', '/run/later.sock', '/run/new/later.sock',
             mine + '/ssh-agent/agent.1', mine + '/mixed/editor.sock'):
    try: socket.socket(socket.AF_UNIX).connect(path); print('open', path.replace(mine, ''))
    except OSError: pass
print(*(n for n in ('SSH_AUTH_SOCK', 'DOCKER_HOST', 'DBUS_SESSION_BUS_ADDRESS', 'EDITOR_SOCKET', 'CONTAINER_HOST') if n in os.environ))
print(open('/run/systemd/resolve/stub-resolv.conf').read(), open('/run/link/deep/file').read(), open(mine + '/mixed/file').read(),
      os.path.exists('/run/initctl'))
for folder in ('/run/user/0', mine + '/ssh-agent'):
    s = socket.socket(socket.AF_UNIX); s.bind(folder + '/own'); s.listen()
    socket.socket(socket.AF_UNIX).connect(folder + '/own')
try: os.unlink(mine + '/mixed/editor.sock'); print('unlinked')
except OSError: pass
";

fn knock(relax: &[&str]) -> String {
    let gateway = Gateway::start(false);
    let mine = gateway.folder.path().display().to_string();
    let script = KNOCK.replace("MINE", &mine);
    let mut weir = gateway.weir(relax, &[PYTHON, "-c", &script]);
    out(&staged(&mine, &[], &mut weir))
}

/// Runs a command on the stage.
fn staged(mine: &str, before: &[&str], weir: &mut Command) -> Output {
    let mut stage = Command::new("unshare");
    stage.args(["--mount", "--propagation", "private", PYTHON, "-c", STAGE, mine]);
    stage.args(before).arg(weir.get_program()).args(weir.get_args());
    for (name, value) in weir.get_envs() {
        stage.env(name, value.unwrap_or_default());
    }
    stage.stdin(Stdio::null()).output().unwrap()
}

#[test]
fn services_that_listen_at_a_path_are_out_of_sight() {
    assert_eq!(knock(&[]), "CONTAINER_HOST\nnameserver plain beside False");
}

/// From a working folder that was there before, names lead where they led.
const NEARBY: &str = "
import os, socket
print(os.getcwd())
for path in ('docker.sock', '../run/docker.sock', '/proc/self/cwd/docker.sock', '/proc/1/root/run/docker.sock',
             '/proc/%d/root/run/docker.sock' % os.getppid()):
    try: socket.socket(socket.AF_UNIX).connect(path); print('open', path)
    except OSError: pass
";

#[test]
fn neither_a_working_folder_nor_anothers_root_leads_to_what_is_covered() {
    let gateway = Gateway::start(false);
    let mine = gateway.folder.path().display().to_string();
    let mut weir = gateway.weir(&[], &[PYTHON, "-c", NEARBY]);
    let said = out(&staged(&mine, &["sh", "-c", "cd /run && exec \"$@\"", "sh"], &mut weir));
    assert_eq!(said, "/run");
    let gateway = Gateway::start(false);
    let mine = gateway.folder.path().display().to_string();
    let mut weir = gateway.weir(&[], &["true"]);
    let folder = staged(&mine, &["sh", "-c", "exec \"$@\" < /run", "sh"], &mut weir);
    assert!(text(&folder).contains("standard input is a folder"), "{}", text(&folder));
}

#[test]
fn each_relaxation_shows_its_own_sockets() {
    let check = |relaxation: &str, open: &[&str], variables: &str| {
        let said = knock(&["--relax", relaxation]);
        let expected: String = open.iter().map(|path| format!("open {path}\n")).collect();
        let rest = "nameserver plain beside False";
        assert_eq!(said, format!("{expected}{variables}\n{rest}"), "{relaxation}");
    };
    check("docker", &["/run/docker.sock"], "DOCKER_HOST CONTAINER_HOST");
    check("containerd", &["/run/containerd/containerd.sock"], "CONTAINER_HOST");
    check("podman", &["/run/podman/podman.sock"], "CONTAINER_HOST");
    check("systemd", &["/run/systemd/private"], "CONTAINER_HOST");
    let buses = ["/run/dbus/system_bus_socket", "/run/user/0/bus"];
    check("dbus", &buses, "DBUS_SESSION_BUS_ADDRESS CONTAINER_HOST");
    check("gpg-agent", &["/run/user/0/gnupg/S.gpg-agent"], "CONTAINER_HOST");
}

#[test]
fn the_agents_own_keys_may_be_asked_for() {
    let said = knock(&["--relax", "ssh-agent"]);
    assert!(said.starts_with("open /ssh-agent/agent.1\nSSH_AUTH_SOCK "), "{said}");
}

#[test]
fn a_variable_that_names_another_services_socket_does_not_open_it() {
    let gateway = Gateway::start(false);
    let mine = gateway.folder.path().display().to_string();
    let script = "[ -z \"$SSH_AUTH_SOCK\" ] && [ ! -e /run/docker.sock ] && echo shut";
    let mut weir = gateway.weir(&["--relax", "ssh-agent"], &["sh", "-c", script]);
    let said = staged(&mine, &["env", "SSH_AUTH_SOCK=/run/docker.sock"], &mut weir);
    assert_eq!(out(&said), "shut");
}

#[test]
fn everything_may_be_left_in_sight() {
    let said = knock(&["--relax", "sockets"]);
    // All that were there; those that were made later are in another `/run`.
    assert_eq!(said.matches("open ").count(), 11, "{said}");
    assert!(!said.contains("later"), "{said}");
    assert!(said.contains("EDITOR_SOCKET"), "{said}");
}

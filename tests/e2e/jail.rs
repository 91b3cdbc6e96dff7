//! The jail around an agent of the real gateway: what it leaves open is asked for, allowed and on
//! record, and none of it leads past Weir.

use std::io::Read as _;
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use weir_tests::{Gateway, Setup};

fn relaxing(relaxations: &str) -> Setup {
    let extra = format!("[run]\nallow_relax = [{relaxations}]\n");
    Setup { extra, ..Setup::default() }
}

/// Somewhere that is no target; it counts those who get there.
fn elsewhere() -> (u16, Arc<AtomicU32>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a listener");
    let port = listener.local_addr().expect("an address").port();
    let arrived = Arc::new(AtomicU32::new(0));
    let counter = arrived.clone();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut byte = [0];
            if matches!(stream.read(&mut byte), Ok(1)) {
                counter.fetch_add(1, Ordering::SeqCst);
            }
        }
    });
    (port, arrived)
}

#[test]
fn the_record_says_in_what_jail_an_agent_ran() {
    let gateway = Gateway::start(&relaxing("\"perf\", \"keyring\""));
    gateway.agent().run("true", &[]).ok();
    let relaxed = gateway.agent().relaxed("perf,keyring");
    relaxed.run("true", &[]).ok();
    let rows = gateway.duckdb("select jail, relaxed from sessions order by started_at");
    let jail: Vec<String> = serde_json::from_value(rows[0]["jail"].clone()).expect("a list");
    assert!(
        jail.contains(&"seccomp".to_owned()) && jail.contains(&"mounts".to_owned()),
        "{jail:?}"
    );
    assert!(jail.iter().any(|layer| layer.starts_with("landlock-")), "{jail:?}");
    assert_eq!(rows[0]["relaxed"], serde_json::json!([]));
    assert_eq!(rows[1]["relaxed"], serde_json::json!(["perf", "keyring"]), "{rows:#?}");
}

#[test]
fn a_relaxation_that_is_not_allowed_is_refused_and_recorded() {
    let gateway = Gateway::start(&relaxing("\"perf\""));
    let mark = gateway.dir.join("mark").display().to_string();
    let said = gateway.agent().relaxed("perf,docker").run("touch", &[&mark]);
    assert!(said.err.contains("--relax docker is not allowed on this host"), "{said:#?}");
    assert!(!std::path::Path::new(&mark).exists());
    let said = gateway.agent().relaxed("everything").run("touch", &[&mark]);
    assert!(said.err.contains("there is no relaxation"), "{said:#?}");
    let rows = gateway.duckdb("select message from events where kind = 'relaxation.refused'");
    assert_eq!(rows.len(), 1, "{rows:#?}");
    assert_eq!(gateway.duckdb("select count(*) as n from sessions")[0]["n"], 0);
}

/// Connects and sends by io_uring alone.
const URING: &str = r#"
#include <arpa/inet.h>
#include <linux/io_uring.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <errno.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

static int ring; static struct io_uring_params p;
static char *sq, *cq; static struct io_uring_sqe *sqes;

static int go(struct io_uring_sqe entry) {
    unsigned *tail = (unsigned *)(sq + p.sq_off.tail), *mask = (unsigned *)(sq + p.sq_off.ring_mask);
    unsigned at = *tail & *mask;
    sqes[at] = entry;
    ((unsigned *)(sq + p.sq_off.array))[at] = at;
    __atomic_store_n(tail, *tail + 1, __ATOMIC_RELEASE);
    if (syscall(SYS_io_uring_enter, ring, 1, 1, IORING_ENTER_GETEVENTS, NULL, 0) < 0) return -errno;
    unsigned *head = (unsigned *)(cq + p.cq_off.head), *cmask = (unsigned *)(cq + p.cq_off.ring_mask);
    struct io_uring_cqe *done = (struct io_uring_cqe *)(cq + p.cq_off.cqes) + (*head & *cmask);
    int result = done->res;
    __atomic_store_n(head, *head + 1, __ATOMIC_RELEASE);
    return result;
}

int main(int argc, char **argv) {
    ring = syscall(SYS_io_uring_setup, 4, &p);
    if (ring < 0) { printf("no ring: %s\n", strerror(errno)); return 0; }
    size_t sqs = p.sq_off.array + p.sq_entries * 4, cqs = p.cq_off.cqes + p.cq_entries * sizeof(struct io_uring_cqe);
    sq = mmap(0, sqs, PROT_READ | PROT_WRITE, MAP_SHARED, ring, IORING_OFF_SQ_RING);
    cq = mmap(0, cqs, PROT_READ | PROT_WRITE, MAP_SHARED, ring, IORING_OFF_CQ_RING);
    sqes = mmap(0, p.sq_entries * sizeof(*sqes), PROT_READ | PROT_WRITE, MAP_SHARED, ring, IORING_OFF_SQES);
    struct io_uring_sqe make = {.opcode = IORING_OP_SOCKET, .fd = AF_INET, .off = SOCK_STREAM};
    int s = go(make);
    struct io_uring_sqe raw = {.opcode = IORING_OP_SOCKET, .fd = AF_INET, .off = SOCK_RAW, .len = IPPROTO_ICMP};
    printf("raw %s\n", go(raw) < 0 ? "refused" : "made");
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(atoi(argv[1])), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct io_uring_sqe connect = {.opcode = IORING_OP_CONNECT, .fd = s, .addr = (unsigned long)&to, .off = sizeof to};
    int connected = go(connect);
    struct io_uring_sqe send = {.opcode = IORING_OP_SEND, .fd = s, .addr = (unsigned long)"x", .len = 1};
    printf("socket %d connect %d send %d\n", s > 0, connected, connected < 0 ? 0 : go(send));
    struct io_uring_sqe receive = {.opcode = IORING_OP_RECV, .fd = s, .addr = (unsigned long)malloc(1), .len = 1};
    go(receive);
    return 0;
}
"#;

#[test]
fn io_uring_is_refused_and_where_it_is_asked_for_is_no_way_around() {
    let gateway = Gateway::start(&relaxing("\"io-uring\""));
    let program = gateway.compile("uring", URING);
    let (port, arrived) = elsewhere();
    let shown = port.to_string();
    let said = gateway.agent().run(&program, &[&shown]).ok();
    assert_eq!(said.out, "no ring: Operation not permitted");
    let said = gateway.agent().relaxed("io-uring").run(&program, &[&shown]).ok();
    assert!(said.out.contains("raw refused\nsocket 1 connect 0"), "{said:#?}");
    assert_eq!(arrived.load(Ordering::SeqCst), 0, "it got there");
    let rows = gateway.duckdb("select verdict from exchanges");
    assert_eq!(rows[0]["verdict"], "deny", "Weir answered: {rows:#?}");
    let direct = std::process::Command::new(&program).arg(&shown).output().expect("it runs");
    assert!(direct.status.success());
    weir_tests::wait_for("the direct one", std::time::Duration::from_secs(5), || {
        (arrived.load(Ordering::SeqCst) == 1).then_some(())
    });
}

/// Tries each way out of the cgroup, then where it is.
const LEAVE: &str = "
import os, re, subprocess
mount = next(l.split()[4] for l in open('/proc/self/mountinfo') if ' - cgroup2 ' in l)
here = open('/proc/self/cgroup').read().split('0::')[1].split()[0]
up = here
while True:
    up = os.path.dirname(up)
    try: open(mount + up + '/cgroup.procs', 'w').write(str(os.getpid())); print('moved to', up)
    except OSError: pass
    if up == '/': break
try: os.mkdir(mount + here + '/child'); print('made a child')
except OSError: pass
for command in (['mount', '-o', 'remount,rw', mount], ['mount', '-t', 'cgroup2', 'none', '/mnt'],
                ['unshare', '--user', '--map-root-user', '--mount', '--cgroup', 'true'],
                ['nsenter', '--target', '1', '--mount', 'true'], ['chroot', '/proc/1/root', 'true']):
    if subprocess.run(command, stderr=subprocess.DEVNULL).returncode == 0: print(command, 'worked')
print(open('/proc/self/cgroup').read().split('0::')[1].split()[0] == here and 'sess-' in here)
";

#[test]
fn nobody_leaves_the_cgroup_neither_root_nor_another_user() {
    let gateway = Gateway::start(&Setup::default());
    for user in [None, Some("nobody")] {
        let agent = gateway.agent();
        let agent = user.map_or_else(|| gateway.agent(), |user| agent.as_user(user));
        let said = agent.run("/usr/bin/python3", &["-c", LEAVE]);
        assert_eq!(said.ok().out, "True", "{user:?}");
    }
}

/// Tries to lay programs over Weir's, and to take Weir's away; bpf's own words are not even heard.
const OVERRIDE: &str = "
import ctypes, errno, os
libc = ctypes.CDLL(None, use_errno=True)
got = set()
for command in range(40):
    for size in (0, 16, 128):
        attributes = ctypes.create_string_buffer(b'\\0' * 256)
        result = libc.syscall(321, command, ctypes.byref(attributes), size)
        got.add('done' if result >= 0 else errno.errorcode[ctypes.get_errno()])
print(*got)
for folder in ('/sys/fs/bpf', BPFFS):
    try: print(os.listdir(folder))
    except OSError as e: print(errno.errorcode[e.errno])
";

#[test]
fn programs_are_neither_laid_over_weirs_nor_taken_away() {
    let gateway = Gateway::start(&Setup::default());
    let mounts = std::fs::read_to_string("/proc/self/mounts").expect("mounts");
    let bpffs = mounts.lines().find(|line| line.contains(" bpf ")).expect("the gateway's bpffs");
    let bpffs = bpffs.split(' ').nth(1).expect("a path");
    let script = OVERRIDE.replace("BPFFS", &format!("{bpffs:?}"));
    let said = gateway.agent().run("/usr/bin/python3", &["-c", &script]).ok();
    let mut lines = said.out.lines();
    assert_eq!(lines.next(), Some("EPERM"), "{said:#?}");
    assert!(lines.all(|line| line == "EACCES" || line == "ENOENT" || line == "[]"), "{said:#?}");
    assert!(gateway.agent().psql("select 1").ok().out.contains('1'));
}

#[test]
fn libpq_finds_weirs_certificate_in_the_systems_trust() {
    let gateway = Gateway::start(&Setup::default());
    let bundle = "/etc/ssl/certs/ca-certificates.crt";
    let connection = format!("host={} sslmode=verify-full sslrootcert={bundle}", gateway.host);
    let agent = gateway.agent();
    let said = agent.run("psql", &["-X", "-A", "-t", "-d", &connection, "-c", "select 42"]);
    assert_eq!(said.ok().out, "42");
    // `system` came with version 16; the wheel brings a newer one.
    let said = agent.python(
        "import psycopg, sys\n\
         c = psycopg.connect(host=sys.argv[1], sslmode='verify-full', sslrootcert='system')\n\
         print(c.execute('select 43').fetchone()[0], c.pgconn.ssl_in_use)",
    );
    assert_eq!(said.ok().out, "43 True");
    let rows = gateway.duckdb("select count(*) as n from flows where tls");
    assert_eq!(rows[0]["n"], 2);
}

//! Containers: a network namespace of their own is no way out, and Weir serves them there.

use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};

use serde_json::json;
use weir_tests::{Gateway, Setup, unique};

/// An agent that does nothing, in whose session containers are put.
struct Session {
    child: Child,
    cgroup: String,
}

impl Session {
    fn begin(gateway: &Gateway) -> Self {
        let script = "sed -n s/^0:://p /proc/self/cgroup; exec sleep 120";
        let mut command = gateway.agent().command("sh", &["-c", script]);
        let mut child = command.stdout(Stdio::piped()).spawn().expect("weir run");
        let mut cgroup = String::new();
        let mut out = BufReader::new(child.stdout.take().expect("its output"));
        out.read_line(&mut cgroup).expect("its cgroup");
        assert!(cgroup.contains("/sess-"), "{cgroup}");
        Self { child, cgroup: cgroup.trim().to_owned() }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// A script in a container of the host's own programs, with `network` as its network namespace.
fn contain(
    gateway: &Gateway,
    session: &Session,
    network: serde_json::Value,
    script: &str,
) -> Output {
    let name = format!("weir-{}-{}", std::process::id(), unique());
    let bundle = gateway.dir.join(&name);
    let root = bundle.join("rootfs");
    std::fs::create_dir_all(root.join("etc")).expect("a bundle");
    for link in ["bin", "lib", "lib64"] {
        std::os::unix::fs::symlink(format!("usr/{link}"), root.join(link)).expect("a link");
    }
    let files = [
        ("resolv.conf", "nameserver 192.0.2.53\noptions attempts:1 timeout:2\n"),
        ("nsswitch.conf", "hosts: files dns\n"),
        ("passwd", "root:x:0:0::/:/bin/sh\n"),
    ];
    for (file, text) in files {
        std::fs::write(root.join("etc").join(file), text).expect("a file");
    }
    let bind = |to: &str, from: PathBuf| json!({"destination": to, "type": "bind", "source": from, "options": ["rbind", "ro"]});
    let config = json!({
        "ociVersion": "1.0.2",
        "process": {
            "terminal": false, "user": {"uid": 0, "gid": 0}, "cwd": "/", "noNewPrivileges": true,
            "args": ["/bin/sh", "-c", script],
            "env": ["PATH=/usr/lib/postgresql/15/bin:/usr/bin:/usr/sbin", "PGCONNECT_TIMEOUT=10"],
        },
        "root": {"path": "rootfs"},
        "hostname": "container",
        "mounts": [
            {"destination": "/proc", "type": "proc", "source": "proc"},
            {"destination": "/dev", "type": "tmpfs", "source": "tmpfs"},
            bind("/usr", PathBuf::from("/usr")),
        ],
        "linux": {
            "cgroupsPath": format!("{}/{name}", session.cgroup),
            "namespaces": [
                {"type": "pid"}, {"type": "mount"}, {"type": "ipc"}, {"type": "uts"}, network,
            ],
        },
    });
    std::fs::write(bundle.join("config.json"), config.to_string()).expect("a configuration");
    let mut runc = Command::new("runc");
    runc.arg("--root").arg(gateway.dir.join("runc")).args(["run", "--bundle"]).arg(&bundle);
    runc.arg(&name).stdin(Stdio::null()).output().expect("runc is needed")
}

/// The first try tells Weir of the namespace; the next ones are served.
fn script(host: &str) -> String {
    format!(
        "ip -o link | cut -d: -f2 | tr '\\n' ' '; echo
sed -n s/^0:://p /proc/self/cgroup
for try in $(seq 50); do
  psql -X -A -t -h {host} -c 'select count(*) from orders' 2>/dev/null && break; sleep 0.1
done; echo tries $try
psql -X -h {host} -c 'drop table orders' 2>&1 | head -1
python3 -c \"
import socket
s = socket.socket(); s.settimeout(3)
try: s.connect(('192.0.2.1', 443)); s.sendall(b'x'); print(s.recv(9) or 'closed')
except OSError as e: print(type(e).__name__)
try: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('192.0.2.1', 443)); print('sent')
except PermissionError: print('refused')\""
    )
}

fn check(gateway: &Gateway, session: &Session, output: &Output, links: &str) {
    let out = String::from_utf8_lossy(&output.stdout).into_owned();
    let lines: Vec<&str> = out.lines().map(str::trim).collect();
    assert_eq!(lines.len(), 7, "{output:?}\n{}", gateway.log());
    assert_eq!(lines[0], links);
    assert!(lines[1].starts_with(&session.cgroup), "{out}");
    assert_eq!(lines[2], "500");
    let tries: u32 = lines[3].trim_start_matches("tries ").parse().expect("a number");
    assert!(tries > 1, "{out}");
    assert!(lines[4].contains("DROP"), "{out}");
    assert!(["closed", "ConnectionResetError"].contains(&lines[5]), "{out}");
    assert_eq!(lines[6], "refused");
    assert_eq!(gateway.postgres.direct("select count(*) from orders"), "500");
}

fn denied(gateway: &Gateway) -> usize {
    let sql = "select message from events where kind = 'perimeter.denied' and \
               message like '%unknown_netns%'";
    gateway.duckdb(sql).len()
}

#[test]
fn a_container_without_a_network_uses_the_database_through_weir() {
    let gateway = Gateway::start(&Setup::default());
    let session = Session::begin(&gateway);
    let network = json!({"type": "network"});
    let output = contain(&gateway, &session, network.clone(), &script(&gateway.host));
    check(&gateway, &session, &output, "lo");
    assert!(denied(&gateway) >= 1);
    let rows = gateway.duckdb("select verdict, count(*) n from exchanges group by verdict");
    assert!(rows.iter().any(|row| row["verdict"] == "allow"), "{rows:#?}");
    // Each container is a namespace more.
    for _ in 0..3 {
        let output = contain(&gateway, &session, network.clone(), &script(&gateway.host));
        check(&gateway, &session, &output, "lo");
    }
}

#[test]
fn a_container_with_a_network_of_its_own_goes_through_weir_all_the_same() {
    let gateway = Gateway::start(&Setup::default());
    let session = Session::begin(&gateway);
    let name = format!("wc{}", std::process::id());
    let ip = |arguments: &str| {
        let status = Command::new("ip").args(arguments.split(' ')).status().expect("ip");
        assert!(status.success(), "ip {arguments}");
    };
    ip(&format!("netns add {name}"));
    ip(&format!("link add {name} type veth peer name eth0 netns {name}"));
    ip(&format!("addr add 198.18.78.1/30 dev {name}"));
    ip(&format!("link set {name} up"));
    ip(&format!("-n {name} link set lo up"));
    ip(&format!("-n {name} addr add 198.18.78.2/30 dev eth0"));
    ip(&format!("-n {name} link set eth0 up"));
    ip(&format!("-n {name} route add default via 198.18.78.1"));
    let network = json!({"type": "network", "path": format!("/var/run/netns/{name}")});
    let output = contain(&gateway, &session, network, &script(&gateway.host));
    ip(&format!("netns del {name}"));
    let out = String::from_utf8_lossy(&output.stdout).into_owned();
    let links = out.lines().next().unwrap_or_default().trim().to_owned();
    assert!(links.starts_with("lo") && links.contains("eth0"), "{output:?}");
    check(&gateway, &session, &output, &links);
    assert!(denied(&gateway) >= 1);
}

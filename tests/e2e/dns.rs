//! DNS with the resolvers and clients that are out there: dnsmasq, dig, the C library, c-ares.

use std::io::Write as _;
use std::net::UdpSocket;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use weir_tests::{Gateway, Setup, unique, wait_for};

/// A dnsmasq on an address of its own.
struct Resolver {
    address: String,
    child: Child,
}

impl Resolver {
    fn start(answer: &str) -> Self {
        let number = unique() % 250;
        let address = format!("127.{}.{}.53", 60 + std::process::id() % 60, number);
        let long = "x".repeat(240);
        let mut command = Command::new("/usr/sbin/dnsmasq");
        command.args([
            "--keep-in-foreground",
            "--conf-file=/dev/null",
            "--no-resolv",
            "--no-hosts",
        ]);
        command.args(["--bind-interfaces", "--user=root", "--pid-file=", "--edns-packet-max=4096"]);
        command.arg(format!("--listen-address={address}"));
        command.args(["--local=/ext.test/", "--host-record=long.ext.test,192.0.2.9"]);
        command.args([
            format!("--host-record=ext.test,{answer}"),
            "--cname=www.ext.test,ext.test".into(),
        ]);
        for part in 0..10 {
            command.arg(format!("--txt-record=long.ext.test,{part}{long}"));
        }
        let child = command.stderr(Stdio::null()).spawn().expect("dnsmasq is needed");
        wait_for("dnsmasq", Duration::from_secs(10), || {
            let query = Command::new("dig")
                .args([&format!("@{address}"), "+short", "+tries=1", "+time=1", "ext.test"])
                .output();
            query.ok().filter(|output| !output.stdout.is_empty()).map(|_| ())
        });
        Self { address, child }
    }
}

impl Drop for Resolver {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// A gateway with a target that has names only, so that resolvers are asked for them.
fn gateway(port: u16) -> Gateway {
    let extra = format!(
        "[[target]]\nname = \"ext\"\nprotocol = \"tcp\"\n\
         hosts = [\"ext.test\", \"www.ext.test\", \"long.ext.test\"]\nport = {port}\n"
    );
    Gateway::start(&Setup { extra, ..Setup::default() })
}

#[test]
fn answers_of_every_size_arrive_by_datagram_and_stream() {
    let (gateway, resolver) = (gateway(9), Resolver::start("192.0.2.7"));
    let at = format!("@{}", resolver.address);
    let agent = gateway.agent();
    let dig = |arguments: &[&str]| {
        agent.run("dig", &[&[at.as_str(), "+tries=1", "+time=3"], arguments].concat()).ok().out
    };
    assert_eq!(dig(&["+short", "www.ext.test"]), "ext.test.\n192.0.2.7");
    assert_eq!(dig(&["+short", "+tcp", "ExT.tEsT"]), "192.0.2.7");
    assert_eq!(dig(&["+short", "+noedns", "ext.test"]), "192.0.2.7");
    // Too long for what the client takes: cut, and asked again by stream.
    let cut = dig(&["+ignore", "+bufsize=1232", "long.ext.test", "TXT"]);
    assert!(cut.contains("flags: qr tc") || cut.contains(" tc "), "{cut}");
    assert!(cut.contains("ANSWER: 0"), "{cut}");
    assert!(dig(&["+ignore", "+noedns", "long.ext.test", "TXT"]).contains(" tc "));
    let whole = dig(&["+bufsize=1232", "long.ext.test", "TXT"]);
    assert!(whole.contains("ANSWER: 10") && whole.contains("(TCP)"), "{whole}");
    let large = dig(&["+ignore", "+bufsize=4096", "long.ext.test", "TXT"]);
    assert!(large.contains("ANSWER: 10") && large.contains("(UDP)"), "{large}");
    assert!(dig(&["elsewhere.test"]).contains("status: REFUSED"));
    assert!(dig(&["ext.test", "AXFR", "+tcp"]).to_lowercase().contains("failed"));
    assert!(dig(&["version.bind", "TXT", "CH"]).contains("status: REFUSED"));
    let rows = gateway.duckdb("select attributes::varchar a from events where kind = 'dns.query'");
    let seen = |part: &str| rows.iter().any(|row| row["a"].to_string().contains(part));
    // dig's threads are called so.
    for part in ["elsewhere.test", "isc-net", "tcp", &resolver.address] {
        assert!(seen(part), "{part}: {rows:#?}");
    }
}

#[test]
fn libraries_with_several_resolvers_get_past_a_dead_one() {
    let gateway = gateway(9);
    let (first, second) = (Resolver::start("192.0.2.7"), Resolver::start("192.0.2.8"));
    let servers = format!("['127.59.0.99', '{}', '{}']", first.address, second.address);
    let script = format!(
        "const dns = require('dns'); const r = new dns.Resolver({{timeout: 1000, tries: 2}});
r.setServers({servers});
r.resolve4('ext.test', (e, a) => console.log(e ? e.code : a.join()));"
    );
    let agent = gateway.agent();
    assert_eq!(agent.run("node", &["-e", &script]).ok().out, "192.0.2.7");
    // The C library, with the resolvers of its own file.
    let file = gateway.dir.join("resolv.conf");
    let mut text = std::fs::File::create(&file).expect("a file");
    writeln!(text, "nameserver 127.59.0.99\nnameserver {}", second.address).expect("a file");
    let mount = format!("mount --bind {} /etc/resolv.conf && exec \"$@\"", file.display());
    let inner = agent.command("getent", &["ahostsv4", "ext.test"]);
    let mut outer = Command::new("unshare");
    outer.args(["--mount", "sh", "-c", &mount, "sh"]).arg(inner.get_program());
    outer.args(inner.get_args());
    for (name, value) in inner.get_envs() {
        if let Some(value) = value {
            outer.env(name, value);
        }
    }
    let output = outer.output().expect("unshare");
    let out = String::from_utf8_lossy(&output.stdout);
    assert!(out.starts_with("192.0.2.8"), "{output:?}");
}

#[test]
fn a_name_that_was_resolved_leads_to_its_target() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a listener");
    let port = listener.local_addr().expect("an address").port();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            stream.write_all(b"welcome").ok();
        }
    });
    let (gateway, resolver) = (gateway(port), Resolver::start("127.0.0.1"));
    let script = format!(
        "import socket, subprocess\n\
         def said():\n\
         \x20 s = socket.create_connection(('127.0.0.1', {port}), 5); s.settimeout(5)\n\
         \x20 try: return s.recv(9) or b'closed'\n\
         \x20 except OSError as e: return type(e).__name__\n\
         print(said())\n\
         subprocess.run(['dig', '@{}', 'www.ext.test'], stdout=subprocess.DEVNULL)\n\
         print(said())",
        resolver.address
    );
    let out = gateway.agent().python(&script).ok().out;
    let (before, after) = out.split_once('\n').expect("two lines");
    assert_ne!(before, "b'welcome'");
    assert_eq!(after, "b'welcome'");
    let rows = gateway.duckdb("select target from flows where target = 'ext'");
    assert_eq!(rows.len(), 1);
}

#[test]
fn rubbish_is_refused_and_harms_nobody() {
    let (gateway, resolver) = (gateway(9), Resolver::start("192.0.2.7"));
    let script = format!(
        "import os, socket, struct\n\
         to = ('{}', 53)\n\
         def ask(data):\n\
         \x20 s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.settimeout(0.5)\n\
         \x20 s.sendto(data, to)\n\
         \x20 try: return s.recv(99)\n\
         \x20 except TimeoutError: return None\n\
         print(ask(b'ab'), ask(struct.pack('!6H', 7, 0x8100, 1, 0, 0, 0)))\n\
         print(ask(struct.pack('!6H', 7, 0x0100, 1, 0, 0, 0))[3] & 15)\n\
         print(ask(struct.pack('!6H', 7, 0x2800, 1, 0, 0, 0) + b'\\0' * 5)[3] & 15)\n\
         for _ in range(200): ask_only = socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(os.urandom(300), to)\n\
         t = socket.create_connection(to); t.sendall(b'\\xff\\xff' + os.urandom(500))\n\
         try: print(t.recv(9))\n\
         except ConnectionResetError: print(b'')\n\
         print(len(ask(struct.pack('!6H', 9, 0x0100, 1, 0, 0, 0) + b'\\x03ext\\x04test\\0\\0\\x01\\0\\x01')))",
        resolver.address
    );
    let out = gateway.agent().python(&script).ok().out;
    assert_eq!(out, "None None\n1\n4\nb''\n42");
}

/// The ports of 127.0.0.1 on which a process receives datagrams.
fn datagram_ports(pid: u32) -> Vec<u16> {
    let descriptors = std::fs::read_dir(format!("/proc/{pid}/fd")).expect("a process");
    let sockets: Vec<String> = descriptors
        .filter_map(|entry| std::fs::read_link(entry.ok()?.path()).ok())
        .filter_map(|link| {
            Some(link.to_str()?.strip_prefix("socket:[")?.trim_end_matches(']').to_owned())
        })
        .collect();
    let table = std::fs::read_to_string("/proc/net/udp").expect("a table");
    let ports = table.lines().filter_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let port = fields.get(1)?.strip_prefix("0100007F:")?;
        sockets.iter().any(|socket| Some(&socket.as_str()) == fields.get(9)).then_some(port)
    });
    ports.filter_map(|port| u16::from_str_radix(port, 16).ok()).collect()
}

/// What somebody outside sent from the port before is nobody's query, and counts for none.
#[test]
fn a_port_is_another_sessions_as_soon_as_its_queries_are_answered() {
    let (gateway, resolver) = (gateway(9), Resolver::start("192.0.2.7"));
    // Its own canary has sockets until then, which take what arrives for a way around.
    wait_for("the canary", Duration::from_secs(30), || {
        gateway.log().contains("ways around were tried").then_some(())
    });
    let outsider = UdpSocket::bind("127.0.0.1:0").expect("a port");
    let port = outsider.local_addr().expect("an address").port();
    let listeners = datagram_ports(gateway.pid());
    assert!(!listeners.is_empty());
    for listener in listeners {
        outsider.send_to(b"rubbish", ("127.0.0.1", listener)).expect("sent");
    }
    drop(outsider);
    let (at, from) = (format!("@{}", resolver.address), format!("127.0.0.1#{port}"));
    for _ in 0..3 {
        let words = [at.as_str(), "-b", &from, "+tries=1", "+time=3", "+short", "ext.test"];
        let said = gateway.agent().run("dig", &words);
        assert!(said.out.contains("192.0.2.7"), "{said:?}");
    }
}

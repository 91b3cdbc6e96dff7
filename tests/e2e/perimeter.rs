//! Other roads: unknown hosts, opaque TCP, TLS, DNS, UDP.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;

use weir_tests::{Gateway, Setup, wait_for};

/// An echo server on a loopback address; returns its port.
fn echo() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a listener");
    let port = listener.local_addr().expect("an address").port();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || {
                let mut stream = stream;
                let mut buffer = [0u8; 65_536];
                while let Ok(count) = stream.read(&mut buffer) {
                    if count == 0 || stream.write_all(&buffer[..count]).is_err() {
                        break;
                    }
                }
            });
        }
    });
    port
}

#[test]
fn an_unknown_address_is_refused_and_recorded() {
    let gateway = Gateway::start(&Setup::default());
    let port = echo();
    let said = gateway.agent().python(&format!(
        "import socket\n\
         try:\n\
         \x20 s = socket.create_connection(('127.0.0.1', {port}), 5); s.sendall(b'hello'); s.settimeout(5)\n\
         \x20 print(s.recv(10) or 'closed')\n\
         except OSError as e: print(type(e).__name__)"
    ));
    let out = said.ok().out;
    assert!(!out.contains("hello"), "{out}");
    let rows = gateway.duckdb("select verdict, policies, forwarded from exchanges");
    assert_eq!(rows[0]["verdict"], "deny", "{rows:#?}");
}

#[test]
fn an_allowed_stream_is_relayed_whole_and_counted() {
    let port = echo();
    let extra = format!(
        "[[target]]\nname = \"echo\"\nprotocol = \"tcp\"\naddresses = [\"127.0.0.1\"]\nport = {port}\n"
    );
    let gateway = Gateway::start(&Setup { extra, ..Setup::default() });
    let said = gateway.agent().python(&format!(
        "import socket, threading, os\n\
         s = socket.create_connection(('127.0.0.1', {port}))\n\
         data = os.urandom(8 << 20)\n\
         def send(): s.sendall(data); s.shutdown(socket.SHUT_WR)\n\
         threading.Thread(target=send).start()\n\
         got = b''\n\
         while True:\n\
         \x20 part = s.recv(1 << 20)\n\
         \x20 if not part: break\n\
         \x20 got += part\n\
         print(got == data)"
    ));
    assert_eq!(said.ok().out, "True");
    let rows = gateway.duckdb("select bytes_in, bytes_out from flows where target = 'echo'");
    assert_eq!(
        (rows[0]["bytes_in"].as_u64(), rows[0]["bytes_out"].as_u64()),
        (Some(8 << 20), Some(8 << 20))
    );
}

#[test]
fn a_database_that_is_no_target_is_refused_in_its_own_protocol() {
    let gateway = Gateway::start(&Setup::default());
    let other = weir_tests::Postgres::start(weir_tests::postgres::Version::V18);
    let said =
        gateway.agent().run("psql", &["-X", "-h", &other.address, "-U", "app", "-c", "select 1"]);
    assert!(said.err.contains("no [[target]] answers for"), "{said:#?}");
    // No policy was asked, so none is named.
    assert!(said.err.contains("rule weir.no-target\n"), "{said:#?}");
}

#[test]
fn udp_gets_nowhere_but_to_the_resolver() {
    let gateway = Gateway::start(&Setup::default());
    let said = gateway.agent().python(
        "import socket\n\
         s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n\
         for to in (('127.0.0.1', 9), ('127.0.0.1', 443)):\n\
         \x20 try: s.sendto(b'x', to); print('sent')\n\
         \x20 except PermissionError: print('refused')\n\
         for kind, proto in ((socket.SOCK_RAW, 1), (socket.SOCK_STREAM, 262), (socket.SOCK_STREAM, 132)):\n\
         \x20 try: socket.socket(socket.AF_INET, kind, proto); print('made')\n\
         \x20 except OSError: print('refused')",
    );
    assert_eq!(said.ok().out, "refused\nrefused\nrefused\nrefused\nrefused");
}

#[test]
fn names_of_targets_resolve_and_others_do_not() {
    let gateway = Gateway::start(&Setup::default());
    let said = gateway.agent().python(
        "import socket, sys\n\
         print(socket.gethostbyname(sys.argv[1]))\n\
         try: socket.gethostbyname('exfiltrate.this.example'); print('resolved')\n\
         except OSError: print('refused')",
    );
    assert_eq!(said.ok().out, format!("{}\nrefused", gateway.postgres.address));
    let rows = gateway.duckdb("select message from events where kind = 'dns.query'");
    assert!(rows.iter().any(|row| row["message"].to_string().contains("exfiltrate")), "{rows:#?}");
}

#[test]
fn the_proxys_own_port_serves_nobody_who_is_not_redirected() {
    let gateway = Gateway::start(&Setup::default());
    gateway.agent().psql("select 1").ok();
    // The canary listens too while it tries, and would take a visitor for a way around.
    wait_for("the canary", std::time::Duration::from_secs(20), || {
        let rows = gateway.duckdb("select kind from events where kind like '%canary%'");
        (!rows.is_empty()).then_some(())
    });
    let listening = std::process::Command::new("ss").args(["-Hltnp"]).output().expect("ss");
    let listening = String::from_utf8_lossy(&listening.stdout).into_owned();
    let pid = format!("pid={},", gateway.pid());
    let own: Vec<&str> = listening.lines().filter(|line| line.contains(&pid)).collect();
    assert!(!own.is_empty(), "{listening}");
    // Those of both families, and those for DNS.
    for line in own {
        let address = line.split_whitespace().nth(3).expect("an address").to_owned();
        let mut stream = std::net::TcpStream::connect(&address).expect("a connection");
        stream.set_read_timeout(Some(std::time::Duration::from_secs(5))).expect("a time-out");
        stream.write_all(b"\0\0\0\x08\x04\xd2\x16\x2f").ok();
        let mut answer = [0u8; 1];
        assert!(!matches!(stream.read(&mut answer), Ok(1..)), "nobody's connection was served");
    }
    // The connection may be gone before its event is on record: nothing was let through.
    wait_for("the event", std::time::Duration::from_secs(10), || {
        let rows = gateway.duckdb("select kind from events where kind = 'flow.unattributed'");
        (!rows.is_empty()).then_some(())
    });
}

#[test]
fn explicit_mode_serves_without_ebpf_and_says_that_nothing_is_enforced() {
    let port = 20_000 + (std::process::id() % 20_000) as u16;
    let setup = Setup {
        gateway_keys: "mode = \"explicit\"".to_owned(),
        extra: format!(
            "[[gateway.explicit]]\ntarget = \"orders\"\nlisten = \"127.0.0.1:{port}\"\n"
        ),
        ..Setup::default()
    };
    let gateway = Gateway::start(&setup);
    let shown = port.to_string();
    let arguments = ["-X", "-A", "-t", "-h", "127.0.0.1", "-p", &shown, "-c"];
    let with = |sql: &str| gateway.agent().run("psql", &[arguments.as_slice(), &[sql]].concat());
    let said = with("select email from customers where id = 5").ok();
    assert!(said.out.contains('@') && !said.out.contains("@example.com"), "{said:#?}");
    assert!(said.err.contains("nothing is enforced"), "{said:#?}");
    assert!(with("drop table orders").err.contains("DROP"));
    let outsider = std::process::Command::new("psql").args(arguments).arg("select 1").output();
    assert!(outsider.is_ok_and(|output| !output.status.success()), "nobody else is served");
    assert!(gateway.log().contains("EXPLICIT MODE"));
}

//! TLS on both sides: towards the client with Weir's own CA, towards the server verified.

use std::process::Command;
use std::time::Duration;

use weir_tests::postgres::{Version, certificate, verified};
use weir_tests::{Gateway, Setup, wait_for};

#[test]
fn the_client_may_encrypt_and_verify() {
    let gateway = Gateway::start(&Setup::default());
    let ca = gateway.dir.join("ca.pem");
    std::fs::write(&ca, gateway.ask(&["ca", "show"])).expect("the CA");
    let connection =
        format!("host={} sslmode=verify-full sslrootcert={}", gateway.host, ca.display());
    let said = gateway
        .agent()
        .run("psql", &["-X", "-A", "-t", "-d", &connection, "-c", "\\conninfo", "-c", "select 1"]);
    let said = said.ok();
    assert!(said.out.contains("SSL connection") && said.out.ends_with('1'), "{said:#?}");
    let rows = gateway.duckdb("select tls from flows");
    assert_eq!(rows[0]["tls"], true);
}

#[test]
fn a_server_that_does_not_prove_itself_is_refused() {
    let gateway = Gateway::start(&Setup { tls: String::new(), ..Setup::default() });
    let said = gateway.agent().psql("select 1");
    assert_ne!(said.status, Some(0));
    assert!(said.err.contains("TLS"), "{said:#?}");
}

#[test]
fn the_handshake_may_come_first() {
    let gateway = Gateway::start(&Setup { version: Version::V18, ..Setup::default() });
    let ca = gateway.dir.join("ca.pem");
    std::fs::write(&ca, gateway.ask(&["ca", "show"])).expect("the CA");
    let verified = format!("sslmode=verify-full sslrootcert={}", ca.display());
    for connection in ["sslmode=require", &verified] {
        let said = gateway.agent().python(&format!(
            "import psycopg, sys\n\
             c = psycopg.connect(f'host={{sys.argv[1]}} sslnegotiation=direct {connection}')\n\
             print(c.pgconn.ssl_in_use, c.execute('select 6 * 7').fetchone()[0])\n\
             print(len(c.execute(\"select repeat('x', 300000)\").fetchone()[0]))",
        ));
        assert_eq!(said.ok().out, "True 42\n300000", "{connection}");
    }
    let rows = gateway.duckdb("select tls from flows");
    assert_eq!(rows.len(), 2);
    assert!(rows.iter().all(|row| row["tls"] == true), "{rows:#?}");
}

/// Handshakes that PostgreSQL refuses too: without its name, or where they are not the beginning.
const NOT_SPOKEN: &str = "
import socket, ssl, struct, sys
context = ssl.create_default_context()
context.check_hostname = False
context.verify_mode = ssl.CERT_NONE
ask = struct.pack('!II', 8, 80877103)
gss = struct.pack('!II', 8, 80877104)
def hello(names, before=b''):
    tcp = socket.create_connection((sys.argv[1], 5432))
    if before:
        tcp.sendall(before)
        print(tcp.recv(1), end=' ')
    if names: context.set_alpn_protocols(names)
    out = ssl.MemoryBIO()
    try: context.wrap_bio(ssl.MemoryBIO(), out).do_handshake()
    except ssl.SSLWantReadError: tcp.sendall(out.read())
    try: print(tcp.recv(100).hex())
    except OSError: print('reset')
def inside(after, before=b''):
    tcp = socket.create_connection((sys.argv[1], 5432))
    if before:
        tcp.sendall(before)
        print(tcp.recv(1), end=' ')
    context.set_alpn_protocols(['h2', 'postgresql'])
    tls = context.wrap_socket(tcp, server_hostname=sys.argv[1])
    tls.sendall(after)
    print(tls.selected_alpn_protocol(), tls.recv(1))
hello([])
hello(['http/1.1'])
hello(['postgresql'], before=gss)
inside(ask)
inside(gss + ask, before=ask)
";

#[test]
fn a_handshake_of_anything_else_is_refused_and_recorded() {
    let gateway = Gateway::start(&Setup::default());
    let said = gateway.agent().python(NOT_SPOKEN).ok();
    let lines: Vec<&str> = said.out.lines().collect();
    // The fatal alert `no_application_protocol`.
    assert_eq!(lines[0..2], ["15030300020278"; 2], "{said:#?}");
    assert!(matches!(lines[2], "b'N' " | "b'N'" | "b'N' reset"), "{said:#?}");
    assert_eq!(lines[3], "postgresql b''", "no handshake within the handshake: {said:#?}");
    assert_eq!(lines[4], "b'S' postgresql b'N'", "{said:#?}");
    let rows = gateway.duckdb("select close_reason as why from flows order by opened_at");
    assert_eq!(rows.len(), 5, "{rows:#?}");
    for (row, why) in rows.iter().zip([
        "without the application protocol",
        "without the application protocol",
        "start-up: ",
        "TLS asked for twice",
        "TLS asked for twice",
    ]) {
        assert!(row["why"].as_str().unwrap_or_default().contains(why), "{why}: {rows:#?}");
    }
}

#[test]
fn a_server_that_proves_itself_is_spoken_to() {
    let gateway =
        Gateway::start(&Setup { tls: verified(Version::usual(), ""), ..Setup::default() });
    let query = "select ssl from pg_stat_ssl where pid = pg_backend_pid()";
    assert_eq!(gateway.agent().psql(query).ok().out, "t");
}

/// What stands before a server and speaks TLS from the first byte on, to those who name its protocol.
const TERMINATOR: &str = "
import socket, ssl, sys, threading
server, own, files = sys.argv[1:4]
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(files + '/server.crt', files + '/server.key')
context.set_alpn_protocols(['postgresql'])
listener = socket.create_server((own, 5432))
def pump(a, b):
    try:
        while data := a.recv(65536): b.sendall(data)
    except OSError: pass
    for s in (a, b):
        try: s.shutdown(socket.SHUT_RDWR)
        except OSError: pass
def serve(tcp):
    try: tls = context.wrap_socket(tcp, server_side=True)
    except OSError: return
    if tls.selected_alpn_protocol() != 'postgresql': return tls.close()
    behind = socket.create_connection((server, 5432))
    threading.Thread(target=pump, args=(behind, tls), daemon=True).start()
    pump(tls, behind)
while True:
    tcp = listener.accept()[0]
    threading.Thread(target=serve, args=(tcp,), daemon=True).start()
";

#[test]
fn a_target_may_be_greeted_by_the_handshake() {
    let postgres = weir_tests::Postgres::start(Version::usual());
    let (net, _) = postgres.address.rsplit_once('.').expect("an address");
    let own = format!("{net}.99");
    let mut terminator = Command::new(weir_tests::python::interpreter())
        .args(["-c", TERMINATOR, &postgres.address, &own])
        .arg(certificate(Version::usual()))
        .spawn()
        .expect("python");
    wait_for("the terminator", Duration::from_secs(20), || {
        std::net::TcpStream::connect((own.as_str(), 5432)).ok()
    });
    let tls =
        format!("upstream = \"{own}:5432\"\n{}", verified(Version::usual(), ", direct = true"));
    let gateway = Gateway::start(&Setup { tls, ..Setup::default() });
    let said = gateway.agent().psql("select count(*) from orders");
    // The server itself knows the handshake without a request for it from 17 on.
    let plain = Gateway::start(&Setup {
        tls: verified(Version::usual(), ", direct = true"),
        ..Setup::default()
    });
    let itself = plain.agent().psql("select 1");
    terminator.kill().expect("kill");
    terminator.wait().expect("an end");
    assert_eq!(said.ok().out, "500");
    if Version::usual().number() < 17 {
        assert!(itself.err.contains("TLS"), "{itself:#?}");
    } else {
        assert_eq!(itself.ok().out, "1");
    }
}

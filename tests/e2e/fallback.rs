//! QUIC, which Weir can't see through, is refused so that clients fall back at once.

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use weir_tests::{Gateway, Setup, python, wait_for};

/// Python's HTTPS server, with a certificate of its own.
struct Website {
    port: u16,
    child: Child,
}

const SERVE: &str = "
import http.server, ssl, sys
class Hello(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.send_header('Content-Length', '5'); self.end_headers()
        self.wfile.write(b'hello')
    def log_message(self, *_): pass
server = http.server.ThreadingHTTPServer(('127.0.0.1', int(sys.argv[1])), Hello)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER); context.load_cert_chain(sys.argv[2])
server.socket = context.wrap_socket(server.socket, server_side=True); server.serve_forever()";

impl Website {
    fn start(gateway: &Gateway, port: u16) -> Self {
        let pem = gateway.dir.join("site.pem").display().to_string();
        let made = Command::new("openssl")
            .args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=site.test"])
            .args(["-keyout", &pem, "-out", &format!("{pem}.crt")])
            .stderr(Stdio::null())
            .status();
        assert!(made.is_ok_and(|status| status.success()), "openssl is needed");
        let certificate = std::fs::read_to_string(format!("{pem}.crt")).expect("a certificate");
        let key = std::fs::read_to_string(&pem).expect("a key");
        std::fs::write(&pem, key + &certificate).expect("a file");
        let child = Command::new(python::interpreter())
            .args(["-c", SERVE, &port.to_string(), &pem])
            .spawn()
            .expect("python");
        wait_for("the website", Duration::from_secs(10), || {
            std::net::TcpStream::connect(("127.0.0.1", port)).ok()
        });
        Self { port, child }
    }
}

impl Drop for Website {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("an address").port()
}

fn site() -> (Gateway, Website) {
    let port = free_port();
    let extra = format!(
        "[[target]]\nname = \"site\"\nprotocol = \"tls\"\nhosts = [\"site.test\"]\n\
         addresses = [\"127.0.0.1\"]\nport = {port}\n"
    );
    let gateway = Gateway::start(&Setup { extra, ..Setup::default() });
    let website = Website::start(&gateway, port);
    (gateway, website)
}

/// libcurl with ngtcp2: QUIC first, then TCP.
#[test]
fn a_quic_client_falls_back_to_tcp_at_once() {
    let (gateway, website) = site();
    let script = format!(
        "import time\n\
         from curl_cffi import requests\n\
         url = 'https://site.test:{}/'\n\
         def get(version):\n\
         \x20 began = time.monotonic()\n\
         \x20 try: said = requests.get(url, http_version=version, verify=False, timeout=10).text\n\
         \x20 except Exception as e: said = str(e)\n\
         \x20 print(round((time.monotonic() - began) * 1000), said)\n\
         get('v1'); get('v3'); get('v3only'); get('v3')",
        website.port
    );
    let out = gateway.agent().python(&script).ok().out;
    let found: Vec<(u64, &str)> = out
        .lines()
        .map(|line| line.split_once(' ').expect("a time"))
        .map(|(took, said)| (took.parse().expect("a number"), said))
        .collect();
    assert_eq!((found[1].1, found[3].1), ("hello", "hello"), "{out}");
    assert!(found[2].1.contains("errno 1"), "{out}"); // EPERM, from its first datagram
    // Less than the 200 ms after which the client would try TCP beside a silent QUIC.
    for (took, _) in &found[1..] {
        assert!(*took < 300, "{out}");
    }
    let denied = "select message from events where kind = 'perimeter.denied' and \
                  message like '%datagram%'";
    assert!(!gateway.duckdb(denied).is_empty());
}

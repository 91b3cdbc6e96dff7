//! Weir's certificate reaches the command's programs without a word in their configuration.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::process::{Command, Output};
use std::sync::Arc;

use rustls::{ServerConnection, StreamOwned};
use weir::tls::Alpn;

use crate::rig::{Gateway, PYTHON, out, text};

/// Variables that a host or a test may have set.
const SET: [&str; 13] = [
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "CURL_CA_BUNDLE",
    "REQUESTS_CA_BUNDLE",
    "PIP_CERT",
    "GIT_SSL_CAINFO",
    "AWS_CA_BUNDLE",
    "NODE_EXTRA_CA_CERTS",
    "CARGO_HTTP_CAINFO",
    "NIX_SSL_CERT_FILE",
    "HTTPLIB2_CA_CERTS",
    "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH",
    "CLOUDSDK_CORE_CUSTOM_CA_CERTS_FILE",
];

fn bare(command: &mut Command) {
    for name in SET {
        command.env_remove(name);
    }
}

/// A server with a certificate that Weir signs, as Weir has towards agents; its port.
fn serve(gateway: &Gateway) -> u16 {
    let config = gateway.authority.leaf("localhost", Alpn::None).unwrap().config;
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let tls = ServerConnection::new(Arc::clone(&config)).unwrap();
            let mut stream = StreamOwned::new(tls, stream);
            let mut request = [0; 4096];
            if stream.read(&mut request).is_ok() {
                let answer =
                    "HTTP/1.1 200 OK\r\nContent-Length: 6\r\nConnection: close\r\n\r\nserved";
                let _ = stream.write_all(answer.as_bytes());
                stream.conn.send_close_notify();
                let _ = stream.flush();
            }
        }
    });
    port
}

fn fetch(gateway: &Gateway, variables: &[(&str, &str)], command: &[&str]) -> Output {
    let mut weir = gateway.weir(&[], command);
    bare(&mut weir);
    weir.envs(variables.iter().copied()).output().unwrap()
}

fn clients(port: u16) -> Vec<(&'static str, Vec<String>)> {
    let url = format!("https://localhost:{port}/");
    let python = format!("import urllib.request as r; print(r.urlopen('{url}').read().decode())");
    let requests = format!(
        "import os, ssl, urllib.request as r\n\
         c = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT); c.load_verify_locations(os.environ['REQUESTS_CA_BUNDLE'])\n\
         print(r.urlopen('{url}', context=c).read().decode())"
    );
    let node =
        format!("require('https').get('{url}', r => r.on('data', d => console.log('' + d)))");
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
    vec![
        ("curl", words(&["curl", "-sS", &url])),
        ("python", words(&[PYTHON, "-c", &python])),
        ("what requests does", words(&[PYTHON, "-c", &requests])),
        ("node", words(&["node", "-e", &node])),
    ]
}

#[test]
fn the_usual_clients_trust_weir_and_others_do_not() {
    let gateway = Gateway::start(false);
    let port = serve(&gateway);
    for (name, command) in clients(port) {
        let words: Vec<&str> = command.iter().map(String::as_str).collect();
        let output = fetch(&gateway, &[], &words);
        assert_eq!(out(&output), "served", "{name}: {}", text(&output));
        let mut direct = Command::new(words[0]);
        bare(&mut direct);
        assert!(!direct.args(&words[1..]).output().unwrap().status.success(), "{name} outside");
    }
    let url = format!("https://localhost:{port}/repo");
    let mut direct = Command::new("git");
    bare(&mut direct);
    let direct = direct.args(["ls-remote", &url]).output().unwrap();
    assert!(text(&direct).contains("certificate"), "{}", text(&direct));
    let output = fetch(&gateway, &[], &["git", "ls-remote", &url]);
    assert!(!text(&output).contains("certificate"), "{}", text(&output));
}

#[test]
fn what_the_user_trusts_is_added_to_and_not_lost() {
    let gateway = Gateway::start(false);
    let port = serve(&gateway);
    let own = gateway.folder.path().join("own.crt");
    let other = weir::tls::Authority::open_or_create(&gateway.folder.path().join("other")).unwrap();
    std::fs::write(&own, other.certificate_pem()).unwrap();
    let own = own.display().to_string();
    let variables =
        [("SSL_CERT_FILE", own.as_str()), ("NODE_EXTRA_CA_CERTS", &own), ("PGSSLROOTCERT", &own)];
    let script = "cat $SSL_CERT_FILE; echo =; cat $NODE_EXTRA_CA_CERTS; echo =; cat $PGSSLROOTCERT";
    let said = out(&fetch(&gateway, &variables, &["sh", "-c", script]));
    let both = format!("{}{}", other.certificate_pem(), gateway.authority.certificate_pem());
    let expected = [both.as_str(); 3].join("=\n");
    assert_eq!(said, expected.trim());
    assert_eq!(std::fs::read_to_string(&own).unwrap(), other.certificate_pem());
    for (name, command) in clients(port) {
        let words: Vec<&str> = command.iter().map(String::as_str).collect();
        assert_eq!(out(&fetch(&gateway, &variables, &words)), "served", "{name}");
    }
    // A variable that names the host's own file needs no change, for that file is covered.
    let host = "/etc/ssl/certs/ca-certificates.crt";
    let said = fetch(&gateway, &[("SSL_CERT_FILE", host)], &["sh", "-c", "echo $SSL_CERT_FILE"]);
    assert_eq!(out(&said), host);
}

#[test]
fn the_usual_places_hold_it_and_the_host_s_do_not() {
    let gateway = Gateway::start(false);
    let place = "/etc/ssl/certs/ca-certificates.crt";
    let before = std::fs::read(place).unwrap();
    let said = out(&fetch(&gateway, &[], &["cat", place]));
    let host = String::from_utf8_lossy(&before);
    assert_eq!(said, format!("{host}{}", gateway.authority.certificate_pem()).trim());
    let wrote = fetch(&gateway, &[], &["sh", "-c", &format!("echo x >> {place}")]);
    assert!(text(&wrote).contains("Read-only"), "{}", text(&wrote));
    assert_eq!(std::fs::read(place).unwrap(), before);
}

const JAVA: &str = "
import java.io.*; import java.net.*; import java.security.*;
class Fetch { public static void main(String[] a) throws Exception {
    if (a[0].equals(\"count\")) {
        KeyStore k = KeyStore.getInstance(KeyStore.getDefaultType());
        try (InputStream in = new FileInputStream(a[1])) { k.load(in, \"changeit\".toCharArray()); }
        System.out.println(k.size());
    } else System.out.println(new String(new URL(a[0]).openStream().readAllBytes()));
} }";

#[test]
fn java_trusts_it_too_and_says_nothing_of_it() {
    let gateway = Gateway::start(false);
    let url = format!("https://localhost:{}/", serve(&gateway));
    let file = gateway.folder.path().join("Fetch.java");
    std::fs::write(&file, JAVA).unwrap();
    let file = file.display().to_string();
    let jvms = std::fs::read_dir("/usr/lib/jvm").unwrap().flatten();
    let homes: Vec<_> = jvms.filter(|jvm| jvm.file_type().unwrap().is_dir()).collect();
    let homes = homes.iter().map(|jvm| jvm.path()).filter(|jvm| jvm.join("bin/java").exists());
    for home in homes {
        let java = home.join("bin/java").display().to_string();
        let store = home.join("lib/security/cacerts").display().to_string();
        let output = fetch(&gateway, &[], &[&java, "-Xint", &file, &url]);
        assert_eq!(out(&output), "served", "{java}: {}", text(&output));
        assert!(!text(&output).contains("Picked up"), "{}", text(&output));
        let direct = Command::new(&java).args([&file, "count", &store]).output().unwrap();
        let inside = fetch(&gateway, &[], &[&java, &file, "count", &store]);
        let (direct, inside): (u32, u32) =
            (out(&direct).parse().unwrap(), out(&inside).parse().unwrap());
        assert_eq!(inside, direct + 1, "{java}");
    }
}

#[test]
fn java_s_other_form_of_a_trust_store_is_read_as_well() {
    let gateway = Gateway::start(false);
    let folder = gateway.folder.path();
    let home = folder.join("jvm");
    let store = home.join("lib/security/cacerts");
    std::fs::create_dir_all(store.parent().unwrap()).unwrap();
    // As JDKs have it since 18: PKCS#12 without password.
    let mut keytool = Command::new("keytool");
    keytool.args(["-importkeystore", "-noprompt", "-srckeystore", "/etc/ssl/certs/java/cacerts"]);
    keytool.args(["-srcstorepass", "changeit", "-deststoretype", "pkcs12", "-deststorepass"]);
    keytool.arg("changeit").arg("-destkeystore").arg(&store);
    keytool.args(["-J-Dkeystore.pkcs12.certProtectionAlgorithm=NONE"]);
    let made = keytool.arg("-J-Dkeystore.pkcs12.macAlgorithm=NONE").output().unwrap();
    assert!(made.status.success(), "{}", text(&made));
    let file = folder.join("Fetch.java");
    std::fs::write(&file, JAVA).unwrap();
    let (file, store) = (file.display().to_string(), store.display().to_string());
    let direct = Command::new("java").args([&file, "count", &store]).output().unwrap();
    let home = home.display().to_string();
    let inside = fetch(&gateway, &[("JAVA_HOME", &home)], &["java", &file, "count", &store]);
    let (direct, inside): (u32, u32) =
        (out(&direct).parse().unwrap(), out(&inside).parse().unwrap());
    assert!(direct > 50, "{direct}");
    assert_eq!(inside, direct + 1);
}

#[test]
fn without_mounts_variables_alone_tell_of_it() {
    let gateway = Gateway::start(false);
    let port = serve(&gateway);
    let binary = gateway.copy_of_weir();
    let run = |command: &[String]| {
        use std::os::unix::process::CommandExt as _;
        let mut weir = Command::new(&binary);
        weir.arg("--socket").arg(gateway.folder.path().join("control.sock")).args(["run", "--"]);
        weir.args(command).env("WEIR_TOKEN", "t0ken").env("HOME", "/").uid(65534).gid(65534);
        bare(&mut weir);
        weir.current_dir("/").stdin(std::process::Stdio::null()).output().unwrap()
    };
    for (name, command) in clients(port) {
        let output = run(&command);
        assert_eq!(out(&output), "served", "{name}: {}", text(&output));
        assert!(text(&output).contains("without root there are no mounts"), "{}", text(&output));
    }
    let folder = run(&["sh".to_owned(), "-c".to_owned(), "dirname $SSL_CERT_FILE".to_owned()]);
    assert!(!std::path::Path::new(&out(&folder)).exists(), "it is gone afterwards");
}

/// A mount namespace with a system trust of its own, so that the host's stays as it is.
const HOST: &str = "
set -e
mount -t tmpfs none /usr/local/share/ca-certificates
mkdir -p $1/etc; cp -a /etc/ssl $1/etc/ssl; mount --bind $1/etc/ssl /etc/ssl
cd $1; shift; \"$@\"
";

fn on_host(gateway: &Gateway, script: &str) -> Output {
    let weir = env!("CARGO_BIN_EXE_weir");
    let state = gateway.folder.path().join("state").display().to_string();
    let script = format!("weir() {{ {weir} \"$@\" --state-dir {state}; }}; {script}");
    let mut host = Command::new("unshare");
    host.args(["--mount", "--propagation", "private", "sh", "-c", HOST, "sh"]);
    host.arg(gateway.folder.path()).args(["sh", "-c", &script]);
    bare(&mut host);
    host.output().unwrap()
}

#[test]
fn the_host_can_be_made_to_trust_weir_and_to_forget_it() {
    let gateway = Gateway::start(false);
    let url = format!("https://localhost:{}/", serve(&gateway));
    let script = format!(
        "curl -sS {url} 2>/dev/null && exit 1\n\
         weir ca install && weir ca install --json && curl -sS {url} && echo\n\
         {PYTHON} -c \"import urllib.request as r; print(r.urlopen('{url}').read().decode())\"\n\
         weir ca uninstall --json && weir ca uninstall --json && curl -sS {url} 2>/dev/null || echo gone"
    );
    let before = std::fs::read("/etc/ssl/certs/ca-certificates.crt").unwrap();
    let said = out(&on_host(&gateway, &script));
    let lines: Vec<&str> = said.lines().collect();
    let path = "/usr/local/share/ca-certificates/weir.crt";
    assert_eq!(lines[0], format!("installed {path}"), "{said}");
    let json: serde_json::Value = serde_json::from_str(lines[1]).unwrap();
    assert_eq!(json["path"], path);
    assert_eq!(json["sha256"], gateway.authority.fingerprint());
    assert_eq!(lines[2..4], ["served", "served"], "{said}");
    assert_eq!(lines[4], format!("{{\"removed\":[\"{path}\"]}}"));
    assert_eq!(lines[5..], ["{\"removed\":[]}", "gone"], "{said}");
    assert_eq!(std::fs::read("/etc/ssl/certs/ca-certificates.crt").unwrap(), before);
}

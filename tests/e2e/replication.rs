//! Replication is asked about on its own, works where policy permits it, and is refused where anything is
//! masked: what it sends can't be.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;
use weir_tests::postgres::PASSWORD;
use weir_tests::{Gateway, Setup, wait_for};

const BIN: &str = "/usr/lib/postgresql/15/bin";
const ALL: &str = "@id(\"test.all\")\npermit (principal, action, resource);\n";

/// A server of the test's own, which decodes its log and has little to back up.
struct Server {
    dir: TempDir,
    port: u16,
    child: Child,
}

impl Server {
    fn start() -> Self {
        let dir = TempDir::with_prefix("weir-replication-").expect("a directory");
        std::fs::write(dir.path().join("password"), PASSWORD).expect("a password file");
        let owner = format!("chown -R nobody:nogroup {}", dir.path().display());
        assert!(Command::new("sh").args(["-c", &owner]).status().expect("chown").success());
        let data = dir.path().join("data").display().to_string();
        let password = format!("--pwfile={}", dir.path().join("password").display());
        let made = as_nobody("initdb")
            .args(["-U", "app", "-A", "scram-sha-256", "-E", "UTF8", "--locale=C", "-N", &password])
            .args(["-D", &data])
            .output()
            .expect("initdb");
        assert!(made.status.success(), "{made:?}");
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("its address").port();
        drop(listener);
        let settings = [
            format!("port={port}"),
            "listen_addresses=127.0.0.1".to_owned(),
            "unix_socket_directories=".to_owned(),
            "fsync=off".to_owned(),
            "wal_level=logical".to_owned(),
        ];
        let settings = settings.iter().flat_map(|setting| ["-c", setting]);
        let mut server = as_nobody("postgres");
        server.args(["-D", &data]).args(settings).stdout(Stdio::null()).stderr(Stdio::null());
        let server = Self { dir, port, child: server.spawn().expect("postgres") };
        wait_for("PostgreSQL", Duration::from_secs(30), || server.psql("select 1"));
        server.psql("create table words (word text)").expect("a table");
        server
    }

    fn psql(&self, sql: &str) -> Option<String> {
        let output = Command::new(format!("{BIN}/psql"))
            .args(["-X", "-A", "-t", "-h", "127.0.0.1", "-p", &self.port.to_string()])
            .args(["-U", "app", "-d", "postgres", "-c", sql])
            .env("PGPASSWORD", PASSWORD)
            .output()
            .expect("psql");
        let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        output.status.success().then_some(text)
    }

    /// Its `[[target]]`, `wal.test`.
    fn target(&self) -> String {
        format!(
            "[[target]]\nname = \"wal\"\nprotocol = \"postgres\"\nhosts = [\"wal.test\"]\n\
             addresses = [\"127.0.0.1\"]\nport = {}\ntls = {{ mode = \"off\" }}\n\
             credential = \"orders\"\n",
            self.port
        )
    }

    fn gateway(&self, policy: &str, more: &str) -> Gateway {
        let path = self.dir.path().join("policy.cedar");
        std::fs::write(&path, policy).expect("a policy");
        std::fs::set_permissions(self.dir.path(), std::fs::Permissions::from_mode(0o755))
            .expect("chmod");
        let extra =
            format!("{}{more}\n[policy]\nfiles = [\"{}\"]\n", self.target(), path.display());
        Gateway::start(&Setup { extra, ..Setup::default() })
    }

    /// A program of PostgreSQL's by way of the gateway.
    fn run(&self, gateway: &Gateway, program: &str, arguments: &[&str]) -> weir_tests::agent::Said {
        let port = self.port.to_string();
        let way = ["-h", "wal.test", "-p", &port, "-U", "agent"];
        gateway.agent().run(&format!("{BIN}/{program}"), &[&way, arguments].concat())
    }

    fn command(&self, gateway: &Gateway, kind: &str, text: &str) -> weir_tests::agent::Said {
        let connection = format!("dbname=postgres sslmode=disable replication={kind}");
        self.run(gateway, "psql", &["-X", "-A", "-t", "-d", &connection, "-c", text])
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let pid = self.child.id().to_string();
        Command::new("kill").args(["-INT", &pid]).status().ok();
        self.child.wait().ok();
    }
}

fn as_nobody(program: &str) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig=INT", "--reuid=nobody", "--regid=nogroup", "--clear-groups"]);
    command.arg(format!("{BIN}/{program}")).current_dir("/");
    command
}

/// A folder that programs of an agent's may fill.
fn folder(gateway: &Gateway, name: &str) -> PathBuf {
    let path = gateway.dir.join(name);
    std::fs::create_dir(&path).expect("a folder");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o777)).expect("chmod");
    path
}

#[test]
fn nobody_replicates_unless_policy_says_so() {
    let server = Server::start();
    let gateway = server.gateway(include_str!("../../policies/default.cedar"), "");
    for kind in ["database", "true", "on", "1"] {
        let said = server.command(&gateway, kind, "IDENTIFY_SYSTEM");
        assert!(said.err.contains("weir.default-deny"), "{kind}: {said:#?}");
    }
    let said = server.command(&gateway, "tru", "IDENTIFY_SYSTEM");
    assert!(said.err.contains("this kind of replication is refused"), "{said:#?}");
    // Whoever says that it is none has an ordinary connection.
    assert_eq!(server.command(&gateway, "off", "select 1").ok().out, "1");
    let rows = gateway.duckdb(
        "select count(*) as n, any_value(forwarded) as gone from exchanges \
         where statement like 'replication connect %' and verdict = 'deny'",
    );
    assert_eq!((rows[0]["n"].as_i64(), rows[0]["gone"].as_bool()), (Some(4), Some(false)));
}

#[test]
fn what_is_masked_is_not_replicated() {
    let server = Server::start();
    let column = |target: &str| {
        format!(
            "[[column]]\ntarget = \"{target}\"\ntable = \"public.words\"\ncolumns = [\"word\"]\n\
             classes = [\"pii\"]\n"
        )
    };
    // Another target that is another database of the same server.
    let other = server.target().replace("\"wal\"", "\"other\"").replace("wal.test", "other.test");
    let shipped = include_str!("../../policies/default.cedar");
    let permits = "@id(\"test.replication\")\n\
                   permit (principal, action == Weir::Action::\"replication.run\", resource);\n";
    for (policy, more, why) in [
        (ALL.to_owned(), column("wal"), "target wal has sensitive columns"),
        (ALL.to_owned(), format!("{other}{}", column("other")), "target other has sensitive"),
        (format!("{shipped}{permits}"), String::new(), "policy masks"),
    ] {
        let gateway = server.gateway(&policy, &more);
        for kind in ["database", "true"] {
            let said = server.command(&gateway, kind, "IDENTIFY_SYSTEM");
            assert!(said.err.contains(why), "{why}: {said:#?}");
            assert!(said.err.contains("weir.replication-mask"), "{said:#?}");
        }
    }
}

#[test]
fn commands_and_sql_are_told_apart() {
    let server = Server::start();
    let policy = format!(
        "{ALL}@id(\"test.no-slots\") @message(\"No slots.\")\n\
         forbid (principal, action == Weir::Action::\"replication.run\", resource)\n\
         when {{ context.verbs.contains(\"create_replication_slot\") }};\n\
         @id(\"test.no-drop\") @message(\"No drops.\")\n\
         forbid (principal, action == Weir::Action::\"sql.run\", resource)\n\
         when {{ context.verbs.contains(\"drop\") }};\n"
    );
    let gateway = server.gateway(&policy, "");
    for (text, said_instead) in [
        ("CREATE_REPLICATION_SLOT s LOGICAL test_decoding", "No slots."),
        ("drop table words", "No drops."),
        ("BASE_BACKUP (TARGET 'server', TARGET_DETAIL '/tmp/weir-backup')", "own disk is refused"),
        ("BASE_BACKUP (TARGET 'blackhole')", "own disk is refused"),
        ("/* */ BASE_BACKUP", "is not understood"),
        ("IDENTIFY_SYSTEM; drop table words", "is not understood"),
        ("UPLOAD_MANIFEST", "is not understood"),
    ] {
        let said = server.command(&gateway, "database", text);
        assert!(said.err.contains(said_instead), "{text}: {said:#?}");
    }
    let identified = server.command(&gateway, "database", "IDENTIFY_SYSTEM").ok();
    assert!(identified.out.ends_with("|postgres"), "{identified:#?}");
    assert_eq!(server.command(&gateway, "database", "select 6 * 7").ok().out, "42");
    let said = server.command(&gateway, "true", "select 6 * 7");
    assert!(said.err.contains("cannot execute SQL commands in WAL sender"), "{said:#?}");
    let said = server.command(&gateway, "true", "CREATE_REPLICATION_SLOT s PHYSICAL");
    assert!(said.err.contains("No slots."), "{said:#?}");
    assert_eq!(server.command(&gateway, "true", "SHOW wal_level").ok().out, "logical");
    assert_eq!(server.psql("select count(*) from pg_replication_slots").as_deref(), Some("0"));
}

#[test]
fn the_log_is_received_and_recorded() {
    let server = Server::start();
    let gateway = server.gateway(ALL, "");
    let into = folder(&gateway, "wal");
    server.psql("insert into words select 'word' || n from generate_series(1, 1000) n");
    let place = |sql: &str| server.psql(sql).expect("a place");
    let end = place("select pg_current_wal_flush_lsn()");
    let file = place(&format!("select pg_walfile_name('{end}')"));
    let length = place(&format!("select (pg_walfile_name_offset('{end}')).file_offset"));
    let into_text = into.display().to_string();
    server
        .run(&gateway, "pg_receivewal", &["-D", &into_text, "--endpos", &end, "--no-loop", "-w"])
        .ok();
    let length: usize = length.parse().expect("a number");
    let received = std::fs::read(into.join(format!("{file}.partial"))).expect("a segment");
    let own = std::fs::read(server.dir.path().join("data/pg_wal").join(&file)).expect("a segment");
    assert!(length > 0 && received[..length] == own[..length]);
    let rows = gateway.duckdb(
        "select verbs[1] as verb, status, effect from exchanges where target = 'wal' order by asked_at",
    );
    let verbs: Vec<&str> = rows.iter().filter_map(|row| row["verb"].as_str()).collect();
    for verb in ["connect", "show", "identify_system", "start_replication"] {
        assert!(verbs.contains(&verb), "{rows:#?}");
    }
    assert!(rows.iter().all(|row| row["status"] == "ok"), "{rows:#?}");
}

#[test]
fn a_server_is_backed_up_and_its_changes_decoded() {
    let server = Server::start();
    let gateway = server.gateway(ALL, "");
    let into = gateway.dir.join("backup").display().to_string();
    server
        .run(&gateway, "pg_basebackup", &["-D", &into, "-X", "stream", "--checkpoint=fast", "-w"])
        .ok();
    let verified = Command::new(format!("{BIN}/pg_verifybackup")).arg(&into).output();
    let verified = verified.expect("pg_verifybackup");
    assert!(verified.status.success(), "{verified:?}");
    let logical = ["-d", "postgres", "-w", "--slot", "words"];
    let decode = |arguments: &[&str]| {
        server.run(&gateway, "pg_recvlogical", &[&logical, arguments].concat()).ok()
    };
    decode(&["--create-slot", "-P", "test_decoding"]);
    server.psql("insert into words values ('decoded')");
    let end = server.psql("select pg_current_wal_flush_lsn()").expect("a place");
    let said = decode(&["--start", "-f", "-", "--endpos", &end, "--no-loop"]);
    assert!(said.out.contains("table public.words: INSERT: word[text]:'decoded'"), "{said:#?}");
    decode(&["--drop-slot"]);
}

#[test]
fn a_stream_ends_when_policy_no_longer_permits_it() {
    let server = Server::start();
    let gateway = server.gateway(ALL, "");
    server.psql("select pg_create_logical_replication_slot('words', 'test_decoding')");
    let port = server.port.to_string();
    let arguments = ["-h", "wal.test", "-p", &port, "-U", "agent", "-d", "postgres", "-w"];
    let more = ["--slot", "words", "--start", "-f", "-", "--no-loop"];
    let mut command = gateway
        .agent()
        .command(&format!("{BIN}/pg_recvlogical"), &[&arguments[..], &more].concat());
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("weir run");
    wait_for("a stream", Duration::from_secs(20), || {
        let active = server.psql("select active from pg_replication_slots");
        (active.as_deref() == Some("t")).then_some(())
    });
    server.psql("insert into words values ('before')");
    let policy = server.dir.path().join("policy.cedar");
    std::thread::sleep(Duration::from_secs(2));
    std::fs::write(&policy, include_str!("../../policies/default.cedar")).expect("a policy");
    Command::new("kill").args(["-HUP", &gateway.pid().to_string()]).status().expect("kill");
    std::thread::sleep(Duration::from_secs(1));
    server.psql("insert into words values ('after')");
    let output = child.wait_with_output().expect("an end");
    let (out, err) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(out.contains("'before'") && !out.contains("'after'"), "{out}\n{err}");
    assert!(err.contains("replication is not permitted any more"), "{err}");
}

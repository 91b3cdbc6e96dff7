//! What a connection that does nothing takes of the gateway's memory.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::Stdio;

use anyhow::{Context as _, Result, ensure};

use super::{Extent, proxies, resident_kib};
use crate::shell;
use crate::stage::Stage;

/// Opens connections, waits until each is ready for queries, says how many there are, and keeps them
/// until its input ends.
const CLIENT: &str = "\
import socket, struct, sys
host, count = sys.argv[1], int(sys.argv[2])
names = b'user\\0app\\0database\\0orders\\0\\0'
start = struct.pack('!ii', len(names) + 8, 196608) + names
kept = []
for n in range(count):
    s = socket.create_connection((host, 5432))
    s.sendall(start)
    said = b''
    while not said.endswith(b'Z\\0\\0\\0\\5I'):
        more = s.recv(4096)
        if not more: sys.exit(f'connection {n} was closed: {said!r}')
        said += more
    kept.append(s)
print(len(kept), flush=True)
sys.stdin.read()
";

const INSTANCE: &str = "benchidle";
const HOST: &str = "idle.internal";

/// Opens many connections through a gateway, to a pgbouncer that needs no server for them.
pub fn measure(weir: &Path, extent: Extent) -> Result<String> {
    // The gateway has two for each connection, and some of its own.
    let most = raise_descriptors(2 * u64::from(extent.idle) + 1_000)?;
    let count = extent.idle.min(u32::try_from((most - 1_000) / 2)?);
    let dir = shell::build_dir().join("bench");
    let mut stage = Stage::new(dir.join("idle"), weir.to_owned(), INSTANCE, HOST)?;
    stage.database("select 1")?;
    stage.issuer()?;
    let pooler = proxies::pgbouncer(&dir, &stage, proxies::MANY)?;
    let measured = with_pooler(&mut stage, count);
    drop(pooler);
    let (before, after) = measured?;
    let each = after.saturating_sub(before) as f64 / f64::from(count);
    Ok(format!(
        "\n# Idle connections\n\n{} connections that have logged in and ask nothing: {each:.1} KiB of the gateway's \
         memory each ({} MiB before, {} MiB after).\n",
        count,
        before / 1024,
        after / 1024
    ))
}

/// The gateway's memory before and after, in KiB.
fn with_pooler(stage: &mut Stage, count: u32) -> Result<(u64, u64)> {
    let upstream = format!("upstream = \"127.0.0.1:{}\"\n", proxies::POOLER);
    stage.gateway("class = \"process\"", &upstream)?;
    let token = stage.token("alice", &["agents"])?;
    let gateway = stage.pid("gateway").context("the gateway is gone")?;
    open(stage, &token, 20)?;
    let before = resident_kib(gateway)?;
    let after = open(stage, &token, count)?;
    Ok((before, after))
}

/// Opens connections and closes them again; the gateway's memory while they were open, in KiB.
fn open(stage: &Stage, token: &Path, count: u32) -> Result<u64> {
    let script = stage.dir.join("idle.py");
    fs::write(&script, CLIENT)?;
    let (script, count) = (script.display().to_string(), count.to_string());
    let mut agent = stage.agent(token, "python", &["python3", &script, HOST, &count]);
    let mut child = agent.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    let mut line = String::new();
    let out = child.stdout.take().context("the agent's output")?;
    BufReader::new(out).read_line(&mut line)?;
    let gateway = stage.pid("gateway").context("the gateway is gone")?;
    let resident = resident_kib(gateway);
    drop(child.stdin.take());
    let status = child.wait()?;
    ensure!(line.trim() == count && status.success(), "the connections did not open: {status}");
    resident
}

/// Raises what one process may have open as far as may be; returns it.
fn raise_descriptors(wanted: u64) -> Result<u64> {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    if soft >= wanted {
        return Ok(soft);
    }
    if setrlimit(Resource::RLIMIT_NOFILE, wanted, hard.max(wanted)).is_ok() {
        return Ok(wanted);
    }
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard).context("raising RLIMIT_NOFILE")?;
    Ok(hard)
}

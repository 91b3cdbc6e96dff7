//! The time before the gateway is up: the units, and the slice that is attached without it.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use weir_tests::{Gateway, Setup, root, weir};

fn units() -> PathBuf {
    root().join("packaging/systemd")
}

#[test]
fn systemd_understands_the_units() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut copies = Vec::new();
    for unit in ["weir.slice", "weir-attach.service", "weir.service"] {
        let text = std::fs::read_to_string(units().join(unit)).expect("a unit");
        let copy = dir.path().join(unit);
        // The program is not installed here.
        std::fs::write(&copy, text.replace("/usr/bin/weir", &weir().display().to_string()))
            .expect("a copy");
        copies.push(copy);
    }
    let mut verify = Command::new("systemd-analyze");
    let output = verify.args(["verify", "--man=no"]).args(&copies).output();
    let output = output.expect("systemd-analyze, of the package systemd");
    let said = String::from_utf8_lossy(&output.stderr);
    let own: Vec<&str> = said.lines().filter(|line| line.contains("weir")).collect();
    assert!(output.status.success() && own.is_empty(), "{said}");
}

/// The capabilities of the unit, as setpriv names them.
fn capabilities() -> String {
    let unit = std::fs::read_to_string(units().join("weir.service")).expect("the unit");
    let line = unit.lines().find_map(|line| line.strip_prefix("CapabilityBoundingSet="));
    let names = line
        .expect("a set")
        .split(' ')
        .map(|name| format!(",+{}", name.trim_start_matches("CAP_").to_lowercase()));
    format!("-all{}", names.collect::<String>())
}

#[test]
fn the_capabilities_of_the_unit_are_enough() {
    let set = capabilities();
    let below = ["setpriv", "--bounding-set", &set, "--inh-caps", "-all"].map(str::to_owned);
    let gateway = Gateway::start(&Setup { below: below.to_vec(), ..Setup::default() });
    let status =
        std::fs::read_to_string(format!("/proc/{}/status", gateway.pid())).expect("status");
    let bounding = status.lines().find(|line| line.starts_with("CapBnd")).expect("a line");
    assert!(!bounding.contains("ffffffff"), "{bounding}");
    assert_eq!(gateway.agent().psql("select 7").ok().out, "7");
    let agent = gateway.agent().as_user("nobody");
    assert_eq!(agent.psql("select 8").ok().out, "8");
    let rows = gateway.duckdb("select exe, uid from flows order by opened_at");
    assert!(rows[1]["exe"].as_str().is_some_and(|exe| exe.ends_with("psql")), "{rows:?}");
}

/// Whether a process in a cgroup can make a connection to a database.
fn connects(cgroup: &Path, address: &str) -> String {
    let script = "import socket, sys\n\
        print('ready', flush=True); sys.stdin.readline()\n\
        try: socket.create_connection((sys.argv[1], 5432), 3); print('connected')\n\
        except OSError as error: print(error.strerror)";
    let mut child = Command::new("python3")
        .args(["-c", script, address])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("python3");
    let mut out = BufReader::new(child.stdout.take().expect("its output"));
    let mut line = String::new();
    out.read_line(&mut line).expect("a line");
    std::fs::create_dir_all(cgroup).expect("a cgroup");
    std::fs::write(cgroup.join("cgroup.procs"), child.id().to_string()).expect("moving it");
    child.stdin.take().expect("its input").write_all(b"\n").expect("a line");
    line.clear();
    out.read_line(&mut line).expect("a line");
    child.wait().expect("an end");
    line.trim().to_owned()
}

#[test]
fn what_is_below_the_slice_is_cut_off_until_a_session_is_bound() {
    let mut gateway = Gateway::start(&Setup::default());
    gateway.stop();
    let address = gateway.postgres.address.clone();
    let attached = gateway.json(&["attach"]);
    assert_eq!(attached["running"], false);
    let slice = PathBuf::from(attached["slice"].as_str().expect("a path"));
    let refused = "Operation not permitted";
    assert_eq!(connects(&slice, &address), refused);
    assert_eq!(connects(&slice.join("early/agent"), &address), refused);

    gateway.spawn();
    assert_eq!(gateway.agent().psql("select 7").ok().out, "7");
    assert_eq!(connects(&slice.join("beside"), &address), refused);
    assert_eq!(gateway.json(&["attach"])["running"], true);
    gateway.stop();
    assert_eq!(connects(&slice, &address), refused, "and when the gateway is down again");

    let instance = gateway.instance.clone();
    let of_instance = |gateway: &Gateway| {
        let all = gateway.json(&["bindings"]);
        all.as_array().expect("a list").iter().find(|of| of["name"] == *instance).cloned()
    };
    let own = of_instance(&gateway).expect("this instance");
    assert_eq!((&own["running"], &own["kept"]), (&false.into(), &true.into()));
    gateway.ask(&["bindings", "--retire", &instance]);
    assert!(of_instance(&gateway).is_none() && !slice.exists());
}

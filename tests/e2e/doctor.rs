//! `weir doctor` says what it measured, and nothing else.

use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use serde_json::Value;
use weir_tests::{Gateway, Setup};

fn findings(text: &[u8]) -> Vec<(String, String, String)> {
    let report: Value = serde_json::from_slice(text)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(text)));
    let word = |finding: &Value, name: &str| finding[name].as_str().expect("a text").to_owned();
    let findings = report["findings"].as_array().expect("findings");
    findings.iter().map(|one| (word(one, "area"), word(one, "level"), word(one, "text"))).collect()
}

fn has(found: &[(String, String, String)], area: &str, level: &str, part: &str) -> bool {
    found.iter().any(|(a, l, text)| a == area && l == level && text.contains(part))
}

#[test]
fn beside_a_running_gateway_everything_is_measured() {
    let gateway = Gateway::start(&Setup::default());
    let output = gateway.weir(&["doctor", "--json", "--canary"]).output().expect("weir doctor");
    let found = findings(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{found:#?}");
    for (area, part) in [
        ("configuration", "is read"),
        ("kernel", "the verifier takes all"),
        ("enforcement", "runs in tier T1"),
        ("enforcement", "map layout v"),
        ("authority", "is good for"),
        ("record", "fdatasync of 4 KiB"),
        ("policy", "policies load"),
        ("policy", "shipped cases hold"),
        ("issuers", "gave its keys"),
        ("targets", "logged in as app"),
        ("canary", "are closed"),
    ] {
        assert!(has(&found, area, "ok", part), "{area} {part}: {found:#?}");
    }
}

#[test]
fn what_is_wrong_fails_with_its_reason() {
    let mut gateway = Gateway::start(&Setup {
        extra: "[[target]]\nname = \"dead\"\nprotocol = \"postgres\"\naddresses = [\"127.0.0.1\"]\nport = 1\n\
                tls = { mode = \"off\" }\n"
            .to_owned(),
        ..Setup::default()
    });
    let mut set =
        gateway.weir(&["credentials", "set", "orders", "--user", "app", "--password-stdin"]);
    let mut set = set
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::null())
        .spawn()
        .expect("weir");
    std::io::Write::write_all(&mut set.stdin.take().expect("stdin"), b"wrong").expect("a password");
    set.wait().expect("weir credentials");
    let key = gateway.dir.join("state/host.key");
    let open = PermissionsExt::from_mode(0o644);
    std::fs::set_permissions(&key, open).expect("chmod");
    std::fs::set_permissions(gateway.dir.join("state"), PermissionsExt::from_mode(0o755))
        .expect("chmod");
    gateway.issuer().stop();
    let output = gateway.weir(&["doctor", "--json"]).output().expect("weir doctor");
    let found = findings(&output.stdout);
    assert_eq!(output.status.code(), Some(2), "{found:#?}");
    assert!(has(&found, "targets", "fail", "password"), "{found:#?}");
    assert!(has(&found, "targets", "fail", "dead"), "{found:#?}");
    assert!(has(&found, "files", "fail", "host.key has mode 644"), "{found:#?}");
    assert!(
        found.iter().any(|(area, level, _)| area == "issuers" && level == "fail"),
        "{found:#?}"
    );
}

/// What must not be claimed by somebody who may not look.
fn check_humble(found: &[(String, String, String)]) {
    for (area, level, text) in found {
        let enforced = area == "enforcement" && level == "ok";
        let verified = text.contains("verifier takes") || text.contains("takes programs");
        assert!(!(enforced || verified && level == "ok"), "{area} {text}: {found:#?}");
    }
    assert!(has(found, "kernel", "unknown", "was not tried"), "{found:#?}");
    assert!(has(found, "canary", "unknown", "no way around was tried"), "{found:#?}");
}

#[test]
fn an_unprivileged_user_is_told_what_was_not_measured() {
    let output = Command::new("setpriv")
        .args(["--reuid", "65534", "--regid", "65534", "--clear-groups", "--"])
        .arg(copy())
        .args(["doctor", "--json", "--canary", "--config", "/nonexistent"])
        .output()
        .expect("setpriv");
    let found = findings(&output.stdout);
    check_humble(&found);
    assert!(has(&found, "enforcement", "unknown", "without CAP_BPF"), "{found:#?}");
}

#[test]
fn root_of_a_container_without_privileges_is_not_root() {
    let output = Command::new("setpriv")
        .args(["--reuid", "65534", "--regid", "65534", "--clear-groups", "--"])
        .args(["unshare", "--user", "--map-root-user", "--mount", "--net"])
        .arg(copy())
        .args(["doctor", "--json", "--canary", "--config", "/nonexistent"])
        .output()
        .expect("unshare");
    let found = findings(&output.stdout);
    check_humble(&found);
    assert!(has(&found, "enforcement", "warn", "user namespace"), "{found:#?}");
}

/// The binary where everybody can run it.
fn copy() -> std::path::PathBuf {
    let directory = std::env::temp_dir().join(format!("weir-doctor-{}", std::process::id()));
    std::fs::create_dir_all(&directory).expect("a directory");
    std::fs::set_permissions(&directory, PermissionsExt::from_mode(0o755)).expect("chmod");
    let path = directory.join(format!("weir-{}", weir_tests::unique()));
    weir_tests::copy_weir(&path);
    path
}

//! No valid token, no binding; and a binding ends with its token.

use std::process::Command;
use std::time::Duration;

use weir_tests::{Agent, Gateway, Issuer, Provider, Setup, wait_for};

fn refused(gateway: &Gateway, token: &str) -> String {
    let path = gateway.dir.join(format!("bad-{}", weir_tests::unique()));
    std::fs::write(&path, token).expect("a token file");
    let said = Agent::new(gateway, path).run("true", &[]);
    assert_ne!(said.status, Some(0), "{said:#?}");
    said.err
}

fn printed(mut mint: Command) -> String {
    let output = mint.output().expect("weir dev token");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

#[test]
fn bad_tokens_are_refused_with_the_reason_and_recorded() {
    let mut gateway = Gateway::start(&Setup::default());
    let mut with = |more: &[&str]| {
        let mut mint = gateway.issuer().mint();
        mint.args(["--subject", "alice"]).args(more);
        printed(mint)
    };
    let elsewhere = with(&["--audience", "other", "--ttl", "1h"]);
    let endless = with(&["--audience", "weir", "--ttl", "100d"]);
    let good = with(&["--audience", "weir", "--ttl", "1h"]);
    let other = Issuer::start(&gateway.dir.join("foreign"));
    let mut foreign = other.mint();
    foreign.args(["--subject", "alice", "--audience", "weir", "--ttl", "1h"]);
    let parts: Vec<&str> = good.split('.').collect();
    let tampered = format!("{}.{}.{}", parts[0], parts[1], "A".repeat(parts[2].len()));
    assert!(refused(&gateway, "not a token").contains("token"));
    assert!(refused(&gateway, &elsewhere).contains("audience"));
    assert!(refused(&gateway, &printed(foreign)).contains("issuer"));
    assert!(refused(&gateway, &endless).contains("lives"));
    assert!(refused(&gateway, &tampered).contains("not signed"));
    let rows = gateway.duckdb("select message from events where kind = 'login.refused'");
    assert_eq!(rows.len(), 5, "{rows:#?}");
    for row in rows {
        let message = row["message"].as_str().expect("a text").to_owned();
        assert!(!message.contains(parts[2]), "no token stands in the record: {message}");
    }
}

#[test]
fn an_issuer_that_is_down_is_an_error_that_says_so() {
    let mut gateway = Gateway::start(&Setup::default());
    let token = gateway.token("alice", &["agents"], 600);
    gateway.issuer().stop();
    // A gateway that never saw the issuer's keys; one that did keeps them for a while.
    gateway.stop();
    gateway.spawn();
    let said = Agent::new(&gateway, token).run("true", &[]);
    assert_ne!(said.status, Some(0));
    assert!(said.err.contains("keys of"), "{said:#?}");
}

#[test]
fn expiry_cuts_what_flows_and_refuses_what_is_new() {
    let gateway = Gateway::start(&Setup::default());
    let token = gateway.token("alice", &["agents"], 4);
    let script = "import psycopg, sys, time\n\
        c = psycopg.connect(host=sys.argv[1], autocommit=True)\n\
        end = time.time() + 20\n\
        try:\n\
        \x20 while time.time() < end: c.execute('select 1'); time.sleep(0.1)\n\
        except psycopg.OperationalError as e: print('cut')";
    let python = weir_tests::python::interpreter().display().to_string();
    let said = Agent::new(&gateway, token).run(&python, &["-c", script, &gateway.host]);
    // The connection is cut first; then what still runs is killed.
    assert!(said.out == "cut" || said.status == Some(128 + 9), "{said:#?}");
    let rows = wait_for("the session's end", Duration::from_secs(10), || {
        let rows = gateway
            .duckdb("select end_reason as reason from sessions where end_reason is not null");
        (!rows.is_empty()).then_some(rows)
    });
    assert_eq!(rows[0]["reason"], "token expired");
}

#[test]
fn sessions_name_the_subject_the_agent_and_the_groups() {
    let gateway = Gateway::start(&Setup::default());
    gateway.agent().psql("select 1").ok();
    let rows = gateway.duckdb("select subject, agent, groups, statement, pid, exe from exchanges");
    assert_eq!(rows[0]["subject"], "alice");
    assert_eq!(rows[0]["agent"], "test-agent");
    assert!(rows[0]["exe"].as_str().is_some_and(|exe| exe.contains("psql")), "{rows:#?}");
}

/// A file with a token.
fn file(gateway: &Gateway, token: &str) -> std::path::PathBuf {
    let path = gateway.dir.join(format!("provider-{}", weir_tests::unique()));
    std::fs::write(&path, token).expect("a token file");
    path
}

#[test]
fn tokens_of_a_certified_provider_bind_agents_through_a_rotation_of_its_keys() {
    let provider = Provider::start("RS256");
    let others = ["PS256", "ES256", "EdDSA"].map(Provider::start);
    let trusted = |provider: &Provider| {
        format!("[[issuer]]\nissuer = \"{}\"\naudience = [\"weir\"]\n", provider.url)
    };
    let extra = std::iter::once(&provider).chain(&others).map(trusted).collect();
    let gateway = Gateway::start(&Setup { extra, ..Setup::default() });
    for other in &others {
        let token = other.agent_token();
        Agent::new(&gateway, file(&gateway, &token)).run("true", &[]).ok();
    }
    let old = provider.agent_token();
    let acting = provider.acting_token(&old);
    for token in [&old, &acting] {
        let said = Agent::new(&gateway, file(&gateway, token)).psql("select 1").ok();
        assert_eq!(said.out, "1");
    }
    provider.rotate("ES256");
    // A key that is not known is looked for once per half a minute and issuer, not more.
    let new = provider.agent_token();
    wait_for("the new key", Duration::from_secs(60), || {
        let said = Agent::new(&gateway, file(&gateway, &new)).psql("select 2");
        (said.out == "2").then_some(())
    });
    assert!(refused(&gateway, &old).contains("key"), "the old key is gone");
    let rows = gateway
        .duckdb("select distinct subject, agent, on_behalf_of, issuer from sessions order by all");
    assert_eq!(rows.len(), 5, "{rows:#?}");
    let own: Vec<_> = rows.iter().filter(|row| row["issuer"] == provider.url.as_str()).collect();
    assert_eq!(own.len(), 2, "{rows:#?}");
    assert!(own.iter().any(|row| row["on_behalf_of"] == "agent"), "{rows:#?}");
}

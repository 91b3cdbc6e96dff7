//! Clients that insist on a way to log in find it where their target is configured for it.

use std::io::Write as _;
use std::process::Stdio;

use weir_tests::postgres::PASSWORD;
use weir_tests::{Gateway, Setup};

const AGENTS: &str = "for-agents-only";

fn start(keys: &str) -> Gateway {
    let setup = Setup::default();
    let gateway = Gateway::start(&Setup {
        tls: format!("{}\n{keys}", setup.tls),
        extra: "[[credential]]\nname = \"agents\"\nuser = \"agents\"".to_owned(),
        ..setup
    });
    let mut set = gateway.weir(&["credentials", "set", "agents", "--user", "agents"]);
    set.arg("--password-stdin").stdin(Stdio::piped()).stdout(Stdio::null());
    let mut set = set.spawn().expect("weir credentials");
    set.stdin.take().expect("stdin").write_all(AGENTS.as_bytes()).expect("a password");
    assert!(set.wait().expect("weir credentials").success());
    gateway
}

/// Connects with libpq 18 in each of these ways; checks what comes of each.
fn check(gateway: &Gateway, ways: &[(&str, &str)]) {
    let script = "import psycopg, sys\n\
        for way in sys.argv[2:]:\n\
        \x20 try:\n\
        \x20  with psycopg.connect(f'host={sys.argv[1]} {way}') as c:\n\
        \x20   print(c.execute('select 6 * 7').fetchone()[0])\n\
        \x20 except psycopg.OperationalError as e: print(' '.join(str(e).split()))";
    let python = weir_tests::python::interpreter().display().to_string();
    let mut arguments = vec!["-c", script, gateway.host.as_str()];
    arguments.extend(ways.iter().map(|(way, _)| *way));
    let said = gateway.agent().run(&python, &arguments).ok();
    let lines: Vec<&str> = said.out.lines().collect();
    assert_eq!(lines.len(), ways.len(), "{said:#?}");
    for ((way, expected), line) in ways.iter().zip(lines) {
        assert!(line.contains(expected), "{way}: {line}");
    }
}

#[test]
fn without_a_word_in_the_configuration_nothing_is_asked() {
    let gateway = start("");
    check(
        &gateway,
        &[
            ("", "42"),
            ("require_auth=none", "42"),
            ("require_auth=!none password=x", "server did not complete authentication"),
            ("require_auth=scram-sha-256 password=x", "server did not complete authentication"),
            ("sslmode=require channel_binding=require password=x", "channel binding required"),
        ],
    );
}

#[test]
fn scram_is_spoken_with_and_without_channel_binding() {
    let gateway = start("client_auth = \"scram-sha-256\"\nclient_credential = \"agents\"");
    let wrong = "password authentication failed for user \"ann\"";
    check(
        &gateway,
        &[
            ("require_auth=scram-sha-256 password=for-agents-only", "42"),
            ("require_auth=!none password=for-agents-only max_protocol_version=3.2", "42"),
            ("sslmode=require channel_binding=require password=for-agents-only", "42"),
            ("sslmode=require channel_binding=disable password=for-agents-only", "42"),
            (
                "sslmode=require sslnegotiation=direct channel_binding=require \
                 require_auth=scram-sha-256 password=for-agents-only",
                "42",
            ),
            ("channel_binding=require sslmode=disable password=for-agents-only", "channel binding"),
            ("require_auth=password password=for-agents-only", "server requested SASL"),
            ("user=ann password=another", wrong),
            (&format!("user=ann password={PASSWORD}"), wrong),
            ("", "no password supplied"),
        ],
    );
    let said = gateway.agent().python(
        "import asyncio, asyncpg, sys\n\
         async def main():\n\
         \x20 for password in ('for-agents-only', 'another'):\n\
         \x20  try:\n\
         \x20   c = await asyncpg.connect(host=sys.argv[1], user='x', database='x', password=password)\n\
         \x20   print(await c.fetchval('select 6 * 7'))\n\
         \x20  except asyncpg.PostgresError as e: print(e.sqlstate)\n\
         asyncio.run(main())",
    );
    assert_eq!(said.ok().out, "42\n28P01");
    let query = "select count(*) as n from flows where close_reason like 'client log-in: %'";
    assert_eq!(gateway.duckdb(query)[0]["n"].as_i64().map(|n| n >= 3), Some(true));
    assert!(!gateway.log().contains(AGENTS), "a password was logged");
}

#[test]
fn a_password_is_asked_for_in_clear() {
    let any = start("client_auth = \"password\"");
    check(
        &any,
        &[
            ("require_auth=password password=whatever", "42"),
            ("require_auth=password sslmode=require password=whatever", "42"),
            (
                "require_auth=scram-sha-256 password=whatever",
                "server requested a cleartext password",
            ),
        ],
    );
    let one = start("client_auth = \"password\"\nclient_credential = \"agents\"");
    check(
        &one,
        &[
            ("require_auth=password password=for-agents-only", "42"),
            ("require_auth=password password=another", "password authentication failed"),
        ],
    );
}

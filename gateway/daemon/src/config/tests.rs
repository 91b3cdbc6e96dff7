//! Every problem is reported at once, with its line.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::Path;

use super::read::{ConfigError, parse};

fn problems(text: &str) -> Vec<(usize, String)> {
    match parse(Path::new("weir.toml"), text) {
        Ok(_) => Vec::new(),
        Err(ConfigError::Invalid { problems, .. }) => {
            problems.into_iter().map(|p| (p.line, p.message)).collect()
        }
        Err(other) => panic!("{other}"),
    }
}

#[test]
fn an_empty_file_is_the_defaults() {
    assert_eq!(problems(""), Vec::new());
}

#[test]
fn all_problems_come_at_once_with_their_lines() {
    let found = problems(
        "[gateway]\ninstanse = \"x\"\n[nonsense]\n[[target]]\nname = \"a\"\nport = \"x\"\n\
         protocol = \"postgres\"\n[[target]]\nname = \"b\"\nprotocol = \"telnet\"\nport = 1\n",
    );
    let lines: Vec<usize> = found.iter().map(|(line, _)| *line).collect();
    assert_eq!(lines, [2, 3, 6, 10], "{found:#?}");
}

#[test]
fn references_and_duplicates_are_checked() {
    let found = problems(
        "[[target]]\nname = \"a\"\nprotocol = \"postgres\"\nport = 1\naddresses = [\"127.0.0.1\"]\n\
         credential = \"none\"\n[[column]]\ntarget = \"z\"\ntable = \"public.t\"\ncolumns = [\"c\"]\n\
         classes = [\"pii\"]\n",
    );
    assert_eq!(found.len(), 2, "{found:#?}");
    assert!(found[0].1.contains("names no [[credential]] none"));
    assert!(found[1].1.contains("names no [[target]] z"));
}

#[test]
fn what_clients_must_prove_is_checked() {
    let check = |keys: &str| {
        let text = format!(
            "[[target]]\nname = \"a\"\nprotocol = \"postgres\"\nport = 1\naddresses = \
             [\"127.0.0.1\"]\ncredential = \"real\"\n{keys}\n[[credential]]\nname = \"real\"\n\
             [[credential]]\nname = \"agents\"\n"
        );
        problems(&text).len()
    };
    for (keys, wrong) in [
        ("", 0),
        ("client_auth = \"none\"", 0),
        ("client_auth = \"password\"", 0),
        ("client_auth = \"password\"\nclient_credential = \"agents\"", 0),
        ("client_auth = \"scram-sha-256\"\nclient_credential = \"agents\"", 0),
        ("client_auth = \"scram-sha-256\"", 1),
        ("client_auth = \"scram-sha-256\"\nclient_credential = \"real\"", 1),
        ("client_auth = \"scram-sha-256\"\nclient_credential = \"nobody\"", 1),
        ("client_credential = \"agents\"", 1),
        ("client_auth = \"md5\"", 1),
    ] {
        assert_eq!(check(keys), wrong, "{keys}");
    }
}

//! `weir mask scan` proposes what masks: its output, pasted into the configuration, hides the columns.

use std::process::Output;

use weir_tests::{Gateway, Setup};

const PLANTED: &str = "
create schema hr;
create table hr.people (id int primary key, vorname text, \"Contact\" text, born date, salary numeric,
  misc text, last_seen inet, email_verified boolean, pin_code text, notes text);
insert into hr.people select i, 'Vorname' || i, 'planted' || i || '@example.org', '1980-01-01', 98765430 + i,
  'DE89370400440532013000', ('192.0.2.' || i)::inet, true, 'open' || i, 'nothing to see' from generate_series(1, 50) i;
create view hr.contacts as select id, \"Contact\" as reach from hr.people;
create table hr.locked (email text); insert into hr.locked values ('planted1@example.org');
create view hr.broken as select \"Contact\"::int as number from hr.people;
alter schema hr owner to app; alter table hr.people owner to app; alter view hr.contacts owner to app;
alter view hr.broken owner to app";

fn scan(gateway: &Gateway, arguments: &[&str]) -> Output {
    let output = gateway.weir(&[&["mask", "scan"], arguments].concat()).output().expect("weir");
    let said = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    for clear in ["planted", "customer5@", "4111", "DE8937", "192.0.2"] {
        assert!(!said.contains(clear), "{clear}: {said}");
    }
    output
}

fn out(output: &Output) -> String {
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn what_is_proposed_is_accepted_and_masks() {
    let mut gateway = Gateway::start(&Setup::default());
    gateway.postgres.direct(PLANTED);
    let proposed = out(&scan(&gateway, &["orders"]));
    for line in [
        "# Contact (text): email in 50 of 50 values",
        "# misc (text): iban in 50 of 50 values",
        "# born (date): name",
        "# last_seen (inet): type",
        "# hr.locked: names and types alone, the target refuses to read it (SQLSTATE 42501)",
        "# hr.broken: names and types alone, the target refuses to read it (SQLSTATE 22P02)",
        "# reach (text): email in 50 of 50 values",
        "# email (text): email in 100 of 100 values; name",
        "# card (text): card in 100 of 100 values",
        "columns = [\"pin_code\"]\nclasses = [\"secret\", \"pin\"]",
    ] {
        assert!(proposed.contains(line), "{line}: {proposed}");
    }
    for quiet in ["email_verified", "notes", "balance", "customer\"", "\"id\""] {
        assert!(!proposed.contains(quiet), "{quiet}: {proposed}");
    }
    let new = out(&scan(&gateway, &["orders", "--only-new"]));
    assert!(new.contains("\"Contact\"") && !new.contains("\"card\""), "{new}");
    let names = out(&scan(&gateway, &["orders", "--sample", "0", "--schema", "hr"]));
    assert!(names.contains("salary") && !names.contains("misc"), "{names}");
    let json = out(&scan(&gateway, &["orders", "--json"]));
    let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    let contact = json["proposed"].as_array().expect("a list").iter();
    let contact = contact.filter(|one| one["column"] == "Contact" && one["sampled"] == 50);
    assert_eq!(contact.count(), 1, "{json}");
    let before = gateway.agent().psql("select vorname, misc, pin_code from hr.people where id = 5");
    assert!(before.ok().out.contains("Vorname5"));
    let config = std::fs::read_to_string(gateway.config()).expect("a configuration");
    std::fs::write(gateway.config(), format!("{config}\n{new}")).expect("a configuration");
    gateway.ask(&["gateway", "--check"]);
    gateway.stop();
    gateway.spawn();
    let after = gateway.agent().psql("select * from hr.people where id = 5").ok().out;
    for clear in ["Vorname5", "planted5", "1980-01-01", "98765435", "DE89", "192.0.2.5", "open5"] {
        assert!(!after.contains(clear), "{clear}: {after}");
    }
    assert!(after.contains("nothing to see"), "{after}");
}

#[test]
fn a_scan_says_why_it_can_not() {
    let extra = "[[target]]\nname = \"web\"\nprotocol = \"tls\"\nhosts = [\"web.test\"]\nport = 443\n\
                 [[target]]\nname = \"bare\"\nprotocol = \"postgres\"\naddresses = [\"127.0.0.1\"]\nport = 1\n\
                 [[target]]\nname = \"gone\"\nprotocol = \"postgres\"\naddresses = [\"127.0.0.1\"]\nport = 1\n\
                 credential = \"orders\"\n[[target]]\nname = \"unset\"\nprotocol = \"postgres\"\n\
                 addresses = [\"127.0.0.1\"]\nport = 1\ncredential = \"unset\"\n[[credential]]\nname = \"unset\"\n";
    let gateway = Gateway::start(&Setup { extra: extra.to_owned(), ..Setup::default() });
    for (arguments, why) in [
        (&["nowhere"][..], "there is no target \"nowhere\"; the configuration has orders, web"),
        (&["web"], "target web speaks tls"),
        (&["bare"], "target bare has no credential"),
        (&["unset"], "logging in to unset"),
        (&["gone"], "logging in to gone at 127.0.0.1:1: connecting"),
        (&["orders", "--database", "nowhere"], "target orders refuses app"),
        (&["orders", "--schema", "nowhere"], "schema \"nowhere\" has no table"),
    ] {
        let output = scan(&gateway, arguments);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(errors.contains(why), "{arguments:?}: {errors}");
        assert_eq!((output.status.code(), output.stdout.len()), (Some(1), 0), "{arguments:?}");
    }
}

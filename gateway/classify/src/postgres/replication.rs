//! Replication commands, which a walsender takes where others take SQL.
//!
//! The server looks at the first word, or tries its own small grammar first (`repl_gram.y`, before 15).
//! What is told apart here certainly is no SQL: no statement of SQL's begins with such a word.

use std::collections::BTreeSet;

use weir_model::{Effect, Flag, Operation, Resource, ResourceKind};

use crate::Facts;

/// The commands, and what they do. SHOW is SQL's as well, and judged as such.
const COMMANDS: [(&str, Effect); 8] = [
    ("identify_system", Effect::Session),
    ("timeline_history", Effect::Read),
    ("read_replication_slot", Effect::Read),
    ("create_replication_slot", Effect::Admin),
    ("alter_replication_slot", Effect::Admin),
    ("drop_replication_slot", Effect::Admin),
    ("start_replication", Effect::Read),
    ("base_backup", Effect::Read),
];

/// A replication command, where a text is one beyond doubt.
pub fn replication(text: &[u8]) -> Option<Facts> {
    let text = std::str::from_utf8(text).ok()?.trim_matches([' ', '\t', '\n', '\r']);
    let text = text.strip_suffix(';').unwrap_or(text);
    let words = words(text)?;
    let (first, rest) = words.split_first()?;
    let first = first.to_ascii_lowercase();
    let (verb, effect) = COMMANDS.iter().find(|(verb, _)| *verb == first)?;
    let mut flags = BTreeSet::new();
    if *verb == "base_backup" {
        flags.insert(Flag::CopyOut);
        if !goes_to_client(rest) {
            flags.insert(Flag::ToProgram);
        }
    }
    let slot = rest.first().filter(|_| verb.ends_with("_slot"));
    let resources = slot.map(|name| Resource {
        kind: ResourceKind::Object,
        name: name.trim_matches('"').to_owned(),
        columns: Vec::new(),
        written: *effect == Effect::Admin,
    });
    Some(Facts::plain(Operation {
        effect: *effect,
        verbs: vec![(*verb).to_owned()],
        resources: resources.into_iter().collect(),
        flags,
    }))
}

/// Whether a backup goes nowhere else: `TARGET 'server'` has the server write to its own disk, and
/// extensions have targets of theirs.
fn goes_to_client(options: &[&str]) -> bool {
    let plain = |word: &str| word.trim_matches(['"', '\'']).to_ascii_lowercase();
    let mut options = options.iter().map(|word| plain(word)).peekable();
    while let Some(option) = options.next() {
        let client = options.peek().is_some_and(|value| value == "client");
        if option.starts_with("target") && !(option == "target" && client) {
            return false;
        }
    }
    true
}

/// Whether a text may be a replication command for some server, though not beyond doubt.
pub fn mentions_replication(text: &[u8]) -> bool {
    let text = String::from_utf8_lossy(text).to_ascii_lowercase();
    let others = ["upload_manifest"];
    COMMANDS.iter().map(|(verb, _)| *verb).chain(others).any(|verb| text.contains(verb))
}

/// The words of a command: names, numbers, positions, and what stands in quotes. `None` where there is
/// anything that could be read in two ways.
fn words(text: &str) -> Option<Vec<&str>> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '/' | '-' | '.');
    let mut words = Vec::new();
    let mut rest = text;
    loop {
        rest = rest.trim_start_matches([' ', '\t', '\n', '\r', '(', ')', ',']);
        let Some(first) = rest.chars().next() else { return Some(words) };
        let end = match first {
            '"' | '\'' => 2 + rest.get(1..)?.find(first)?,
            c if plain(c) => rest.find(|c| !plain(c)).unwrap_or(rest.len()),
            _ => return None,
        };
        let (word, after) = rest.split_at_checked(end)?;
        if word.contains("--") || word.contains('\\') || word.contains("/*") {
            return None;
        }
        words.push(word);
        rest = after;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_told_apart_from_everything_else() {
        for (text, verb) in [
            ("IDENTIFY_SYSTEM", "identify_system"),
            (" identify_system ;", "identify_system"),
            ("TIMELINE_HISTORY 3", "timeline_history"),
            (
                "CREATE_REPLICATION_SLOT \"s\" TEMPORARY PHYSICAL ( RESERVE_WAL)",
                "create_replication_slot",
            ),
            ("START_REPLICATION SLOT \"s\" 0/1000000 TIMELINE 1", "start_replication"),
            (
                "START_REPLICATION SLOT \"s\" LOGICAL 0/0 (\"include-xids\" 'on', proto_version '1')",
                "start_replication",
            ),
            ("BASE_BACKUP ( LABEL 'pg_basebackup base backup',  PROGRESS,  WAIT 0)", "base_backup"),
            ("DROP_REPLICATION_SLOT s WAIT", "drop_replication_slot"),
        ] {
            let found = replication(text.as_bytes()).map(|facts| facts.operation.verbs.clone());
            assert_eq!(found, Some(vec![verb.to_owned()]), "{text}");
        }
        for text in [
            "",
            ";",
            "select 1",
            "SHOW wal_level",
            "IDENTIFY_SYSTEM; drop table x",
            "IDENTIFY_SYSTEM;;",
            "/* */ IDENTIFY_SYSTEM",
            "-- \nIDENTIFY_SYSTEM",
            "IDENTIFY_SYSTEM -- x",
            "BASE_BACKUP 'a\\' b",
            "BASE_BACKUP LABEL 'open",
            "BASE_BACKUP \u{b}",
            "\u{b}BASE_BACKUP",
            "\"identify_system\"",
            "UPLOAD_MANIFEST",
            "start_replicationx",
        ] {
            assert_eq!(replication(text.as_bytes()), None, "{text}");
        }
        assert!(mentions_replication(b"\x0bBase_Backup") && !mentions_replication(b"select 1"));
    }

    #[test]
    fn a_backup_onto_the_servers_disk_is_told() {
        for (text, tells) in [
            ("BASE_BACKUP (TARGET 'server', TARGET_DETAIL '/tmp')", true),
            ("BASE_BACKUP (\"target\" server)", true),
            ("BASE_BACKUP (TARGET 'client', TARGET 'server')", true),
            ("BASE_BACKUP (TARGET)", true),
            ("BASE_BACKUP (TARGET 'client')", false),
            ("BASE_BACKUP (PROGRESS)", false),
        ] {
            let flags = replication(text.as_bytes()).map(|facts| facts.operation.flags.clone());
            assert_eq!(
                flags.is_some_and(|flags| flags.contains(&Flag::ToProgram)),
                tells,
                "{text}"
            );
        }
    }
}

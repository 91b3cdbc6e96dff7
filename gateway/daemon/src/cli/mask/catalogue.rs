//! The proposal as TOML, to be read by a human and pasted into the configuration.

use std::fmt::Write as _;

use super::{Found, Proposed};

/// All of it.
pub(super) fn text(found: &Found) -> String {
    let mut text = format!(
        "# Proposed by `weir mask scan {}`: {} of {} columns. Look through it, and reload the gateway.\n",
        comment(&found.target),
        found.proposed.len(),
        found.columns
    );
    for (table, why) in &found.unread {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "# {}: names and types alone, {}", comment(table), comment(why));
    }
    for group in found.proposed.chunk_by(|a, b| a.table == b.table && a.classes == b.classes) {
        text.push('\n');
        entry(&found.target, group, &mut text);
    }
    text
}

/// Columns of one table with the same classes.
fn entry(target: &str, group: &[Proposed], text: &mut String) {
    let Some(first) = group.first() else { return };
    for one in group {
        let (column, kind) = (comment(&one.column), comment(&one.kind));
        let _ = writeln!(text, "# {column} ({kind}): {}", comment(&one.reasons.join("; ")));
    }
    let columns: Vec<&str> = group.iter().map(|one| one.column.as_str()).collect();
    let _ = write!(
        text,
        "[[column]]\ntarget = {}\ntable = {}\ncolumns = [{}]\nclasses = [{}]\n",
        quoted(target),
        quoted(&first.table),
        list(&columns),
        list(&first.classes),
    );
}

fn list(texts: &[impl AsRef<str>]) -> String {
    texts.iter().map(|text| quoted(text.as_ref())).collect::<Vec<_>>().join(", ")
}

fn quoted(text: &str) -> String {
    toml::Value::from(text).to_string()
}

/// A name of somebody else's, which must not end its line.
fn comment(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;

    fn proposed(table: &str, column: &str, class: &str) -> Proposed {
        Proposed {
            table: table.to_owned(),
            column: column.to_owned(),
            kind: "text".to_owned(),
            classes: vec!["pii".to_owned(), class.to_owned()],
            reasons: vec!["name".to_owned(), "email in 3 of 3 values".to_owned()],
            sampled: 3,
        }
    }

    fn found(proposed: Vec<Proposed>) -> Found {
        Found { target: "orders".to_owned(), columns: 9, proposed, unread: Default::default() }
    }

    #[test]
    fn columns_of_a_table_with_the_same_classes_stand_together() {
        let mut found = found(vec![
            proposed("public.a", "email", "email"),
            proposed("public.a", "mail2", "email"),
            proposed("public.b", "tel", "phone"),
        ]);
        found.unread.insert("public.c".to_owned(), "permission denied".to_owned());
        assert_eq!(
            text(&found),
            "# Proposed by `weir mask scan orders`: 3 of 9 columns. Look through it, and reload the gateway.\n\
             # public.c: names and types alone, permission denied\n\n\
             # email (text): name; email in 3 of 3 values\n\
             # mail2 (text): name; email in 3 of 3 values\n\
             [[column]]\ntarget = \"orders\"\ntable = \"public.a\"\ncolumns = [\"email\", \"mail2\"]\n\
             classes = [\"pii\", \"email\"]\n\n\
             # tel (text): name; email in 3 of 3 values\n\
             [[column]]\ntarget = \"orders\"\ntable = \"public.b\"\ncolumns = [\"tel\"]\n\
             classes = [\"pii\", \"phone\"]\n"
        );
    }

    #[test]
    fn names_are_only_names() {
        let name = "x\"\n[[target]]\nname = '''";
        let text = text(&found(vec![proposed(&format!("public.{name}"), name, "email")]));
        let read: toml::Table = toml::from_str(&text).expect("TOML");
        assert_eq!(read.keys().collect::<Vec<_>>(), ["column"]);
        let column = &read["column"][0];
        assert_eq!(column["table"].as_str().unwrap(), format!("public.{name}"));
        assert_eq!(column["columns"][0].as_str().unwrap(), name);
    }
}

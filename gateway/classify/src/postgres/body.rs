//! Bodies of functions in SQL and PL/pgSQL: whether they do nothing but read, told by their words.
//!
//! Whatever changes something has a verb, a call, an operator, a cast or a relation in it, and each of
//! those is a word of the text. So no tree is needed, and nothing can hide in a corner of one.

use std::collections::BTreeSet;

use pg_query::protobuf::{KeywordKind, ScanToken, Token};

use super::functions::{self, Judgement};
use crate::guard::{SqlState, readable};

/// What a body that only reads is made of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Body {
    /// Functions that it calls, those that are listed as safe among them.
    pub functions: BTreeSet<String>,
    /// Of these the ones that the classifier does not know.
    pub unlisted: BTreeSet<String>,
    /// Its operators, but for comparisons that the grammar may imply: those are always there.
    pub operators: BTreeSet<String>,
    /// All its names: of relations, types, columns, variables.
    pub words: BTreeSet<String>,
}

/// What begins or makes a statement that does more than read, or that runs text.
const VERBS: &[&str] = &[
    "abort",
    "alter",
    "analyse",
    "analyze",
    "call",
    "checkpoint",
    "cluster",
    "comment",
    "commit",
    "copy",
    "create",
    "deallocate",
    "delete",
    "discard",
    "do",
    "drop",
    "execute",
    "explain",
    "grant",
    "import",
    "insert",
    "listen",
    "load",
    "lock",
    "merge",
    "notify",
    "prepare",
    "reassign",
    "refresh",
    "reindex",
    "release",
    "repack",
    "reset",
    "revoke",
    "rollback",
    "savepoint",
    "security",
    "set",
    "share",
    "truncate",
    "unlisten",
    "update",
    "vacuum",
];

/// Words of PL/pgSQL and of the grammar that stand before a bracket and call nothing, unless a function is
/// called so.
const BEFORE_BRACKETS: &[&str] = &[
    "assert",
    "by",
    "cube",
    "elseif",
    "elsif",
    "filter",
    "if",
    "materialized",
    "over",
    "perform",
    "query",
    "return",
    "rollup",
    "sets",
    "while",
];

/// What `IN`, `BETWEEN`, `CASE`, `USING` and their like compare with.
const IMPLIED: [&str; 6] = ["=", "<>", "<", ">", "<=", ">="];

/// What a body in SQL or PL/pgSQL is made of; `None` where it may do more than read, or where a session
/// may have it read otherwise than here.
pub fn body(text: &str) -> Option<Body> {
    let state = SqlState { standard_conforming_strings: false, utf8: true };
    let text = readable(text.as_bytes(), &state)?;
    // A last token of its own: of a text without any, pg_query makes a slice of a null pointer.
    let text = format!("{text}\n;");
    let tokens = pg_query::scan_tokens(&text).ok()?;
    let is_comment = |token: &ScanToken| {
        matches!(Token::try_from(token.token), Ok(Token::SqlComment | Token::CComment))
    };
    let tokens: Vec<&ScanToken> = tokens.iter().filter(|token| !is_comment(token)).collect();
    let mut found = Body::default();
    found.operators.extend(IMPLIED.map(str::to_owned));
    for (place, token) in tokens.iter().enumerate() {
        let (start, end) = (usize::try_from(token.start).ok()?, usize::try_from(token.end).ok()?);
        let written = text.get(start..end)?;
        let called = tokens.get(place + 1).is_some_and(|next| is(next, Token::Ascii40));
        found.token(token, written, called)?;
    }
    Some(found)
}

/// Whether a function of the server's own is known to change nothing and to run no text.
pub fn is_safe_function(name: &str) -> bool {
    matches!(functions::judge(&[name]), Judgement::Safe | Judgement::Reads)
}

impl Body {
    fn token(&mut self, token: &ScanToken, written: &str, called: bool) -> Option<()> {
        let keyword = KeywordKind::try_from(token.keyword_kind).ok()?;
        match Token::try_from(token.token).ok()? {
            // Another spelling of a name, which the words here would not show.
            Token::Uident => return None,
            Token::Ident => self.name(&plain(written), called)?,
            _ if keyword != KeywordKind::NoKeyword => {
                let word = written.to_ascii_lowercase();
                if VERBS.contains(&word.as_str()) {
                    return None;
                }
                let grammar =
                    matches!(keyword, KeywordKind::ReservedKeyword | KeywordKind::ColNameKeyword);
                self.name(&word, called && !grammar)?;
            }
            Token::Sconst | Token::Usconst | Token::Xconst | Token::Bconst => {}
            _ if written.bytes().all(|byte| OPERATOR.contains(&byte)) => {
                self.operators.insert(written.to_owned());
            }
            _ => {}
        }
        Some(())
    }

    fn name(&mut self, name: &str, called: bool) -> Option<()> {
        if VERBS.contains(&name) {
            return None;
        }
        if called {
            match functions::judge(&[name]) {
                Judgement::Safe | Judgement::Reads => {}
                Judgement::Does(..) => return None,
                Judgement::Unknown if BEFORE_BRACKETS.contains(&name) => {}
                Judgement::Unknown => {
                    self.unlisted.insert(name.to_owned());
                }
            }
            self.functions.insert(name.to_owned());
        }
        self.words.insert(name.to_owned());
        Some(())
    }
}

/// The characters of operators (`self` and `op_chars` in scan.l).
const OPERATOR: &[u8] = b"~!@#^&|`?+-*/%<>=";

fn is(token: &ScanToken, kind: Token) -> bool {
    Token::try_from(token.token) == Ok(kind)
}

/// A name as the server keeps it.
fn plain(written: &str) -> String {
    match written.strip_prefix('"').and_then(|name| name.strip_suffix('"')) {
        Some(name) => name.replace("\"\"", "\""),
        None => written.to_ascii_lowercase(),
    }
}

//! Operators that are known to be free of side effects.

/// PostgreSQL's own, then those of pgvector, pg_trgm, hstore, ltree, intarray, cube and PostGIS.
const KNOWN: &[&str] = &[
    "!!", "!~", "!~*", "!~~", "!~~*", "#", "##", "#-", "#>", "#>>", "%", "&", "&&", "&<", "&<|",
    "&>", "*", "*<", "*<=", "*<>", "*=", "*>", "*>=", "+", "-", "->", "->>", "-|-", "/", "<",
    "<->", "<<", "<<=", "<<|", "<=", "<>", "<@", "<^", "=", ">", ">=", ">>", ">>=", ">^", "?",
    "?#", "?&", "?-", "?-|", "?|", "?||", "@", "@-@", "@>", "@?", "@@", "@@@", "^", "^@", "|",
    "|&>", "|/", "|>>", "||", "||/", "~", "~*", "~<=~", "~<~", "~=", "~>=~", "~>~", "~~", "~~*",
    "!=", //
    "<#>", "<=>", "<+>", "<~>", "<%>", "<%", "%>", "<<%", "%>>", "<<->", "<->>", "<<<->", "<->>>",
    "#=", "%%", "%#", "^<@", "^@>", "^~", "^?", "?<@", "?@>", "?~", "~>", "&&&", "|=|", "<<->>",
    "<<#>>", "@@=",
];

/// What the grammar itself writes into an operator's place.
const GRAMMAR: &[&str] = &["BETWEEN", "NOT BETWEEN", "BETWEEN SYMMETRIC", "NOT BETWEEN SYMMETRIC"];

/// Whether the operator is known to be free of side effects.
pub(super) fn known(name: &[&str]) -> bool {
    match name {
        [op] => KNOWN.contains(op) || GRAMMAR.contains(op),
        ["pg_catalog", op] => KNOWN.contains(op),
        _ => false,
    }
}

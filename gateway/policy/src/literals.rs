//! Finds words in a policy that can never match: Cedar's schema has no enumerated strings.
//!
//! `context.flags.contains("nowhere")` is well typed and never true, so the forbid that it stands
//! in would silently protect nothing.

use cedar_policy::Policy;
use cedar_policy::pst::{BinaryOp, Clause, Expr, Literal, Var};
use weir_model::{Effect, Flag, Protocol};

const EFFECTS: [Effect; 6] =
    [Effect::Session, Effect::Read, Effect::Write, Effect::Schema, Effect::Admin, Effect::Unknown];
const FLAGS: [Flag; 9] = [
    Flag::NoWhere,
    Flag::Multi,
    Flag::VolatileFunction,
    Flag::ToProgram,
    Flag::CopyOut,
    Flag::Privilege,
    Flag::DynamicSql,
    Flag::SecretLiteral,
    Flag::Inference,
];
const PROTOCOLS: [Protocol; 4] = [Protocol::Postgres, Protocol::Tls, Protocol::Dns, Protocol::Tcp];

/// What is wrong with a policy's words, one sentence each.
pub(crate) fn check(policy: &Policy) -> Vec<String> {
    // What can't be converted was refused before, as a template or by the validator.
    let Ok(tree) = policy.to_pst() else { return Vec::new() };
    let mut found = Vec::new();
    for clause in tree.body().clauses() {
        let (Clause::When(expr) | Clause::Unless(expr)) = clause;
        found.extend(expr.reduce(&|node| compared(node), &joined, Vec::new()));
    }
    found
}

fn joined(mut left: Vec<String>, right: Vec<String>) -> Vec<String> {
    left.extend(right);
    left
}

/// A comparison of a fact with words; `None` where the node is none, to look further down.
fn compared(node: &Expr) -> Option<Vec<String>> {
    let Expr::BinaryOp { op, left, right } = node else { return None };
    let compares = matches!(
        op,
        BinaryOp::Eq
            | BinaryOp::NotEq
            | BinaryOp::Contains
            | BinaryOp::ContainsAll
            | BinaryOp::ContainsAny
    );
    if !compares {
        return None;
    }
    let (fact, other) = match (fact(left), fact(right)) {
        (Some(fact), _) => (fact, right),
        (None, Some(fact)) => (fact, left),
        (None, None) => return None,
    };
    Some(words(other).into_iter().filter_map(|word| wrong(fact, word)).collect())
}

/// The facts whose words are known.
#[derive(Clone, Copy)]
enum Fact {
    Effect,
    Flags,
    Verbs,
    Protocol,
}

fn fact(expr: &Expr) -> Option<Fact> {
    let Expr::GetAttr { expr, attr } = expr else { return None };
    match (&**expr, attr.as_str()) {
        (Expr::Var(Var::Context), "effect") => Some(Fact::Effect),
        (Expr::Var(Var::Context), "flags") => Some(Fact::Flags),
        (Expr::Var(Var::Context), "verbs") => Some(Fact::Verbs),
        (Expr::Var(Var::Resource), "protocol") => Some(Fact::Protocol),
        _ => None,
    }
}

fn words(expr: &Expr) -> Vec<&str> {
    match expr {
        Expr::Literal(Literal::String(word)) => vec![word.as_str()],
        Expr::Set(parts) => parts.iter().flat_map(|part| words(part)).collect(),
        _ => Vec::new(),
    }
}

fn wrong(fact: Fact, word: &str) -> Option<String> {
    let known: Vec<&str> = match fact {
        Fact::Effect => EFFECTS.iter().map(|effect| effect.name()).collect(),
        Fact::Flags => FLAGS.iter().map(|flag| flag.name()).collect(),
        Fact::Protocol => PROTOCOLS.iter().map(|protocol| protocol.name()).collect(),
        Fact::Verbs => {
            let lower = word == word.to_lowercase();
            return (!lower)
                .then(|| format!("the verb {word:?} never occurs: verbs are lower case"));
        }
    };
    let what = match fact {
        Fact::Effect => "effect",
        Fact::Flags => "flag",
        Fact::Verbs => "verb",
        Fact::Protocol => "protocol",
    };
    (!known.contains(&word))
        .then(|| format!("the {what} {word:?} never occurs; known are {}", known.join(", ")))
}

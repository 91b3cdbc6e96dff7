//! Tests of the whole crate: loading, deciding, masking, cases.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod decide;
mod load;
mod mask;

use std::collections::BTreeSet;

use weir_model::{Effect, Flag, Identity, Operation, Protocol, Resource, ResourceKind, Target};

use crate::{Action, Ask, PolicySet, Problem, Source};

pub(crate) fn source(name: &str, text: &str) -> Source {
    Source { name: name.to_owned(), text: text.to_owned() }
}

pub(crate) fn set(text: &str) -> PolicySet {
    PolicySet::load(&[source("test.cedar", text)]).unwrap_or_else(|problems| {
        panic!("{}", problems.iter().map(Problem::to_string).collect::<Vec<_>>().join("\n"))
    })
}

pub(crate) fn problems(text: &str) -> Vec<String> {
    match PolicySet::load(&[source("test.cedar", text)]) {
        Ok(_) => Vec::new(),
        Err(problems) => problems.iter().map(Problem::to_string).collect(),
    }
}

pub(crate) fn identity(groups: &[&str]) -> Identity {
    Identity {
        issuer: "https://issuer.test".to_owned(),
        subject: "alice".to_owned(),
        email: Some("alice@example.com".to_owned()),
        groups: groups.iter().map(|group| (*group).to_owned()).collect(),
        agent: "claude-code".to_owned(),
        on_behalf_of: None,
        token_id_hash: String::new(),
        expires_us: 0,
    }
}

pub(crate) fn target() -> Target {
    Target {
        name: "shop".to_owned(),
        protocol: Protocol::Postgres,
        host: "db.internal".to_owned(),
        address: "10.0.0.5".to_owned(),
        port: 5432,
        environment: "prod".to_owned(),
        known: true,
    }
}

pub(crate) fn operation(effect: Effect, verbs: &[&str], flags: &[Flag]) -> Operation {
    Operation {
        effect,
        verbs: verbs.iter().map(|verb| (*verb).to_owned()).collect(),
        resources: vec![Resource {
            kind: ResourceKind::Table,
            name: "public.orders".to_owned(),
            columns: Vec::new(),
            written: effect > Effect::Read,
        }],
        flags: flags.iter().copied().collect::<BTreeSet<_>>(),
    }
}

pub(crate) fn ask<'a>(
    identity: &'a Identity,
    target: &'a Target,
    operation: &'a Operation,
) -> Ask<'a> {
    Ask { action: Action::SqlRun, identity, target, operation, approvers: &[] }
}

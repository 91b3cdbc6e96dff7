//! How long a decision takes: `cargo run --release -p weir-policy --example decide_speed`, with
//! the name of one measurement to take only that, for a profiler.
#![allow(clippy::print_stdout, clippy::unwrap_used)]
#![allow(clippy::disallowed_methods)] // an example measures time

use std::collections::BTreeSet;
use std::hint::black_box;
use std::time::{Duration, Instant};

use weir_model::{
    ColumnRef, Effect, Identity, Operation, Protocol, Resource, ResourceKind, Target,
};
use weir_policy::{Action, Ask, PolicySet};

const ROUNDS: usize = 100_000;

fn main() {
    let set = PolicySet::shipped().ok().unwrap();
    let identity = Identity {
        issuer: "https://issuer.test".to_owned(),
        subject: "alice".to_owned(),
        email: Some("alice@example.com".to_owned()),
        groups: ["agents", "developers", "shop"].map(str::to_owned).to_vec(),
        agent: "claude-code".to_owned(),
        on_behalf_of: None,
        token_id_hash: String::new(),
        expires_us: 0,
    };
    let target = Target {
        name: "shop".to_owned(),
        protocol: Protocol::Postgres,
        host: "db.internal".to_owned(),
        address: "10.0.0.5".to_owned(),
        port: 5432,
        environment: "prod".to_owned(),
        known: true,
    };
    let table = |name: &str| Resource {
        kind: ResourceKind::Table,
        name: name.to_owned(),
        columns: vec!["*".to_owned()],
        written: false,
    };
    let operation = Operation {
        effect: Effect::Read,
        verbs: vec!["select".to_owned()],
        resources: vec![table("public.customers"), table("public.orders")],
        flags: BTreeSet::new(),
    };
    let ask = Ask {
        action: Action::SqlRun,
        identity: &identity,
        target: &target,
        operation: &operation,
        approvers: &[],
    };
    let column = ColumnRef { table: "public.customers".to_owned(), column: "email".to_owned() };
    let classes = ["pii".to_owned(), "email".to_owned()];
    measure("decide", || drop(black_box(set.decide(black_box(&ask)))));
    measure("column", || drop(black_box(set.column(&identity, &target, &column, &classes))));
    measure("load", || drop(black_box(PolicySet::shipped())));
}

fn measure(what: &str, mut work: impl FnMut()) {
    if std::env::args().nth(1).is_some_and(|only| only != what) {
        return;
    }
    let started = Instant::now();
    let mut times: Vec<Duration> = Vec::with_capacity(ROUNDS);
    // A slow thing is not measured for ever.
    while times.len() < ROUNDS && started.elapsed() < Duration::from_secs(2) {
        let begun = Instant::now();
        work();
        times.push(begun.elapsed());
    }
    times.sort_unstable();
    let at = |share: usize| times.get(times.len() * share / 100).copied().unwrap_or_default();
    println!("{what}: p50 {:?}, p99 {:?}", at(50), at(99));
}

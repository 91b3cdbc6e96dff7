//! What reading a statement costs, by statement: `cargo run --release -p weir-classify --example rate`.

#![allow(clippy::disallowed_methods, clippy::print_stdout)] // a measurement has a clock and says what it saw

use std::hint::black_box;
use std::time::Instant;

use weir_classify::{SqlState, classify_sql};
use weir_model::Dialect;

const TEXTS: [(&str, &str); 5] = [
    ("pgbench -S", "SELECT abalance FROM pgbench_accounts WHERE aid = 4711;"),
    (
        "insert",
        "INSERT INTO orders (id, customer, total) VALUES (1, 'x', 9.5), (2, 'y', 1) RETURNING id",
    ),
    (
        "join",
        "select c.id, c.name, count(o.id) as n, sum(o.total) from customers c left join orders o on o.customer = c.id \
         where c.created > now() - interval '30 days' and o.state in ('open', 'paid') group by c.id, c.name \
         having count(o.id) > 3 order by n desc limit 20",
    ),
    (
        "cte",
        "with recent as (select id, customer, total from orders where created > '2026-01-01'), ranked as (select customer, \
         row_number() over (partition by customer order by total desc) as place, total from recent) select c.name, r.total \
         from ranked r join customers c on c.id = r.customer where r.place = 1 order by r.total desc",
    ),
    (
        "update",
        "update customers set email = lower(email), seen = now() where id = 5 and email is not null",
    ),
];

/// Calls in a run. Runs are short and many and the best counts, because the host is shared.
const CALLS: u32 = 100;
const RUNS: u32 = 1_000;

fn main() {
    println!("{:>12}  {:>11}  {:>9}  {:>9}", "", "protobuf us", "parse us", "whole us");
    for (name, text) in TEXTS {
        let protobuf = best(|| drop(black_box(pg_query::parse(black_box(text), 0))));
        let parse = best(|| drop(black_box(weir_pgtree::parse(black_box(text)))));
        let state = SqlState::default();
        let whole = best(|| {
            drop(black_box(classify_sql(Dialect::Postgres, black_box(text.as_bytes()), &state)));
        });
        println!("{name:>12}  {protobuf:>11.2}  {parse:>9.2}  {whole:>9.2}");
    }
}

/// Microseconds per call.
fn best(mut call: impl FnMut()) -> f64 {
    let run = |_| {
        let begin = Instant::now();
        (0..CALLS).for_each(|_| call());
        begin.elapsed().as_secs_f64() * 1e6 / f64::from(CALLS)
    };
    (0..RUNS).map(run).fold(f64::INFINITY, f64::min)
}

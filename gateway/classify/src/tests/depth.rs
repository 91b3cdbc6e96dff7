//! Deep, wide and long texts: on a worker's stack, in bounded time, never a read by accident.

use std::time::{Duration, Instant};

use weir_model::Effect;

use super::effect;

/// Far above what a debug build on a busy machine needs, far below what a quadratic text takes.
const BOUND: Duration = Duration::from_secs(20);

/// Runs on a stack of the size that runtimes give their workers.
fn on_small_stack(sql: String) -> Effect {
    let run = move || effect(&sql);
    std::thread::Builder::new().stack_size(2 << 20).spawn(run).unwrap().join().unwrap()
}

#[test]
fn deep_nesting_is_unknown_and_does_not_overflow_the_stack() {
    let n = 40_000;
    let chains = [
        format!("SELECT {}1{}", "(".repeat(n), ")".repeat(n)),
        format!("SELECT {}1{}", "(".repeat(400), ")".repeat(400)),
        format!("SELECT {}1{}", "ARRAY[".repeat(500), "]".repeat(500)),
        format!("SELECT 1{}", " + 1".repeat(n)),
        format!("SELECT {}1", "- ".repeat(n)),
        format!("SELECT {}true", "NOT ".repeat(n)),
        format!("SELECT 1{}", "::int".repeat(n)),
        format!("SELECT {}1{}", "CASE WHEN true THEN ".repeat(9_000), " END".repeat(9_000)),
        format!("SELECT 1{}", " UNION SELECT 1".repeat(17_000)),
        format!("SELECT * FROM a{}", " NATURAL JOIN a".repeat(16_000)),
        format!("SELECT {}1{}", "(SELECT ".repeat(500), ")".repeat(500)),
        format!("SELECT 1{}", " COLLATE x".repeat(20_000)),
        format!("SELECT x{}", " IS NULL".repeat(30_000)),
        format!("{}SELECT 1", "EXPLAIN ".repeat(30_000)),
        format!("{}SELECT 1{}", "WITH a AS (".repeat(500), ") SELECT 1".repeat(500)),
        format!("SELECT 1 {}", "'a'\n".repeat(50_000)),
        "/*".repeat(100_000),
        "$a$".repeat(50_001),
    ];
    for sql in chains {
        let head: String = sql.chars().take(40).collect();
        let start = Instant::now();
        let found = on_small_stack(sql);
        assert!(start.elapsed() < BOUND, "{head}: {:?}", start.elapsed());
        assert!(found == Effect::Unknown || head.starts_with("SELECT ((("), "{head}: {found:?}");
    }
}

/// The bound leaves room enough for the deepest tree that it admits, of whatever it is made.
#[test]
fn what_nests_as_deep_as_it_may_fits_the_stack() {
    let mut understood = 0;
    for n in (10..180).step_by(3) {
        let chains = [
            format!("SELECT {}1{}", "ARRAY[".repeat(n), "]".repeat(n)),
            format!("SELECT 1{}", " + a".repeat(n)),
            format!("SELECT {}true", "NOT ".repeat(n)),
            format!("SELECT a{}", "::int".repeat(n)),
            format!("SELECT {}1{}", "CASE WHEN true THEN ".repeat(n), " END".repeat(n)),
            format!("SELECT 1{}", " UNION SELECT a FROM t WHERE a = b".repeat(n)),
            format!("SELECT * FROM a{}", " NATURAL JOIN a".repeat(n)),
            format!("SELECT {}1{}", "(SELECT ".repeat(n), ")".repeat(n)),
            format!("SELECT {}1{}", "lower((SELECT a FROM t WHERE b = ".repeat(n), "))".repeat(n)),
            format!("{}SELECT 1{}", "SELECT * FROM (".repeat(n), ") x".repeat(n)),
            format!("{}SELECT 1{}", "WITH a AS (".repeat(n), ") SELECT 1".repeat(n)),
            format!(
                "SELECT a FROM t WHERE {}1 = 1{}",
                "(a = 1 AND (b = 2 OR ".repeat(n),
                "))".repeat(n)
            ),
        ];
        for sql in chains {
            understood += usize::from(on_small_stack(sql) == Effect::Read);
        }
    }
    assert!(understood > 150, "{understood}");
}

#[test]
fn what_is_longer_than_the_bound_is_unknown() {
    let long = format!("SELECT '{}'", "x".repeat(weir_model::limits::SQL_BYTES));
    assert_eq!(effect(&long), Effect::Unknown);
    let fits = format!("SELECT '{}'", "x".repeat(weir_model::limits::SQL_BYTES - 20));
    assert_eq!(effect(&fits), Effect::Read);
}

#[test]
fn wide_texts_take_bounded_time() {
    let wide = |n: usize, item: &str| vec![item; n].join(",");
    let texts = [
        format!("SELECT {} FROM {}", wide(30_000, "c"), wide(30_000, "t")),
        format!("SELECT {} FROM {}", wide(20_000, "b.c"), wide(20_000, "t a")),
        format!("INSERT INTO t VALUES {}", wide(30_000, "(1,'x')")),
        format!("SELECT 1 FROM t WHERE a IN ({})", wide(100_000, "1")),
        format!("DELETE FROM t WHERE {}", vec!["a=1"; 30_000].join(" OR ")),
        "SELECT 1;".repeat(25_000),
        (0..9_000).map(|i| format!("SELECT a{i} AS b{i} FROM t;")).collect(),
    ];
    for sql in texts {
        let head: String = sql.chars().take(40).collect();
        let start = Instant::now();
        effect(&sql);
        let took = start.elapsed();
        assert!(took < BOUND, "{head}: {took:?}");
    }
}

/// What is compared with what is not worked out beyond a bound, and then everything is.
#[test]
fn more_comparisons_than_are_worth_it_are_all_of_them() {
    let list =
        |n: usize, item: &dyn Fn(usize) -> String| (0..n).map(item).collect::<Vec<_>>().join(",");
    let columns = list(8_000, &|i| format!("a{i}"));
    let both = list(4_000, &|i| format!("a{i} || b{i} AS c{i}"));
    let union = format!(" UNION SELECT {}", list(100, &|i| format!("x{i}")));
    let texts = [
        format!(
            "SELECT 1 FROM t, LATERAL (VALUES ({columns})) v WHERE column1 = b AND column2 = c"
        ),
        format!(
            "SELECT 1 FROM (SELECT {both} FROM t) s ORDER BY {}",
            list(4_000, &|i| format!("c{i}"))
        ),
        format!("SELECT DISTINCT * FROM (SELECT {both} FROM t) s({columns}) WHERE a1 = b"),
        format!("SELECT x1{} ORDER BY 1", union.repeat(60)),
        format!("SELECT 1 WHERE {}", vec!["a = b"; 9_000].join(" AND ")),
        format!(
            "SELECT 1 FROM t, u WHERE {}",
            (0..600).map(|i| format!("a{i} = b{i}")).collect::<Vec<_>>().join(" OR ")
        ),
    ];
    for sql in texts {
        let start = Instant::now();
        let facts = super::facts(&sql);
        let took = start.elapsed();
        assert!(took < BOUND, "{}: {took:?}", &sql[..40]);
        let size: usize = facts.compares.iter().map(|comparison| comparison.columns.len()).sum();
        println!("{} {took:?}, {} comparisons of {size}", &sql[..40], facts.compares.len());
        assert!(!facts.compares.is_empty() && size < 1 << 21, "{}: {size}", &sql[..40]);
    }
    let many = (0..600).map(|i| format!("a{i} = b{i}")).collect::<Vec<_>>().join(" OR ");
    let facts = super::facts(&format!("SELECT 1 FROM t, u WHERE {many}"));
    let all: Vec<_> = facts.compares.iter().map(|c| (c.columns.len(), c.alone)).collect();
    assert_eq!(all, [(1, true)], "of 600 comparisons one remains, of everything");
}

#[test]
fn ordinary_long_lists_are_understood() {
    let rows = vec!["(1, 'x', now())"; 5_000].join(", ");
    assert_eq!(effect(&format!("INSERT INTO t (a, b, c) VALUES {rows}")), Effect::Write);
    assert_eq!(effect(&format!("SELECT a{}", "[1]".repeat(40_000))), Effect::Read);
    let terms = vec!["a = 1"; 500].join(" OR ");
    assert_eq!(effect(&format!("SELECT a FROM t WHERE {terms}")), Effect::Read);
    assert_eq!(effect(&format!("SELECT a{}", " || b".repeat(30))), Effect::Read);
}

/// Fragments, split by a broken bar.
const FRAGMENTS: &[&str] = &[
    "+¦-¦- ¦/*¦/* ¦*/¦*/ /*¦--¦--\n¦'¦''¦'a' ¦E'¦E'\\'¦U&'¦U&'\\0041'¦\"¦\"\"¦\"a\"¦$$¦$a$",
    "$a¦$1¦$¦.¦1.¦.1¦1e¦0x¦0b1¦1_¦a¦a ¦a.¦a.b,¦(¦)¦()¦[¦[]¦::¦:¦::a¦*¦, ¦;¦; ;¦=¦a=¦a=a and ",
    "a or ¦not ¦case ¦end ¦select ¦select 1;¦select(¦(select ¦with a as(¦union select 1 ¦1,",
    "(1),¦row(¦array[¦a(¦a(b)¦a[¦a[1]¦b'¦b'1'¦x'f'¦n'a'¦e'\\¦\\¦\n¦\t ¦é¦\u{a0}¦\u{feff}¦`¦@",
    "#¦?¦%¦|¦||¦||a¦<¦<>¦< >¦!=¦~¦^¦&¦=>¦:=¦..¦a..¦int ¦values(1),¦in(¦between ¦a join b on ",
    "left join a ¦over(¦filter(¦cast(¦exists(¦is null ¦at time zone ¦collate a ¦like ",
    "escape ¦isnull ¦notnull ¦to ¦begin;¦explain ¦declare ¦prepare a as ¦'\n'¦\"\n\"¦/**/",
    "/*+*/¦--+¦+-¦+ -¦1+¦1+-¦@-¦*-¦$a$b$a$¦$a$b$¦select$$",
];

/// Any fragment, repeated up to the bound: neither stack nor time may run away.
#[test]
fn repeated_fragments_take_bounded_time() {
    for fragment in FRAGMENTS.iter().flat_map(|line| line.split('¦')) {
        for (head, tail) in [("", ""), ("select ", " 1"), ("select a from t where ", ";")] {
            let count = 250_000 / fragment.len();
            let sql = format!("{head}{}{tail}", fragment.repeat(count));
            let start = Instant::now();
            on_small_stack(sql);
            let took = start.elapsed();
            assert!(took < BOUND, "{fragment:?} after {head:?}: {took:?}");
        }
    }
}

//! Prints how fast rows are looked at and masked; run it with `--release`.
#![allow(clippy::print_stdout)]
#![allow(clippy::disallowed_methods)] // an example measures time

use std::hint::black_box;
use std::time::Instant;

use weir_mask::{Action, Column, ContentRules, Counts, Key, Masker, Transform};

const PASSES: usize = 20;

/// A row's body as it stands in a `DataRow` message.
fn row(cells: &[String]) -> Vec<u8> {
    let mut row = (cells.len() as u16).to_be_bytes().to_vec();
    for cell in cells {
        row.extend_from_slice(&(cell.len() as u32).to_be_bytes());
        row.extend_from_slice(cell.as_bytes());
    }
    row
}

/// Ten columns such as tables have, without findings.
fn typical(n: usize) -> Vec<u8> {
    row(&[
        n.to_string(),
        format!("{:08x}-e29b-41d4-a716-44665544{:04x}", n * 7919, n % 65536),
        format!("Customer {n} of the northern region"),
        format!("2024-01-{:02} 10:20:30.{:06}+00", n % 28 + 1, n % 1_000_000),
        format!("{}.{:02}", n * 13 % 100_000, n % 100),
        "active".to_owned(),
        format!("{:016x}{:016x}", n * 0x9e37, n * 0x79b9_7f4a),
        "ordered twice, asked for a refund; see ticket 4711 - closed".to_owned(),
        (1_700_000_000_000u64 + n as u64).to_string(),
        "t".to_owned(),
    ])
}

fn prose(n: usize) -> Vec<u8> {
    let sentence = "The quick brown fox jumps over the lazy dog while the auditors read on. ";
    row(&[n.to_string(), sentence.repeat(6)])
}

/// One long cell of hex digits.
fn hex(n: usize) -> Vec<u8> {
    let hash =
        |n: u64| n.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29) ^ 0x5851_f42d_4c95_7f2d;
    let word = format!("{:016x}{:016x}", hash(n as u64), hash(n as u64 + 1));
    row(&[word.repeat(32)])
}

/// A row of COPY with a number and two hashes.
fn copied(n: usize) -> Vec<u8> {
    let [_, _, _, _, _, _, rest @ ..] = &hex(n)[..] else { return Vec::new() };
    let hash = String::from_utf8_lossy(&rest[..32]).into_owned();
    format!("{n}\t{hash}\t{hash}\t{}\n", "x".repeat(32)).into_bytes()
}

fn dirty(n: usize) -> Vec<u8> {
    row(&[n.to_string(), format!("user{n}@example.com"), "a note".to_owned()])
}

fn measure(name: &str, rows: &[Vec<u8>], mut work: impl FnMut(&[u8])) {
    rows.iter().for_each(|row| work(row));
    let begin = Instant::now();
    for _ in 0..PASSES {
        rows.iter().for_each(|row| work(row));
    }
    let seconds = begin.elapsed().as_secs_f64() / PASSES as f64;
    let bytes: usize = rows.iter().map(Vec::len).sum();
    println!(
        "{name:<28} {:>8.0} MB/s {:>8.0} ns/row ({} B)",
        bytes as f64 / seconds / 1e6,
        seconds * 1e9 / rows.len() as f64,
        bytes / rows.len(),
    );
}

fn main() {
    let masker = Masker::new(Key::from_bytes([7; 32]));
    let make = |one: fn(usize) -> Vec<u8>| (0..20_000).map(one).collect::<Vec<_>>();
    let (rows, texts, dirty) = (make(typical), make(prose), make(dirty));
    let (hex, copied) = (make(hex), make(copied));
    let clean = rows.iter().filter(|row| masker.row_is_clean(row)).count();
    println!("{clean} of {} typical rows are clean", rows.len());
    let look = |row: &[u8]| {
        black_box(masker.row_is_clean(black_box(row)));
    };
    measure("row_is_clean, typical", &rows, look);
    measure("row_is_clean, prose", &texts, look);
    measure("row_is_clean, hex", &hex, look);
    measure("row_is_clean, copied", &copied, look);
    measure("row_is_clean, dirty", &dirty, look);
    let email: Vec<Vec<u8>> = dirty.iter().map(|row| row[10..].to_vec()).collect();
    let mut out = Vec::new();
    let mut counts = Counts::new();
    let policy = "p".to_owned();
    for (name, action) in [
        ("cell, content to token", Action::Content),
        ("cell, redact", Action::Apply { transform: Transform::Redact, policy: policy.clone() }),
        ("cell, token", Action::Apply { transform: Transform::Token, policy }),
    ] {
        let column = Column { type_oid: 25, format: 0, action };
        let rules = ContentRules::all(Some(Transform::Token));
        measure(name, &email, |cell| {
            out.clear();
            black_box(masker.cell(&column, &rules, cell, &mut out, &mut counts));
        });
    }
}

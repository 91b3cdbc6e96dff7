//! The canary property in the usual test run: 2,000 random queries, of which none shows a planted value.

use std::process::Command;

#[test]
fn no_query_shows_a_masked_value() {
    let queries = std::env::var("WEIR_CANARY_QUERIES").unwrap_or_else(|_| "2000".to_owned());
    let mut command = Command::new(env!("CARGO_BIN_EXE_weir-canary"));
    command.args(["run", "--queries", &queries]);
    if let Ok(seed) = std::env::var("WEIR_CANARY_SEED") {
        command.args(["--seed", &seed]);
    }
    let output = command.output().expect("weir-canary");
    let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}");
}

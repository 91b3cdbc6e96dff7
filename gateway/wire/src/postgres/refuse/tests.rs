//! Refusals and substitutes as they stand on the wire.
#![allow(clippy::unwrap_used, clippy::panic)]

use super::*;
use crate::postgres::{Backend, Frontend, backend, frontend};

fn example(instead: &str) -> Refusal {
    Refusal {
        rule: "no_drop".to_owned(),
        message: "dropping tables is not for agents".to_owned(),
        instead: instead.to_owned(),
    }
}

#[test]
fn a_refusal_names_its_rule_and_the_policy() {
    let fields = refusal(&example("ask the owner"), "0123456789abcdef");
    assert_eq!(fields.code, "42501");
    assert_eq!(fields.severity, Severity::Error);
    assert_eq!(fields.message, "dropping tables is not for agents");
    assert_eq!(fields.detail.as_deref(), Some("rule no_drop, policy 0123456789ab"));
    assert_eq!(fields.hint.as_deref(), Some("ask the owner"));
    assert_eq!(refusal(&example(""), "short").hint, None);
    // No policy was asked about a place that is no target.
    assert_eq!(refusal(&example(""), "").detail.as_deref(), Some("rule no_drop"));
}

#[test]
fn a_rewritten_error_keeps_the_severity_and_nothing_else() {
    let body = "SFEHLER\0VERROR\0C42601\0Mat \")\"\0P1\0Wcontext\0Fscan.l\0L1\0Ryyerror\0st\0\0";
    let mut original = b"E\0\0\0\0".to_vec();
    original.extend_from_slice(body.as_bytes());
    original[4] = u8::try_from(original.len() - 1).unwrap();
    let Ok(Backend::Error(original)) = backend::parse(&original) else { panic!("no error") };
    let mut out = Vec::new();
    build::rewrite_error(&original, &refusal(&example("ask"), ""), &mut out);
    let Ok(Backend::Error(error)) = backend::parse(&out) else { panic!("no error") };
    assert!(error.iter().map(|(kind, _)| kind).eq(*b"SVCMDH"));
    assert_eq!(error.get(b'S'), Some("FEHLER".as_bytes()));
    assert_eq!(error.get(b'V'), Some(b"ERROR".as_slice()));
    assert_eq!(error.get(b'C'), Some(b"42501".as_slice()));
}

#[test]
fn substitutes_are_well_formed_messages() {
    let mut out = Vec::new();
    substitute_query(&mut out).unwrap();
    assert_eq!(frontend::parse(&out), Ok(Frontend::Query(TEXT)));

    out.clear();
    substitute_parse(b"s", [23], &mut out).unwrap();
    let Ok(Frontend::Parse { name: b"s", text, types }) = frontend::parse(&out) else {
        panic!("no parse");
    };
    assert_eq!(text, TEXT);
    assert!(types.iter().eq([23]));

    out.clear();
    substitute_execute(&mut out).unwrap();
    let Ok(Frontend::Parse { name, text, .. }) = frontend::parse(&out) else { panic!("no parse") };
    assert!(!name.is_empty(), "the unnamed statement would be dropped");
    assert_eq!(text, TEXT);

    out.clear();
    substitute_function_call(&mut out);
    let Ok(Frontend::FunctionCall(call)) = frontend::parse(&out) else { panic!("no call") };
    assert_eq!((call.oid, call.arguments.len()), (0, 0));
}

//! Values that the detectors find, for the tests of every module.
//!
//! Keys and tokens are put together from parts, so that nothing scanning this repository takes them
//! for real ones.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use proptest::prelude::*;

use crate::{DETECTORS, Finding, Key, Masker};

pub(crate) const BODY: &str = "wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEYabcdefghij";

pub(crate) fn masker() -> Masker {
    Masker::new(Key::from_bytes([42; 32]))
}

/// What each detector finds, by its name.
pub(crate) fn found(text: &str) -> Vec<(&'static str, String)> {
    let mut all = Vec::new();
    for detector in DETECTORS {
        let mut findings: Vec<Finding> = Vec::new();
        detector.find(text, &mut findings);
        let cut = |f: &Finding| (detector.name(), text[f.start..f.end].to_owned());
        all.extend(findings.iter().map(cut));
    }
    all
}

pub(crate) fn jwt() -> String {
    let header = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9";
    format!("{header}.eyJzdWIiOiIxMjM0In0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U")
}

pub(crate) fn pem() -> String {
    let label = ["PRIVATE", "KEY"].join(" ");
    format!("-----BEGIN OPENSSH {label}-----\nb3BlbnNz\naC1rZXk=\n-----END OPENSSH {label}-----")
}

/// A value for every detector, as it is found when it stands alone.
pub(crate) fn values() -> Vec<(&'static str, String)> {
    let body = |length: usize| BODY[..length].to_owned();
    let own = |(name, text): (&'static str, &str)| (name, text.to_owned());
    let mut values: Vec<(&str, String)> = [
        ("email", "alice@example.com"),
        ("email", "Bob.O-Neil+tag@mail.example.co.uk"),
        ("email", "jörg@exämple.de"),
        ("email", "x@xn--bcher-kva.xn--p1ai"),
        ("email", "o'brien@example.org"),
        ("card", "4111111111111111"),
        ("card", "4111 1111 1111 1111"),
        ("card", "5500-0055-5555-5559"),
        ("card", "378282246310005"),
        ("card", "3782 822463 10005"),
        ("card", "6011111111111117"),
        ("card", "30569309025904"),
        ("card", "3530111333300000"),
        ("card", "4222222222222"),
        ("iban", "DE89370400440532013000"),
        ("iban", "GB82 WEST 1234 5698 7654 32"),
        ("iban", "FR14 2004 1010 0505 0001 3M02 606"),
        ("iban", "NO9386011117947"),
        ("iban", "gb29nwbk60161331926819"),
        ("phone", "+14155552671"),
        ("phone", "+1 (415) 555-2671"),
        ("phone", "+49 30 901820123"),
        ("phone", "+441632960961"),
        ("us_ssn", "123-45-6789"),
        ("us_ssn", "899-99-9999"),
    ]
    .map(own)
    .to_vec();
    values.push(("jwt", jwt()));
    values.push(("private_key", pem()));
    values.push(("private_key", format!("AGE-SECRET-KEY-1{}", "QPZRY9X8".repeat(7))));
    values.push(("aws_key", format!("AKIA{}", "IOSFODNN7EXAMPLE")));
    values.push(("aws_key", format!("ASIA{}", "Y34FZKBOKMUTVV7A")));
    for prefix in ["ghp_", "gho_", "ghs_"] {
        values.push(("github_token", prefix.to_owned() + &body(36)));
    }
    values.push(("github_token", format!("github_pat_{}_{}", body(22), body(45))));
    values.push(("slack_token", format!("xoxb-{}-{}", "123456789012", body(24))));
    values.push(("google_api_key", format!("AIza{}", body(35))));
    values.push(("stripe_key", format!("sk_{}_{}", "live", body(24))));
    values.push(("stripe_key", format!("whsec_{}", body(32))));
    values
}

/// One of the values.
pub(crate) fn value() -> impl Strategy<Value = String> {
    prop::sample::select(values()).prop_map(|(_, value)| value)
}

/// Bytes that are often near a beginning of something.
pub(crate) fn noise() -> impl Strategy<Value = Vec<u8>> {
    let nasty = "0123456789 -+@.:/\\\"'{}[](),=_xuAKIASGHPeyJ\n\0\u{1}éß".as_bytes().to_vec();
    prop::collection::vec(prop_oneof![any::<u8>(), prop::sample::select(nasty)], 0..40)
}

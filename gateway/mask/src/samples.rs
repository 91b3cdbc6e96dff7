//! Values that the detectors find, for the tests of every module.
//!
//! Keys and tokens are put together from parts, so that nothing scanning this repository takes them
//! for real ones.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use proptest::prelude::*;

use crate::detector::{Detector, infix_token, token};
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
    ]
    .map(own)
    .to_vec();
    values.push(("jwt", jwt()));
    values.push(("private_key", pem()));
    values.push(("private_key", format!("AGE-SECRET-KEY-1{}", "QPZRY9X8".repeat(7))));
    values.push(("aws_key", format!("AKIA{}", "IOSFODNN7EXAMPLE")));
    values.push(("aws_key", format!("ASIA{}", "Y34FZKBOKMUTVV7A")));
    values.push(("github_token", format!("github_pat_{}_{}", body(22), body(45))));
    values.push(("slack_token", format!("xoxb-{}-{}", "123456789012", body(24))));
    values.push(("passport_mrz", format!("P<UTOERIKSSON<<ANNA<MARIA{}", "<".repeat(19))));
    values.push(("passport_mrz", "L898902C36UTO7408122F1204159ZE184226B<<<<<10".to_owned()));
    values.push(("bitcoin_address", "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4".to_owned()));
    values.push((
        "bitcoin_address",
        "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqzk5jj0".to_owned(),
    ));
    let national = NATIONAL.iter().map(|(name, text)| (*name, (*text).to_owned()));
    values.extend(national.chain(tokens()));
    values
}

/// Numbers from the specifications, their issuers' examples and python-stdnum's tests.
pub(crate) const NATIONAL: &[(&str, &str)] = &[
    ("us_ssn", "123-45-6789"),
    ("us_ssn", "899-99-9999"),
    ("us_itin", "912-90-3456"),
    ("us_mbi", "1EG4-TE5-MK73"),
    ("us_mbi", "1EG4TE5MK73"),
    ("ca_sin", "123-456-782"),
    ("mx_curp", "BOXW310820HNERXN09"),
    ("br_cpf", "390.533.447-05"),
    ("ar_cuil", "20-05536168-2"),
    ("cl_rut", "12.531.909-2"),
    ("cl_rut", "9.876.543-3"),
    ("uk_nhs", "943 476 5870"),
    ("uk_nino", "AB123456C"),
    ("uk_nino", "AB 12 34 56 C"),
    ("es_dni", "54362315K"),
    ("es_dni", "54362315-K"),
    ("es_dni", "X2482300W"),
    ("es_dni", "X-2482300-W"),
    ("fr_nir", "295109912611193"),
    ("fr_nir", "2 95 10 99 126 111 93"),
    ("fr_nir", "2 53 07 2B 073 004 70"),
    ("it_codice_fiscale", "RCCMNL83S18D969H"),
    ("it_codice_fiscale", "CNTCHR83T41D969D"),
    ("de_tax_id", "36 574 261 809"),
    ("de_pension", "65170839J003"),
    ("de_pension", "15 070649 C 103"),
    ("at_svnr", "1237 010180"),
    ("ch_ahv", "756.9217.0769.85"),
    ("be_nrn", "85.07.30-033.28"),
    ("be_nrn", "17.07.30-033.84"),
    ("lu_matricule", "1993120105720"),
    ("ru_snils", "112-233-445 95"),
    ("se_personnummer", "880320-0016"),
    ("se_personnummer", "19880320-0016"),
    ("dk_cpr", "211062-5629"),
    ("is_kennitala", "120174-3399"),
    ("fi_hetu", "131052-308T"),
    ("fi_hetu", "131052A308T"),
    ("no_fnr", "15108695088"),
    ("no_fnr", "151086 95088"),
    ("lv_personas_kods", "161175-19997"),
    ("in_aadhaar", "2341 2341 2346"),
    ("in_pan", "ABCPE1234F"),
    ("kr_rrn", "971013-9019902"),
    ("cn_resident_id", "360426199101010071"),
    ("cn_resident_id", "11010519491231002X"),
    ("sg_nric", "S1234567D"),
    ("sg_nric", "T1234567J"),
    ("sg_nric", "F1234567N"),
    ("sg_nric", "G1234567X"),
    ("hk_hkid", "A123456(3)"),
    ("hk_hkid", "G123456(A)"),
    ("hk_hkid", "AB987654(3)"),
    ("th_id", "1-2345-45678-78-1"),
    ("my_nric", "770305-02-1234"),
    ("au_medicare", "2951 23457 1"),
];

/// A token for every mark there is, of the least length and of one that is common.
fn tokens() -> Vec<(&'static str, String)> {
    let fill = |class: fn(u8) -> bool, length: usize| -> String {
        let bytes = BODY.bytes().chain(b'0'..=b'9').filter(|b| class(*b) && b.is_ascii());
        bytes.cycle().take(length).map(char::from).collect()
    };
    let mut tokens = Vec::new();
    for token in &token::TABLE {
        for mark in token.marks {
            tokens.push((token.name(), format!("{mark}{}", fill(token.class, token.least))));
        }
    }
    for token in &infix_token::TABLE {
        let (before, length, _) = token.before;
        let before = fill(before, length - token.head.len());
        let after = fill(token.after.0, token.after.1);
        tokens.push((token.name(), format!("{}{before}{}{after}", token.head, token.mark)));
    }
    tokens
}

/// Texts in which a part is found: by a name of the detector, what stands before it, and the part.
pub(crate) fn announced() -> Vec<(&'static str, String, String)> {
    let password = BODY[..12].to_owned();
    vec![
        ("aws_key", "aws_secret_access_key = ".to_owned(), BODY[..40].to_owned()),
        ("connection_password", "postgres://app:".to_owned(), password.clone()),
        ("connection_password", "DATABASE_URL=mysql://root:".to_owned(), password),
        ("basic_auth", "Authorization: Basic ".to_owned(), "Zm9vOmJhcg==".to_owned()),
    ]
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

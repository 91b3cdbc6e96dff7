//! Tokens of a certified provider: start `tests/idp`, put its URL in `WEIR_TEST_IDP`, run ignored
//! tests.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::time::{SystemTime, UNIX_EPOCH};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::*;

async fn post(url: &str, path: &str, fields: &[(&str, &str)]) -> serde_json::Value {
    let address = url.strip_prefix("http://").unwrap();
    let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    let request = format!(
        "POST {path} HTTP/1.0\r\nhost: {address}\r\ncontent-length: {}\r\n\
         content-type: application/x-www-form-urlencoded\r\n\r\n{body}",
        body.len()
    );
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1.trim()).unwrap()
}

async fn agent_token(url: &str) -> String {
    let fields = [
        ("grant_type", "client_credentials"),
        ("client_id", "agent"),
        ("client_secret", "agent-secret"),
        ("scope", "weir"),
    ];
    post(url, "/token", &fields).await["access_token"].as_str().unwrap().to_owned()
}

async fn acting_token(url: &str, subject: &str) -> String {
    let fields = [
        ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"),
        ("client_id", "agent"),
        ("client_secret", "agent-secret"),
        ("subject_token", subject),
        ("subject_token_type", "urn:ietf:params:oauth:token-type:access_token"),
    ];
    post(url, "/token", &fields).await["access_token"].as_str().unwrap().to_owned()
}

fn now_us() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_micros() as i64
}

#[tokio::test]
#[ignore = "needs tests/idp and its URL in WEIR_TEST_IDP"]
async fn a_certified_providers_tokens_are_verified_through_a_rotation() {
    let url = std::env::var("WEIR_TEST_IDP").expect("WEIR_TEST_IDP is set");
    let verifier = Verifier::new(vec![IssuerConfig::new(&url, "weir")]).unwrap();
    let old = agent_token(&url).await;
    let identity = verifier.verify(&old, "hint", now_us()).await.unwrap();
    assert_eq!((identity.subject.as_str(), identity.agent.as_str()), ("agent", "hint"));
    let acting = acting_token(&url, &old).await;
    let identity = verifier.verify(&acting, "hint", now_us()).await.unwrap();
    assert_eq!(
        (identity.agent.as_str(), identity.on_behalf_of.as_deref()),
        ("agent", Some("agent"))
    );

    for (alg, later) in [("ES256", 31), ("PS256", 62), ("EdDSA", 93), ("RS256", 124)] {
        post(&url, &format!("/__rotate?alg={alg}&drop"), &[]).await;
        let token = agent_token(&url).await;
        let now_us = now_us() + later * 1_000_000;
        verifier.verify(&token, "hint", now_us).await.unwrap();
        assert!(verifier.verify(&old, "hint", now_us).await.is_err());
    }
    let other = Verifier::new(vec![IssuerConfig::new(&url, "elsewhere")]).unwrap();
    assert!(other.verify(&old, "hint", now_us()).await.is_err());
}

//! The flows over HTTP, and tokens that the verifier accepts.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::sync::Arc;

use base64::Engine as _;
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::device::{Devices, LIFETIME, Poll, user_code};
use super::*;
use crate::identity::{IssuerConfig, Verifier};

const DEVICE: &str = "urn:ietf:params:oauth:grant-type:device_code";
const EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";

struct Running {
    issuer: Arc<DevIssuer>,
    secret: String,
    dir: tempfile::TempDir,
}

async fn start() -> Running {
    let dir = tempfile::tempdir().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let mut people = People::built_in(dir.path()).unwrap();
    people.interval = 0;
    let secret = people.client("agent").unwrap().secret.as_ref().unwrap().expose().to_owned();
    let issuer = Arc::new(DevIssuer::open(dir.path(), &url, people).unwrap());
    tokio::spawn(serve(listener, Arc::clone(&issuer), std::future::pending()));
    Running { issuer, secret, dir }
}

impl Running {
    async fn send(&self, request: String) -> (u16, String) {
        let address = self.issuer.url().strip_prefix("http://").unwrap();
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        let status = answer[9..12].parse().unwrap();
        (status, answer.split_once("\r\n\r\n").unwrap().1.to_owned())
    }

    fn host(&self) -> &str {
        self.issuer.url().strip_prefix("http://").unwrap()
    }

    async fn get(&self, path: &str) -> (u16, String) {
        self.send(format!("GET {path} HTTP/1.1\r\nhost: {}\r\n\r\n", self.host())).await
    }

    async fn post(&self, path: &str, headers: &str, fields: &[(&str, &str)]) -> (u16, String) {
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        self.send(format!(
            "POST {path} HTTP/1.1\r\nhost: {}\r\n{headers}content-length: {}\r\n\
             content-type: application/x-www-form-urlencoded\r\n\r\n{body}",
            self.host(),
            body.len()
        ))
        .await
    }

    async fn token(&self, fields: &[(&str, &str)]) -> (u16, Value) {
        let (status, body) = self.post("/token", "", fields).await;
        (status, serde_json::from_str(&body).unwrap())
    }

    async fn device(&self) -> Value {
        let fields = [("client_id", "weir-cli"), ("scope", "openid groups")];
        let (status, body) = self.post("/device_authorization", "", &fields).await;
        assert_eq!(status, 200, "{body}");
        serde_json::from_str(&body).unwrap()
    }

    fn verifier(&self) -> Verifier {
        Verifier::new(vec![IssuerConfig::new(self.issuer.url(), "weir")]).unwrap()
    }
}

fn now_us() -> i64 {
    now_seconds() * 1_000_000
}

#[tokio::test]
async fn a_person_logs_in_by_the_device_flow() {
    let running = start().await;
    let started = running.device().await;
    let code = started["device_code"].as_str().unwrap();
    let poll = [("grant_type", DEVICE), ("client_id", "weir-cli"), ("device_code", code)];
    assert_eq!(running.token(&poll).await.1["error"], "authorization_pending");

    let link = started["verification_uri_complete"].as_str().unwrap();
    let (_, page) = running.get(link.strip_prefix(running.issuer.url()).unwrap()).await;
    let user_code = started["user_code"].as_str().unwrap();
    assert!(page.contains(user_code) && page.contains(NOTICE) && page.contains("weir-cli"));
    let typed = user_code.replace('-', " ").to_lowercase();
    let answer = [("user_code", typed.as_str()), ("user", "bob"), ("action", "approve")];
    let foreign = running.post("/device", "origin: http://evil.example\r\n", &answer).await;
    assert_eq!(foreign.0, 403);
    assert_eq!(running.post("/device", "", &answer).await.0, 200);
    assert_eq!(running.post("/device", "", &answer).await.0, 400);

    let (status, tokens) = running.token(&poll).await;
    assert_eq!(status, 200, "{tokens}");
    assert!(tokens["id_token"].is_string());
    let access = tokens["access_token"].as_str().unwrap();
    let identity = running.verifier().verify(access, "claude", now_us()).await.unwrap();
    assert_eq!(identity.subject, "bob");
    assert_eq!(identity.groups, ["data-owners", "dba", "eng"]);
    assert_eq!((identity.agent.as_str(), identity.on_behalf_of), ("claude", None));
    // An ID token is meant for the client, not for Weir.
    let id_token = tokens["id_token"].as_str().unwrap();
    assert!(running.verifier().verify(id_token, "claude", now_us()).await.is_err());
    assert_eq!(running.token(&poll).await.1["error"], "invalid_grant");
}

#[tokio::test]
async fn an_agent_gets_tokens_of_its_own_and_for_a_person() {
    let running = start().await;
    let verifier = running.verifier();
    let secret = running.secret.as_str();
    let client = [("client_id", "agent"), ("client_secret", secret)];
    let own = [("grant_type", "client_credentials"), client[0], client[1]];
    let (status, tokens) = running.token(&own).await;
    assert_eq!(status, 200, "{tokens}");
    let token = tokens["access_token"].as_str().unwrap();
    let identity = verifier.verify(token, "hint", now_us()).await.unwrap();
    assert_eq!((identity.subject.as_str(), identity.groups), ("agent", vec!["agents".to_owned()]));

    let claims = running.issuer.claims_of("alice", "weir-cli").unwrap();
    let alice = running.issuer.mint(&claims, now_seconds()).unwrap();
    let exchange = |token: &str| {
        let kind = "urn:ietf:params:oauth:token-type:access_token".to_owned();
        [
            ("grant_type", EXCHANGE.to_owned()),
            ("client_id", "agent".to_owned()),
            ("client_secret", running.secret.clone()),
            ("subject_token", token.to_owned()),
            ("subject_token_type", kind),
        ]
    };
    let fields = exchange(&alice);
    let fields: Vec<_> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let (status, tokens) = running.token(&fields).await;
    assert_eq!(status, 200, "{tokens}");
    let acting = tokens["access_token"].as_str().unwrap();
    let identity = verifier.verify(acting, "hint", now_us()).await.unwrap();
    assert_eq!((identity.subject.as_str(), identity.agent.as_str()), ("alice", "agent"));
    assert_eq!(identity.on_behalf_of.as_deref(), Some("alice"));

    for bad in [acting, "nothing", &alice.replacen('.', ".e", 1)] {
        let fields = exchange(bad);
        let fields: Vec<_> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
        assert_eq!(running.token(&fields).await.1["error"], "invalid_grant");
    }
}

#[tokio::test]
async fn the_token_endpoint_refuses_as_the_rfc_says() {
    let running = start().await;
    let grant = ("grant_type", "client_credentials");
    type Case<'a> = (&'a [(&'a str, &'a str)], u16, &'a str);
    let cases: [Case<'_>; 6] = [
        (&[grant], 401, "invalid_client"),
        (&[grant, ("client_id", "nobody")], 401, "invalid_client"),
        (&[grant, ("client_id", "agent"), ("client_secret", "guess")], 401, "invalid_client"),
        (&[grant, ("client_id", "weir-cli")], 400, "unauthorized_client"),
        (&[("grant_type", "password"), ("client_id", "weir-cli")], 400, "unsupported_grant_type"),
        (&[("client_id", "weir-cli")], 400, "invalid_request"),
    ];
    for (fields, status, error) in cases {
        let (got, body) = running.token(fields).await;
        assert_eq!((got, body["error"].as_str().unwrap()), (status, error));
    }
    let basic =
        base64::engine::general_purpose::STANDARD.encode(format!("agent:{}", running.secret));
    let header = format!("authorization: Basic {basic}\r\n");
    assert_eq!(running.post("/token", &header, &[grant]).await.0, 200);

    let rebound = "GET /jwks HTTP/1.1\r\nhost: evil.example\r\n\r\n";
    assert_eq!(running.send(rebound.to_owned()).await.0, 421);
    assert_eq!(running.get("/nothing").await.0, 404);
    assert!(running.get("/.well-known/openid-configuration").await.1.contains(NOTICE));
}

#[tokio::test]
async fn a_token_minted_without_the_issuer_is_as_good() {
    let running = start().await;
    let people = People::built_in(running.dir.path()).unwrap();
    let offline = DevIssuer::reopen(running.dir.path(), people).unwrap();
    let mut claims = offline.claims_of("alice", "script").unwrap();
    claims.agent = Some("demo-agent".to_owned());
    let token = offline.mint(&claims, now_seconds()).unwrap();
    let config = IssuerConfig {
        jwks_file: Some(running.dir.path().join(JWKS_FILE)),
        ..IssuerConfig::new(running.issuer.url(), "weir")
    };
    for verifier in [running.verifier(), Verifier::new(vec![config]).unwrap()] {
        let identity = verifier.verify(&token, "hint", now_us()).await.unwrap();
        assert_eq!((identity.subject.as_str(), identity.agent.as_str()), ("alice", "demo-agent"));
    }
    let empty = tempfile::tempdir().unwrap();
    let people = People::built_in(empty.path()).unwrap();
    assert!(matches!(DevIssuer::reopen(empty.path(), people), Err(DevError::NoIssuer(_))));
}

#[test]
fn codes_expire_slow_down_and_are_used_once() {
    let mut devices = Devices::default();
    let start = |devices: &mut Devices, code: &str, now| {
        devices.start(code.to_owned(), "BCDF-GHJK".to_owned(), "cli", "openid", 5, now)
    };
    start(&mut devices, "one", 0).unwrap();
    assert_eq!(devices.poll("one", "other", 0), Poll::Unknown);
    assert_eq!(devices.poll("two", "cli", 0), Poll::Unknown);
    assert_eq!(devices.poll("one", "cli", 0), Poll::Pending);
    assert_eq!(devices.poll("one", "cli", 4), Poll::SlowDown);
    assert_eq!(devices.poll("one", "cli", 10), Poll::SlowDown);
    assert_eq!(devices.poll("one", "cli", 30), Poll::Pending);
    assert!(devices.answer("bcdf ghjk", Some("bob"), 31));
    assert!(!devices.answer("BCDF-GHJK", Some("alice"), 32));
    let approved = Poll::Approved { user: "bob".to_owned(), scope: "openid".to_owned() };
    assert_eq!(devices.poll("one", "cli", 60), approved);
    assert_eq!(devices.poll("one", "cli", 90), Poll::Unknown);

    start(&mut devices, "three", 100).unwrap();
    assert!(!devices.answer("BCDF-GHJK", Some("bob"), 100 + LIFETIME));
    assert_eq!(devices.poll("three", "cli", 100 + LIFETIME), Poll::Expired);
    start(&mut devices, "four", 1000).unwrap();
    assert!(devices.answer("BCDF-GHJK", None, 1001));
    assert_eq!(devices.poll("four", "cli", 1002), Poll::Denied);

    for number in 0..256 {
        start(&mut devices, &format!("d{number}"), 5000).unwrap();
    }
    assert!(start(&mut devices, "one too many", 5000).is_none());
    assert!(start(&mut devices, "later", 5000 + 2 * LIFETIME).is_some());
    assert_eq!(user_code([0, 1, 2, 3, 19, 20, 255, 8]), "BCDF-ZBTL");
}

//! Tokens good and forged, against an issuer that counts how often it is asked.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{EncodingKey, Header};
use rcgen::KeyPair;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::*;
use crate::identity::dev::key::SigningKey;

const NOW: i64 = 1_790_000_000;
const NOW_US: i64 = NOW * 1_000_000;
const MINUTE_US: i64 = 60_000_000;

/// An issuer on loopback whose keys the test chooses.
struct Stub {
    url: String,
    keys: Mutex<Value>,
    asked: AtomicUsize,
    down: AtomicBool,
}

impl Stub {
    async fn start(key: &SigningKey) -> Arc<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let stub = Arc::new(Self {
            url: format!("http://{}", listener.local_addr().unwrap()),
            keys: Mutex::new(key.jwks()),
            asked: AtomicUsize::new(0),
            down: AtomicBool::new(false),
        });
        let me = Arc::clone(&stub);
        tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut request = vec![0u8; 4096];
                let read = stream.read(&mut request).await.unwrap_or(0);
                if me.down.load(Ordering::SeqCst) {
                    continue;
                }
                let body = if request[..read].starts_with(b"GET /.well-known/") {
                    json!({"issuer": me.url, "jwks_uri": format!("{}/jwks", me.url)})
                } else {
                    me.asked.fetch_add(1, Ordering::SeqCst);
                    tokio::time::sleep(std::time::Duration::from_millis(20)).await;
                    me.keys.lock().unwrap().clone()
                };
                let body = body.to_string();
                let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len());
                let _ = stream.write_all((head + &body).as_bytes()).await;
            }
        });
        stub
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    fn config(&self) -> IssuerConfig {
        IssuerConfig::new(&self.url, "weir")
    }

    fn verifier(&self) -> Verifier {
        Verifier::new(vec![self.config()]).unwrap()
    }

    fn claims(&self) -> Value {
        json!({"iss": self.url, "sub": "alice", "aud": "weir", "iat": NOW - 10, "exp": NOW + 600,
               "jti": "one", "email": "alice@example.com", "groups": ["eng", "dba", "eng"]})
    }
}

fn key() -> SigningKey {
    SigningKey::from_pem(KeyPair::generate().unwrap().serialize_pem().as_bytes()).unwrap()
}

fn with(mut claims: Value, name: &str, value: Value) -> Value {
    claims[name] = value;
    claims
}

/// A token with a header of the test's choice and a signature of `key` over both.
fn token(header: &Value, claims: &Value, key: &KeyPair) -> String {
    let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let message = format!("{}.{}", encode(header), encode(claims));
    let key = EncodingKey::from_ec_pem(key.serialize_pem().as_bytes()).unwrap();
    let signature = jsonwebtoken::crypto::sign(message.as_bytes(), &key, Algorithm::ES256).unwrap();
    format!("{message}.{signature}")
}

async fn refused(verifier: &Verifier, token: &str) -> String {
    let error = verifier.verify(token, "hint", NOW_US).await.unwrap_err();
    let text = error.to_string();
    let signature = token.rsplit('.').next().unwrap();
    assert!(signature.len() < 20 || !text.contains(signature), "{text}");
    text
}

#[tokio::test]
async fn a_good_token_becomes_an_identity() {
    let key = key();
    let stub = Stub::start(&key).await;
    let verifier = stub.verifier();
    let plain = key.sign("JWT", &stub.claims()).unwrap();
    let identity = verifier.verify(&plain, "claude", NOW_US).await.unwrap();
    assert_eq!(identity.subject, "alice");
    assert_eq!(identity.groups, ["dba", "eng"]);
    assert_eq!(identity.email.as_deref(), Some("alice@example.com"));
    assert_eq!((identity.agent.as_str(), identity.on_behalf_of), ("claude", None));
    assert_eq!(identity.expires_us, (NOW + 600) * 1_000_000);
    // sha256("one")
    assert!(identity.token_id_hash.starts_with("7692c3ad3540bb80"), "{}", identity.token_id_hash);

    let act = json!({"sub": "agent-7", "act": {"sub": "inner"}});
    let acting = key.sign("at+jwt", &with(stub.claims(), "act", act)).unwrap();
    let identity = verifier.verify(&acting, "claude", NOW_US).await.unwrap();
    assert_eq!(identity.agent, "agent-7");
    assert_eq!(identity.on_behalf_of.as_deref(), Some("alice"));
    assert_eq!(stub.asked(), 1);
}

#[tokio::test]
async fn claims_that_do_not_fit_are_refused_without_asking_the_issuer() {
    let key = key();
    let stub = Stub::start(&key).await;
    let verifier = stub.verifier();
    let cases = [
        ("aud", json!("other"), "audience"),
        ("aud", json!(["weir2", "WEIR", "weir "]), "audience"),
        ("aud", json!({"weir": true}), "audience"),
        ("aud", Value::Null, "audience"),
        ("exp", json!(NOW - 1), "expired"),
        ("exp", json!(NOW), "expired"),
        ("exp", Value::Null, "no expiry"),
        ("exp", json!("tomorrow"), "not a time"),
        ("exp", json!(1e300), "not a time"),
        ("exp", json!(NOW + 13 * 3600), "lives"),
        ("iat", json!(NOW + 31), "future"),
        ("iat", json!(-5), "not a time"),
        ("iat", Value::Null, "time of issue"),
        ("nbf", json!(NOW + 300), "not valid for"),
        ("cnf", json!({"jkt": "x"}), "bound to a key"),
        ("events", json!({}), "security event"),
        ("iss", json!("http://127.0.0.1:1"), "not one of the trusted"),
        ("iss", json!(format!("{}/", stub.url)), "not one of the trusted"),
        ("iss", json!([stub.url]), "names no issuer"),
    ];
    for (claim, value, expected) in cases {
        let token = key.sign("JWT", &with(stub.claims(), claim, value.clone())).unwrap();
        let text = refused(&verifier, &token).await;
        assert!(text.contains(expected), "{claim} {value}: {text}");
    }
    assert_eq!(stub.asked(), 0);
}

#[tokio::test]
async fn names_that_are_no_names_are_refused() {
    let key = key();
    let stub = Stub::start(&key).await;
    let verifier = stub.verifier();
    let cases = [
        ("sub", json!(""), "empty"),
        ("sub", json!("al\u{1b}[2Jice"), "control character"),
        ("sub", json!("al\u{202e}ice"), "control character"),
        ("sub", json!(7), "not text"),
        ("sub", Value::Null, "no sub claim"),
        ("groups", json!(["eng", 7]), "not text"),
        ("groups", json!(["eng", null]), "null"),
        ("act", json!({}), "no sub"),
        ("act", json!("agent"), "no sub"),
    ];
    for (claim, value, expected) in cases {
        let token = key.sign("JWT", &with(stub.claims(), claim, value.clone())).unwrap();
        let text = refused(&verifier, &token).await;
        assert!(text.contains(expected), "{claim} {value}: {text}");
    }
    let overage = with(stub.claims(), "_claim_names", json!({"groups": "src1"}));
    let overage = key.sign("JWT", &with(overage, "groups", Value::Null)).unwrap();
    assert!(refused(&verifier, &overage).await.contains("elsewhere"));

    let unverified = key.sign("JWT", &with(stub.claims(), "email_verified", json!(false))).unwrap();
    assert_eq!(verifier.verify(&unverified, "hint", NOW_US).await.unwrap().email, None);
}

#[tokio::test]
async fn forged_signatures_are_refused() {
    let pair = KeyPair::generate().unwrap();
    let key = SigningKey::from_pem(pair.serialize_pem().as_bytes()).unwrap();
    let stub = Stub::start(&key).await;
    let verifier = stub.verifier();
    let kid = key.jwks()["keys"][0]["kid"].clone();
    let good = key.sign("JWT", &stub.claims()).unwrap();
    verifier.verify(&good, "hint", NOW_US).await.unwrap();

    let parts: Vec<_> = good.split('.').collect();
    let root = URL_SAFE_NO_PAD.encode(with(stub.claims(), "sub", json!("root")).to_string());
    let tampered = format!("{}.{root}.{}", parts[0], parts[2]);
    assert!(refused(&verifier, &tampered).await.contains("not signed by"));

    let other = KeyPair::generate().unwrap();
    let header = json!({"alg": "ES256", "kid": kid, "jku": "http://127.0.0.1:1/jwks",
                        "x5u": "http://127.0.0.1:1/", "jwk": foreign_jwk(&other)});
    let embedded = token(&header, &stub.claims(), &other);
    assert!(refused(&verifier, &embedded).await.contains("not signed by"));
    // The same headers do no harm where the signature is right.
    let harmless = token(&header, &stub.claims(), &pair);
    verifier.verify(&harmless, "hint", NOW_US).await.unwrap();

    for empty in ["", "AAAA", &URL_SAFE_NO_PAD.encode([0u8; 64])] {
        let bare = format!("{}.{}.{empty}", parts[0], parts[1]);
        let error = verifier.verify(&bare, "hint", NOW_US).await.unwrap_err();
        assert_eq!(error, IdentityError::Signature(stub.url.clone()));
    }
    assert_eq!(stub.asked(), 1);
}

fn foreign_jwk(key: &KeyPair) -> Value {
    SigningKey::from_pem(key.serialize_pem().as_bytes()).unwrap().jwks()["keys"][0].clone()
}

#[tokio::test]
async fn algorithms_and_headers_that_are_not_allowed_are_refused() {
    let pair = KeyPair::generate().unwrap();
    let key = SigningKey::from_pem(pair.serialize_pem().as_bytes()).unwrap();
    let stub = Stub::start(&key).await;
    let verifier = stub.verifier();
    let kid = key.jwks()["keys"][0]["kid"].as_str().unwrap().to_owned();

    let mut confused = Header::new(Algorithm::HS256);
    confused.kid = Some(kid.clone());
    let secret = EncodingKey::from_secret(pair.public_key_pem().as_bytes());
    let confused = jsonwebtoken::encode(&confused, &stub.claims(), &secret).unwrap();
    assert!(refused(&verifier, &confused).await.contains("HS256"));

    for algorithm in ["none", "None", "ES512", "es256", "ES384", ""] {
        let header = json!({"alg": algorithm, "kid": kid});
        let text = refused(&verifier, &token(&header, &stub.claims(), &pair)).await;
        assert!(text.contains("not allowed"), "{text}");
    }
    // Allowed, but not what the key is for.
    let header = json!({"alg": "RS256", "kid": kid});
    assert!(refused(&verifier, &token(&header, &stub.claims(), &pair)).await.contains("no key"));

    let headers = [
        json!({"alg": "ES256", "kid": kid, "crit": ["exp"]}),
        json!({"alg": "ES256", "kid": kid, "crit": []}),
        json!({"alg": "ES256", "kid": kid, "crit": null}),
        json!({"alg": "ES256", "kid": kid, "b64": false}),
        json!({"alg": "ES256", "kid": kid, "typ": "logout+jwt"}),
        json!({"alg": "ES256", "kid": kid, "typ": "dpop+jwt"}),
        json!({"kid": kid}),
    ];
    for header in headers {
        let text = refused(&verifier, &token(&header, &stub.claims(), &pair)).await;
        assert!(text.contains("can't be read"), "{header}: {text}");
    }
    let huge = key.sign("JWT", &with(stub.claims(), "x", json!("x".repeat(20_000)))).unwrap();
    assert!(refused(&verifier, &huge).await.contains("too long"));
    for odd in ["", ".", "..", "a.b", "a.b.c.d", "e30.e30.", "%.%.%", "e30.W10.x"] {
        assert!(refused(&verifier, odd).await.contains("can't be read"));
    }
}

#[tokio::test]
async fn an_unknown_key_makes_weir_ask_once_in_thirty_seconds() {
    let (old, new) = (key(), key());
    let stub = Stub::start(&old).await;
    let verifier = stub.verifier();
    let known = old.sign("JWT", &stub.claims()).unwrap();
    verifier.verify(&known, "hint", NOW_US).await.unwrap();
    let unknown = new.sign("JWT", &stub.claims()).unwrap();
    for _ in 0..20 {
        assert!(refused(&verifier, &unknown).await.contains("fetched again in"));
    }
    assert_eq!(stub.asked(), 1);

    // Rotation: the new key is found as soon as Weir may ask again, by all who wait at once.
    *stub.keys.lock().unwrap() = new.jwks();
    let later = NOW_US + MINUTE_US;
    let all = (0..10).map(|_| verifier.verify(&unknown, "hint", later));
    for identity in futures_all(all).await {
        assert_eq!(identity.unwrap().subject, "alice");
    }
    assert_eq!(stub.asked(), 2);
    // The old key was withdrawn.
    let error = verifier.verify(&known, "hint", later).await.unwrap_err();
    assert!(matches!(error, IdentityError::UnknownKey { .. }), "{error}");
    assert_eq!(stub.asked(), 2);
}

/// Drives futures at the same time.
async fn futures_all<F: Future>(all: impl Iterator<Item = F>) -> Vec<F::Output> {
    let mut all: Vec<_> = all.map(|one| (Box::pin(one), None)).collect();
    std::future::poll_fn(|context| {
        for (one, done) in &mut all {
            if done.is_none()
                && let std::task::Poll::Ready(output) = one.as_mut().poll(context)
            {
                *done = Some(output);
            }
        }
        match all.iter().all(|(_, done)| done.is_some()) {
            true => std::task::Poll::Ready(()),
            false => std::task::Poll::Pending,
        }
    })
    .await;
    all.into_iter().map(|(_, done)| done.unwrap()).collect()
}

#[tokio::test]
async fn keys_outlive_their_issuer_by_a_day() {
    let key = key();
    let stub = Stub::start(&key).await;
    let verifier = stub.verifier();
    verifier.refresh_due(NOW_US).await;
    verifier.refresh_due(NOW_US + 10 * MINUTE_US).await;
    assert_eq!(stub.asked(), 1);
    verifier.refresh_due(NOW_US + 61 * MINUTE_US).await;
    assert_eq!(stub.asked(), 2);

    stub.down.store(true, Ordering::SeqCst);
    let at = |hours: i64| {
        let now = NOW + 3700 + hours * 3600;
        let claims = with(stub.claims(), "iat", json!(now));
        (key.sign("JWT", &with(claims, "exp", json!(now + 60))).unwrap(), now * 1_000_000)
    };
    let (token, now_us) = at(23);
    verifier.refresh_due(now_us).await;
    verifier.verify(&token, "hint", now_us).await.unwrap();
    let (token, now_us) = at(25);
    let error = verifier.verify(&token, "hint", now_us).await.unwrap_err();
    assert!(matches!(error, IdentityError::NoKeys { problem: Some(_), .. }), "{error}");
    // A clock that was set back doesn't make old keys young.
    let cache = &verifier.issuers[&stub.url].cache;
    assert!(cache.current(NOW_US - 25 * 60 * MINUTE_US).is_none());
}

#[tokio::test]
async fn keys_that_are_not_for_verifying_are_left_out() {
    let signing = key();
    let stub = Stub::start(&signing).await;
    let token = signing.sign("JWT", &stub.claims()).unwrap();
    let jwk = signing.jwks()["keys"][0].clone();
    let cases = [
        ("use", json!("enc")),
        ("key_ops", json!(["sign"])),
        ("alg", json!("ES384")),
        ("crv", json!("P-384")),
        ("crv", json!("secp256k1")),
        ("kty", json!("oct")),
        ("x", json!("AAAA")),
    ];
    for (name, value) in cases {
        *stub.keys.lock().unwrap() = json!({"keys": [with(jwk.clone(), name, value)]});
        let error = stub.verifier().verify(&token, "hint", NOW_US).await.unwrap_err();
        let no_key =
            matches!(error, IdentityError::NoKeys { .. } | IdentityError::UnknownKey { .. });
        assert!(no_key, "{name}: {error}");
    }
    *stub.keys.lock().unwrap() = json!({"keys": [{"kty": "new"}, 7, jwk]});
    stub.verifier().verify(&token, "hint", NOW_US).await.unwrap();

    let path = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(path.path(), signing.jwks().to_string()).unwrap();
    let config = IssuerConfig { jwks_file: Some(path.path().to_owned()), ..stub.config() };
    let asked = stub.asked();
    Verifier::new(vec![config]).unwrap().verify(&token, "hint", NOW_US).await.unwrap();
    assert_eq!(stub.asked(), asked);
}

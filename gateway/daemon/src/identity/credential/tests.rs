//! Sealing, opening, and what must never be shown.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use super::*;

const PLANTED: &str = "correct horse battery staple";

fn password(user: &str) -> Credential {
    Credential { user: user.to_owned(), proof: Proof::Password(Secret::new(PLANTED.to_owned())) }
}

fn config(name: &str, user: Option<&str>, source: Source) -> CredentialConfig {
    CredentialConfig {
        name: name.to_owned(),
        user: user.map(str::to_owned),
        kind: Kind::Password,
        source,
    }
}

fn exposed(credential: &Credential) -> &str {
    match &credential.proof {
        Proof::Password(secret) => secret.expose(),
        Proof::Certificate { key_pem, .. } => key_pem.expose(),
    }
}

#[test]
fn a_sealed_credential_is_opened_again() {
    let dir = tempfile::tempdir().unwrap();
    let store = SealedStore::new(dir.path());
    assert!(store.list().unwrap().is_empty());
    store.set("orders", &password("weir")).unwrap();
    store.set("audit", &password("auditor")).unwrap();
    let listed: Vec<_> = store.list().unwrap().into_iter().map(|l| (l.name, l.user)).collect();
    assert_eq!(
        listed,
        [("audit".to_owned(), "auditor".to_owned()), ("orders".to_owned(), "weir".to_owned())]
    );

    let all =
        vec![config("orders", None, Source::Sealed), config("audit", Some("x"), Source::Sealed)];
    let credentials = Credentials::new(all, dir.path()).unwrap();
    let found = credentials.load("orders").unwrap();
    assert_eq!((found.user.as_str(), exposed(&found)), ("weir", PLANTED));
    assert!(credentials.load("audit").unwrap_err().to_string().contains("another user"));
    assert!(matches!(credentials.load("nothing"), Err(CredentialError::Unknown(_))));

    store.remove("orders").unwrap();
    assert!(matches!(credentials.load("orders"), Err(CredentialError::Unknown(_))));
}

#[test]
fn neither_files_nor_debug_show_a_secret() {
    let dir = tempfile::tempdir().unwrap();
    let store = SealedStore::new(dir.path());
    store.set("orders", &password("weir")).unwrap();
    for entry in fs::read_dir(dir.path().join("credentials")).unwrap() {
        let entry = entry.unwrap();
        assert_eq!(entry.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        let bytes = fs::read(entry.path()).unwrap();
        assert!(!bytes.windows(7).any(|part| part == b"correct"));
    }
    let credentials =
        Credentials::new(vec![config("orders", None, Source::Sealed)], dir.path()).unwrap();
    let loaded = credentials.load("orders").unwrap();
    let shown = format!("{loaded:?} {credentials:?} {store:?}");
    assert!(!shown.contains("correct"), "{shown}");
}

#[test]
fn files_that_others_can_reach_are_not_used() {
    let dir = tempfile::tempdir().unwrap();
    let store = SealedStore::new(dir.path());
    store.set("orders", &password("weir")).unwrap();
    let key = dir.path().join("credentials.key");
    let chmod = |path: &Path, mode| {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    };
    for mode in [0o644, 0o640, 0o620, 0o604] {
        chmod(&key, mode);
        assert!(store.load("orders").unwrap_err().to_string().contains("others may read"));
    }
    chmod(&key, 0o600);
    store.load("orders").unwrap();

    let moved = dir.path().join("moved.key");
    fs::rename(&key, &moved).unwrap();
    std::os::unix::fs::symlink(&moved, &key).unwrap();
    assert!(store.load("orders").is_err());
    fs::remove_file(&key).unwrap();
    assert!(store.load("orders").unwrap_err().to_string().contains("gone"));
    fs::rename(&moved, &key).unwrap();

    chmod(&dir.path().join("credentials"), 0o777);
    assert!(store.set("orders", &password("weir")).is_err());
}

#[test]
fn a_sealed_file_can_not_take_another_ones_place() {
    let dir = tempfile::tempdir().unwrap();
    let store = SealedStore::new(dir.path());
    store.set("admin", &password("postgres")).unwrap();
    let sealed = dir.path().join("credentials");
    fs::copy(sealed.join("admin.age"), sealed.join("reader.age")).unwrap();
    assert!(store.load("reader").unwrap_err().to_string().contains("another name"));
    let mut bytes = fs::read(sealed.join("admin.age")).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    fs::write(sealed.join("admin.age"), bytes).unwrap();
    assert!(store.load("admin").is_err());
    for name in ["", "../admin", "a/b", ".hidden", "a b", "a\0"] {
        assert!(matches!(store.load(name), Err(CredentialError::Name(_))), "{name:?}");
    }
}

#[test]
fn certificates_are_checked_when_they_are_stored() {
    let made = rcgen::generate_simple_self_signed(vec!["weir".to_owned()]).unwrap();
    let pem = format!("{}{}", made.signing_key.serialize_pem(), made.cert.pem());
    let read =
        |text: &str| proof("target", Kind::Certificate, Zeroizing::new(text.as_bytes().to_vec()));
    let Proof::Certificate { chain_pem, key_pem } = read(&pem).unwrap() else { panic!() };
    assert!(!chain_pem.contains("PRIVATE"));
    assert!(key_pem.expose().contains("PRIVATE"));
    assert!(read(&made.cert.pem()).is_err());
    assert!(read(&made.signing_key.serialize_pem()).is_err());
    assert!(read("hello").is_err());

    let dir = tempfile::tempdir().unwrap();
    let store = SealedStore::new(dir.path());
    let credential = Credential { user: "weir".to_owned(), proof: read(&pem).unwrap() };
    store.set("target", &credential).unwrap();
    let Proof::Certificate { chain_pem, .. } = store.load("target").unwrap().proof else {
        panic!()
    };
    assert_eq!(chain_pem.trim(), made.cert.pem().replace("\r\n", "\n").trim());
}

#[test]
fn sources_are_read_from_configuration() {
    let text = "name = 'a'\nuser = 'u'\nkind = 'password'\nsource = { env = 'WEIR_NOT_SET' }";
    let one: CredentialConfig = toml::from_str(text).unwrap();
    assert_eq!(one.source, Source::Env("WEIR_NOT_SET".to_owned()));
    assert!(one.check().is_empty());
    let dir = tempfile::tempdir().unwrap();
    let credentials = Credentials::new(vec![one], dir.path()).unwrap();
    assert!(credentials.load("a").unwrap_err().to_string().contains("not set"));

    let sealed: CredentialConfig = toml::from_str("name = 'a'").unwrap();
    assert_eq!((sealed.kind, &sealed.source), (Kind::Password, &Source::Sealed));
    assert!(toml::from_str::<CredentialConfig>("name = 'a'\npassword = 'x'").is_err());
    assert_eq!(config("a", None, Source::Env("X".to_owned())).check().len(), 1);
    assert_eq!(config("../a", None, Source::Sealed).check().len(), 1);
}

//! Handshakes in memory between leaves of the authority and clients that trust it, or don't.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use rustls::{ClientConfig, ClientConnection, ServerConfig, ServerConnection};

use super::*;

/// Runs a handshake to its end; the client's view of the result.
fn shake(
    client: &UpstreamTls,
    server: &Arc<ServerConfig>,
    host: &str,
    alpn: &[&[u8]],
) -> Result<Option<Vec<u8>>, rustls::Error> {
    let config: Arc<ClientConfig> = client.client_config(None, alpn).unwrap().unwrap();
    let mut client = ClientConnection::new(config, client.server_name(host).unwrap()).unwrap();
    let mut server = ServerConnection::new(Arc::clone(server)).unwrap();
    while client.is_handshaking() || server.is_handshaking() {
        let mut bytes = Vec::new();
        while client.wants_write() {
            client.write_tls(&mut bytes).unwrap();
        }
        let mut rest = bytes.as_slice();
        while !rest.is_empty() {
            server.read_tls(&mut rest).unwrap();
            server.process_new_packets()?;
        }
        let mut bytes = Vec::new();
        while server.wants_write() {
            server.write_tls(&mut bytes).unwrap();
        }
        let mut rest = bytes.as_slice();
        while !rest.is_empty() {
            client.read_tls(&mut rest).unwrap();
            client.process_new_packets()?;
        }
    }
    Ok(client.alpn_protocol().map(<[u8]>::to_vec))
}

fn trusting(path: &Path) -> UpstreamTls {
    UpstreamTls::Verify { ca_file: Some(path.to_owned()), server_name: None, direct: false }
}

#[test]
fn a_client_that_trusts_the_authority_accepts_its_leaves() {
    let dir = tempfile::tempdir().unwrap();
    let authority = Authority::open_or_create(dir.path()).unwrap();
    let client = trusting(authority.certificate_path());
    for name in ["db.example.com", "10.1.2.3", "::1", "localhost", "a_b.internal"] {
        let server = authority.leaf(name, Alpn::Postgres).unwrap().config;
        let alpn = shake(&client, &server, name, &[b"postgresql"]).unwrap();
        assert_eq!(alpn.as_deref(), Some(&b"postgresql"[..]), "{name}");
        let plain = authority.leaf(name, Alpn::None).unwrap().config;
        assert_eq!(shake(&client, &plain, name, &[]).unwrap(), None);
    }
    let server = authority.leaf("db.example.com", Alpn::None).unwrap().config;
    assert!(shake(&client, &server, "other.example.com", &[]).is_err());
    assert!(shake(&UpstreamTls::default(), &server, "db.example.com", &[]).is_err());
    assert!(
        shake(&UpstreamTls::Insecure { direct: false }, &server, "other.example.com", &[]).is_ok()
    );
    let renamed = UpstreamTls::Verify {
        ca_file: Some(authority.certificate_path().to_owned()),
        server_name: Some("db.example.com".to_owned()),
        direct: false,
    };
    assert!(shake(&renamed, &server, "10.0.0.1", &[]).is_ok());
    assert!(UpstreamTls::Off.client_config(None, &[]).unwrap().is_none());
}

#[test]
fn leaves_are_kept_and_odd_names_refused() {
    let dir = tempfile::tempdir().unwrap();
    let authority = Authority::open_or_create(dir.path()).unwrap();
    let one = authority.leaf("DB.example.com", Alpn::None).unwrap().config;
    let two = authority.leaf("db.example.com", Alpn::None).unwrap().config;
    assert!(Arc::ptr_eq(&one, &two));
    let long = "a".repeat(64);
    for name in ["", "*.example.com", "a b", "a\0b", "exämple", "-", "a..b", long.as_str()] {
        assert!(authority.leaf(name, Alpn::None).is_err(), "{name:?}");
    }
}

#[test]
fn the_authority_survives_and_its_key_is_its_owners() {
    let dir = tempfile::tempdir().unwrap();
    assert!(matches!(Authority::open(dir.path()), Err(TlsError::NoAuthority(_))));
    let first = Authority::open_or_create(dir.path()).unwrap().fingerprint();
    let again = Authority::open_or_create(dir.path()).unwrap();
    assert_eq!(again.fingerprint(), first);
    assert!(!format!("{again:?}").contains("PRIVATE"));
    let key = dir.path().join("ca.pem");
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&key), mode(again.certificate_path())), (0o600, 0o644));
    assert!(!fs::read_to_string(again.certificate_path()).unwrap().contains("PRIVATE"));

    fs::set_permissions(&key, fs::Permissions::from_mode(0o640)).unwrap();
    assert!(Authority::open_or_create(dir.path()).is_err());
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o777)).unwrap();
    assert!(Authority::open_or_create(dir.path()).is_err());
}

#[test]
fn a_key_and_a_certificate_that_do_not_belong_together_are_refused() {
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    Authority::open_or_create(one.path()).unwrap();
    let other = Authority::open_or_create(two.path()).unwrap();
    let path = one.path().join("ca.pem");
    let mixed = fs::read_to_string(&path).unwrap();
    let key_only = mixed.split("-----BEGIN CERTIFICATE").next().unwrap().to_owned();
    fs::write(&path, key_only + other.certificate_pem()).unwrap();
    let error = Authority::open_or_create(one.path()).unwrap_err().to_string();
    assert!(error.contains("do not verify"), "{error}");
    fs::write(&path, "nothing").unwrap();
    assert!(Authority::open_or_create(one.path()).is_err());
}

#[test]
fn a_client_certificate_is_presented() {
    let own = rcgen::generate_simple_self_signed(vec!["weir".to_owned()]).unwrap();
    let (chain, key) = (own.cert.pem(), own.signing_key.serialize_pem());
    let good = ClientCertificate { chain_pem: &chain, key_pem: &key };
    let config = UpstreamTls::default().client_config(Some(&good), &[]).unwrap().unwrap();
    assert!(config.client_auth_cert_resolver.has_certs());
    let other = rcgen::generate_simple_self_signed(vec!["weir".to_owned()]).unwrap();
    let other = other.signing_key.serialize_pem();
    let wrong = ClientCertificate { chain_pem: &chain, key_pem: &other };
    assert!(UpstreamTls::default().client_config(Some(&wrong), &[]).is_err());
}

#[test]
fn upstream_tls_is_read_from_configuration() {
    let read = |text: &str| toml::from_str::<UpstreamTls>(text);
    assert_eq!(read("mode = 'off'").unwrap(), UpstreamTls::Off);
    assert_eq!(read("mode = 'verify'").unwrap(), UpstreamTls::default());
    assert_eq!(read("mode = 'insecure'").unwrap(), UpstreamTls::Insecure { direct: false });
    assert!(!read("mode = 'verify'").unwrap().is_direct());
    for mode in ["verify", "insecure"] {
        assert!(read(&format!("mode = '{mode}'\ndirect = true")).unwrap().is_direct());
    }
    assert!(read("mode = 'verify'\nca_flie = '/x'").is_err());
    assert!(read("mode = 'maybe'").is_err());
    let missing = trusting(Path::new("/nonexistent.pem"));
    assert!(missing.client_config(None, &[]).is_err());
}

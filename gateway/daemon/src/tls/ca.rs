//! The host's certificate authority: made once, kept beside the gateway's state, trusted on this
//! host only.

use std::fs;
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use rustls::RootCertStore;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier as _;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer, ServerName, UnixTime};
use zeroize::Zeroizing;

use super::leaf::{self, Alpn, Leaf, Leaves};
use super::{TlsError, keyfile};

/// The key and the certificate, in one file so that they can't come apart.
const PRIVATE_FILE: &str = "ca.pem";
/// The certificate alone, for those who are to trust it.
pub const PUBLIC_FILE: &str = "ca.crt";
const FILE_BYTES: usize = 64 << 10;
const LIFETIME: Duration = Duration::from_secs(10 * 365 * 24 * 3600);

/// The host's authority, which makes a leaf for each server name that an agent asks for.
pub struct Authority {
    certificate: CertificateDer<'static>,
    pem: String,
    public_path: PathBuf,
    issuer: Issuer<'static, KeyPair>,
    leaves: Leaves,
}

impl Authority {
    /// Opens the authority in `dir`, or makes one where there is none.
    pub fn open_or_create(dir: &Path) -> Result<Self, TlsError> {
        match Self::open(dir) {
            Err(TlsError::NoAuthority(_)) => {
                keyfile::private_dir(dir)?;
                // Where another process was faster, its authority is the one.
                keyfile::create(&dir.join(PRIVATE_FILE), make()?.as_bytes())?;
                Self::open(dir)
            }
            opened => opened,
        }
    }

    /// Opens the authority in `dir`.
    pub fn open(dir: &Path) -> Result<Self, TlsError> {
        let path = dir.join(PRIVATE_FILE);
        let Some(bytes) = keyfile::read(&path, FILE_BYTES)? else {
            return Err(TlsError::NoAuthority(dir.to_owned()));
        };
        keyfile::private_dir(dir)?;
        let wrong = |problem: String| TlsError::Authority { path: path.clone(), problem };
        let key = PrivatePkcs8KeyDer::from_pem_slice(&bytes)
            .map_err(|error| wrong(format!("no private key: {error}")))?;
        let key = KeyPair::from_pkcs8_der_and_sign_algo(&key, &rcgen::PKCS_ECDSA_P256_SHA256)
            .map_err(|error| wrong(format!("no P-256 key: {error}")))?;
        let certificate = CertificateDer::from_pem_slice(&bytes)
            .map_err(|error| wrong(format!("no certificate: {error}")))?;
        let issuer = Issuer::from_ca_cert_der(&certificate, key)
            .map_err(|error| wrong(format!("no authority's certificate: {error}")))?;
        let authority = Self {
            pem: certificate_pem(&certificate),
            public_path: dir.join(PUBLIC_FILE),
            certificate,
            issuer,
            leaves: Leaves::new(),
        };
        authority.prove().map_err(wrong)?;
        authority.publish()?;
        Ok(authority)
    }

    /// A leaf for `name`, which is a host name or an address, and the server's configuration with it.
    pub fn leaf(&self, name: &str, alpn: Alpn) -> Result<Leaf, TlsError> {
        self.leaves.get(&self.issuer, name, alpn, SystemTime::now())
    }

    /// The certificate to trust.
    pub fn certificate(&self) -> &CertificateDer<'static> {
        &self.certificate
    }

    /// The certificate to trust, as PEM.
    pub fn certificate_pem(&self) -> &str {
        &self.pem
    }

    /// Where the certificate to trust stands.
    pub fn certificate_path(&self) -> &Path {
        &self.public_path
    }

    /// Hex SHA-256 of the certificate.
    pub fn fingerprint(&self) -> String {
        let digest =
            aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, self.certificate.as_ref());
        digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Verifies a leaf as a client would: the key fits the certificate, which has not expired.
    fn prove(&self) -> Result<(), String> {
        let said = |error: &dyn std::fmt::Display| error.to_string();
        let address = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let (leaf, _) = leaf::mint(&self.issuer, &address.to_string(), SystemTime::now())
            .map_err(|error| said(&error))?;
        let mut roots = RootCertStore::empty();
        roots.add(self.certificate.clone()).map_err(|error| said(&error))?;
        let verifier =
            WebPkiServerVerifier::builder_with_provider(Arc::new(roots), super::provider())
                .build()
                .map_err(|error| said(&error))?;
        verifier
            .verify_server_cert(
                &leaf,
                &[],
                &ServerName::IpAddress(address.into()),
                &[],
                UnixTime::now(),
            )
            .map(|_| ())
            .map_err(|error| format!("its leaves do not verify: {error}"))
    }

    fn publish(&self) -> Result<(), TlsError> {
        if fs::read(&self.public_path).is_ok_and(|found| found == self.pem.as_bytes()) {
            return Ok(());
        }
        Ok(keyfile::publish(&self.public_path, self.pem.as_bytes())?)
    }
}

impl std::fmt::Debug for Authority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Authority").field("fingerprint", &self.fingerprint()).finish()
    }
}

/// Makes a key and a certificate of its own, as one PEM text.
fn make() -> Result<Zeroizing<String>, TlsError> {
    let key = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256)?;
    let host = nix::sys::utsname::uname()
        .ok()
        .map(|name| name.nodename().to_string_lossy().into_owned())
        .filter(|name| !name.is_empty())
        .unwrap_or_else(|| "this host".to_owned());
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::OrganizationName, "Weir");
    params.distinguished_name.push(DnType::CommonName, format!("Weir authority of {host}"));
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    leaf::set_validity(&mut params, SystemTime::now(), LIFETIME);
    let certificate = params.self_signed(&key)?;
    let key = Zeroizing::new(key.serialize_pem());
    Ok(Zeroizing::new(format!("{}{}", &*key, certificate.pem())))
}

fn certificate_pem(certificate: &CertificateDer<'_>) -> String {
    use base64::Engine as _;
    let text = base64::engine::general_purpose::STANDARD.encode(certificate);
    let mut pem = String::from("-----BEGIN CERTIFICATE-----\n");
    for line in text.as_bytes().chunks(64) {
        pem.push_str(&String::from_utf8_lossy(line));
        pem.push('\n');
    }
    pem.push_str("-----END CERTIFICATE-----\n");
    pem
}

/// Seconds since the Unix epoch.
pub(super) fn unix_seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

//! Leaf certificates, one per server name, kept in a bounded cache.

use std::net::IpAddr;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use lru::LruCache;
use rcgen::{
    CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SanType,
};
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, DnsName, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::NoServerSessionStorage;

use super::TlsError;

/// How long a leaf lives.
const LIFETIME: Duration = Duration::from_secs(7 * 24 * 3600);
/// A leaf with less than this left is made anew.
const RENEW: Duration = Duration::from_secs(24 * 3600);
/// Certificates begin a little early, for clients whose clock is slow.
const EARLY: Duration = Duration::from_secs(3600);
/// Names that an agent chooses, so the cache has a bound.
const NAMES: NonZeroUsize = NonZeroUsize::MIN.saturating_add(1023);

/// The name of PostgreSQL's protocol in ALPN, as registered with IANA.
pub const POSTGRESQL: &[u8] = b"postgresql";

/// The application protocol that a server offers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Alpn {
    /// None.
    None,
    /// `postgresql`, which direct TLS connections of PostgreSQL 17 require.
    Postgres,
}

pub(super) struct Leaves {
    made: Mutex<LruCache<(String, Alpn), Leaf>>,
}

/// How Weir presents itself under one name.
#[derive(Clone)]
pub struct Leaf {
    /// The server's configuration.
    pub config: Arc<ServerConfig>,
    /// The certificate that clients are shown.
    pub certificate: CertificateDer<'static>,
    renew_at: SystemTime,
}

impl Leaves {
    pub(super) fn new() -> Self {
        Self { made: Mutex::new(LruCache::new(NAMES)) }
    }

    pub(super) fn get(
        &self,
        issuer: &Issuer<'_, KeyPair>,
        name: &str,
        alpn: Alpn,
        now: SystemTime,
    ) -> Result<Leaf, TlsError> {
        let key = (name.to_ascii_lowercase(), alpn);
        if let Some(leaf) = self.lock().get(&key)
            && now < leaf.renew_at
        {
            return Ok(leaf.clone());
        }
        let (certificate, private) = mint(issuer, &key.0, now)?;
        let config = Arc::new(server_config(certificate.clone(), private, alpn)?);
        let leaf = Leaf { config, certificate, renew_at: now + (LIFETIME - RENEW) };
        self.lock().put(key, leaf.clone());
        Ok(leaf)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, LruCache<(String, Alpn), Leaf>> {
        self.made.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(super) fn mint(
    issuer: &Issuer<'_, KeyPair>,
    name: &str,
    now: SystemTime,
) -> Result<(CertificateDer<'static>, PrivateKeyDer<'static>), TlsError> {
    let bad_name = || TlsError::Name(name.chars().take(255).collect());
    let alternative = match name.parse::<IpAddr>() {
        Ok(address) => SanType::IpAddress(address),
        Err(_) => {
            DnsName::try_from(name).map_err(|_| bad_name())?;
            SanType::DnsName(name.try_into().map_err(|_| bad_name())?)
        }
    };
    let key = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256)?;
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    // A common name holds at most 64 characters, and clients read the alternative name anyway.
    params.distinguished_name.push(DnType::CommonName, "Weir");
    params.subject_alt_names = vec![alternative];
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = true;
    set_validity(&mut params, now, LIFETIME);
    let certificate = params.signed_by(&key, issuer)?;
    let private = PrivatePkcs8KeyDer::from(key.serialize_der());
    Ok((certificate.der().clone(), PrivateKeyDer::Pkcs8(private)))
}

pub(super) fn set_validity(params: &mut CertificateParams, now: SystemTime, lifetime: Duration) {
    let epoch = rcgen::date_time_ymd(1970, 1, 1);
    let now = Duration::from_secs(super::ca::unix_seconds(now));
    params.not_before = epoch + now.saturating_sub(EARLY);
    params.not_after = epoch + now + lifetime;
}

fn server_config(
    certificate: CertificateDer<'static>,
    key: PrivateKeyDer<'static>,
    alpn: Alpn,
) -> Result<ServerConfig, TlsError> {
    let mut config = ServerConfig::builder_with_provider(super::provider())
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)?;
    config.alpn_protocols = match alpn {
        Alpn::None => Vec::new(),
        Alpn::Postgres => vec![POSTGRESQL.to_vec()],
    };
    // No resumption: a session of one agent must not be continued by another.
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(config)
}

//! TLS towards targets and issuers: who is trusted, and how Weir presents itself.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use serde::{Deserialize, Serialize};

use super::TlsError;

/// How a target is spoken to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "mode", rename_all = "lowercase", deny_unknown_fields)]
pub enum UpstreamTls {
    /// In the clear.
    Off,
    /// Encrypted, with the certificate and its name verified.
    Verify {
        /// Authorities to trust beside the public ones, as PEM.
        #[serde(default)]
        ca_file: Option<PathBuf>,
        /// The name to verify, where it is not the host's.
        #[serde(default)]
        server_name: Option<String>,
        /// The handshake comes first, not after a request for it.
        #[serde(default)]
        direct: bool,
    },
    /// Encrypted, but with whom is not known.
    Insecure {
        /// The handshake comes first, not after a request for it.
        #[serde(default)]
        direct: bool,
    },
}

impl Default for UpstreamTls {
    fn default() -> Self {
        Self::Verify { ca_file: None, server_name: None, direct: false }
    }
}

impl UpstreamTls {
    /// The client's configuration; `None` where the target is spoken to in the clear.
    pub fn client_config(
        &self,
        own: Option<&ClientCertificate<'_>>,
        alpn: &[&[u8]],
    ) -> Result<Option<Arc<ClientConfig>>, TlsError> {
        let builder = || {
            ClientConfig::builder_with_provider(super::provider())
                .with_safe_default_protocol_versions()
        };
        let builder = match self {
            Self::Off => return Ok(None),
            Self::Verify { ca_file, server_name: _, direct: _ } => {
                builder()?.with_root_certificates(roots(ca_file.as_deref())?)
            }
            Self::Insecure { direct: _ } => builder()?
                .dangerous()
                .with_custom_certificate_verifier(Arc::new(AnyServer(super::provider()))),
        };
        let mut config = match own {
            Some(own) => {
                let (chain, key) = own.parse()?;
                builder.with_client_auth_cert(chain, key)?
            }
            None => builder.with_no_client_auth(),
        };
        config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
        Ok(Some(Arc::new(config)))
    }

    /// Whether the handshake is the first that the target hears.
    pub fn is_direct(&self) -> bool {
        match self {
            Self::Off => false,
            Self::Verify { direct, .. } | Self::Insecure { direct } => *direct,
        }
    }

    /// The name that the target's certificate must carry.
    pub fn server_name(&self, host: &str) -> Result<ServerName<'static>, TlsError> {
        let name = match self {
            Self::Verify { server_name: Some(name), .. } => name,
            Self::Verify { server_name: None, .. } | Self::Off | Self::Insecure { .. } => host,
        };
        ServerName::try_from(name.to_owned()).map_err(|_| TlsError::Name(name.to_owned()))
    }
}

/// A certificate chain and its key with which Weir presents itself, as PEM.
pub struct ClientCertificate<'a> {
    /// The certificate, then its intermediates.
    pub chain_pem: &'a str,
    /// Its private key.
    pub key_pem: &'a str,
}

impl ClientCertificate<'_> {
    /// Reads both, so that a wrong one is refused when it is stored and not when it is needed.
    pub fn parse(
        &self,
    ) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), TlsError> {
        let chain = CertificateDer::pem_slice_iter(self.chain_pem.as_bytes())
            .collect::<Result<Vec<_>, _>>()
            .map_err(|_| TlsError::ClientCertificate("is not PEM"))?;
        if chain.is_empty() {
            return Err(TlsError::ClientCertificate("is missing"));
        }
        let key = PrivateKeyDer::from_pem_slice(self.key_pem.as_bytes())
            .map_err(|_| TlsError::ClientCertificate("has no private key"))?;
        Ok((chain, key))
    }
}

/// The public authorities, and those of a file.
pub fn roots(ca_file: Option<&Path>) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    let Some(path) = ca_file else { return Ok(roots) };
    let wrong = |problem: String| TlsError::Certificates { path: path.to_owned(), problem };
    let mut added = 0;
    for certificate in
        CertificateDer::pem_file_iter(path).map_err(|error| wrong(error.to_string()))?
    {
        let certificate = certificate.map_err(|error| wrong(error.to_string()))?;
        roots.add(certificate).map_err(|error| wrong(error.to_string()))?;
        added += 1;
    }
    if added == 0 {
        return Err(wrong("it holds no certificate".to_owned()));
    }
    Ok(roots)
}

/// Accepts any certificate, but still checks that the peer holds its key.
#[derive(Debug)]
struct AnyServer(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyServer {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(
            message,
            certificate,
            signed,
            &self.0.signature_verification_algorithms,
        )
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(
            message,
            certificate,
            signed,
            &self.0.signature_verification_algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

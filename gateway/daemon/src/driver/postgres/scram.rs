//! SCRAM: towards the target here, towards clients in [`server`]; with channel binding where both sides have it (RFC 5802, RFC 5929).

pub mod server;

use aws_lc_rs::digest;
use postgres_protocol::authentication::sasl::{
    ChannelBinding, SCRAM_SHA_256, SCRAM_SHA_256_PLUS, ScramSha256,
};
use x509_parser::oid_registry as oid;
use x509_parser::prelude::{FromDer as _, X509Certificate};

use super::login::LoginError;
use crate::driver::stream::Stream;

/// Chooses the strongest mechanism that the target offers.
///
/// # Errors
/// None of them is spoken here.
pub fn begin(
    stream: &Stream,
    offered: &[&[u8]],
    password: &str,
) -> Result<(&'static str, ScramSha256), LoginError> {
    let end_point = match stream {
        Stream::ToTarget(tls) => {
            let certificates = tls.get_ref().1.peer_certificates();
            certificates.and_then(|chain| chain.first()).and_then(|leaf| end_point(leaf))
        }
        Stream::Plain(_) | Stream::FromClient(_) => None,
    };
    let offers = |name: &str| offered.contains(&name.as_bytes());
    let (mechanism, binding) = match end_point {
        Some(hash) if offers(SCRAM_SHA_256_PLUS) => {
            (SCRAM_SHA_256_PLUS, ChannelBinding::tls_server_end_point(hash))
        }
        Some(_) if offers(SCRAM_SHA_256) => (SCRAM_SHA_256, ChannelBinding::unrequested()),
        None if offers(SCRAM_SHA_256) => (SCRAM_SHA_256, ChannelBinding::unsupported()),
        _ => return Err(LoginError::Unsupported("a SASL mechanism other than SCRAM-SHA-256")),
    };
    Ok((mechanism, ScramSha256::new(password.as_bytes(), binding)))
}

/// `tls-server-end-point`: the certificate's hash under its own signature's digest, SHA-256 instead
/// of MD5 and SHA-1; undefined for Ed25519.
pub fn end_point(certificate: &[u8]) -> Option<Vec<u8>> {
    let (_, parsed) = X509Certificate::from_der(certificate).ok()?;
    let algorithm = &parsed.signature_algorithm.algorithm;
    let sha256 = [
        &oid::OID_PKCS1_MD5WITHRSAENC,
        &oid::OID_PKCS1_SHA1WITHRSA,
        &oid::OID_PKCS1_SHA256WITHRSA,
        &oid::OID_SIG_ECDSA_WITH_SHA256,
    ];
    let sha384 = [&oid::OID_PKCS1_SHA384WITHRSA, &oid::OID_SIG_ECDSA_WITH_SHA384];
    let sha512 = [&oid::OID_PKCS1_SHA512WITHRSA, &oid::OID_SIG_ECDSA_WITH_SHA512];
    let hash = if sha256.contains(&algorithm) {
        &digest::SHA256
    } else if sha384.contains(&algorithm) {
        &digest::SHA384
    } else if sha512.contains(&algorithm) {
        &digest::SHA512
    } else {
        return None;
    };
    Some(digest::digest(hash, certificate).as_ref().to_vec())
}

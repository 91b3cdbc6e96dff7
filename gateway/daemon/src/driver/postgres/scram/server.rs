//! SCRAM towards a client: Weir is the server that knows the password (RFC 5802, RFC 7677).

use aws_lc_rs::{constant_time, digest, hmac};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use postgres_protocol::authentication::sasl::{SCRAM_SHA_256, SCRAM_SHA_256_PLUS};
use postgres_protocol::password::scram_sha_256;
use weir_wire::WireError;
use weir_wire::postgres::sasl::{self, Channel};

/// Why an exchange failed.
#[derive(Debug, thiserror::Error)]
pub enum ScramError {
    /// A message that can't be read.
    #[error(transparent)]
    Wire(#[from] WireError),
    /// A message that does not fit what was said before.
    #[error("SCRAM: {0}")]
    Unfit(&'static str),
    /// Another password.
    #[error("SCRAM: the proof is of another password")]
    Wrong,
}

/// What a server keeps of a password.
pub struct Verifier {
    /// Salt in base64 and iterations, as they are told.
    salt: String,
    iterations: String,
    stored: Vec<u8>,
    server: Vec<u8>,
}

impl Verifier {
    /// Derives it, with a fresh salt, in the form of `pg_authid`:
    /// `SCRAM-SHA-256$<iterations>:<salt>$<StoredKey>:<ServerKey>`.
    pub fn new(password: &[u8]) -> Option<Self> {
        Self::parse(&scram_sha_256(password))
    }

    fn parse(text: &str) -> Option<Self> {
        let rest = text.strip_prefix("SCRAM-SHA-256$")?;
        let (terms, keys) = rest.split_once('$')?;
        let (iterations, salt) = terms.split_once(':')?;
        let (stored, server) = keys.split_once(':')?;
        Some(Self {
            salt: salt.to_owned(),
            iterations: iterations.to_owned(),
            stored: STANDARD.decode(stored).ok()?,
            server: STANDARD.decode(server).ok()?,
        })
    }
}

/// The mechanisms to offer to a client that may bind to the certificate it was shown.
pub fn mechanisms(end_point: Option<&[u8]>) -> &'static [&'static [u8]] {
    const BOTH: [&[u8]; 2] = [SCRAM_SHA_256_PLUS.as_bytes(), SCRAM_SHA_256.as_bytes()];
    const UNBOUND: [&[u8]; 1] = [SCRAM_SHA_256.as_bytes()];
    match end_point {
        Some(_) => &BOTH,
        None => &UNBOUND,
    }
}

/// An exchange that waits for its proof.
pub struct Challenged {
    verifier: Verifier,
    /// What to tell the client now.
    pub text: String,
    channel: String,
    nonce: String,
    bare: String,
}

/// Answers the client's first message.
///
/// # Errors
/// It is none, or it and the mechanism disagree about the channel.
pub fn first(
    verifier: Verifier,
    end_point: Option<&[u8]>,
    initial: &sasl::Initial<'_>,
    nonce: &str,
) -> Result<Challenged, ScramError> {
    let data = initial.data.ok_or(ScramError::Unfit("the client did not begin"))?;
    let said = sasl::client_first(data)?;
    let offered = mechanisms(end_point);
    if !offered.contains(&initial.mechanism) {
        return Err(ScramError::Unfit("a mechanism that was not offered"));
    }
    let binds = initial.mechanism == SCRAM_SHA_256_PLUS.as_bytes();
    let mut channel = said.header.as_bytes().to_vec();
    match (said.channel, end_point) {
        (Channel::Bound("tls-server-end-point"), Some(hash)) if binds => {
            channel.extend_from_slice(hash);
        }
        (Channel::Bound(_), _) => return Err(ScramError::Unfit("another kind of channel binding")),
        (_, _) if binds => return Err(ScramError::Unfit("no channel binding where it was chosen")),
        // Somebody between took the stronger mechanism off the list.
        (Channel::Unoffered, Some(_)) => {
            return Err(ScramError::Unfit("channel binding was offered"));
        }
        (Channel::Unoffered | Channel::Unsupported, _) => {}
    }
    let nonce = format!("{}{nonce}", said.nonce);
    Ok(Challenged {
        text: format!("r={nonce},s={},i={}", verifier.salt, verifier.iterations),
        channel: STANDARD.encode(channel),
        bare: said.bare.to_owned(),
        verifier,
        nonce,
    })
}

impl Challenged {
    /// Checks the proof; returns the server's own.
    ///
    /// # Errors
    /// It is not that of the password, this channel and this exchange.
    pub fn finish(&self, data: &[u8]) -> Result<String, ScramError> {
        let said = sasl::client_final(data)?;
        if said.channel != self.channel {
            return Err(ScramError::Unfit("it is bound to another channel"));
        }
        if said.nonce != self.nonce {
            return Err(ScramError::Unfit("it answers another challenge"));
        }
        let signed = format!("{},{},{}", self.bare, self.text, said.without_proof);
        let sign =
            |key: &[u8]| hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), signed.as_bytes());
        let proof = STANDARD.decode(said.proof).map_err(|_| ScramError::Wrong)?;
        let signature = sign(&self.verifier.stored);
        let client: Vec<u8> =
            proof.iter().zip(signature.as_ref()).map(|(proof, sign)| proof ^ sign).collect();
        let stored = digest::digest(&digest::SHA256, &client);
        let same =
            constant_time::verify_slices_are_equal(stored.as_ref(), &self.verifier.stored).is_ok();
        if !same || proof.len() != signature.as_ref().len() {
            return Err(ScramError::Wrong);
        }
        Ok(format!("v={}", STANDARD.encode(sign(&self.verifier.server))))
    }
}

#[cfg(test)]
mod tests;

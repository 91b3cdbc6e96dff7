//! The log-in at the target, with a credential that the agent never has.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use postgres_protocol::authentication::md5_hash;
use weir_model::limits;
use weir_wire::WireError;
use weir_wire::postgres::backend::{self, Authentication, Backend, Transaction};
use weir_wire::postgres::{Side, build, frame, startup};

use super::cancel::CancelTarget;
use super::scram;
use super::version;
use super::way::{self, Way};
use crate::config::TargetConfig;
use crate::driver::buffer::Buffer;
use crate::driver::stream::Stream;
use crate::flow::Flow;
use crate::identity::{Credential, CredentialError, Proof};

/// Why a log-in failed.
#[derive(Debug, thiserror::Error)]
pub enum LoginError {
    /// It can't be reached.
    #[error("connecting: {0}")]
    Io(#[from] io::Error),
    /// It speaks something else.
    #[error("speaking with it: {0}")]
    Wire(#[from] WireError),
    /// It said no; its own ErrorResponse.
    #[error("it refused the log-in")]
    Target(Vec<u8>),
    /// It wants what is not spoken here.
    #[error("it asks for {0}")]
    Unsupported(&'static str),
    /// It asks for a password and there is none.
    #[error("it asks for a password, but the target has no credential")]
    NoCredential,
    /// It wants TLS settings that can't be.
    #[error("TLS: {0}")]
    Tls(String),
    /// It did not prove that it knows the password.
    #[error("SCRAM: {0}")]
    Scram(io::Error),
    /// It is slow.
    #[error("it did not finish the log-in in time")]
    Timeout,
}

/// A session at the target, ready for queries.
pub struct Upstream {
    /// The connection.
    pub stream: Stream,
    /// What was read of it beyond the log-in.
    pub buffer: Buffer,
    /// Notices, as they came.
    pub notices: Vec<u8>,
    /// The minor version that is spoken.
    pub minor: u16,
    /// Settings that the target reported.
    pub settings: Vec<(Vec<u8>, Vec<u8>)>,
    /// The transaction's state.
    pub transaction: Transaction,
    key: Option<(u32, Vec<u8>)>,
    way: Way,
}

impl Upstream {
    /// Where and with what key a statement of this session is cancelled.
    pub fn cancel_target(&self) -> Option<CancelTarget> {
        let (pid, key) = self.key.clone()?;
        Some(CancelTarget { way: self.way.clone(), pid, key })
    }
}

/// The target's credential, loaded for this use.
///
/// # Errors
/// It can't be loaded.
pub fn credential(
    flow: &Flow,
    config: &TargetConfig,
) -> Result<Option<Credential>, CredentialError> {
    let load = |name: &String| flow.services.live().credentials.load(name);
    config.credential.as_ref().map(load).transpose()
}

/// Dials and logs in.
///
/// # Errors
/// See [`LoginError`].
pub async fn log_in(
    config: &TargetConfig,
    credential: Option<&Credential>,
    original: SocketAddr,
    minor: u16,
    parameters: &[(Vec<u8>, Vec<u8>)],
) -> Result<Upstream, LoginError> {
    let limit = Duration::from_millis(limits::DIAL_MS);
    let attempt = async {
        let (way, stream) = way::connect(config, credential, original).await?;
        let mut out = Vec::new();
        let pairs = parameters.iter().map(|(name, value)| (name.as_slice(), value.as_slice()));
        startup::encode_start(minor, pairs, &mut out)?;
        let mut login = Login {
            upstream: Upstream {
                stream,
                buffer: Buffer::default(),
                notices: Vec::new(),
                minor,
                settings: Vec::new(),
                transaction: Transaction::Idle,
                key: None,
                way,
            },
            credential,
            scram: None,
            asked: false,
            authenticated: false,
            said: 0,
        };
        login.upstream.stream.write(&out).await?;
        login.run().await?;
        Ok(login.upstream)
    };
    tokio::time::timeout(limit, attempt).await.unwrap_or(Err(LoginError::Timeout))
}

struct Login<'a> {
    upstream: Upstream,
    credential: Option<&'a Credential>,
    scram: Option<postgres_protocol::authentication::sasl::ScramSha256>,
    /// It has asked for a proof: it may do so once.
    asked: bool,
    authenticated: bool,
    /// What it has said so far, in bytes.
    said: usize,
}

impl Login<'_> {
    async fn run(&mut self) -> Result<(), LoginError> {
        loop {
            let message = self.next().await?;
            self.said += message.len();
            if self.said > limits::LOGIN_BYTES {
                return Err(LoginError::Unsupported("more than a log-in takes"));
            }
            match backend::parse(&message)? {
                Backend::Authentication(step) => self.authenticate(step).await?,
                Backend::ParameterStatus { name, value } => {
                    self.upstream.settings.push((name.to_vec(), value.to_vec()));
                }
                Backend::Notice(_) => self.upstream.notices.extend_from_slice(&message),
                Backend::BackendKeyData { pid, key } => {
                    self.upstream.key = Some((pid, key.to_vec()));
                }
                Backend::NegotiateProtocolVersion { version, .. } => {
                    self.upstream.minor = version::lowered(version, self.upstream.minor)?;
                }
                Backend::Error(_) => return Err(LoginError::Target(message)),
                Backend::ReadyForQuery(transaction) if self.authenticated => {
                    self.upstream.transaction = transaction;
                    return Ok(());
                }
                _ => return Err(WireError::Unexpected { what: "a message of the log-in" }.into()),
            }
        }
    }

    async fn next(&mut self) -> Result<Vec<u8>, LoginError> {
        loop {
            let found = frame::peek(self.upstream.buffer.unread(), Side::Target)?;
            let length = found.map_or(5, |frame| frame.len);
            if length > limits::READ_BYTES {
                return Err(LoginError::Unsupported("more than a log-in takes"));
            }
            if found.is_some()
                && let Some(message) = self.upstream.buffer.unread().get(..length)
            {
                let message = message.to_vec();
                self.upstream.buffer.consume(length);
                return Ok(message);
            }
            let have = self.upstream.buffer.unread().len();
            let wanted = length.saturating_sub(have).max(1);
            if self.upstream.stream.read(&mut self.upstream.buffer, wanted).await? == 0 {
                return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
            }
        }
    }

    fn password(&self) -> Result<(&str, &str), LoginError> {
        let credential = self.credential.ok_or(LoginError::NoCredential)?;
        match &credential.proof {
            Proof::Password(password) => Ok((&credential.user, password.expose())),
            Proof::Certificate { .. } => Err(LoginError::NoCredential),
        }
    }

    async fn authenticate(&mut self, step: Authentication<'_>) -> Result<(), LoginError> {
        let mut out = Vec::new();
        let asks = matches!(
            step,
            Authentication::Cleartext | Authentication::Md5 { .. } | Authentication::Sasl { .. }
        );
        if self.authenticated || (asks && self.asked) {
            return Err(WireError::Unexpected { what: "a step of the log-in" }.into());
        }
        self.asked |= asks;
        match step {
            // Who began SCRAM has to prove that it knows the password, too.
            Authentication::Ok if self.scram.is_some() => {
                return Err(LoginError::Unsupported("SCRAM, and did not end it"));
            }
            Authentication::Ok => self.authenticated = true,
            Authentication::Cleartext => {
                let (_, password) = self.password()?;
                let local = self.upstream.way.address.ip().is_loopback();
                if matches!(self.upstream.stream, Stream::Plain(_)) && !local {
                    return Err(LoginError::Unsupported("the password in clear without TLS"));
                }
                build::password(password.as_bytes(), &mut out)?;
            }
            Authentication::Md5 { salt } => {
                let (user, password) = self.password()?;
                let hash = md5_hash(user.as_bytes(), password.as_bytes(), salt);
                build::password(hash.as_bytes(), &mut out)?;
            }
            Authentication::Sasl { mechanisms } => {
                let (_, password) = self.password()?;
                let offered: Vec<&[u8]> = mechanisms.iter().collect();
                let (name, scram) = scram::begin(&self.upstream.stream, &offered, password)?;
                build::sasl_initial(name.as_bytes(), scram.message(), &mut out)?;
                self.scram = Some(scram);
            }
            Authentication::SaslContinue(data) => {
                let scram = self.scram.as_mut().ok_or(LoginError::Unsupported("SASL unasked"))?;
                scram.update(data).map_err(LoginError::Scram)?;
                build::sasl_response(scram.message(), &mut out)?;
            }
            Authentication::SaslFinal(data) => {
                let mut scram = self.scram.take().ok_or(LoginError::Unsupported("SASL unasked"))?;
                scram.finish(data).map_err(LoginError::Scram)?;
            }
            Authentication::Other(_) => {
                return Err(LoginError::Unsupported("a log-in method that Weir does not have"));
            }
        }
        if !out.is_empty() {
            self.upstream.stream.write(&out).await?;
        }
        Ok(())
    }
}

//! What a client has to prove before it is in, where its target says so (`client_auth`). Who it is is
//! known already, from the kernel: this is for clients that refuse a server which asks for nothing.

use std::io;
use std::time::Duration;

use aws_lc_rs::constant_time;
use weir_model::limits;
use weir_wire::WireError;
use weir_wire::postgres::backend::{Authentication, Backend};
use weir_wire::postgres::build::{self, ErrorFields, Severity};
use weir_wire::postgres::frontend::{self, Frontend};
use weir_wire::postgres::{Side, frame, sasl};

use super::scram::{self, server};
use crate::config::{ClientAuth, TargetConfig};
use crate::driver::buffer::Buffer;
use crate::driver::stream::Stream;
use crate::flow::Flow;
use crate::flow::services::random;
use crate::identity::{Credential, CredentialError, Proof};

/// Why a client is not let in.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// It is gone.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// It says what can't be read.
    #[error(transparent)]
    Wire(#[from] WireError),
    /// Its half of SCRAM is not right.
    #[error(transparent)]
    Scram(#[from] server::ScramError),
    /// It has another password.
    #[error("another password")]
    Wrong,
    /// It is slow.
    #[error("it did not answer in time")]
    Timeout,
    /// The target's `client_credential` is no password.
    #[error("the target's client_credential is no password")]
    NoPassword,
}

impl Refused {
    /// What the client hears: what PostgreSQL would say.
    pub fn fields(&self, user: &str) -> ErrorFields {
        let wrong = matches!(self, Self::Wrong | Self::Scram(server::ScramError::Wrong));
        let (code, message, hint) = if wrong {
            let hint = "use the password that agents were given for this target; it is not the \
                        database's";
            let message = format!("password authentication failed for user \"{user}\"");
            ("28P01", message, Some(hint.to_owned()))
        } else {
            ("08P01", format!("logging in: {self}"), None)
        };
        ErrorFields { severity: Severity::Fatal, code, message, detail: None, hint }
    }
}

/// What a target asks its clients for.
pub struct Challenge {
    method: ClientAuth,
    credential: Option<Credential>,
}

impl Challenge {
    /// That of a target, with its password loaded for this use.
    ///
    /// # Errors
    /// It can't be loaded.
    pub fn of(flow: &Flow, config: &TargetConfig) -> Result<Self, CredentialError> {
        let load = |name: &String| flow.services.live().credentials.load(name);
        let credential = config.client_credential.as_ref().map(load).transpose()?;
        Ok(Self { method: config.client_auth, credential })
    }

    fn password(&self) -> Result<Option<&[u8]>, Refused> {
        match self.credential.as_ref().map(|credential| &credential.proof) {
            None => Ok(None),
            Some(Proof::Password(password)) => Ok(Some(password.expose().as_bytes())),
            Some(Proof::Certificate { .. }) => Err(Refused::NoPassword),
        }
    }
}

/// Asks a client, within `limits::STARTUP_MS`. `out` holds what it has to hear first, and afterwards
/// what it has to hear last.
///
/// # Errors
/// Says why it is not let in.
pub async fn ask(
    challenge: &Challenge,
    client: &mut Stream,
    buffer: &mut Buffer,
    certificate: Option<&[u8]>,
    out: &mut Vec<u8>,
) -> Result<(), Refused> {
    let limit = Duration::from_millis(limits::STARTUP_MS);
    let mut asking = Asking { client, buffer, out };
    let asked = async {
        match challenge.method {
            ClientAuth::None => Ok(()),
            ClientAuth::Password => asking.password(challenge.password()?).await,
            ClientAuth::ScramSha256 => {
                let password = challenge.password()?.ok_or(Refused::NoPassword)?;
                let end_point = certificate.and_then(scram::end_point);
                asking.scram(password, end_point.as_deref()).await
            }
        }
    };
    tokio::time::timeout(limit, asked).await.unwrap_or(Err(Refused::Timeout))
}

struct Asking<'a> {
    client: &'a mut Stream,
    buffer: &'a mut Buffer,
    out: &'a mut Vec<u8>,
}

impl Asking<'_> {
    /// In clear: it goes no further than from this host's agent to this host's gateway.
    async fn password(&mut self, known: Option<&[u8]>) -> Result<(), Refused> {
        self.say(Authentication::Cleartext).await?;
        let answer = self.answer().await?;
        let said = sasl::password(body(&answer)?)?;
        match known {
            Some(known) if constant_time::verify_slices_are_equal(said, known).is_err() => {
                Err(Refused::Wrong)
            }
            Some(_) | None => Ok(()),
        }
    }

    async fn scram(&mut self, password: &[u8], end_point: Option<&[u8]>) -> Result<(), Refused> {
        let verifier = server::Verifier::new(password).ok_or(Refused::NoPassword)?;
        let mechanisms = server::mechanisms(end_point).iter().copied();
        build::authentication_sasl(mechanisms, self.out)?;
        self.send().await?;
        let answer = self.answer().await?;
        let initial = sasl::initial(body(&answer)?)?;
        let nonce = format!("{:032x}", random());
        let challenged = server::first(verifier, end_point, &initial, &nonce)?;
        self.say(Authentication::SaslContinue(challenged.text.as_bytes())).await?;
        let answer = self.answer().await?;
        let last = challenged.finish(body(&answer)?)?;
        let last = Backend::Authentication(Authentication::SaslFinal(last.as_bytes()));
        Ok(build::backend(&last, self.out)?)
    }

    async fn say(&mut self, step: Authentication<'_>) -> Result<(), Refused> {
        build::backend(&Backend::Authentication(step), self.out)?;
        self.send().await
    }

    async fn send(&mut self) -> Result<(), Refused> {
        self.client.write(self.out).await?;
        self.out.clear();
        Ok(())
    }

    async fn answer(&mut self) -> Result<Vec<u8>, Refused> {
        loop {
            let found = frame::peek(self.buffer.unread(), Side::Client)?;
            if let Some(found) = found {
                if found.len > limits::STARTUP_BYTES {
                    return Err(WireError::Unexpected { what: "a long message" }.into());
                }
                if let Some(message) = self.buffer.unread().get(..found.len) {
                    let message = message.to_vec();
                    self.buffer.consume(found.len);
                    return Ok(message);
                }
            }
            if self.client.read(self.buffer, 1).await? == 0 {
                return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
            }
        }
    }
}

fn body(message: &[u8]) -> Result<&[u8], WireError> {
    match frontend::parse(message)? {
        Frontend::Password(body) => Ok(body),
        _ => Err(WireError::Unexpected { what: "a message of the log-in" }),
    }
}

//! The client's start-up: TLS if it asks, a cancel request, or the parameters of a session.

use std::time::Duration;

use rustls::pki_types::CertificateDer;
use rustls::server::Acceptor;
use tokio::io::AsyncWriteExt as _;
use tokio_rustls::{LazyConfigAcceptor, TlsAcceptor};
use weir_model::{Refusal, limits};
use weir_wire::postgres::build::{self, ErrorFields, Severity};
use weir_wire::postgres::frame;
use weir_wire::postgres::startup::{self, Startup};

use super::replication;
use super::stamp::{self, Stamp};
use super::version;
use crate::config::TargetConfig;
use crate::driver::buffer::Buffer;
use crate::driver::stream::Stream;
use crate::flow::metered::Metered;
use crate::flow::{Flow, Opening};
use crate::identity::Credential;
use crate::tls::{Alpn, Leaf, POSTGRESQL};

/// Settings that say who the session is or how the target reads SQL. In `options` a part of a word
/// counts, because that string has quoting rules of its own.
const NOT_AT_START: [&str; 5] = [
    "role",
    "session_authorization",
    "standard_conforming_strings",
    "backslash_quote",
    "client_encoding",
];

/// The first byte of a TLS handshake; a packet's length has a smaller one.
const HANDSHAKE: u8 = 0x16;

/// The fatal alert 120, `no_application_protocol` (RFC 7301), in the clear as before any key.
const NO_APPLICATION_PROTOCOL: [u8; 7] = [0x15, 3, 3, 0, 2, 2, 120];

/// How a client began.
pub enum Begun {
    /// It wants to talk.
    Start(Stream, Buffer, Start),
    /// It wants another connection's statement cancelled, and knows that it is when this connection
    /// ends.
    Cancel {
        /// Its connection.
        client: Stream,
        /// The number that it was given.
        pid: u32,
        /// The key that it was given.
        key: Vec<u8>,
    },
}

/// The parameters of a session.
pub struct Start {
    /// The protocol's minor version.
    pub minor: u16,
    /// Names and values, in order.
    pub parameters: Vec<(Vec<u8>, Vec<u8>)>,
    /// The certificate that the client was shown, where it encrypts.
    pub certificate: Option<CertificateDer<'static>>,
}

/// Reads a client's start-up, whatever order of requests it chooses, within `limits::STARTUP_MS`. Of a
/// session only so many connections may be about it at a time.
///
/// # Errors
/// Says what was wrong; the client is gone then.
pub async fn begin(
    flow: &Flow,
    config: Option<&TargetConfig>,
    client: Metered,
) -> Result<Begun, String> {
    let Ok(_room) = flow.session.starting.try_acquire() else {
        return Err(turn_away(client).await);
    };
    let limit = Duration::from_millis(limits::STARTUP_MS);
    let begun = tokio::time::timeout(limit, begin_within(flow, config, client)).await;
    begun.unwrap_or_else(|_| Err("the client said nothing".to_owned()))
}

/// Tells a client in the clear, as the server does that has no process for it.
async fn turn_away(mut client: Metered) -> String {
    let why = "too many connections of this session have not begun yet";
    let fields = ErrorFields {
        severity: Severity::Fatal,
        code: "53300",
        message: why.to_owned(),
        detail: None,
        hint: Some("finish or close them first".to_owned()),
    };
    let mut out = Vec::new();
    build::error_response(&fields, &mut out);
    if let Err(error) = client.write_all(&out).await {
        tracing::debug!(%error, "telling a client why");
    }
    why.to_owned()
}

async fn begin_within(
    flow: &Flow,
    config: Option<&TargetConfig>,
    client: Metered,
) -> Result<Begun, String> {
    let direct = is_direct(&client).await?;
    let mut stream = Stream::Plain(client);
    let mut certificate = None;
    if direct {
        stream = encrypt(flow, config, stream, Handshake::Direct, &mut certificate).await?;
    }
    let mut buffer = Buffer::default();
    let mut gss_refused = false;
    loop {
        let packet = read_packet(&mut stream, &mut buffer).await?;
        match startup::parse(&packet).map_err(|error| error.to_string())? {
            Startup::Cancel { pid, key } => {
                return Ok(Begun::Cancel { client: stream, pid, key: key.to_vec() });
            }
            Startup::GssEnc if !gss_refused => {
                gss_refused = true;
                stream.write(b"N").await.map_err(|error| error.to_string())?;
            }
            // Bytes sent ahead of the handshake would be read as if they were encrypted
            // (CVE-2021-23214).
            Startup::Ssl if !buffer.unread().is_empty() => {
                return Err("bytes between the TLS request and the handshake".to_owned());
            }
            Startup::Ssl => {
                stream = encrypt(flow, config, stream, Handshake::Asked, &mut certificate).await?;
            }
            Startup::Start { minor, parameters } => {
                let own = |(name, value): (&[u8], &[u8])| (name.to_vec(), value.to_vec());
                let parameters = parameters.into_iter().map(own).collect();
                let start = Start { minor, parameters, certificate };
                return Ok(Begun::Start(stream, buffer, start));
            }
            Startup::GssEnc => return Err("GSS encryption asked for twice".to_owned()),
        }
    }
}

/// Whether the very first byte begins a TLS handshake (PostgreSQL 17, `sslnegotiation=direct`). The
/// byte is looked at and left where it is, so that the handshake finds it.
async fn is_direct(client: &Metered) -> Result<bool, String> {
    let mut first = [0];
    let count = client.tcp().peek(&mut first).await.map_err(|error| error.to_string())?;
    Ok(count == 1 && first == [HANDSHAKE])
}

async fn read_packet(stream: &mut Stream, buffer: &mut Buffer) -> Result<Vec<u8>, String> {
    loop {
        let length = frame::untagged(buffer.unread()).map_err(|error| error.to_string())?;
        if let Some(length) = length
            && let Some(packet) = buffer.unread().get(..length)
        {
            let packet = packet.to_vec();
            buffer.consume(length);
            return Ok(packet);
        }
        match stream.read(buffer, 1).await {
            Ok(0) => return Err("the client hung up".to_owned()),
            Ok(_) => {}
            Err(error) => return Err(error.to_string()),
        }
    }
}

/// How a client comes to the handshake.
enum Handshake {
    /// It asked, and is told to begin.
    Asked,
    /// It began.
    Direct,
}

async fn encrypt(
    flow: &Flow,
    config: Option<&TargetConfig>,
    stream: Stream,
    handshake: Handshake,
    shown: &mut Option<CertificateDer<'static>>,
) -> Result<Stream, String> {
    let Stream::Plain(mut tcp) = stream else {
        return Err("TLS asked for twice".to_owned());
    };
    let name = config.and_then(|c| c.hosts.first()).map_or(flow.target.host.as_str(), |h| h);
    let leaf = flow.services.authority.leaf(name, Alpn::Postgres);
    let leaf = leaf.map_err(|error| error.to_string())?;
    *shown = Some(leaf.certificate.clone());
    match handshake {
        Handshake::Asked => {
            tcp.write_all(b"S").await.map_err(|error| error.to_string())?;
            let accepted = TlsAcceptor::from(leaf.config).accept(tcp).await;
            accepted.map(|tls| Stream::FromClient(Box::new(tls))).map_err(tls_error)
        }
        Handshake::Direct => accept_direct(leaf, tcp).await,
    }
}

/// Without the protocol's name a handshake may be a browser's, led here to say something that means
/// another thing in PostgreSQL; the server insists on it too.
async fn accept_direct(leaf: Leaf, tcp: Metered) -> Result<Stream, String> {
    let begun = LazyConfigAcceptor::new(Acceptor::default(), tcp).await.map_err(tls_error)?;
    let names = begun.client_hello().alpn();
    if !names.is_some_and(|mut names| names.any(|name| name == POSTGRESQL)) {
        let mut tcp = begun.io;
        if let Err(error) = tcp.write_all(&NO_APPLICATION_PROTOCOL).await {
            tracing::debug!(%error, "telling a client why");
        }
        return Err("direct TLS without the application protocol \"postgresql\"".to_owned());
    }
    let accepted = begun.into_stream(leaf.config).await;
    accepted.map(|tls| Stream::FromClient(Box::new(tls))).map_err(tls_error)
}

fn tls_error(error: std::io::Error) -> String {
    format!("TLS: {error}")
}

impl Start {
    fn get(&self, name: &[u8]) -> Option<&[u8]> {
        self.parameters.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_slice())
    }

    fn text(&self, name: &[u8]) -> Option<String> {
        self.get(name).map(|value| String::from_utf8_lossy(value).into_owned())
    }

    /// The user that the client named.
    pub fn user(&self) -> String {
        self.text(b"user").unwrap_or_default()
    }

    /// What the record says of the flow's beginning.
    pub fn opening(&self, tls: bool, upstream_user: Option<String>) -> Opening {
        Opening {
            server_name: None,
            tls,
            database: self.text(b"database").or_else(|| self.text(b"user")),
            client_user: self.text(b"user"),
            upstream_user,
        }
    }

    /// Parameters that would change who the session is.
    pub fn refusal(&self) -> Option<Refusal> {
        let plain = |value: &[u8]| -> String {
            let bytes = value.iter().filter(|&&byte| byte != b'\\').copied().collect::<Vec<u8>>();
            String::from_utf8_lossy(&bytes).to_ascii_lowercase().replace('-', "_")
        };
        let refused = self.parameters.iter().find_map(|(name, value)| {
            let name = plain(name);
            let options = plain(value);
            match name.as_str() {
                "replication" if replication::Kind::of(value).is_none() => {
                    Some("this kind of replication")
                }
                "options" if NOT_AT_START.iter().any(|setting| options.contains(setting)) => {
                    Some("choosing a role or how SQL is read at start-up")
                }
                "client_encoding" if !weir_classify::is_ascii_safe(value) => {
                    Some("this client encoding, which hides quotes from the gate,")
                }
                name if NOT_AT_START.contains(&name) && name != "client_encoding" => {
                    Some("choosing a role or how SQL is read at start-up")
                }
                _ => None,
            }
        })?;
        Some(Refusal {
            rule: "weir.startup".to_owned(),
            message: format!("{refused} is refused"),
            instead: "connect without that parameter".to_owned(),
        })
    }

    /// The kind of replication connection that it is to be, if any.
    pub fn replication(&self) -> Option<replication::Kind> {
        let asked = self.get(b"replication").and_then(replication::Kind::of)?;
        Some(asked).filter(|kind| *kind != replication::Kind::None)
    }

    /// The client's name for itself, with who is behind it.
    pub fn stamp(&self, flow: &Flow) -> Stamp {
        let chosen = self.parameters.iter().rfind(|(name, _)| stamp::is_setting(name));
        let chosen = chosen.map(|(_, value)| value.as_slice()).unwrap_or_default();
        Stamp::new(chosen, &flow.caller.identity.agent, flow.session.id)
    }

    /// The target's own database where the client named none (libpq then names the user's).
    pub fn database<'a>(&'a self, config: &'a TargetConfig) -> &'a [u8] {
        let client_user = self.get(b"user").unwrap_or_default();
        let asked = self.get(b"database").unwrap_or(client_user);
        match &config.database {
            Some(own) if asked == client_user => own.as_bytes(),
            _ => asked,
        }
    }

    /// The parameters to log in with: the credential's user, the stamp, and what else the client
    /// says that means something to the target.
    pub fn upstream_parameters(
        &self,
        config: &TargetConfig,
        credential: Option<&Credential>,
        stamp: &Stamp,
    ) -> Vec<(Vec<u8>, Vec<u8>)> {
        let client_user = self.get(b"user").unwrap_or_default();
        let user = credential.map_or(client_user, |credential| credential.user.as_bytes());
        let mut parameters = vec![
            (b"user".to_vec(), user.to_vec()),
            (b"database".to_vec(), self.database(config).to_vec()),
            (stamp::SETTING.to_vec(), stamp.stamped().to_vec()),
        ];
        let others = self.parameters.iter().filter(|(name, _)| {
            let ours = matches!(name.as_slice(), b"user" | b"database") || stamp::is_setting(name);
            !ours && !version::is_option(name)
        });
        parameters.extend(others.cloned());
        // Also what RESET goes back to: a role's or database's own setting must not surprise the
        // classifier.
        parameters.push((b"standard_conforming_strings".to_vec(), b"on".to_vec()));
        if !parameters.iter().any(|(name, _)| name == b"client_encoding") {
            parameters.push((b"client_encoding".to_vec(), b"UTF8".to_vec()));
        }
        parameters
    }
}

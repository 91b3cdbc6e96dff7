//! The way to a target: an address, and TLS on it as configured. A cancel request goes it once more.

use std::net::SocketAddr;
use std::sync::Arc;

use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio_rustls::TlsConnector;
use weir_wire::postgres::startup;

use super::login::LoginError;
use crate::config::TargetConfig;
use crate::driver::buffer::Buffer;
use crate::driver::stream::Stream;
use crate::flow::dial;
use crate::identity::{Credential, Proof};
use crate::tls::{ClientCertificate, POSTGRESQL, TlsError};

/// An address and how it is spoken to.
#[derive(Clone)]
pub struct Way {
    /// Where.
    pub address: SocketAddr,
    tls: Option<Tls>,
}

#[derive(Clone)]
struct Tls {
    config: Arc<ClientConfig>,
    name: ServerName<'static>,
    direct: bool,
}

/// Dials a target; returns the connection and how to make another like it.
///
/// # Errors
/// See [`LoginError`].
pub async fn connect(
    config: &TargetConfig,
    credential: Option<&Credential>,
    original: SocketAddr,
) -> Result<(Way, Stream), LoginError> {
    let addresses = dial::upstream(config, original).await?;
    let tcp = dial::dial(&addresses).await?;
    let address = tcp.peer_addr()?;
    let tls = Tls::new(config, credential, address);
    let way = Way { address, tls: tls.map_err(|error| LoginError::Tls(error.to_string()))? };
    let stream = way.encrypt(Stream::Plain(tcp.into())).await?;
    Ok((way, stream))
}

impl Way {
    /// Another connection.
    ///
    /// # Errors
    /// See [`LoginError`].
    pub async fn again(&self) -> Result<Stream, LoginError> {
        let tcp = dial::dial(&[self.address]).await?;
        self.encrypt(Stream::Plain(tcp.into())).await
    }

    async fn encrypt(&self, mut stream: Stream) -> Result<Stream, LoginError> {
        let Some(tls) = &self.tls else { return Ok(stream) };
        if !tls.direct {
            ask(&mut stream).await?;
        }
        let Stream::Plain(tcp) = stream else {
            return Err(LoginError::Tls("TLS within TLS".to_owned()));
        };
        let connector = TlsConnector::from(tls.config.clone());
        let connected = connector.connect(tls.name.clone(), tcp).await;
        let connected = connected.map_err(|error| LoginError::Tls(error.to_string()))?;
        let agreed = connected.get_ref().1.alpn_protocol() == Some(POSTGRESQL);
        if tls.direct && !agreed {
            let why = "the target took a handshake without the protocol's name";
            return Err(LoginError::Tls(why.to_owned()));
        }
        Ok(Stream::ToTarget(Box::new(connected)))
    }
}

impl Tls {
    fn new(
        config: &TargetConfig,
        credential: Option<&Credential>,
        address: SocketAddr,
    ) -> Result<Option<Self>, TlsError> {
        let certificate = credential.and_then(|credential| match &credential.proof {
            Proof::Certificate { chain_pem, key_pem } => {
                Some(ClientCertificate { chain_pem, key_pem: key_pem.expose() })
            }
            Proof::Password(_) => None,
        });
        let direct = config.tls.is_direct();
        let alpn: &[&[u8]] = if direct { &[POSTGRESQL] } else { &[] };
        let Some(tls) = config.tls.client_config(certificate.as_ref(), alpn)? else {
            return Ok(None);
        };
        // The name that the administrator configured, never one that the agent chose.
        let upstream = config.upstream.as_deref().and_then(|name| name.rsplit_once(':'));
        let address = address.ip().to_string();
        let host = upstream.map(|(host, _)| host).or(config.hosts.first().map(String::as_str));
        let name = config.tls.server_name(host.unwrap_or(&address))?;
        Ok(Some(Self { config: tls, name, direct }))
    }
}

async fn ask(stream: &mut Stream) -> Result<(), LoginError> {
    let mut out = Vec::new();
    startup::encode_ssl(&mut out);
    stream.write(&out).await?;
    let mut answer = Buffer::default();
    stream.read(&mut answer, 1).await?;
    match answer.unread() {
        b"S" => Ok(()),
        b"N" => Err(LoginError::Tls("the target does not speak TLS".to_owned())),
        _ => Err(LoginError::Tls("the target answered a TLS request with more".to_owned())),
    }
}

//! What a client says to prove itself: a password, or SASL with the texts of SCRAM in it (RFC 5802).
//! Borrowed, and not believed: who reads on has to compare and compute.

use crate::WireError;
use crate::reader::Reader;

/// The first answer of a SASL exchange.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Initial<'a> {
    /// The mechanism chosen.
    pub mechanism: &'a [u8],
    /// The mechanism's own data, if it begins with the client.
    pub data: Option<&'a [u8]>,
}

/// What a client says about binding to the channel below.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Channel<'a> {
    /// It can't.
    Unsupported,
    /// It could, and believes that the server can't.
    Unoffered,
    /// It does, in a named way.
    Bound(&'a str),
}

/// SCRAM's `client-first-message`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct ClientFirst<'a> {
    /// What it says about the channel.
    pub channel: Channel<'a>,
    /// The same as it stands there: the GS2 header, which is repeated in the end.
    pub header: &'a str,
    /// The message without the header.
    pub bare: &'a str,
    /// The client's nonce.
    pub nonce: &'a str,
}

/// SCRAM's `client-final-message`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct ClientFinal<'a> {
    /// The header and the channel's data, in base64.
    pub channel: &'a str,
    /// Both nonces.
    pub nonce: &'a str,
    /// The proof, in base64.
    pub proof: &'a str,
    /// The message up to the proof.
    pub without_proof: &'a str,
}

/// Reads the body of a PasswordMessage.
pub fn password(body: &[u8]) -> Result<&[u8], WireError> {
    let mut reader = Reader::new("PasswordMessage", body);
    let password = reader.cstr()?;
    reader.end().map(|()| password)
}

/// Reads the body of a SASLInitialResponse.
pub fn initial(body: &[u8]) -> Result<Initial<'_>, WireError> {
    let mut reader = Reader::new("SASLInitialResponse", body);
    let (mechanism, data) = (reader.cstr()?, reader.cell()?);
    reader.end().map(|()| Initial { mechanism, data })
}

/// Reads a `client-first-message`. Whom it wants to be is not asked: the start-up said so.
pub fn client_first(text: &[u8]) -> Result<ClientFirst<'_>, WireError> {
    const WRONG: WireError = WireError::Malformed { what: "SCRAM's first message" };
    let text = std::str::from_utf8(text).map_err(|_| WRONG)?;
    let (flag, rest) = text.split_once(',').ok_or(WRONG)?;
    let channel = match flag.split_once('=') {
        None if flag == "n" => Channel::Unsupported,
        None if flag == "y" => Channel::Unoffered,
        Some(("p", name)) if !name.is_empty() => Channel::Bound(name),
        _ => return Err(WRONG),
    };
    // To act for another user is not to be had here, as in the server.
    let bare = rest.strip_prefix(',').ok_or(WRONG)?;
    let header = text.strip_suffix(bare).ok_or(WRONG)?;
    let mut attributes = bare.split(',');
    // An `m=` in front would be an extension that must be understood.
    attributes.next().and_then(|user| user.strip_prefix("n=")).ok_or(WRONG)?;
    let nonce = attributes.next().and_then(|nonce| nonce.strip_prefix("r=")).ok_or(WRONG)?;
    if nonce.is_empty() || !nonce.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(WRONG);
    }
    Ok(ClientFirst { channel, header, bare, nonce })
}

/// Reads a `client-final-message`.
pub fn client_final(text: &[u8]) -> Result<ClientFinal<'_>, WireError> {
    const WRONG: WireError = WireError::Malformed { what: "SCRAM's final message" };
    let text = std::str::from_utf8(text).map_err(|_| WRONG)?;
    let (without_proof, proof) = text.rsplit_once(",p=").ok_or(WRONG)?;
    let mut attributes = without_proof.split(',');
    let channel = attributes.next().and_then(|data| data.strip_prefix("c=")).ok_or(WRONG)?;
    let nonce = attributes.next().and_then(|nonce| nonce.strip_prefix("r=")).ok_or(WRONG)?;
    if proof.contains(',') {
        return Err(WRONG);
    }
    Ok(ClientFinal { channel, nonce, proof, without_proof })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn the_first_message_is_split_where_the_rfc_says() {
        let read = |text: &'static str| client_first(text.as_bytes());
        let first = read("p=tls-server-end-point,,n=,r=abc,x=1").unwrap();
        assert_eq!(first.channel, Channel::Bound("tls-server-end-point"));
        assert_eq!(first.header, "p=tls-server-end-point,,");
        assert_eq!((first.bare, first.nonce), ("n=,r=abc,x=1", "abc"));
        assert_eq!(read("n,,n=ann,r=abc").unwrap().channel, Channel::Unsupported);
        assert_eq!(read("y,,n=ann,r=abc").unwrap().channel, Channel::Unoffered);
        for wrong in [
            "",
            "n",
            "n,",
            "n,,",
            "n,,n=",
            "n,,n=,r=",
            "n,,r=abc,n=",
            "n,,m=x,n=,r=abc",
            "n,a=root,n=,r=abc",
            "p,,n=,r=abc",
            "p=,,n=,r=abc",
            "x,,n=,r=abc",
            "n,,n=,r=a\u{e9}",
            "n,,n=,r=a b",
        ] {
            assert!(client_first(wrong.as_bytes()).is_err(), "{wrong:?}");
        }
        assert!(client_first(b"n,,n=\xff,r=abc").is_err());
    }

    #[test]
    fn the_proof_comes_last() {
        let last = client_final(b"c=biws,r=abcdef,x=1,p=cHJvb2Y=").unwrap();
        assert_eq!((last.channel, last.nonce, last.proof), ("biws", "abcdef", "cHJvb2Y="));
        assert_eq!(last.without_proof, "c=biws,r=abcdef,x=1");
        for wrong in ["", "c=biws,r=abc", "r=abc,c=biws,p=x", "c=biws,p=x,r=abc", "c=biws,p=x"] {
            assert!(client_final(wrong.as_bytes()).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn bodies_end_where_they_say() {
        assert_eq!(password(b"hush\0"), Ok(b"hush".as_slice()));
        assert!(password(b"hush").is_err() && password(b"hush\0\0").is_err());
        let first = initial(b"SCRAM-SHA-256\0\0\0\0\x01x").unwrap();
        assert_eq!((first.mechanism, first.data), (b"SCRAM-SHA-256".as_slice(), Some(&b"x"[..])));
        assert_eq!(initial(b"X\0\xff\xff\xff\xff").unwrap().data, None);
        assert!(initial(b"X\0\0\0\0\x02x").is_err() && initial(b"X\0\0\0\0\x01xx").is_err());
    }
}

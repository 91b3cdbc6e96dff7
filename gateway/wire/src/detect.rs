//! Which protocol a client speaks, from its first bytes alone.

use weir_model::limits;

use crate::postgres::startup;

/// What the first bytes look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detected {
    /// They may still become something.
    NeedMore,
    /// A PostgreSQL start-up, SSL, GSS or cancel packet.
    Postgres,
    /// A TLS handshake.
    Tls,
    /// An HTTP/1 request line or the HTTP/2 preface.
    Http,
    /// An SSH identification string.
    Ssh,
    /// None of them.
    Unknown,
}

/// Looks at the first bytes of a client; at most 9 of them matter.
pub fn detect(first: &[u8]) -> Detected {
    match first {
        [] => Detected::NeedMore,
        [0x16] => Detected::NeedMore,
        [0x16, 0x03, ..] => Detected::Tls,
        [0x00, ..] => postgres(first),
        _ => text(first),
    }
}

fn postgres(first: &[u8]) -> Detected {
    let Some((length, rest)) = first.split_first_chunk::<4>() else {
        // A start-up packet is below 64 KiB, so its second byte is zero as well.
        return match first.get(1) {
            None | Some(0) => Detected::NeedMore,
            Some(_) => Detected::Unknown,
        };
    };
    let length = u32::from_be_bytes(*length) as usize;
    if !(8..=limits::STARTUP_BYTES).contains(&length) {
        return Detected::Unknown;
    }
    let Some((code, _)) = rest.split_first_chunk::<4>() else {
        let begins = |major: &[u8; 2]| major.iter().zip(rest).all(|(want, have)| want == have);
        return match [startup::MAJOR_BYTES, startup::REQUEST_MAJOR].iter().any(begins) {
            true => Detected::NeedMore,
            false => Detected::Unknown,
        };
    };
    match u32::from_be_bytes(*code) {
        startup::SSL_CODE | startup::GSSENC_CODE if length == 8 => Detected::Postgres,
        startup::CANCEL_CODE if length >= startup::CANCEL_MIN => Detected::Postgres,
        code if code >> 16 == startup::MAJOR => Detected::Postgres,
        _ => Detected::Unknown,
    }
}

fn text(first: &[u8]) -> Detected {
    const HTTP: [&[u8]; 10] = [
        b"GET ",
        b"POST ",
        b"HEAD ",
        b"PUT ",
        b"PATCH ",
        b"DELETE ",
        b"OPTIONS ",
        b"CONNECT ",
        b"TRACE ",
        b"PRI * HTT",
    ];
    const SSH: &[u8] = b"SSH-";
    if first.starts_with(SSH) {
        return Detected::Ssh;
    }
    if HTTP.iter().any(|method| first.starts_with(method)) {
        return Detected::Http;
    }
    if SSH.starts_with(first) || HTTP.iter().any(|method| method.starts_with(first)) {
        return Detected::NeedMore;
    }
    Detected::Unknown
}

#[cfg(test)]
mod tests;

//! Passwords in connection URIs: `postgres://user:password@host`.

use crate::detector::{Detector, Finding, run};

/// What stands before an authority (RFC 3986, section 3.2).
pub(crate) const MARK: &str = "://";

/// Finds the password alone: what is connected to, and as whom, is worth reading.
pub(crate) struct ConnectionUri;

impl Detector for ConnectionUri {
    fn name(&self) -> &'static str {
        "connection_password"
    }

    fn class(&self) -> &'static str {
        "secret"
    }

    fn find(&self, text: &str, findings: &mut Vec<Finding>) {
        let mut from = 0;
        while let Some(at) = text.get(from..).and_then(|rest| rest.find(MARK)) {
            let authority = from + at + MARK.len();
            from = authority;
            if let Some((start, end)) = password(text.as_bytes(), authority) {
                findings.push(Finding { start, end });
                from = end;
            }
        }
    }
}

/// Where the password lies in the authority that begins at `start`, if it has one.
pub(crate) fn password(bytes: &[u8], start: usize) -> Option<(usize, usize)> {
    let length = run(bytes, start, is_authority);
    let authority = &bytes[start..start + length];
    // An `@` in the password should be escaped and often isn't: the last one is the host's.
    let host = authority.iter().rposition(|b| *b == b'@')?;
    let colon = authority[..host].iter().position(|b| *b == b':')?;
    let password = &authority[colon + 1..host];
    // A name in brackets or after a sign stands for a password: `${PASSWORD}`, `[redacted]`, `***`.
    let hollow = password.first().is_none_or(|b| b"$[{*".contains(b));
    (!hollow).then_some((start + colon + 1, start + host))
}

/// Whether a byte doesn't end an authority; what quotes a URI in a text ends it too.
fn is_authority(byte: u8) -> bool {
    byte > b' ' && !b"/?#\"'`<>\\|\x7f".contains(&byte)
}

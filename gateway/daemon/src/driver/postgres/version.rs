//! Which minor version and options of the protocol are spoken. Weir answers for what it speaks itself:
//! a version or option that only the two ends know could change what a message means.

use weir_wire::WireError;
use weir_wire::postgres::{build, startup};

/// The newest minor version that is spoken here: PostgreSQL 18's.
const NEWEST: u16 = 2;
/// How the names of protocol options begin.
const OPTION: &[u8] = b"_pq_.";

/// What to ask the target for on behalf of a client.
pub fn asked(client: u16) -> u16 {
    client.min(NEWEST)
}

/// Whether a start-up parameter is a protocol option; none is spoken here.
pub fn is_option(name: &[u8]) -> bool {
    name.starts_with(OPTION)
}

/// The minor version that a target chose, which is not above the one it was asked for.
///
/// # Errors
/// It chose another.
pub fn lowered(chosen: u32, asked: u16) -> Result<u16, WireError> {
    match u16::try_from(chosen & 0xffff) {
        Ok(minor) if chosen >> 16 == startup::MAJOR && minor <= asked => Ok(minor),
        _ => {
            let (what, field) = ("NegotiateProtocolVersion", "version that was asked for");
            Err(WireError::Value { what, field, value: chosen })
        }
    }
}

/// Tells a client what is spoken, where it asked for more.
///
/// # Errors
/// The names of its options are too long for a message.
pub fn tell(
    client: u16,
    spoken: u16,
    parameters: &[(Vec<u8>, Vec<u8>)],
    out: &mut Vec<u8>,
) -> Result<(), WireError> {
    let names = parameters.iter().map(|(name, _)| name.as_slice());
    let mut unknown = names.filter(|name| is_option(name)).peekable();
    if client <= spoken && unknown.peek().is_none() {
        return Ok(());
    }
    build::negotiate_protocol_version(spoken, unknown, out)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_target_may_lower_the_version_and_nothing_else() {
        for (chosen, asked, spoken) in [
            (0x3_0000, 2, Some(0)),
            (0x3_0002, 2, Some(2)),
            (0x3_0002, 0, None),
            (0x2_0000, 2, None),
            (0x4_0000, 2, None),
        ] {
            assert_eq!(lowered(chosen, asked).ok(), spoken, "{chosen:x} {asked}");
        }
        assert_eq!([asked(0), asked(2), asked(9_999)], [0, 2, 2]);
    }

    #[test]
    fn a_client_that_asks_for_more_is_told() {
        let own = |name: &[u8]| (name.to_vec(), b"x".to_vec());
        let told = |client, spoken, names: &[&[u8]]| {
            let mut out = Vec::new();
            let parameters: Vec<_> = names.iter().map(|name| own(name)).collect();
            tell(client, spoken, &parameters, &mut out).unwrap();
            out
        };
        assert!(told(2, 2, &[b"user"]).is_empty());
        assert!(told(0, 0, &[]).is_empty());
        assert_eq!(told(2, 0, &[b"user"]), b"v\0\0\0\x0c\0\x03\0\0\0\0\0\0");
        assert_eq!(told(0, 0, &[b"_pq_.x"]), b"v\0\0\0\x13\0\x03\0\0\0\0\0\x01_pq_.x\0");
        assert_eq!(told(9_999, 2, &[]), b"v\0\0\0\x0c\0\x03\0\x02\0\0\0\0");
    }
}

//! The first 4 KiB of a segment of the write-ahead log; frames follow.
//!
//! Little endian: magic `WEIRWAL2` (8) · first index (8) · boot (8) · created, microseconds (8) ·
//! length of the host's name (2) · the name (at most 255) · zeros · CRC-32C of all before (4).

/// Bytes of the header.
pub const HEADER_BYTES: usize = 4096;

const MAGIC: &[u8; 8] = b"WEIRWAL2";
const VERSION: usize = 7;
const HOST: usize = 34;
const HOST_BYTES: usize = 255;
const CRC: usize = HEADER_BYTES - 4;

/// Whose segment it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// The index of its first frame.
    pub first_index: u64,
    /// The life of the gateway that wrote it; larger in each life.
    pub boot: u64,
    /// When it was begun, microseconds since the Unix epoch.
    pub created_us: i64,
    /// The host's name, at most 255 bytes.
    pub host: String,
}

impl Header {
    /// The header as bytes; a host's name that is too long is cut.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = vec![0; HEADER_BYTES];
        let host = &self.host.as_bytes()[..self.host.floor_char_boundary(HOST_BYTES)];
        bytes[..8].copy_from_slice(MAGIC);
        bytes[8..16].copy_from_slice(&self.first_index.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.boot.to_le_bytes());
        bytes[24..32].copy_from_slice(&self.created_us.to_le_bytes());
        bytes[32..HOST].copy_from_slice(&(host.len() as u16).to_le_bytes());
        bytes[HOST..HOST + host.len()].copy_from_slice(host);
        let crc = crc32c::crc32c(&bytes[..CRC]);
        bytes[CRC..].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    /// Whether the bytes begin a segment that another version of the gateway wrote.
    pub fn is_foreign(bytes: &[u8]) -> bool {
        bytes.starts_with(&MAGIC[..VERSION]) && !bytes.starts_with(MAGIC)
    }

    /// Reads a header; `None` where the bytes are not one.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; HEADER_BYTES] = bytes.get(..HEADER_BYTES)?.try_into().ok()?;
        let crc = u32::from_le_bytes(bytes[CRC..].try_into().ok()?);
        if !bytes.starts_with(MAGIC) || crc32c::crc32c(&bytes[..CRC]) != crc {
            return None;
        }
        let long = |at: usize| bytes[at..at + 8].try_into().map(u64::from_le_bytes).ok();
        let host_len = usize::from(u16::from_le_bytes(bytes[32..HOST].try_into().ok()?));
        Some(Self {
            first_index: long(8)?,
            boot: long(16)?,
            created_us: long(24)? as i64,
            host: std::str::from_utf8(bytes.get(HOST..HOST + host_len)?).ok()?.to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_header_survives_the_round_trip_and_no_flipped_bit() {
        let header =
            Header { first_index: 7, boot: 9, created_us: -1, host: "h\u{fc}-".repeat(100) };
        let bytes = header.encode();
        let read = Header::decode(&bytes).unwrap();
        assert_eq!((read.first_index, read.boot, read.created_us), (7, 9, -1));
        assert!(header.host.starts_with(&read.host));
        for at in [0, 8, 33, 34, 300, 4095] {
            let mut broken = bytes.clone();
            broken[at] ^= 1;
            assert_eq!(Header::decode(&broken), None);
        }
        assert_eq!(Header::decode(&[0; HEADER_BYTES]), None);
        assert!(!Header::is_foreign(&bytes) && !Header::is_foreign(&[0; HEADER_BYTES]));
        assert!(Header::is_foreign(b"WEIRWAL1"));
        assert_eq!(Header::decode(&bytes[..100]), None);
    }
}

//! Java's trust store with one certificate more, without starting a Java.
//!
//! Both forms that JDKs ship are read: JKS, and PKCS#12 without a password (since JDK 18). What is
//! written is JKS, which every Java reads whatever the file's name and default type are.

use std::time::{SystemTime, UNIX_EPOCH};

use aws_lc_rs::digest::{Context, SHA1_FOR_LEGACY_USE_ONLY};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

const MAGIC: u32 = 0xfeed_feed;
const VERSION: u32 = 2;
/// The tag of a certificate that is trusted.
const TRUSTED: u32 = 2;
const DIGEST_BYTES: usize = 20;
/// What every trust store of a JDK has as its password.
const PASSWORD: &str = "changeit";
const ALIAS: &str = "weir";
/// The object identifier of an X.509 certificate in a bag of PKCS#12, encoded.
const X509_BAG: &[u8] = b"\x06\x0a\x2a\x86\x48\x86\xf7\x0d\x01\x09\x16\x01";

/// The same store and the certificate; the error says why not.
pub(in crate::cli::run) fn with_certificate(store: &[u8], pem: &str) -> Result<Vec<u8>, String> {
    let certificate = CertificateDer::from_pem_slice(pem.as_bytes())
        .map_err(|error| format!("Weir's certificate can't be read: {error}"))?;
    let (count, entries) = match store {
        [0xfe, 0xed, 0xfe, 0xed, ..] => of_jks(store)?,
        [0x30, ..] => of_pkcs12(store)?,
        _ => return Err("it is neither JKS nor PKCS#12".to_owned()),
    };
    let mut out = Vec::with_capacity(store.len() + certificate.len() + 256);
    out.extend([MAGIC, VERSION, count + 1].map(u32::to_be_bytes).concat());
    out.extend(entries);
    entry(&mut out, ALIAS, &certificate)?;
    let mut digest = Context::new(&SHA1_FOR_LEGACY_USE_ONLY);
    digest.update(&PASSWORD.encode_utf16().flat_map(u16::to_be_bytes).collect::<Vec<u8>>());
    digest.update(b"Mighty Aphrodite");
    digest.update(&out);
    out.extend_from_slice(digest.finish().as_ref());
    Ok(out)
}

/// How many entries a JKS has, and their bytes as they are.
fn of_jks(store: &[u8]) -> Result<(u32, Vec<u8>), String> {
    let word = |at: usize| {
        let bytes = store.get(at..at + 4).and_then(|bytes| bytes.try_into().ok());
        bytes.map(u32::from_be_bytes).ok_or("it ends too early")
    };
    if word(4)? != VERSION {
        return Err(format!("it is JKS of version {}", word(4)?));
    }
    let end = store.len().checked_sub(DIGEST_BYTES).filter(|end| *end >= 12);
    let entries = end.and_then(|end| store.get(12..end)).ok_or("it ends too early")?;
    Ok((word(8)?, entries.to_vec()))
}

/// The certificates of a PKCS#12 store that are not encrypted, as entries.
fn of_pkcs12(store: &[u8]) -> Result<(u32, Vec<u8>), String> {
    let mut entries = Vec::new();
    let mut count = 0;
    for (at, _) in store.windows(X509_BAG.len()).enumerate().filter(|(_, it)| *it == X509_BAG) {
        // Behind the identifier: [0], in it an OCTET STRING, in that the certificate.
        let rest = store.get(at + X509_BAG.len()..).unwrap_or_default();
        let certificate = inside(rest, 0xa0).and_then(|rest| inside(rest, 0x04));
        let certificate = certificate.ok_or("a certificate in it can't be read")?;
        entry(&mut entries, &format!("authority-{count}"), certificate)?;
        count += 1;
    }
    if count == 0 {
        return Err("it is encrypted PKCS#12".to_owned());
    }
    Ok((count, entries))
}

/// The content of the DER element at the beginning, which must have this tag.
fn inside(bytes: &[u8], tag: u8) -> Option<&[u8]> {
    let (found, rest) = bytes.split_first()?;
    let (first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        0..=0x7f => (usize::from(*first), rest),
        0x80..=0x84 => {
            let (digits, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
            (digits.iter().fold(0, |sum, digit| sum << 8 | usize::from(*digit)), rest)
        }
        _ => return None,
    };
    (*found == tag).then(|| rest.get(..length)).flatten()
}

fn entry(out: &mut Vec<u8>, alias: &str, certificate: &[u8]) -> Result<(), String> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let length = u32::try_from(certificate.len()).map_err(|_| "a certificate is too large")?;
    out.extend(TRUSTED.to_be_bytes());
    text(out, alias);
    out.extend(u64::try_from(now.as_millis()).unwrap_or(0).to_be_bytes());
    text(out, "X.509");
    out.extend(length.to_be_bytes());
    out.extend_from_slice(certificate);
    Ok(())
}

/// A short text of plain letters, as Java's `writeUTF` does.
fn text(out: &mut Vec<u8>, text: &str) {
    out.extend((text.len() as u16).to_be_bytes());
    out.extend_from_slice(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_trust_store_is_left_alone() {
        let pem = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        let check = |store: &[u8], expected: &str| {
            let error = with_certificate(store, pem).map(drop);
            assert_eq!(error, Err(expected.to_owned()));
        };
        check(b"", "it is neither JKS nor PKCS#12");
        check(b"\xfe\xed\xfe\xed\0\0\0\x02", "it ends too early");
        check(b"\xfe\xed\xfe\xed\0\0\0\x01\0\0\0\0", "it is JKS of version 1");
        check(b"\x30\x03\x02\x01\x03", "it is encrypted PKCS#12");
    }
}

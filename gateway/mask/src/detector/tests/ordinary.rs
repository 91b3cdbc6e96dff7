//! Values that tables are full of, and in which nothing may be found.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use proptest::prelude::*;

use crate::samples::{found, masker};

/// Kinds of value, and some of each.
const VALUES: &[(&str, &[&str])] = &[
    (
        "addresses",
        &[
            "192.168.178.201",
            "10.0.0.1/24",
            "255.255.255.255",
            "2001:0db8:85a3:0000:0000:8a2e:0370:7334",
            "fe80::1ff:fe23:4567:890a",
            "00:1a:2b:3c:4d:5e",
            "00-1A-2B-3C-4D-5E",
            "10.244.12.7:5432",
        ],
    ),
    (
        "books and goods",
        &[
            "978-3-16-148410-0",
            "9783161484100",
            "0-306-40615-2",
            "ISBN 0 306 40615 2",
            "4006381333931",
            "012345678905",
            "1234-5678",
            "B00005N5PF",
            "SKU-12345-XL",
            "EAN 4 006381 333931",
        ],
    ),
    (
        "orders and tickets",
        &[
            "ORD-2024-001234",
            "INV-20240115-0042",
            "2024-000123",
            "#4711",
            "JIRA-12345",
            "R-1234567",
            "PO 450001234",
            "1Z999AA10123456784",
            "RE/2024/01/15",
            "100-200-300",
            "CASE 12345678",
        ],
    ),
    (
        "moments",
        &[
            "2024-01-15 10:20:30.123456+00",
            "20240115-103059",
            "20240115103059",
            "240115-1030",
            "20240115-1030",
            "2024.01.15 10.20.30",
            "15.01.24-10.20",
            "2024-W03-1",
            "1705314030",
            "1705314030123",
            "1705314030123456",
            "1705314030123456789",
            "20240115_1030",
            "15 01 24 10 20",
        ],
    ),
    (
        "versions",
        &[
            "1.2.3",
            "10.15.7",
            "v1.30.2-rc.1+build.5",
            "6.1.0-18-amd64",
            "2024.1.0.1234",
            "v1.0-beta",
            "postgresql-16.1-1.pgdg120+1",
            "117.0.5938.132",
            "1.0.0-20240115103059-abcdef123456",
        ],
    ),
    (
        "hashes",
        &[
            "d41d8cd98f00b204e9800998ecf8427e",
            "da39a3ee5e6b4b0d3255bfef95601890afd80709",
            "18822d8",
            "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
            "W/\"5f3c-1a2b3c\"",
            "SHA256:nThbg6kXUpJWGl7E1IGOCspRomTxdCARLviKw6E5SY8",
            "md5",
            "5D41402ABC4B2A76B9719D911017C592",
        ],
    ),
    (
        "identifiers",
        &[
            "550e8400-e29b-41d4-a716-446655440000",
            // Its last four groups are an Andorran account with a right checksum.
            "45189f81-ad78-dd58-12f1-cee75abf691b",
            "01ARZ3NDEKTSV4RRFFQ69G5FAV",
            "507f1f77bcf86cd799439011",
            "arn:aws:iam::123456789012:role/app",
            "i-0123456789abcdef0",
            "vol-049df61146c4d7901",
            "projects/p/secrets/db",
            "cus_NffrFeUfNV2Hib",
            "pk_live_abcdef",
            "U12345678",
            "C024BE91L",
            "1541815603606036480",
            "urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6",
            "dQw4w9WgXcQ",
        ],
    ),
    (
        "numbers",
        &[
            "1,234,567.89",
            "1.234.567,89",
            "12 345 678",
            "1 234 567 890",
            "12 345 678 901 234",
            "3.141592653589793",
            "-1e+30",
            "0x7fff5fbff8c8",
            "100 200 300 400",
            "{1234,5678,9012,3456}",
            "1234 5678",
            "0.12345678901",
            "12345678901.5",
            "99.999.999",
            "123.456.789.012",
        ],
    ),
    (
        "texts",
        &[
            "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk",
            "SELECT $1, $2 FROM t WHERE a << 2",
            "https://example.com:8443/a/b?c=d#e",
            "the key-value store",
            "servicio de envío",
            "git@localhost",
            "/usr/lib/x86_64-linux-gnu",
            "a <- b; c << d; std::cout << \"x\" << y",
            "C:\\Users\\Public",
            "postgres://localhost:5432/app",
            "50.4501, 30.5234",
            "POINT(30.5234 50.4501)",
            "10-20 kg, 3-5 days",
        ],
    ),
];

#[test]
fn nothing_is_found_in_ordinary_values() {
    for (kind, values) in VALUES {
        for value in *values {
            for text in [(*value).to_owned(), format!("({value})"), format!("see {value}, please")]
            {
                assert_eq!(found(&text), [], "{kind}: {text}");
            }
        }
    }
}

#[test]
fn nothing_is_found_in_numbers_that_count() {
    let masker = masker();
    for length in 1..=20 {
        for first in ["1000000000000000000000", "1234567890123456789012", "2000000000000000000000"]
        {
            let first: u128 = first[..length].parse().expect("a number");
            for number in first..first + 500 {
                let text = number.to_string();
                if !masker.row_is_clean(text.as_bytes()) {
                    assert_eq!(found(&text), [], "{text}");
                }
            }
        }
    }
}

proptest! {
    #[test]
    fn nothing_is_found_in_what_is_drawn_by_lot(
        hex in "[0-9a-f]{7,64}",
        upper in "[0-9A-F]{32}",
        words in "[A-Za-z0-9+/]{20,80}={0,2}",
        moment in "20[0-3][0-9]-(0[1-9]|1[0-2])-[0-2][0-9][T ][0-2][0-9]:[0-5][0-9]:[0-5][0-9]\\.[0-9]{6}",
        address in "[0-9]{1,3}\\.[0-9]{1,3}\\.[0-9]{1,3}\\.[0-9]{1,3}",
        amount in "[0-9]{1,3}(,[0-9]{3}){0,3}\\.[0-9]{2}",
        milliseconds in 1_500_000_000_000u64..1_899_000_000_000,
    ) {
        // A run of nothing but digits is a number, and may be one of these.
        let lettered = |text: &&String| text.bytes().any(|b| b.is_ascii_lowercase());
        for text in [hex, words].iter().filter(lettered).chain([&upper, &moment, &address, &amount]) {
            prop_assert_eq!(found(text), [], "{}", text);
        }
        prop_assert_eq!(found(&milliseconds.to_string()), []);
    }
}

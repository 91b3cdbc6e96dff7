//! Names of character sets, as a client asks for them.

/// PostgreSQL's server encodings but UTF-8 and `MULE_INTERNAL`, with their other names (`pg_encname_tbl` in
/// `common/encnames.c`): no byte of a longer character looks like ASCII. Those for clients alone, from
/// SJIS on (`PG_ENCODING_BE_LAST` in `mb/pg_wchar.h`), have bytes that look like quotes and backslashes.
const ASCII_SAFE: &[&str] = &[
    "sqlascii",
    "euccn",
    "eucjis2004",
    "eucjp",
    "euckr",
    "euctw",
    "latin1",
    "latin2",
    "latin3",
    "latin4",
    "latin5",
    "latin6",
    "latin7",
    "latin8",
    "latin9",
    "latin10",
    "iso88591",
    "iso88592",
    "iso88593",
    "iso88594",
    "iso88595",
    "iso88596",
    "iso88597",
    "iso88598",
    "iso88599",
    "iso885910",
    "iso885913",
    "iso885914",
    "iso885915",
    "iso885916",
    "koi8",
    "koi8r",
    "koi8u",
    "abc",
    "alt",
    "tcvn",
    "tcvn5712",
    "vscii",
    "win",
    "win866",
    "win874",
    "win1250",
    "win1251",
    "win1252",
    "win1253",
    "win1254",
    "win1255",
    "win1256",
    "win1257",
    "win1258",
    "windows866",
    "windows874",
    "windows1250",
    "windows1251",
    "windows1252",
    "windows1253",
    "windows1254",
    "windows1255",
    "windows1256",
    "windows1257",
    "windows1258",
];

/// Whether an encoding is UTF-8, whose texts are read here as the server reads them.
pub fn is_utf8(name: &[u8]) -> bool {
    matches!(plain(name).as_str(), "utf8" | "unicode")
}

/// Whether no byte of a character in an encoding looks like ASCII, so that what is ASCII in a text is
/// that and no more.
pub fn is_ascii_safe(name: &[u8]) -> bool {
    is_utf8(name) || ASCII_SAFE.contains(&plain(name).as_str())
}

/// As the server compares names (`clean_encoding_name`): letters and digits alone, in one case.
fn plain(name: &[u8]) -> String {
    let kept = name.iter().filter(|byte| byte.is_ascii_alphanumeric());
    kept.map(|byte| char::from(byte.to_ascii_lowercase())).collect()
}

//! Checks of the numbers of the northern states, most of them a day of birth and a serial number.

use crate::detector::national::check::*;

/// Personnummer and samordningsnummer: Skatteverket, SKV 704; Luhn over the last ten digits. The
/// day is raised by 60 in the latter. What reads as a moment of our time (`20240115-1030`) is one.
pub(super) fn se_personnummer(c: &[u8]) -> bool {
    let (century, c) = c.split_at(c.len() - 10);
    let day = number(&c[4..6]);
    let dated = date(if day > 60 { day - 60 } else { day }, number(&c[2..4]));
    let recent = match century {
        b"" => number(&c[..2]) < 40,
        b"18" | b"19" => false,
        b"20" => true,
        _ => return false,
    };
    dated && !(recent && hhmm(&c[6..])) && &c[6..9] != b"000" && luhn(c)
}

/// CPR number: CPR-kontoret, "Personnummeret i CPR-systemet", modulus 11. Numbers without the
/// check, given since 2007 for few days of birth, are left out.
pub(super) fn dk_cpr(c: &[u8]) -> bool {
    ddmmyy(c) && !is_moment(c) && weighted(c, &[4, 3, 2, 7, 6, 5, 4, 3, 2, 1]).is_multiple_of(11)
}

/// Kennitala of a person: Registers Iceland; the ninth digit checks, the tenth is the century's.
pub(super) fn is_kennitala(c: &[u8]) -> bool {
    ddmmyy(c)
        && !is_moment(c)
        && matches!(c[9], b'8' | b'9' | b'0')
        && mod11(&c[..8], &[3, 2, 7, 6, 5, 4, 3, 2]) == value(c[8])
}

/// Whether ten digits also read as year, month, day, hour and minute.
fn is_moment(c: &[u8]) -> bool {
    number(&c[..2]) < 40 && yymmdd(c) && hhmm(&c[6..])
}

/// Henkilötunnus: Digital and Population Data Services Agency; nine digits mod 31.
pub(super) fn fi_hetu(c: &[u8]) -> bool {
    // A letter is the sign of the century where it stands, a dash is not among the characters.
    let (century, rest) = match c.len() {
        11 => (c[6], &c[7..]),
        _ => (b'A', &c[6..]),
    };
    let body = number(&c[..6]) * 1000 + number(&rest[..3]);
    let moment = c.len() == 10 && rest[3].is_ascii_digit() && is_moment(c);
    matches!(century, b'A'..=b'F' | b'U'..=b'Y')
        && ddmmyy(c)
        && !moment
        && number(&rest[..3]) >= 2
        && b"0123456789ABCDEFHJKLMNPRSTUVWXY"[(body % 31) as usize] == rest[3]
}

/// Fødselsnummer and D-number: Skatteetaten, two digits modulus 11. The day is raised by 40 in the
/// latter.
pub(super) fn no_fnr(c: &[u8]) -> bool {
    let day = number(&c[..2]);
    date(if day > 40 { day - 40 } else { day }, number(&c[2..4]))
        && mod11(&c[..9], &[3, 7, 6, 1, 8, 9, 4, 5, 2]) == value(c[9])
        && mod11(&c[..10], &[5, 4, 3, 2, 7, 6, 5, 4, 3, 2]) == value(c[10])
}

/// Personas kods, of who was born and numbered before July 2017: Population Register of Latvia. The
/// checksum as in python-stdnum, `lv.pvn`; the seventh digit is the century's.
pub(super) fn lv_personas_kods(c: &[u8]) -> bool {
    let sum = 1 + weighted(&c[..10], &[10, 5, 8, 4, 2, 1, 6, 3, 7, 9]);
    ddmmyy(c) && matches!(c[6], b'0'..=b'2') && sum % 11 % 10 == value(c[10])
}

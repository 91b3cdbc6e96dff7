//! Checks of the numbers of European states but the northern ones. Forms are in `national`.

use crate::detector::national::check::*;

/// National Health Service number, England and Wales: NHS Data Dictionary, "NHS Number", modulus 11.
pub(super) fn uk_nhs(c: &[u8]) -> bool {
    !uniform(c) && mod11(&c[..9], &[10, 9, 8, 7, 6, 5, 4, 3, 2]) == value(c[9])
}

/// National Insurance number: HMRC, National Insurance Manual, NIM39110. There is no check digit,
/// but letters that are never used.
pub(super) fn uk_nino(c: &[u8]) -> bool {
    let unused = [&b"BG"[..], b"GB", b"KN", b"NK", b"NT", b"TN", b"ZZ"];
    !b"DFIQUV".contains(&c[0])
        && !b"DFIOQUV".contains(&c[1])
        && !unused.contains(&&c[..2])
        && (b'A'..=b'D').contains(&c[8])
}

/// DNI and NIE: Real Decreto 1553/2005 and Orden INT/2058/2008; the letter is the rest mod 23.
pub(super) fn es_dni(c: &[u8]) -> bool {
    let first = match c[0] {
        b'X' => 0,
        b'Y' => 1,
        b'Z' => 2,
        b'0'..=b'9' => u64::from(value(c[0])),
        _ => return false,
    };
    let rest = (first * 10_000_000 + number(&c[1..8])) % 23;
    !uniform(&c[..8]) && b"TRWAGMYFPDXBNJZSQVHLCKE"[rest as usize] == c[8]
}

/// Numéro d'inscription au répertoire: INSEE; the key is 97 less the rest of thirteen digits.
pub(super) fn fr_nir(c: &[u8]) -> bool {
    // Corsica's departments 2A and 2B count as 19 and 18.
    let (department, corsica) = match &c[5..7] {
        b"2A" => (19, true),
        b"2B" => (18, true),
        digits if digits.iter().all(u8::is_ascii_digit) => (number(digits), false),
        _ => return false,
    };
    let place = corsica || (1..=95).contains(&department) || department >= 97;
    let whole = (number(&c[..5]) * 100 + department) * 1_000_000 + number(&c[7..13]);
    matches!(c[0], b'1' | b'2')
        && (1..=12).contains(&number(&c[3..5]))
        && place
        && &c[7..10] != b"000"
        && &c[10..13] != b"000"
        && 97 - whole % 97 == number(&c[13..15])
}

/// Codice fiscale: Decreto Ministeriale 23 December 1976. Codes with letters for digits, given to
/// people whose codes were equal, are left out.
pub(super) fn it_codice_fiscale(c: &[u8]) -> bool {
    const ODD: [u32; 26] = [
        1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24,
        23,
    ];
    let place = |byte: u8| match byte {
        b'0'..=b'9' => value(byte),
        _ => u32::from(byte.wrapping_sub(b'A')) % 26,
    };
    let weigh = |(at, byte): (usize, &u8)| match at % 2 {
        0 => ODD[place(*byte) as usize],
        _ => place(*byte),
    };
    let sum: u32 = c[..15].iter().enumerate().map(weigh).sum();
    let day = number(&c[9..11]);
    b"ABCDEHLMPRST".contains(&c[8]) && (matches!(day, 1..=31 | 41..=71)) && sum % 26 == place(c[15])
}

/// Steuer-Identifikationsnummer: § 139b AO, StIdV § 1; ISO 7064 MOD 11,10, and among the first ten
/// digits exactly one occurs twice or three times.
pub(super) fn de_tax_id(c: &[u8]) -> bool {
    let count = |digit: u8| c[..10].iter().filter(|d| **d == digit).count();
    let counts = (b'0'..=b'9').map(count).filter(|n| *n > 1);
    let (repeated, most) = counts.fold((0, 0), |(n, most), count| (n + 1, most.max(count)));
    let product = c[..10].iter().fold(10, |product, digit| {
        let sum = (value(*digit) + product) % 10;
        (if sum == 0 { 10 } else { sum }) * 2 % 11
    });
    c[0] != b'0' && repeated == 1 && most <= 3 && (11 - product) % 10 == value(c[10])
}

/// Rentenversicherungsnummer: VKVV § 2 and § 4; the letter counts as two digits.
pub(super) fn de_pension(c: &[u8]) -> bool {
    let letter = c[8] - b'A' + 1;
    let digits = [&c[..8], &[b'0' + letter / 10, b'0' + letter % 10], &c[9..11]].concat();
    let weights = [2, 1, 2, 5, 7, 1, 2, 1, 2, 1, 2, 1];
    let cross = |(digit, weight): (&u8, u32)| {
        let product = value(*digit) * weight;
        product / 10 + product % 10
    };
    let sum: u32 = digits.iter().zip(weights).map(cross).sum();
    number(&c[..2]) >= 2 && ddmmyy(&c[2..8]) && sum % 10 == value(c[11])
}

/// Sozialversicherungsnummer: ASVG § 31; three digits, the check digit, the day of birth.
pub(super) fn at_svnr(c: &[u8]) -> bool {
    let sum = weighted(c, &[3, 7, 9, 0, 5, 8, 4, 2, 1, 6]) % 11;
    c[0] != b'0' && ddmmyy(&c[4..]) && sum == value(c[3])
}

/// AHV number: Federal Social Insurance Office, thirteen digits with the check digit of EAN-13.
pub(super) fn ch_ahv(c: &[u8]) -> bool {
    c.starts_with(b"756")
        && weighted(c, &[1, 3, 1, 3, 1, 3, 1, 3, 1, 3, 1, 3, 1]).is_multiple_of(10)
}

/// Rijksregisternummer: Royal Decree of 3 April 1984; 97 less the rest of nine digits, which have a
/// 2 before them for who was born since 2000. The month is raised by 20 or 40 in a bis number.
pub(super) fn be_nrn(c: &[u8]) -> bool {
    let month = number(&c[2..4]);
    let dated = date(number(&c[4..6]), if month > 12 { month % 20 } else { month });
    let (body, key) = (number(&c[..9]), number(&c[9..]));
    dated && (97 - body % 97 == key || 97 - (2_000_000_000 + body) % 97 == key)
}

/// Matricule: Luxembourg, law of 19 June 2013, Luhn's and Verhoeff's digit over the same eleven.
pub(super) fn lu_matricule(c: &[u8]) -> bool {
    let verhoeffs = [&c[..11], &c[12..]].concat();
    (1900..2030).contains(&number(&c[..4]))
        && date(number(&c[6..8]), number(&c[4..6]))
        && luhn(&c[..12])
        && verhoeff(&verhoeffs)
}

/// SNILS: Pension Fund of Russia, decree 192p of 2006; the weighted sum mod 101.
pub(super) fn ru_snils(c: &[u8]) -> bool {
    let sum = weighted(&c[..9], &[9, 8, 7, 6, 5, 4, 3, 2, 1]) % 101 % 100;
    // The first numbers were given without a checksum.
    number(&c[..9]) > 1_001_998 && !uniform(&c[..9]) && u64::from(sum) == number(&c[9..])
}

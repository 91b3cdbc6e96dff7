//! Checks of the numbers of American states.

use crate::detector::national::check::*;

/// Social Security number: SSA, POMS RM 10201.035; the ranges that were ever given out.
pub(super) fn us_ssn(c: &[u8]) -> bool {
    let (area, group, serial) = (&c[..3], &c[3..5], &c[5..]);
    area != b"000" && area != b"666" && area[0] != b'9' && group != b"00" && serial != b"0000"
}

/// Individual Taxpayer Identification Number: IRS, IRM 3.21.263.8, ranges of the fourth and fifth
/// digit.
pub(super) fn us_itin(c: &[u8]) -> bool {
    c[0] == b'9' && matches!(number(&c[3..5]), 50..=65 | 70..=88 | 90..=92 | 94..=99)
}

/// Medicare Beneficiary Identifier: CMS, "Understanding the MBI format". No checksum, but letters
/// that are not used and a class for each place.
pub(super) fn us_mbi(c: &[u8]) -> bool {
    let letters = [1, 2, 4, 5, 7, 8];
    c[0] != b'0' && letters.iter().all(|at| !b"SLOIBZ".contains(&c[*at]))
}

/// Social Insurance Number: Service Canada; Luhn. 0 and 8 are not given out as first digits.
pub(super) fn ca_sin(c: &[u8]) -> bool {
    !matches!(c[0], b'0' | b'8') && luhn(c)
}

/// CPF: Receita Federal, Instrução Normativa RFB 1548/2015; two digits modulus 11.
pub(super) fn br_cpf(c: &[u8]) -> bool {
    let digit = |sum: u32| if sum == 10 { 0 } else { sum };
    !uniform(c)
        && digit(mod11(&c[..9], &[10, 9, 8, 7, 6, 5, 4, 3, 2])) == value(c[9])
        && digit(mod11(&c[..10], &[11, 10, 9, 8, 7, 6, 5, 4, 3, 2])) == value(c[10])
}

/// RUN and RUT: Registro Civil de Chile; modulus 11 with K for ten.
pub(super) fn cl_rut(c: &[u8]) -> bool {
    let (body, check) = c.split_at(c.len() - 1);
    let weights = [2, 3, 4, 5, 6, 7, 2, 3];
    let sum: u32 = body.iter().rev().zip(weights).map(|(d, weight)| value(*d) * weight).sum();
    let expected = b"0123456789K"[((11 - sum % 11) % 11) as usize];
    !uniform(body) && check[0] == expected
}

/// CUIL and CUIT of a person: ANSES and AFIP; modulus 11.
pub(super) fn ar_cuil(c: &[u8]) -> bool {
    matches!(number(&c[..2]), 20 | 23 | 24 | 25 | 26 | 27)
        && !uniform(&c[2..10])
        && mod11(&c[..10], &[5, 4, 3, 2, 7, 6, 5, 4, 3, 2]) == value(c[10])
}

/// CURP: RENAPO, Instructivo Normativo, Diario Oficial 18 June 2018.
pub(super) fn mx_curp(c: &[u8]) -> bool {
    let value = |byte: u8| match byte {
        b'0'..=b'9' => u32::from(byte - b'0'),
        // Ñ stands between N and O.
        b'A'..=b'N' => u32::from(byte - b'A') + 10,
        _ => u32::from(byte.wrapping_sub(b'A')) + 11,
    };
    let sum: u32 = (2..=18).rev().zip(&c[..17]).map(|(weight, byte)| value(*byte) * weight).sum();
    yymmdd(&c[4..10]) && b"HMX".contains(&c[10]) && (10 - sum % 10) % 10 == value(c[17])
}

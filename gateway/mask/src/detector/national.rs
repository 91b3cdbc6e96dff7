//! Numbers that states and their insurances give to people.
//!
//! Only forms are listed that other values hardly ever have: with separators or letters, or with
//! checks so strong that a number of that length passes by chance once in some thousand times. Where
//! a form has numbers of several states, each of their detectors may find it.

use crate::detector::{Detector, Finding, is_word, run, starts_word};

mod americas;
mod asia;
mod check;
mod europe;
mod form;
mod north;

use form::{FORMS, Form};
pub(crate) use form::{Forms, LETTERS, candidates};

#[cfg(test)]
mod tests;

/// A state's number: its forms, and the check of the letters and digits in one.
pub(crate) struct Row {
    pub(crate) name: &'static str,
    /// See `Form` for what they mean.
    pub(crate) forms: &'static [&'static str],
    /// Takes letters and digits that have one of the forms.
    valid: fn(&[u8]) -> bool,
}

const fn row(name: &'static str, forms: &'static [&'static str], valid: fn(&[u8]) -> bool) -> Row {
    Row { name, forms, valid }
}

/// The order is that of `DETECTORS`.
pub(crate) const TABLE: &[Row] = &[
    row("us_ssn", &["999-99-9999"], americas::us_ssn),
    row("us_itin", &["999-99-9999"], americas::us_itin),
    row("us_mbi", &["9AX9-AX9-AA99", "9AX9AX9AA99"], americas::us_mbi),
    row("ca_sin", &["999-999-999"], americas::ca_sin),
    row("mx_curp", &["AAAA999999AAAAAAX9"], americas::mx_curp),
    row("br_cpf", &["999.999.999-99"], americas::br_cpf),
    row("ar_cuil", &["99-99999999-9"], americas::ar_cuil),
    row("cl_rut", &["99.999.999-X", "9.999.999-X"], americas::cl_rut),
    row("uk_nhs", &["999 999 9999"], europe::uk_nhs),
    row("uk_nino", &["AA999999A", "AA 99 99 99 A"], europe::uk_nino),
    row("es_dni", &["99999999A", "99999999-A", "A9999999A", "A-9999999-A"], europe::es_dni),
    row("fr_nir", &["9 99 99 9X 999 999 99", "999999999999999"], europe::fr_nir),
    row("it_codice_fiscale", &["AAAAAA99A99A999A"], europe::it_codice_fiscale),
    row("de_tax_id", &["99 999 999 999"], europe::de_tax_id),
    row("de_pension", &["99 999999 A 999", "99999999A999"], europe::de_pension),
    row("at_svnr", &["9999 999999"], europe::at_svnr),
    row("ch_ahv", &["999.9999.9999.99"], europe::ch_ahv),
    row("be_nrn", &["99.99.99-999.99"], europe::be_nrn),
    row("lu_matricule", &["9999999999999"], europe::lu_matricule),
    row("ru_snils", &["999-999-999 99"], europe::ru_snils),
    row("se_personnummer", &["999999-9999", "99999999-9999"], north::se_personnummer),
    row("dk_cpr", &["999999-9999"], north::dk_cpr),
    row("is_kennitala", &["999999-9999"], north::is_kennitala),
    row("fi_hetu", &["999999-999X", "999999A999X"], north::fi_hetu),
    row("no_fnr", &["999999 99999", "99999999999"], north::no_fnr),
    row("lv_personas_kods", &["999999-99999"], north::lv_personas_kods),
    row("in_aadhaar", &["9999 9999 9999"], asia::in_aadhaar),
    row("in_pan", &["AAAAA9999A"], asia::in_pan),
    row("kr_rrn", &["999999-9999999"], asia::kr_rrn),
    row("cn_resident_id", &["999999999999999999", "99999999999999999A"], asia::cn_resident_id),
    row("sg_nric", &["A9999999A"], asia::sg_nric),
    row("hk_hkid", &["A999999(X)", "AA999999(X)"], asia::hk_hkid),
    row("th_id", &["9-9999-99999-99-9"], asia::th_id),
    row("my_nric", &["999999-99-9999"], asia::my_nric),
    row("au_medicare", &["9999 99999 9"], asia::au_medicare),
];

/// Finds one state's number; the place in `TABLE`.
pub(crate) struct National(usize);

/// A detector for each row.
pub(crate) static ALL: [National; TABLE.len()] = {
    let mut all = [const { National(0) }; TABLE.len()];
    let mut at = 0;
    while at < all.len() {
        all[at] = National(at);
        at += 1;
    }
    all
};

/// The forms of each row.
static OWN: [Forms; TABLE.len()] = {
    let mut own = [0; TABLE.len()];
    let mut at = 0;
    while at < FORMS.len() {
        own[FORMS[at].row] |= 1 << at;
        at += 1;
    }
    own
};

impl Detector for National {
    fn name(&self) -> &'static str {
        TABLE[self.0].name
    }

    fn class(&self) -> &'static str {
        "pii"
    }

    fn find(&self, text: &str, findings: &mut Vec<Finding>) {
        let bytes = text.as_bytes();
        let mut at = 0;
        while let Some(skipped) = bytes[at..].iter().position(u8::is_ascii_digit) {
            let start = at + skipped;
            let end = start + run(bytes, start, |b| b.is_ascii_digit());
            at = end;
            let forms = candidates(bytes, start, end) & OWN[self.0];
            form::standing(bytes, end, forms, |form, from, to| {
                if stands_apart(bytes, form, from, to) {
                    findings.push(Finding { start: from, end: to });
                    at = to;
                }
            });
        }
    }
}

/// Calls `each` with the rows of `TABLE` whose numbers stand with the end of their first group of
/// digits at `end`, whatever stands before them, and where they begin: for the prefilter.
#[inline]
pub(crate) fn suspect(bytes: &[u8], start: usize, end: usize, mut each: impl FnMut(usize, usize)) {
    let forms = candidates(bytes, start, end);
    if forms != 0 {
        form::standing(bytes, end, forms, |form, from, _| each(form.row, from));
    }
}

/// Whether a number is not a part of a word, of a longer number or of a table of numbers.
fn stands_apart(bytes: &[u8], form: &Form, from: usize, to: usize) -> bool {
    let byte = |at: Option<usize>| at.and_then(|at| bytes.get(at)).copied();
    let digit = |byte: Option<u8>| byte.is_some_and(|b| b.is_ascii_digit());
    let word = |byte: Option<u8>| byte.is_some_and(is_word);
    let before = (byte(from.checked_sub(1)), byte(from.checked_sub(2)));
    let after = (byte(Some(to)), byte(Some(to + 1)));
    let joined = |(sign, beyond): (Option<u8>, Option<u8>)| match sign {
        Some(b'-') => word(beyond),
        Some(b'.') => digit(beyond),
        Some(b' ') => form.picture.contains(&b' ') && digit(beyond),
        _ => false,
    };
    starts_word(bytes, from) && before.0 != Some(b'+') && !joined(before) && !joined(after)
}

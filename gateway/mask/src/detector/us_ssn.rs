//! United States social security numbers, written with dashes.

use crate::detector::{Detector, Finding, ends_word, starts_word};

/// Finds `AAA-GG-SSSS` in the ranges that were ever given out.
pub(crate) struct UsSsn;

impl Detector for UsSsn {
    fn name(&self) -> &'static str {
        "us_ssn"
    }

    fn class(&self) -> &'static str {
        "pii"
    }

    fn find(&self, text: &str, findings: &mut Vec<Finding>) {
        let bytes = text.as_bytes();
        let mut from = 0;
        while let Some(at) = text.get(from..).and_then(|rest| rest.find('-')) {
            let dash = from + at;
            from = dash + 1;
            let Some(start) = number(bytes, dash) else { continue };
            let end = start + 11;
            let joined = |at: Option<usize>| at.and_then(|i| bytes.get(i)) == Some(&b'-');
            if starts_word(bytes, start)
                && ends_word(bytes, end)
                && !joined(start.checked_sub(1))
                && !joined(Some(end))
            {
                findings.push(Finding { start, end });
                from = end;
            }
        }
    }
}

/// The start of a number whose first dash stands at `dash`, whatever stands around it.
pub(crate) fn number(bytes: &[u8], dash: usize) -> Option<usize> {
    let start = dash.checked_sub(3)?;
    let text = bytes.get(start..start + 11)?;
    let (area, group, serial) = (&text[..3], &text[4..6], &text[7..]);
    let digits = |part: &[u8]| part.iter().all(u8::is_ascii_digit);
    let shaped = text[6] == b'-' && digits(area) && digits(group) && digits(serial);
    let given =
        area != b"000" && area != b"666" && area[0] != b'9' && group != b"00" && serial != b"0000";
    (shaped && given).then_some(start)
}

//! Secrets that tell themselves by what stands in their middle or at their end.

use crate::detector::jwt::is_base64url;
use crate::detector::{Detector, Finding, ends_word, run, starts_word};

type Class = fn(u8) -> bool;

/// A kind of secret: bytes of a class, the mark, bytes of a class.
pub(crate) struct InfixToken {
    name: &'static str,
    /// What it begins with, if that says something.
    pub(crate) head: &'static str,
    pub(crate) before: (Class, usize, usize),
    pub(crate) mark: &'static str,
    pub(crate) after: (Class, usize, usize),
}

/// The order is that of `DETECTORS`.
pub(crate) static TABLE: [InfixToken; 5] = [
    // OpenAI: gitleaks' `openai-api-key`; the mark is "OpenAI" in base 64, in all kinds of key.
    InfixToken {
        name: "openai_key",
        head: "sk-",
        before: (is_base64url, 23, 180),
        mark: "T3BlbkFJ",
        after: (is_base64url, 20, usize::MAX),
    },
    // HCP Terraform: "API token formats".
    InfixToken {
        name: "terraform_token",
        head: "",
        before: (|b| b.is_ascii_alphanumeric(), 14, 14),
        mark: ".atlasv1.",
        after: (is_base64url, 60, usize::MAX),
    },
    // Telegram Bot API: the bot's number, then 35 characters of which the first two are the same.
    InfixToken {
        name: "telegram_bot_token",
        head: "",
        before: (|b| b.is_ascii_digit(), 8, 10),
        mark: ":AA",
        after: (is_base64url, 33, 33),
    },
    // Microsoft Entra ID: client secrets, gitleaks' `azure-ad-client-secret`.
    InfixToken {
        name: "azure_client_secret",
        head: "",
        before: (is_entra, 4, 4),
        mark: "Q~",
        after: (is_entra, 31, 34),
    },
    // Mailchimp: "API keys"; the data centre stands behind the dash.
    InfixToken {
        name: "mailchimp_key",
        head: "",
        before: (|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'), 32, 32),
        mark: "-us",
        after: (|b| b.is_ascii_digit(), 1, 2),
    },
];

fn is_entra(byte: u8) -> bool {
    is_base64url(byte) || matches!(byte, b'~' | b'.')
}

impl Detector for InfixToken {
    fn name(&self) -> &'static str {
        self.name
    }

    fn class(&self) -> &'static str {
        "secret"
    }

    fn find(&self, text: &str, findings: &mut Vec<Finding>) {
        let bytes = text.as_bytes();
        let mut from = 0;
        while let Some(at) = text.get(from..).and_then(|rest| rest.find(self.mark)) {
            let mark = from + at;
            let body = mark + self.mark.len();
            from = body;
            let (class, least, most) = self.before;
            let back = back(bytes, mark, class, most + 1);
            let start = mark - back;
            if !(least..=most).contains(&back)
                || !starts_word(bytes, start)
                || !text[start..].starts_with(self.head)
            {
                continue;
            }
            let (class, least, most) = self.after;
            let length = run(bytes, body, class);
            from = body + length;
            if (least..=most).contains(&length) && ends_word(bytes, from) {
                findings.push(Finding { start, end: from });
            }
        }
    }
}

impl InfixToken {
    /// Whether enough stands around the mark at `mark`, for the prefilter.
    pub(crate) fn suspect(&self, bytes: &[u8], mark: usize) -> bool {
        let body = mark + self.mark.len();
        let (before, least, _) = self.before;
        let (after, length, _) = self.after;
        let rest = bytes.get(body..body + length);
        rest.is_some_and(|rest| rest.iter().all(|b| after(*b)))
            && back(bytes, mark, before, least) == least
    }
}

/// How many bytes of a class stand before `at`, as far as `most`.
fn back(bytes: &[u8], at: usize, class: Class, most: usize) -> usize {
    bytes[..at].iter().rev().take(most).take_while(|b| class(**b)).count()
}

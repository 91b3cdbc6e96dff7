//! GitHub's tokens.

use crate::detector::{Detector, Finding, is_word, prefixed};

/// Finds personal, OAuth, user, server and refresh tokens, and fine-grained ones.
pub(crate) struct GithubToken;

impl Detector for GithubToken {
    fn name(&self) -> &'static str {
        "github_token"
    }

    fn class(&self) -> &'static str {
        "secret"
    }

    fn find(&self, text: &str, findings: &mut Vec<Finding>) {
        let short = ["ghp_", "gho_", "ghu_", "ghs_", "ghr_"];
        prefixed(text, &short, 36, |b| b.is_ascii_alphanumeric(), findings);
        prefixed(text, &["github_pat_"], 60, is_word, findings);
    }
}

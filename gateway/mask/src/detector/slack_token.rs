//! Slack's tokens.

use crate::detector::{Detector, Finding, prefixed};

/// Finds bot, user, app, refresh and configuration tokens.
pub(crate) struct SlackToken;

impl Detector for SlackToken {
    fn name(&self) -> &'static str {
        "slack_token"
    }

    fn class(&self) -> &'static str {
        "secret"
    }

    fn find(&self, text: &str, findings: &mut Vec<Finding>) {
        let prefixes = ["xoxa-", "xoxb-", "xoxe-", "xoxe.", "xoxo-", "xoxp-", "xoxr-", "xoxs-"];
        let part = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
        prefixed(text, &prefixes, 20, part, findings);
        prefixed(text, &["xapp-"], 20, part, findings);
    }
}

//! Google's API keys.

use crate::detector::jwt::is_base64url;
use crate::detector::{Detector, Finding, prefixed};

/// Finds `AIza` and 35 characters.
pub(crate) struct GoogleApiKey;

impl Detector for GoogleApiKey {
    fn name(&self) -> &'static str {
        "google_api_key"
    }

    fn class(&self) -> &'static str {
        "secret"
    }

    fn find(&self, text: &str, findings: &mut Vec<Finding>) {
        prefixed(text, &["AIza"], 35, is_base64url, findings);
    }
}

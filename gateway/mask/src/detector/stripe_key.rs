//! Stripe's secret keys; the publishable ones are no secret.

use crate::detector::{Detector, Finding, prefixed};

/// Finds secret and restricted keys, live and test, and webhook secrets.
pub(crate) struct StripeKey;

impl Detector for StripeKey {
    fn name(&self) -> &'static str {
        "stripe_key"
    }

    fn class(&self) -> &'static str {
        "secret"
    }

    fn find(&self, text: &str, findings: &mut Vec<Finding>) {
        let prefixes = ["sk_live_", "sk_test_", "rk_live_", "rk_test_", "whsec_"];
        prefixed(text, &prefixes, 16, |b| b.is_ascii_alphanumeric(), findings);
    }
}

//! Issuers: whether their keys can be had.

use super::Patient;
use super::finding::Report;
use crate::flow::services::now_us;
use crate::identity::Verifier;

const AREA: &str = "issuers";

pub(super) async fn check(patient: &Patient<'_>, report: &mut Report) {
    let issuers = &patient.config.issuers;
    if issuers.is_empty() {
        return report.warn(
            AREA,
            "none is trusted, so no agent can be bound",
            "add an [[issuer]] to the configuration",
        );
    }
    let verifier = match Verifier::new(issuers.clone()) {
        Ok(verifier) => verifier,
        Err(error) => return report.fail(AREA, error.to_string(), "weir gateway --check"),
    };
    for (name, asked) in verifier.ask_all(now_us()).await {
        match asked {
            Ok(()) => report.ok(AREA, format!("{name} gave its keys")),
            Err(why) => report.fail(
                AREA,
                format!("{name}: {why}"),
                &format!("curl -v {name}/.well-known/openid-configuration"),
            ),
        }
    }
}

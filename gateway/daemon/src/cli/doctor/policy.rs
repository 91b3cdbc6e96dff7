//! The policy: whether it loads, and whether the shipped cases still say what they should.

use super::Patient;
use super::finding::Report;
use crate::cli::policy::{failed_cases, sources};
use weir_policy::PolicySet;

const AREA: &str = "policy";

pub(super) fn check(patient: &Patient<'_>, report: &mut Report) {
    let files = &patient.config.policy.files;
    let loaded = match files.is_empty() {
        true => PolicySet::shipped(),
        false => match sources(patient.common, files) {
            Ok(sources) => PolicySet::load(&sources),
            Err(error) => return report.fail(AREA, format!("{error:#}"), "weir policy check"),
        },
    };
    let set = match loaded {
        Ok(set) => set,
        Err(problems) => {
            let first = problems.first().map(ToString::to_string).unwrap_or_default();
            let text = format!("it has {} problems; the first: {first}", problems.len());
            return report.fail(AREA, text, "weir policy check");
        }
    };
    report.ok(AREA, format!("{} policies load, set {}", set.ids().count(), set.hash()));
    if let Ok(status) = &patient.gateway
        && status.policy_hash != set.hash().as_ref()
    {
        let text = format!("the gateway runs with another policy: {}", status.policy_hash);
        report.warn(AREA, text, "kill -HUP the gateway");
    }
    // The shipped cases are about the shipped policy.
    if !files.is_empty() {
        return report.unknown(AREA, "its own cases were not run", "weir policy test DIR");
    }
    match failed_cases(&set) {
        Ok((0, all)) => report.ok(AREA, format!("all {all} shipped cases hold")),
        Ok((failed, all)) => {
            report.fail(AREA, format!("{failed} of {all} shipped cases differ"), "weir policy test")
        }
        Err(error) => report.fail(AREA, format!("{error:#}"), "weir policy test"),
    }
}

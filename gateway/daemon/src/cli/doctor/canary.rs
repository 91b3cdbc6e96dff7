//! `--canary`: every known way around, tried by the running gateway, else by an instance of the
//! doctor's own that is gone afterwards.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Context as _;
use weir_ledger::coverage::VIOLATED;

use super::finding::Report;
use super::{Patient, kernel};
use crate::control;
use crate::intercept::canary::{Canary, HOLDS};
use crate::intercept::{Interceptor, Options};

const AREA: &str = "canary";
/// The id of the only binding of the doctor's own instance.
const BINDING: u64 = 1;

pub(super) fn check(patient: &Patient<'_>, report: &mut Report) {
    let outcomes = match &patient.gateway {
        Ok(_) => control::canary(patient.common).map_err(anyhow::Error::from),
        Err(_) if !kernel::has_bpf() => {
            let text = "no way around was tried: it needs CAP_BPF and CAP_NET_ADMIN";
            return report.unknown(AREA, text, "sudo weir doctor --canary");
        }
        Err(_) => alone(),
    };
    match outcomes {
        Err(error) => {
            report.unknown(AREA, format!("it did not run: {error:#}"), "sudo weir doctor --canary")
        }
        Ok(outcomes) => {
            let closed = outcomes.values().filter(|outcome| *outcome == HOLDS).count();
            report.ok(
                AREA,
                format!("{closed} of {} ways around were tried and are closed", outcomes.len()),
            );
            for (name, outcome) in outcomes.iter().filter(|(_, outcome)| *outcome != HOLDS) {
                let text = format!("{name}: {outcome}");
                match outcome {
                    _ if outcome.starts_with(VIOLATED) => report.fail(
                        AREA,
                        text,
                        "stop the agents of this host, and tell the project: SECURITY.md",
                    ),
                    _ if outcome.starts_with("unknown") => {
                        report.unknown(AREA, text, "weir doctor --canary")
                    }
                    _ => report.warn(
                        AREA,
                        text,
                        "tier T1 does not close it: weir audit report coverage",
                    ),
                }
            }
        }
    }
}

fn alone() -> anyhow::Result<BTreeMap<String, String>> {
    let instance = format!("doctor-{}", std::process::id());
    let mut interceptor = Interceptor::start(&Options { instance, bpffs: None })
        .context("attaching to the kernel")?;
    let outcomes = tried(&mut interceptor);
    let retired = interceptor.retire().context("taking the doctor's instance down");
    let outcomes = outcomes?;
    retired.map(|()| outcomes)
}

fn tried(interceptor: &mut Interceptor) -> anyhow::Result<BTreeMap<String, String>> {
    let canary = Canary::start(Path::new("/proc/self/exe")).context("starting the canary")?;
    let bound = interceptor.bind(BINDING, "canary").context("binding the canary")?;
    // Nobody accepts from them; they take what is redirected.
    let _listeners = interceptor.listen(canary.pid(), 1).context("listening for the canary")?;
    interceptor.enter(&bound, canary.pid()).context("moving the canary")?;
    canary.run(&bound.path).context("running the canary")
}

//! What is enforced: by the running gateway, or by one that would be started here.

use super::finding::{Level, Report};
use super::{Patient, kernel};
use crate::config::Mode;
use crate::intercept::{Interceptor, Options, lsm, probe};

const AREA: &str = "enforcement";

pub(super) fn check(patient: &Patient<'_>, report: &mut Report) {
    gateway(patient, report);
    security_module(patient, report);
    pins(patient, report);
}

fn options(patient: &Patient<'_>) -> Options {
    let gateway = &patient.config.gateway;
    Options { instance: gateway.instance.clone(), bpffs: gateway.bpffs.clone() }
}

/// Tier T3; of a kernel without it, its list of security modules has told.
fn security_module(patient: &Patient<'_>, report: &mut Report) {
    if !kernel::has_bpf() || patient.config.gateway.mode == Mode::Explicit {
        return;
    }
    let status = lsm::status(&options(patient));
    if status.available {
        report.ok(AREA, format!("tier T3: {status}"));
    } else if status.possible && patient.gateway.is_err() {
        report.ok(AREA, "tier T3 can be reached here: the kernel takes the LSM programs");
    } else {
        report.warn(
            AREA,
            format!("tier T3 is not there: {}", status.reason),
            "see docs/kernels.md",
        );
    }
}

fn gateway(patient: &Patient<'_>, report: &mut Report) {
    match &patient.gateway {
        Ok(status) if status.intercept.starts_with("explicit") => {
            let text =
                "the gateway runs in explicit mode: nothing is enforced, agents can go around it";
            report.warn(AREA, text, "set mode = \"ebpf\" in [gateway], and restart the gateway");
        }
        Ok(status) => {
            let text = format!(
                "the gateway (pid {}) runs in tier {}, with {} sessions",
                status.pid, status.intercept, status.sessions
            );
            report.ok(AREA, text);
        }
        Err(why) => {
            report.warn(AREA, format!("no gateway answers: {why}"), "systemctl start weir");
            would_be(patient, report);
        }
    }
    for finding in patient.gateway.iter().flat_map(|status| &status.findings) {
        report.fail(AREA, finding.clone(), "journalctl -u weir");
    }
}

/// Without a gateway, what one could enforce follows from what was measured.
fn would_be(patient: &Patient<'_>, report: &mut Report) {
    if patient.config.gateway.mode == Mode::Explicit {
        let text = "a gateway with this configuration would enforce nothing: explicit mode";
        return report.warn(AREA, text, "set mode = \"ebpf\" in [gateway]");
    }
    if !kernel::is_initial_user_namespace() {
        let text = "this is inside a user namespace: no programs can be loaded, nothing can be enforced from here";
        return report.warn(AREA, text, "run the gateway on the host, or use mode = \"explicit\"");
    }
    if !kernel::has_bpf() {
        let text = "without CAP_BPF and CAP_NET_ADMIN nothing can be enforced from here; as root it may be";
        return report.unknown(AREA, text, "sudo weir doctor");
    }
    match report.findings.iter().any(|one| one.area == "kernel" && one.level == Level::Fail) {
        true => report.fail(AREA, "no tier can be reached: see above", "weir doctor"),
        false => report.ok(AREA, "tier T1 (cgroup programs) can be reached here"),
    }
}

fn pins(patient: &Patient<'_>, report: &mut Report) {
    let options = options(patient);
    match probe::pinned(&options) {
        Err(error) => {
            report.unknown(AREA, format!("the pins can't be read: {error}"), "sudo weir doctor")
        }
        Ok(None) => report.warn(
            AREA,
            "no bpffs is mounted; the gateway mounts one",
            "mount -t bpf bpf /sys/fs/bpf",
        ),
        Ok(Some(pinned)) => {
            let current = Interceptor::layout();
            let others: Vec<&str> =
                pinned.versions.iter().map(String::as_str).filter(|one| *one != current).collect();
            if let Some(problem) = &pinned.problem {
                let mend = format!(
                    "end its bindings, then rm -r {}/weir/{}/{current}",
                    pinned.bpffs.display(),
                    options.instance
                );
                report.fail(
                    AREA,
                    format!("the pinned maps are not this version's: {problem}"),
                    &mend,
                );
            } else {
                let text = format!(
                    "{} bindings are pinned below {}, map layout {current}",
                    pinned.bindings,
                    pinned.bpffs.display()
                );
                report.ok(AREA, text);
            }
            if !others.is_empty() {
                let mend = format!(
                    "restart their gateway once, or rm -r {}/weir/{}/{}",
                    pinned.bpffs.display(),
                    options.instance,
                    others.join(" ")
                );
                report.warn(
                    AREA,
                    format!("pins of other versions are left: {}", others.join(", ")),
                    &mend,
                );
            }
        }
    }
}

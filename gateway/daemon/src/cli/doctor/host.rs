//! The host: clocks, and who trusts the gateway's authority.

use std::fs;

use super::Patient;
use super::finding::Report;
use crate::intercept::probe;
use crate::tls::ca::PUBLIC_FILE;

/// What distributions make their programs trust.
const BUNDLES: [&str; 2] =
    ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt"];
/// An error of the clock from which on times of different hosts can't be put in order.
const CLOCK_US: i64 = 1_000_000;

pub(super) fn check(patient: &Patient<'_>, report: &mut Report) {
    clock(patient, report);
    authority(patient, report);
}

fn clock(patient: &Patient<'_>, report: &mut Report) {
    const AREA: &str = "clock";
    match probe::clock() {
        Ok((true, error)) if error < CLOCK_US => {
            report.ok(AREA, format!("synchronised to within {error} us"))
        }
        Ok((true, error)) => report.warn(
            AREA,
            format!("synchronised, but only to within {error} us"),
            "chronyc tracking",
        ),
        Ok((false, _)) => report.warn(
            AREA,
            "the kernel says that the clock is not synchronised; tokens expire by it",
            "timedatectl set-ntp true",
        ),
        Err(error) => report.unknown(
            AREA,
            format!("the kernel does not say how the clock is: {error}"),
            "timedatectl",
        ),
    }
    // Times in the record must not run backwards over a restart.
    let path = patient.config.gateway.state_dir.join("life.json");
    let Ok(text) = fs::read_to_string(&path) else { return };
    let last = serde_json::from_str::<serde_json::Value>(&text)
        .ok()
        .and_then(|value| value["at_us"].as_i64());
    let now = crate::flow::services::now_us();
    if let Some(last) = last.filter(|last| *last > now) {
        let text = format!(
            "the clock is {} s behind the gateway's last sign of life",
            (last - now) / 1_000_000
        );
        report.fail(AREA, text, "timedatectl");
    }
}

fn authority(patient: &Patient<'_>, report: &mut Report) {
    const AREA: &str = "authority";
    let path = patient.config.gateway.state_dir.join(PUBLIC_FILE);
    let pem = match fs::read_to_string(&path) {
        Ok(pem) => pem,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return report.warn(
                AREA,
                "there is none yet; the gateway makes one when it starts",
                "weir ca init",
            );
        }
        Err(error) => {
            return report.unknown(
                AREA,
                format!("{} can't be read: {error}", path.display()),
                "sudo weir doctor",
            );
        }
    };
    match validity(&pem) {
        Ok(days) if days < 0 => report.fail(
            AREA,
            format!("its certificate expired {} days ago", -days),
            "move it away, then weir ca init",
        ),
        Ok(days) if days < 30 => report.warn(
            AREA,
            format!("its certificate expires in {days} days"),
            "move it away, then weir ca init",
        ),
        Ok(days) => report.ok(AREA, format!("its certificate is good for {days} days")),
        Err(why) => report.fail(AREA, format!("{}: {why}", path.display()), "weir ca show"),
    }
    let body: String = pem.lines().filter(|line| !line.starts_with("-----")).collect();
    let mut looked = None;
    for bundle in BUNDLES {
        let Ok(text) = fs::read_to_string(bundle) else { continue };
        let all: String = text.lines().collect();
        looked = Some(bundle);
        if !body.is_empty() && all.contains(&body) {
            return report.ok(AREA, format!("programs of this host trust it ({bundle})"));
        }
    }
    match looked {
        Some(bundle) => report.warn(AREA, format!("it is not in {bundle}: agents that use TLS to a database need it there or in their environment"), "weir ca install"),
        None => report.unknown(AREA, "this host has no bundle of authorities that is known", "weir ca install"),
    }
}

/// Days until a certificate expires.
fn validity(pem: &str) -> Result<i64, String> {
    let (_, pem) =
        x509_parser::pem::parse_x509_pem(pem.as_bytes()).map_err(|error| error.to_string())?;
    let certificate = pem.parse_x509().map_err(|error| error.to_string())?;
    let left =
        certificate.validity().not_after.timestamp() - crate::flow::services::now_us() / 1_000_000;
    Ok(left.div_euclid(86_400))
}

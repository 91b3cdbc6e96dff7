//! `weir doctor`: what is missing or wrong on this host, and what mends it.
//!
//! Nothing is claimed that was not measured: what can't be looked at, most often for want of
//! privileges, is `unknown`. Exits with 0 where nothing failed (warnings and unknowns included), with 2
//! where something did, and with 1 where the doctor itself could not work.

mod canary;
mod disk;
mod enforcement;
mod files;
mod finding;
mod host;
mod issuers;
mod kernel;
mod policy;
mod targets;

use std::process::ExitCode;

use crate::config::Config;
use crate::control::{self, StatusView};
use finding::{Level, Report};

/// The exit status where something failed.
const FAILED: u8 = 2;

/// Arguments of `weir doctor`.
#[derive(clap::Args)]
pub struct Args {
    /// Try every known way around, from a bound cgroup, against sockets of our own on loopback.
    #[arg(long)]
    canary: bool,
}

/// What the checks look at.
struct Patient<'a> {
    common: &'a super::Common,
    config: Config,
    /// The running gateway's own word, or why there is none.
    gateway: Result<StatusView, String>,
}

/// Runs the command.
pub fn run(args: Args, common: &super::Common) -> anyhow::Result<ExitCode> {
    let mut report = Report::default();
    let config = configuration(common, &mut report);
    let gateway = control::status(common).map_err(|error| error.to_string());
    let patient = Patient { common, config, gateway };
    kernel::check(&mut report);
    enforcement::check(&patient, &mut report);
    host::check(&patient, &mut report);
    files::check(&patient, &mut report);
    disk::check(&patient, &mut report);
    policy::check(&patient, &mut report);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        issuers::check(&patient, &mut report).await;
        targets::check(&patient, &mut report).await;
    });
    if args.canary {
        canary::check(&patient, &mut report);
    }
    report.print(common.json)?;
    let failed = report.worst() == Level::Fail;
    Ok(if failed { ExitCode::from(FAILED) } else { ExitCode::SUCCESS })
}

/// The configuration, else the defaults: most checks make sense without it.
fn configuration(common: &super::Common, report: &mut Report) -> Config {
    const AREA: &str = "configuration";
    let path = common.config.display();
    match Config::load_or_default(&common.config) {
        Ok(config) if common.config.exists() => {
            report.ok(AREA, format!("{path} is read"));
            config
        }
        Ok(config) => {
            report.warn(
                AREA,
                format!("{path} does not exist: defaults are used"),
                "weir gateway --check",
            );
            config
        }
        Err(error) => {
            let text = format!("{error}; what follows looks at the defaults");
            match std::fs::File::open(&common.config) {
                Err(denied) if denied.kind() == std::io::ErrorKind::PermissionDenied => {
                    report.unknown(AREA, text, "sudo weir doctor");
                }
                Ok(_) | Err(_) => report.fail(AREA, text, "weir gateway --check"),
            }
            Config::default()
        }
    }
}

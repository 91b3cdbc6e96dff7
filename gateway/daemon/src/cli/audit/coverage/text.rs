//! The report in words.

use std::io::Write;
use std::path::Path;

use super::{Report, Session, is_violated};
use crate::cli::sessions::terminal::{colour, paint, plain};

const RED: u8 = 31;
const GREEN: u8 = 32;
const YELLOW: u8 = 33;

pub(super) fn print(screen: &mut dyn Write, dir: &Path, report: &Report) -> anyhow::Result<()> {
    let shown = colour();
    writeln!(screen, "Coverage as recorded in {}", dir.display())?;
    let tiers = report.tiers.iter().cloned().collect::<Vec<_>>().join(", ");
    writeln!(screen, "tier       {}", if tiers.is_empty() { "unknown" } else { &tiers })?;
    let (code, seal) = signatures(report);
    writeln!(screen, "signatures {}", paint(shown, code, &seal))?;
    for missing in &report.missing {
        writeln!(screen, "           {}", paint(shown, RED, &plain(missing)))?;
    }
    writeln!(screen, "canary     {}", canary(report))?;
    for (attempt, outcome) in report.canary.iter().filter(|(_, outcome)| *outcome != "holds") {
        let code = if is_violated(outcome) { RED } else { YELLOW };
        writeln!(
            screen,
            "           {}",
            paint(shown, code, &plain(&format!("{attempt}: {outcome}")))
        )?;
    }
    section(screen, "Not enforced", report.not_enforced.iter().map(String::as_str))?;
    let gaps: Vec<String> = report
        .gaps
        .iter()
        .map(|gap| {
            let of = gap.session.as_deref().unwrap_or("the host");
            format!("{} to {}, {of}: {}", gap.from, gap.to, gap.what)
        })
        .collect();
    section(screen, "Not covered", gaps.iter().map(String::as_str))?;
    writeln!(screen, "\nSessions")?;
    if report.sessions.is_empty() {
        writeln!(screen, "  none")?;
    }
    for session in &report.sessions {
        print_session(screen, session, shown)?;
    }
    writeln!(screen, "\nNot seen one by one")?;
    writeln!(
        screen,
        "  {} refusals were counted but did not fit into their ring",
        report.refusals_not_told
    )?;
    writeln!(
        screen,
        "  {} connections could not be compared at both ends",
        report.closes_not_compared
    )?;
    let (code, word) = match (report.well, report.rows) {
        (_, 0) => (YELLOW, "Nothing is recorded about coverage."),
        (true, _) => (GREEN, "Every count that could be compared agrees."),
        (false, _) => (RED, "Something does not add up: see above."),
    };
    Ok(writeln!(screen, "\n{}", paint(shown, code, word))?)
}

fn signatures(report: &Report) -> (u8, String) {
    let short = |key: &String| key.chars().take(16).collect::<String>();
    let keys = report.keys.keys().map(short).collect::<Vec<_>>().join(", ");
    let rows = report.rows;
    if report.forged > 0 {
        return (RED, format!("{} of {rows} rows are not what was signed", report.forged));
    }
    if report.untrusted > 0 {
        let text = format!(
            "{} of {rows} rows are signed by another key than the trusted one ({keys})",
            report.untrusted
        );
        return (RED, text);
    }
    if !report.missing.is_empty() {
        return (RED, format!("{rows} rows, all signed, but some are missing"));
    }
    if report.keys.values().any(Option::is_none) {
        let text = format!(
            "{rows} rows, all signed by {keys}; give --key to say whether that key is to be trusted"
        );
        return (YELLOW, text);
    }
    (GREEN, format!("{rows} rows, none missing, all signed by the trusted key {keys}"))
}

fn canary(report: &Report) -> String {
    let Some(at) = &report.canary_at else { return "did not run".to_owned() };
    let closed = report.canary.values().filter(|outcome| *outcome == "holds").count();
    format!("{closed} of {} ways around were tried and are closed ({at})", report.canary.len())
}

fn section<'a>(
    screen: &mut dyn Write,
    head: &str,
    lines: impl Iterator<Item = &'a str>,
) -> anyhow::Result<()> {
    writeln!(screen, "\n{head}")?;
    let mut any = false;
    for line in lines {
        any = true;
        writeln!(screen, "  {}", plain(line))?;
    }
    if !any {
        writeln!(screen, "  nothing")?;
    }
    Ok(())
}

fn print_session(screen: &mut dyn Write, session: &Session, shown: bool) -> anyhow::Result<()> {
    let code = match session.state.as_str() {
        "covered" => GREEN,
        "violated" => RED,
        _ => YELLOW,
    };
    let kernel = |name: &str| session.kernel.get(name).copied().unwrap_or(0);
    let gateway = |name: &str| session.gateway.get(name).copied().unwrap_or(0);
    let who = plain(&format!("{} {}", session.who, session.agent));
    writeln!(
        screen,
        "  {} {who}: {}; {} connects, {} recorded, {} refused by the kernel, {} bytes read, {} written",
        session.session,
        paint(shown, code, &session.state),
        kernel("tcp_seen"),
        gateway("recorded"),
        kernel("denied"),
        gateway("bytes_read"),
        gateway("bytes_written"),
    )?;
    for (name, state) in &session.findings {
        writeln!(screen, "      {}", plain(&format!("{name}: {state}")))?;
    }
    Ok(())
}

//! `weir holds`: what waits for a human, and the human's answer.

pub mod view;

use std::collections::BTreeMap;
use std::io::Write as _;
use std::process::ExitCode;
use std::thread::sleep;
use std::time::Duration;

use anyhow::bail;
use clap::Subcommand;
use weir_model::HoldId;

use super::Common;
use super::output::{Paint, Table, cut, has_colour, json, one_line, painted, span, visible};
use crate::control::{Client, ClientError, HoldView, Request, Response};

const WATCH_EVERY: Duration = Duration::from_secs(1);
const STATEMENT_LETTERS: usize = 72;

/// Arguments of `weir holds`.
#[derive(clap::Args)]
pub struct Args {
    /// List settled holds too.
    #[arg(long)]
    all: bool,
    #[command(subcommand)]
    action: Option<Action>,
}

#[derive(Subcommand)]
enum Action {
    /// List what waits.
    List {
        /// Settled holds too.
        #[arg(long)]
        all: bool,
    },
    /// Show all there is to decide on.
    Show {
        /// The hold, or the beginning of its name.
        id: String,
    },
    /// Let it run, once.
    Approve(Answer),
    /// Refuse it.
    Deny(Answer),
    /// Print holds as they come and are settled.
    Watch,
}

#[derive(clap::Args)]
struct Answer {
    /// The hold, or the beginning of its name.
    id: String,
    /// Your words, for the agent and the record.
    #[arg(long)]
    comment: Option<String>,
}

/// Runs the command.
pub fn run(args: Args, common: &Common) -> anyhow::Result<ExitCode> {
    let mut client = Client::connect(common)?;
    match args.action {
        None => list(&mut client, args.all, common.json)?,
        Some(Action::List { all }) => list(&mut client, all || args.all, common.json)?,
        Some(Action::Show { id }) => {
            let id = find(&mut client, &id, true)?;
            print(&hold(&mut client, &Request::Hold { id })?, common.json)?;
        }
        Some(Action::Approve(Answer { id, comment })) => {
            let id = find(&mut client, &id, false)?;
            answered(&hold(&mut client, &Request::Approve { id, comment })?, common.json)?;
        }
        Some(Action::Deny(Answer { id, comment })) => {
            let id = find(&mut client, &id, false)?;
            answered(&hold(&mut client, &Request::Deny { id, comment })?, common.json)?;
        }
        Some(Action::Watch) => watch(&mut client, common.json)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn list(client: &mut Client, all: bool, as_json: bool) -> anyhow::Result<()> {
    let holds = holds(client, all)?;
    if as_json {
        println!("{}", json(&holds)?);
    } else if holds.is_empty() {
        println!("nothing waits");
    } else {
        print!("{}", table(&holds).text(has_colour()));
    }
    Ok(())
}

fn table(holds: &[HoldView]) -> Table {
    let mut table = Table::new(&[
        "HOLD",
        "STATE",
        "WAITS",
        "LEFT",
        "WHO",
        "AGENT",
        "TARGET",
        "EFFECT",
        "STATEMENT",
    ]);
    for hold in holds {
        table.row(vec![
            (Paint::Bold, hold.id.to_string()),
            (paint(&hold.state), hold.state.clone()),
            (Paint::Plain, span(hold.waiting_seconds)),
            (Paint::Dim, span(hold.remaining_seconds)),
            (Paint::Plain, hold.subject.clone()),
            (Paint::Plain, hold.agent.clone()),
            (Paint::Plain, hold.target.clone()),
            (Paint::Plain, hold.effect.clone()),
            (Paint::Plain, cut(&one_line(&hold.statement), STATEMENT_LETTERS)),
        ]);
    }
    table
}

fn paint(state: &str) -> Paint {
    match state {
        "pending" => Paint::Yellow,
        "approved" | "consumed" => Paint::Green,
        "denied" => Paint::Red,
        _ => Paint::Dim,
    }
}

/// The one hold that the text begins, with or without its `H-`.
fn find(client: &mut Client, text: &str, all: bool) -> anyhow::Result<HoldId> {
    let holds = holds(client, all)?;
    pick(holds.iter().map(|hold| &hold.id), text)
}

fn pick<'a>(ids: impl Iterator<Item = &'a HoldId>, text: &str) -> anyhow::Result<HoldId> {
    let wanted = text.to_ascii_uppercase();
    let wanted = wanted.strip_prefix("H-").unwrap_or(&wanted);
    let begins = |id: &&HoldId| id.0.trim_start_matches("H-").starts_with(wanted);
    let found: Vec<&HoldId> = ids.filter(begins).collect();
    match found.as_slice() {
        _ if wanted.is_empty() => bail!("looking for a hold: its name is missing"),
        [one] => Ok((*one).clone()),
        [] => bail!(
            "looking for hold {text}: nothing open has that name; weir holds --all lists settled ones"
        ),
        several => {
            let names: Vec<String> = several.iter().map(ToString::to_string).collect();
            bail!("looking for hold {text}: it could be {}; type more of it", names.join(" or "))
        }
    }
}

fn holds(client: &mut Client, all: bool) -> anyhow::Result<Vec<HoldView>> {
    let Response::Holds { holds } = client.ask(&Request::Holds { all })? else {
        return Err(ClientError::Unexpected("holds").into());
    };
    Ok(holds)
}

fn hold(client: &mut Client, request: &Request) -> anyhow::Result<HoldView> {
    let Response::Hold { hold } = client.ask(request)? else {
        return Err(ClientError::Unexpected(request.name()).into());
    };
    Ok(*hold)
}

fn answered(hold: &HoldView, as_json: bool) -> anyhow::Result<()> {
    if as_json {
        println!("{}", json(hold)?);
        return Ok(());
    }
    let outcome = match hold.state.as_str() {
        "consumed" => "approved; it runs now".to_owned(),
        "approved" => {
            let left = span(hold.remaining_seconds);
            format!("approved; the agent may run exactly this once within {left}")
        }
        "pending" => {
            format!("{} of {} approvals; it still waits", hold.approved_by.len(), hold.quorum)
        }
        state => state.to_owned(),
    };
    let id = hold.id.to_string();
    println!("{} {}", painted(Paint::Bold, &id), painted(paint(&hold.state), &outcome));
    print_statement(hold);
    println!("for {} by {} at {}", safe(&hold.subject), safe(&hold.agent), safe(&hold.target));
    Ok(())
}

fn print(hold: &HoldView, as_json: bool) -> anyhow::Result<()> {
    if as_json {
        println!("{}", json(hold)?);
        return Ok(());
    }
    let state = painted(paint(&hold.state), &hold.state);
    println!("{} {state}", painted(Paint::Bold, &hold.id.to_string()));
    print_statement(hold);
    let target = match hold.environment.as_str() {
        "" => hold.target.clone(),
        environment => format!("{} ({environment})", hold.target),
    };
    let groups = match hold.approve_groups.as_slice() {
        [] => "any approver".to_owned(),
        groups => groups.join(" or "),
    };
    let waits = format!("{} (asked {})", span(hold.waiting_seconds), hold.opened);
    let lines = [
        ("who", hold.subject.clone()),
        ("agent", hold.agent.clone()),
        ("target", target),
        ("effect", format!("{} ({})", hold.effect, hold.verbs.join(", "))),
        ("touches", hold.tables.join(", ")),
        ("flags", hold.flags.join(", ")),
        ("held by", hold.policies.join(", ")),
        ("because", hold.message.clone()),
        ("approvers", format!("{} of {groups}", hold.quorum)),
        ("approved by", hold.approved_by.join(", ")),
        ("denied by", hold.denied_by.join(", ")),
        ("comments", hold.comments.join("; ")),
        ("waits", waits),
        ("until", format!("{} ({} left)", hold.until, span(hold.remaining_seconds))),
        ("clients", clients(hold)),
        ("session", hold.session.to_string()),
        ("exchange", hold.exchange.clone()),
        ("binding", hold.binding.clone()),
    ];
    for (name, value) in lines.iter().filter(|(_, value)| !value.is_empty()) {
        println!("  {} {}", painted(Paint::Dim, &format!("{name:<12}")), safe(value));
    }
    Ok(())
}

fn clients(hold: &HoldView) -> String {
    let lock = if hold.in_transaction { ", in an open transaction that holds locks" } else { "" };
    match hold.in_wire {
        0 => "none in the wire; the agent was told to run it again".to_owned(),
        1 => format!("1 in the wire{lock}"),
        many => format!("{many} in the wire, of which an approval lets one run{lock}"),
    }
}

fn print_statement(hold: &HoldView) {
    println!();
    visible(&hold.statement).lines().for_each(|line| println!("    {line}"));
    for (place, value) in hold.parameters.iter().enumerate() {
        let value =
            value.as_deref().map_or("NULL".to_owned(), |value| format!("'{}'", safe(value)));
        println!("    {}", painted(Paint::Dim, &format!("${} = {value}", place + 1)));
    }
    println!();
}

fn safe(text: &str) -> String {
    visible(text).replace(['\n', '\t'], " ")
}

/// Prints each hold when it comes and whenever its state changes, until interrupted.
fn watch(client: &mut Client, as_json: bool) -> anyhow::Result<()> {
    let mut seen: BTreeMap<HoldId, (String, usize)> = BTreeMap::new();
    let mut first = true;
    loop {
        let all = holds(client, true)?;
        let mut now = BTreeMap::new();
        for hold in &all {
            let state = (hold.state.clone(), hold.approved_by.len());
            let old = first && hold.state != "pending";
            if !old && seen.get(&hold.id) != Some(&state) {
                report(hold, as_json)?;
            }
            now.insert(hold.id.clone(), state);
        }
        (seen, first) = (now, false);
        sleep(WATCH_EVERY);
    }
}

fn report(hold: &HoldView, as_json: bool) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    if as_json {
        serde_json::to_writer(&mut out, hold)?;
        writeln!(out)?;
    } else {
        writeln!(
            out,
            "{}  {:<9}  {}  {}  {}  {}",
            painted(Paint::Bold, &hold.id.to_string()),
            painted(paint(&hold.state), &hold.state),
            safe(&hold.subject),
            safe(&hold.agent),
            safe(&hold.target),
            cut(&one_line(&hold.statement), STATEMENT_LETTERS),
        )?;
    }
    out.flush()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_hold_is_found_by_a_unique_beginning() {
        let ids = ["H-AB12CD34", "H-AB99XXXX", "H-HH000000"].map(|id| HoldId(id.to_owned()));
        let check = |text, expected: Option<&str>| {
            let found = pick(ids.iter(), text).ok().map(|id| id.0);
            assert_eq!(found.as_deref(), expected, "{text}");
        };
        check("H-AB12CD34", Some("H-AB12CD34"));
        check("ab1", Some("H-AB12CD34"));
        check("h-h", Some("H-HH000000"));
        check("AB", None);
        check("H-", None);
        check("", None);
        check("zz", None);
        let error = pick(ids.iter(), "AB").unwrap_err().to_string();
        assert!(error.contains("H-AB12CD34 or H-AB99XXXX"), "{error}");
    }
}

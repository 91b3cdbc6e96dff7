//! `weir policy`: check, test and explain policies, without a gateway.

#[cfg(test)]
mod tests;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use crate::config::Config;
use anyhow::Context as _;
use serde_json::json;
use weir_classify::{SqlState, classify_sql};
use weir_model::{
    Decision, Dialect, Identity, Operation, Protocol, Resource, Target, Verdict, limits,
};
use weir_policy::{Action, Ask, PolicySet, Problem, Source, cases};

/// Arguments of `weir policy`.
#[derive(clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// Check policy files; says everything that is wrong, exits with 1 if anything is.
    Check {
        /// Policy files (default: the gateway's).
        files: Vec<PathBuf>,
    },
    /// Run test cases; exits with 1 if any differs.
    Test {
        /// A directory with cases in *.toml (default: the cases of the shipped policy).
        dir: Option<PathBuf>,
        /// Policy files (default: the gateway's).
        #[arg(long, num_args = 1..)]
        policy: Vec<PathBuf>,
    },
    /// Say what would happen to a statement, and why.
    Explain(Explain),
}

#[derive(clap::Args)]
struct Explain {
    /// The statement.
    #[arg(long)]
    sql: String,
    /// The target's name.
    #[arg(long, default_value = "db")]
    target: String,
    /// The target's environment.
    #[arg(long, default_value = "prod")]
    env: String,
    /// Who asks.
    #[arg(long, default_value = "someone")]
    subject: String,
    /// A group that they are in; may be given several times.
    #[arg(long = "group", value_name = "GROUP")]
    groups: Vec<String>,
    /// The agent's name.
    #[arg(long, default_value = "agent")]
    agent: String,
    /// Policy files (default: the gateway's).
    #[arg(long, num_args = 1..)]
    policy: Vec<PathBuf>,
}

/// Runs the command.
pub fn run(args: Args, common: &super::Common) -> anyhow::Result<ExitCode> {
    match args.command {
        Command::Check { files } => check(&sources(common, &files)?, common.json),
        Command::Test { dir, policy } => test(&sources(common, &policy)?, dir.as_deref(), common),
        Command::Explain(explain) => {
            let sources = sources(common, &explain.policy)?;
            let target = target(&explain, &Config::load_or_default(&common.config)?);
            run_explain(&explain, &target, &sources, common.json)
        }
    }
}

/// The policy texts to work with: the files named, else the configuration's, else the shipped ones.
///
/// # Errors
/// A file can't be read.
pub fn sources(common: &super::Common, files: &[PathBuf]) -> anyhow::Result<Vec<Source>> {
    let configured;
    let files = match files {
        [] => {
            configured = Config::load_or_default(&common.config)?.policy.files;
            configured.as_slice()
        }
        named => named,
    };
    if files.is_empty() {
        let (name, text) = ("default.cedar".to_owned(), weir_policy::SHIPPED.to_owned());
        return Ok(vec![Source { name, text }]);
    }
    files.iter().map(|file| read(file)).collect()
}

fn read(file: &Path) -> anyhow::Result<Source> {
    let name = file.display().to_string();
    let text = fs::read_to_string(file).with_context(|| format!("reading {name}"))?;
    Ok(Source { name, text })
}

fn load(sources: &[Source]) -> anyhow::Result<PolicySet> {
    PolicySet::load(sources).map_err(|problems| anyhow::anyhow!("{}", lines(&problems)))
}

fn lines(problems: &[Problem]) -> String {
    let lines: Vec<String> = problems.iter().map(Problem::to_string).collect();
    format!("the policy has {}\n{}", counted(problems.len(), "problem"), lines.join("\n"))
}

fn check(sources: &[Source], as_json: bool) -> anyhow::Result<ExitCode> {
    let loaded = PolicySet::load(sources);
    if as_json {
        let (hash, ids, problems) = match &loaded {
            Ok(set) => (Some(set.hash().clone()), set.ids().collect(), &[][..]),
            Err(problems) => (None, Vec::new(), problems.as_slice()),
        };
        let problems: Vec<_> = problems
            .iter()
            .map(|problem| {
                let Problem { file, line, column, message } = problem;
                json!({"file": file, "line": line, "column": column, "message": message})
            })
            .collect();
        let ok = problems.is_empty();
        println!(
            "{}",
            json!({"ok": ok, "policy_hash": hash, "policies": ids, "problems": problems})
        );
        return Ok(if ok { ExitCode::SUCCESS } else { ExitCode::FAILURE });
    }
    match loaded {
        Ok(set) => {
            println!("ok: {}, set {}", counted(set.ids().count(), "policy"), set.hash());
            Ok(ExitCode::SUCCESS)
        }
        Err(problems) => {
            for problem in &problems {
                println!("{problem}");
            }
            Ok(ExitCode::FAILURE)
        }
    }
}

fn test(
    sources: &[Source],
    dir: Option<&Path>,
    common: &super::Common,
) -> anyhow::Result<ExitCode> {
    let set = load(sources)?;
    let mut found = Vec::new();
    for source in case_files(dir)? {
        let read = cases::parse(&source).map_err(|found| anyhow::anyhow!("{}", lines(&found)))?;
        found.extend(read);
    }
    anyhow::ensure!(!found.is_empty(), "there are no cases to run");
    let report = cases::run(&set, &found, &classify);
    let failed = report.failed();
    if common.json {
        let outcomes: Vec<_> = report
            .outcomes
            .iter()
            .map(|outcome| json!({"name": outcome.name, "differences": outcome.differences}))
            .collect();
        println!(
            "{}",
            json!({"passed": found.len() - failed, "failed": failed, "cases": outcomes,
                   "unhit": report.unhit, "policy_hash": set.hash()})
        );
    } else {
        for outcome in report.outcomes.iter().filter(|outcome| !outcome.differences.is_empty()) {
            println!("differs: {}", outcome.name);
            for difference in &outcome.differences {
                println!("  {difference}");
            }
        }
        for id in &report.unhit {
            println!("no case hits {id}");
        }
        println!("{}, {failed} failed", counted(found.len(), "case"));
    }
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The files of a directory in the order of their names, else the shipped cases.
/// Runs the shipped cases; how many differ, of how many.
pub(in crate::cli) fn failed_cases(set: &PolicySet) -> anyhow::Result<(usize, usize)> {
    let mut found = Vec::new();
    for source in case_files(None)? {
        let read = cases::parse(&source).map_err(|found| anyhow::anyhow!("{}", lines(&found)))?;
        found.extend(read);
    }
    Ok((cases::run(set, &found, &classify).failed(), found.len()))
}

fn case_files(dir: Option<&Path>) -> anyhow::Result<Vec<Source>> {
    let Some(dir) = dir else {
        let (name, text) = ("cases/default.toml".to_owned(), cases::SHIPPED.to_owned());
        return Ok(vec![Source { name, text }]);
    };
    let entries = fs::read_dir(dir).with_context(|| format!("reading {}", dir.display()))?;
    let mut files = Vec::new();
    for entry in entries {
        let path = entry.with_context(|| format!("reading {}", dir.display()))?.path();
        if path.extension().is_some_and(|extension| extension == "toml") {
            files.push(path);
        }
    }
    files.sort();
    files.iter().map(|file| read(file)).collect()
}

fn classify(sql: &str) -> Arc<Operation> {
    classify_sql(Dialect::Postgres, sql.as_bytes(), &SqlState::default()).operation
}

fn run_explain(
    explain: &Explain,
    target: &Target,
    sources: &[Source],
    as_json: bool,
) -> anyhow::Result<ExitCode> {
    let set = load(sources)?;
    anyhow::ensure!(
        explain.sql.len() <= limits::MESSAGE_BYTES,
        "the statement is longer than a message may be"
    );
    let operation = classify(&explain.sql);
    let decision = set.decide(&Ask {
        action: Action::SqlRun,
        identity: &identity(explain),
        target,
        operation: &operation,
        approvers: &[],
    });
    if as_json {
        println!("{}", explained(&operation, &decision));
    } else {
        tell(&operation, &decision);
    }
    Ok(ExitCode::SUCCESS)
}

fn identity(explain: &Explain) -> Identity {
    let mut groups = explain.groups.clone();
    groups.sort_unstable();
    groups.dedup();
    Identity {
        issuer: String::new(),
        subject: explain.subject.clone(),
        email: None,
        groups,
        agent: explain.agent.clone(),
        on_behalf_of: None,
        token_id_hash: String::new(),
        expires_us: i64::MAX,
    }
}

/// The configured target of that name, else one in the environment that was named.
fn target(explain: &Explain, config: &Config) -> Target {
    let configured = config.targets.iter().find(|target| target.name == explain.target);
    let environment = configured.map_or(&explain.env, |target| &target.environment);
    Target {
        name: explain.target.clone(),
        protocol: Protocol::Postgres,
        host: explain.target.clone(),
        address: String::new(),
        port: 5432,
        environment: environment.clone(),
        known: true,
    }
}

/// What a verdict says: message, what to do instead, and whom a hold asks.
fn words(verdict: &Verdict) -> (Option<&str>, Option<&str>, &[String]) {
    let given = |text: &'_ String| !text.is_empty();
    match verdict {
        Verdict::Allow => (None, None, &[]),
        Verdict::Deny(refusal) => (
            Some(refusal.message.as_str()),
            given(&refusal.instead).then_some(refusal.instead.as_str()),
            &[],
        ),
        Verdict::Hold(terms) => (
            Some(terms.message.as_str()),
            given(&terms.instead).then_some(terms.instead.as_str()),
            &terms.approve_groups,
        ),
    }
}

fn explained(operation: &Operation, decision: &Decision) -> serde_json::Value {
    let (message, instead, approve_groups) = words(&decision.verdict);
    json!({
        "operation": operation,
        "verdict": decision.verdict.name(),
        "policies": decision.policies,
        "message": message,
        "instead": instead,
        "approve_groups": approve_groups,
        "policy_hash": decision.policy_hash,
    })
}

fn tell(operation: &Operation, decision: &Decision) {
    let line = |name: &str, value: &str| {
        if !value.is_empty() {
            println!("{name:<12}{value}");
        }
    };
    let flags: Vec<&str> = operation.flags.iter().map(|flag| flag.name()).collect();
    let (message, instead, _) = words(&decision.verdict);
    line("effect", operation.effect.name());
    line("verbs", &operation.verbs.join(", "));
    for resource in &operation.resources {
        line("touches", &touched(resource));
    }
    line("flags", &flags.join(", "));
    line("verdict", decision.verdict.name());
    match &decision.verdict {
        Verdict::Allow => {}
        Verdict::Deny(refusal) => line("rule", &refusal.rule),
        Verdict::Hold(terms) => {
            let groups = match terms.approve_groups.as_slice() {
                [] => "any approver".to_owned(),
                groups => groups.join(", "),
            };
            line("asks", &format!("{} of {groups}, within {} s", terms.quorum, terms.expires_s));
        }
    }
    line("policies", &decision.policies.join(", "));
    line("shadow", &decision.shadow.join(", "));
    line("message", message.unwrap_or_default());
    line("instead", instead.unwrap_or_default());
    line("policy set", &decision.policy_hash);
}

/// One thing, in words: `table public.orders (id, total), changed`.
fn touched(resource: &Resource) -> String {
    let kind = format!("{:?}", resource.kind).to_lowercase();
    let columns = match resource.columns.as_slice() {
        [] => String::new(),
        columns => format!(" ({})", columns.join(", ")),
    };
    let changed = if resource.written { ", changed" } else { "" };
    format!("{kind} {}{columns}{changed}", resource.name)
}

fn counted(number: usize, what: &str) -> String {
    match (number, what.strip_suffix('y')) {
        (1, _) => format!("1 {what}"),
        (_, Some(stem)) => format!("{number} {stem}ies"),
        (_, None) => format!("{number} {what}s"),
    }
}

//! Table tests of a policy set: a question and the answer expected, in TOML.
//!
//! ```toml
//! [[case]]
//! name = "an update of everything waits"
//! sql = "update customers set email = null"
//! expect = "hold"
//! policies = ["hold.no-where"]
//! approve_groups = ["data-owners"]
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::Deserialize;
use weir_model::{
    ColumnRef, Effect, Flag, Identity, Operation, Protocol, Resource, ResourceKind, Target, Verdict,
};

use crate::{Action, Ask, ColumnVerdict, PolicySet, Problem, Source};

/// The cases that the shipped policy is tested with.
pub const SHIPPED: &str = include_str!("../../../policies/cases/default.toml");

/// One case. What it doesn't say is a known PostgreSQL target `db` in `prod`, asked by the agent
/// `agent` of the subject `alice`, who is in no group.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// What it shows.
    pub name: String,
    /// A statement to run.
    pub sql: Option<String>,
    /// What the gateway finds out about it on the target, beside what the text says: `inference`.
    #[serde(default)]
    pub flags: Vec<Flag>,
    /// A host and port to connect to, `host:port`.
    pub connect: Option<String>,
    /// A name to resolve.
    pub resolve: Option<String>,
    /// A replication command, by its verb, or `connect`.
    pub replication: Option<String>,
    /// A column to see, `schema.table.column`; empty for a finding in a value.
    pub column: Option<String>,
    /// A column in whose place a token is to be turned back, `schema.table.column`.
    pub token: Option<String>,
    /// Whether it is stored there, rather than compared.
    #[serde(default)]
    pub written: bool,
    /// The column's classes.
    #[serde(default)]
    pub classes: Vec<String>,
    /// Who asks.
    #[serde(default = "alice")]
    pub subject: String,
    /// In which groups.
    #[serde(default)]
    pub groups: Vec<String>,
    /// By which agent.
    #[serde(default = "agent")]
    pub agent: String,
    /// The target's name.
    #[serde(default = "db")]
    pub target: String,
    /// The target's environment.
    #[serde(default = "prod")]
    pub env: String,
    /// Whether the target is configured.
    #[serde(default = "known")]
    pub known: bool,
    /// Who has approved it.
    #[serde(default)]
    pub approvers: Vec<String>,
    /// `allow`, `deny` or `hold`; of a column `clear` or the name of a transform; of a token `allow` or
    /// `deny`.
    pub expect: String,
    /// The determining policies, all of them; not looked at where left out.
    pub policies: Option<Vec<String>>,
    /// The groups asked, all of them; not looked at where left out.
    pub approve_groups: Option<Vec<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    case: Vec<toml::Spanned<Case>>,
}

/// How a case went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The case's name.
    pub name: String,
    /// What differs from what was expected; empty where nothing does.
    pub differences: Vec<String>,
}

/// How all cases went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// One for each case, in order.
    pub outcomes: Vec<Outcome>,
    /// Policies that determined no case, sorted.
    pub unhit: Vec<String>,
}

impl Report {
    /// How many cases differ.
    pub fn failed(&self) -> usize {
        self.outcomes.iter().filter(|outcome| !outcome.differences.is_empty()).count()
    }
}

/// Reads a file of cases.
pub fn parse(source: &Source) -> Result<Vec<Case>, Vec<Problem>> {
    let file: File = toml::from_str(&source.text).map_err(|error| {
        let at = error.span().map_or(0, |span| span.start);
        vec![source.problem(at, error.message())]
    })?;
    let mut problems = Vec::new();
    for case in &file.case {
        if let Err(message) = case.get_ref().question() {
            problems.push(source.problem(case.span().start, message));
        }
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    Ok(file.case.into_iter().map(toml::Spanned::into_inner).collect())
}

/// Runs cases; `classify` says what a statement means.
pub fn run(set: &PolicySet, cases: &[Case], classify: &dyn Fn(&str) -> Arc<Operation>) -> Report {
    let mut hit: BTreeSet<String> = BTreeSet::new();
    let mut outcomes = Vec::with_capacity(cases.len());
    for case in cases {
        let differences = match case.answer(set, classify) {
            Ok(got) => {
                hit.extend(got.policies.iter().chain(&got.shadow).cloned());
                case.differences(&got)
            }
            Err(message) => vec![message],
        };
        outcomes.push(Outcome { name: case.name.clone(), differences });
    }
    let unhit = set.ids().filter(|id| !hit.contains(*id)).map(str::to_owned).collect();
    Report { outcomes, unhit }
}

/// What is asked, of the six kinds.
enum CaseQuestion<'a> {
    Sql(&'a str),
    Connect(&'a str, u16),
    Resolve(&'a str),
    Replication(&'a str),
    Column(ColumnRef),
    Token(ColumnRef),
}

/// What a set said.
struct Got {
    verdict: String,
    policies: Vec<String>,
    shadow: Vec<String>,
    approve_groups: Vec<String>,
}

impl Case {
    fn question(&self) -> Result<CaseQuestion<'_>, String> {
        let column = |name: &str| {
            let (table, column) = name.rsplit_once('.').unwrap_or(("", name));
            ColumnRef { table: table.to_owned(), column: column.to_owned() }
        };
        if let Some(verb) = &self.replication {
            let others = [&self.sql, &self.connect, &self.resolve, &self.column, &self.token];
            let alone = others.iter().all(|other| other.is_none());
            return alone.then_some(CaseQuestion::Replication(verb)).ok_or_else(not_one);
        }
        match (&self.sql, &self.connect, &self.resolve, &self.column, &self.token) {
            (Some(sql), None, None, None, None) => Ok(CaseQuestion::Sql(sql)),
            (None, Some(place), None, None, None) => {
                let parts = place.rsplit_once(':').and_then(|(host, port)| {
                    port.parse().ok().map(|port| CaseQuestion::Connect(host, port))
                });
                parts.ok_or_else(|| format!("connect: expected host:port, got {place:?}"))
            }
            (None, None, Some(name), None, None) => Ok(CaseQuestion::Resolve(name)),
            (None, None, None, Some(name), None) => Ok(CaseQuestion::Column(column(name))),
            (None, None, None, None, Some(name)) => Ok(CaseQuestion::Token(column(name))),
            _ => Err(not_one()),
        }
    }

    fn answer(
        &self,
        set: &PolicySet,
        classify: &dyn Fn(&str) -> Arc<Operation>,
    ) -> Result<Got, String> {
        let target = |protocol, host: &str, port| self.target(protocol, host, port);
        let (action, target, operation) = match self.question()? {
            CaseQuestion::Sql(sql) => {
                let mut operation = classify(sql);
                if !self.flags.is_empty() {
                    Arc::make_mut(&mut operation).flags.extend(&self.flags);
                }
                (Action::SqlRun, target(Protocol::Postgres, &self.target, 5432), operation)
            }
            CaseQuestion::Connect(host, port) => {
                let operation = Arc::new(of_host("connect", host));
                (Action::TcpConnect, target(Protocol::Tcp, host, port), operation)
            }
            CaseQuestion::Resolve(name) => {
                let operation = Arc::new(of_host("resolve", name));
                (Action::DnsResolve, target(Protocol::Dns, name, 53), operation)
            }
            CaseQuestion::Replication(verb) => {
                let operation = Arc::new(of_host(verb, &self.target));
                (Action::ReplicationRun, target(Protocol::Postgres, &self.target, 5432), operation)
            }
            CaseQuestion::Column(column) => return Ok(self.column_answer(set, &column)),
            CaseQuestion::Token(column) => return Ok(self.token_answer(set, &column)),
        };
        let decision = set.decide(&Ask {
            action,
            identity: &self.identity(),
            target: &target,
            operation: &operation,
            approvers: &self.approvers,
        });
        let approve_groups = match &decision.verdict {
            Verdict::Hold(terms) => terms.approve_groups.clone(),
            Verdict::Allow | Verdict::Deny(_) => Vec::new(),
        };
        let verdict = decision.verdict.name().to_owned();
        let (policies, shadow) = (decision.policies, decision.shadow);
        Ok(Got { verdict, policies, shadow, approve_groups })
    }

    fn column_answer(&self, set: &PolicySet, column: &ColumnRef) -> Got {
        let target = self.target(Protocol::Postgres, &self.target, 5432);
        let (verdict, policies) =
            set.column_because(&self.identity(), &target, column, &self.classes);
        let verdict = match verdict {
            ColumnVerdict::Clear => "clear",
            ColumnVerdict::Mask { transform, .. } => transform.name(),
        };
        let verdict = verdict.to_owned();
        Got { verdict, policies, shadow: Vec::new(), approve_groups: Vec::new() }
    }

    fn token_answer(&self, set: &PolicySet, column: &ColumnRef) -> Got {
        let target = self.target(Protocol::Postgres, &self.target, 5432);
        let (identity, classes) = (self.identity(), &self.classes);
        let (may, policies) = set.reveal(&identity, &target, column, classes, self.written);
        let verdict = if may { "allow" } else { "deny" }.to_owned();
        Got { verdict, policies, shadow: Vec::new(), approve_groups: Vec::new() }
    }

    fn differences(&self, got: &Got) -> Vec<String> {
        let mut differences = Vec::new();
        if self.expect != got.verdict {
            differences.push(format!(
                "expected {}, got {} by [{}]",
                self.expect,
                got.verdict,
                got.policies.join(", ")
            ));
        }
        let lists = BTreeMap::from([
            ("policies", (&self.policies, &got.policies)),
            ("approve_groups", (&self.approve_groups, &got.approve_groups)),
        ]);
        for (name, (expected, got)) in lists {
            let Some(expected) = expected else { continue };
            let (expected, got): (BTreeSet<_>, BTreeSet<_>) =
                (expected.iter().collect(), got.iter().collect());
            if expected != got {
                differences.push(format!("expected {name} {expected:?}, got {got:?}"));
            }
        }
        differences
    }

    fn identity(&self) -> Identity {
        Identity {
            issuer: "https://issuer.test".to_owned(),
            subject: self.subject.clone(),
            email: None,
            groups: self.groups.clone(),
            agent: self.agent.clone(),
            on_behalf_of: None,
            token_id_hash: String::new(),
            expires_us: i64::MAX,
        }
    }

    fn target(&self, protocol: Protocol, host: &str, port: u16) -> Target {
        Target {
            name: if self.known { self.target.clone() } else { format!("{host}:{port}") },
            protocol,
            host: host.to_owned(),
            address: "192.0.2.1".to_owned(),
            port,
            environment: if self.known { self.env.clone() } else { String::new() },
            known: self.known,
        }
    }
}

fn not_one() -> String {
    "expected exactly one of sql, connect, resolve, replication, column, token".to_owned()
}

/// The operation of a connection or a look-up.
fn of_host(verb: &str, host: &str) -> Operation {
    Operation {
        effect: Effect::Session,
        verbs: vec![verb.to_owned()],
        resources: vec![Resource {
            kind: ResourceKind::Host,
            name: host.to_owned(),
            columns: Vec::new(),
            written: false,
        }],
        flags: BTreeSet::new(),
    }
}

fn alice() -> String {
    "alice".to_owned()
}

fn agent() -> String {
    "agent".to_owned()
}

fn db() -> String {
    "db".to_owned()
}

fn prod() -> String {
    "prod".to_owned()
}

fn known() -> bool {
    true
}

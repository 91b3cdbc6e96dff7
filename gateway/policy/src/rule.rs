//! A policy's annotations, read and checked: Cedar itself takes any.

use cedar_policy::{Effect, Policy};
use weir_model::Transform;

use crate::partition::{Question, questions};
use crate::source::{Problem, Source};

/// How bad it is that a policy determined a verdict.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Worth knowing.
    #[default]
    Info,
    /// Likely a mistake.
    Low,
    /// To be looked at some day.
    Medium,
    /// To be looked at today.
    High,
    /// To be looked at now.
    Critical,
}

/// What an approval covers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// One execution of the same bytes.
    #[default]
    Once,
    /// Later operations of the same shape.
    Shape,
    /// The rest of the session.
    Session,
}

/// What a policy's annotations say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rule {
    /// `@id`, unique in the set.
    pub id: String,
    /// `@message`: what is wrong; empty where not given.
    pub message: String,
    /// `@instead`: what to do instead; empty where not given.
    pub instead: String,
    /// `@severity`.
    pub severity: Severity,
    /// `@approve_group`, split at commas.
    pub approve_groups: Vec<String>,
    /// `@quorum`.
    pub quorum: Option<u32>,
    /// `@expires`, in seconds.
    pub expires_s: Option<u32>,
    /// `@scope`.
    pub scope: Scope,
    /// `@mask`.
    pub mask: Option<Transform>,
    /// `@mode("shadow")`: evaluated and told, not enforced.
    pub shadow: bool,
}

const TEXT_LETTERS: usize = 500;
const ID_LETTERS: usize = 128;
/// The longest life of an approval: a day.
const EXPIRES_S: u32 = 86_400;

/// Reads a policy's annotations; adds what is wrong with them to `problems`.
pub(crate) fn read(source: &Source, policy: &Policy, problems: &mut Vec<Problem>) -> Rule {
    let start = policy.as_ref().loc().map_or(0, |loc| loc.start());
    let mut rule = Rule::default();
    let questions = questions(policy);
    let forbids = policy.effect() == Effect::Forbid;
    for (name, annotation) in policy.as_ref().annotations() {
        let name = name.to_string();
        let at = annotation.loc.as_ref().map_or(start, |loc| loc.start());
        let value = annotation.val.as_str();
        if let Err(message) = rule.set(&name, value) {
            problems.push(source.problem(at, format!("@{name}: {message}")));
        } else if let Some(message) = misplaced(&name, forbids, &questions) {
            problems.push(source.problem(at, format!("@{name}: {message}")));
        }
    }
    if policy.annotation("id").is_none() {
        problems.push(source.problem(start, "the policy has no @id(\"...\")"));
    }
    rule
}

/// An annotation that would have no effect is a mistake of the one who relies on it.
fn misplaced(name: &str, forbids: bool, questions: &[Question]) -> Option<&'static str> {
    match name {
        "approve_group" | "quorum" | "expires" | "scope"
            if !forbids || !questions.iter().any(|question| question.holds()) =>
        {
            Some("only a forbid of an \"..._unattended\" action holds, so this has no effect here")
        }
        "mask" if !forbids || !questions.contains(&Question::ColumnClear) => {
            Some("only a forbid of \"column.clear\" masks, so this has no effect here")
        }
        _ => None,
    }
}

impl Rule {
    fn set(&mut self, name: &str, value: &str) -> Result<(), String> {
        match name {
            "id" => self.id = id(value)?,
            "message" => self.message = text(value)?,
            "instead" => self.instead = text(value)?,
            "severity" => self.severity = severity(value)?,
            "approve_group" => self.approve_groups = groups(value)?,
            "quorum" => self.quorum = Some(positive(value)?),
            "expires" => self.expires_s = Some(duration(value)?),
            "scope" => self.scope = scope(value)?,
            "mask" => self.mask = Some(transform(value)?),
            "mode" => self.shadow = shadow(value)?,
            _ => {
                return Err("unknown annotation; known are id, message, instead, severity, \
                            approve_group, quorum, expires, scope, mask, mode"
                    .to_owned());
            }
        }
        Ok(())
    }
}

fn id(value: &str) -> Result<String, String> {
    let letter = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    if value.is_empty() || value.len() > ID_LETTERS || !value.chars().all(letter) {
        return Err(format!("an id is 1 to {ID_LETTERS} of a-z, 0-9, '.', '-', '_'"));
    }
    if value.starts_with("weir.") {
        return Err("ids that begin with \"weir.\" belong to the gateway's own rules".to_owned());
    }
    Ok(value.to_owned())
}

fn text(value: &str) -> Result<String, String> {
    // It goes into protocol errors, terminals and logs.
    if value.trim().is_empty() || value.chars().any(char::is_control) {
        return Err("a text is one line that is not empty".to_owned());
    }
    if value.chars().count() > TEXT_LETTERS {
        return Err(format!("a text has at most {TEXT_LETTERS} characters"));
    }
    Ok(value.to_owned())
}

fn severity(value: &str) -> Result<Severity, String> {
    match value {
        "info" => Ok(Severity::Info),
        "low" => Ok(Severity::Low),
        "medium" => Ok(Severity::Medium),
        "high" => Ok(Severity::High),
        "critical" => Ok(Severity::Critical),
        _ => Err(one_of("info, low, medium, high, critical", value)),
    }
}

fn groups(value: &str) -> Result<Vec<String>, String> {
    let mut groups: Vec<String> = value.split(',').map(|name| name.trim().to_owned()).collect();
    if groups.iter().any(|name| name.is_empty() || name.chars().any(char::is_control)) {
        return Err("expected group names, separated by commas".to_owned());
    }
    groups.sort_unstable();
    groups.dedup();
    Ok(groups)
}

fn positive(value: &str) -> Result<u32, String> {
    let digits = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit());
    match value.parse::<u32>() {
        Ok(number) if digits && number > 0 => Ok(number),
        _ => Err(format!("expected a whole number from 1, got {value:?}")),
    }
}

fn duration(value: &str) -> Result<u32, String> {
    let wrong = || format!("expected a time like 30s, 15m or 2h, at most 24h, got {value:?}");
    let unit = value.chars().last().ok_or_else(wrong)?;
    let factor: u32 = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3_600,
        _ => return Err(wrong()),
    };
    let number = value.strip_suffix(unit).ok_or_else(wrong)?;
    let number = positive(number).map_err(|_| wrong())?;
    number.checked_mul(factor).filter(|seconds| *seconds <= EXPIRES_S).ok_or_else(wrong)
}

fn scope(value: &str) -> Result<Scope, String> {
    match value {
        "once" => Ok(Scope::Once),
        "shape" => Ok(Scope::Shape),
        "session" => Ok(Scope::Session),
        _ => Err(one_of("once, shape, session", value)),
    }
}

fn transform(value: &str) -> Result<Transform, String> {
    match value {
        "redact" => Ok(Transform::Redact),
        "partial" => Ok(Transform::Partial),
        "hash" => Ok(Transform::Hash),
        "token" => Ok(Transform::Token),
        "generalise" => Ok(Transform::Generalise),
        "null" => Ok(Transform::Null),
        _ => Err(one_of("token, generalise, partial, hash, redact, null", value)),
    }
}

fn shadow(value: &str) -> Result<bool, String> {
    match value {
        "enforce" => Ok(false),
        "shadow" => Ok(true),
        _ => Err(one_of("enforce, shadow", value)),
    }
}

fn one_of(known: &str, value: &str) -> String {
    format!("expected one of {known}, got {value:?}")
}

//! Who may answer: operators of this host, and never for their own agent.

use std::collections::BTreeSet;
use std::ffi::CString;

use nix::unistd::{Gid, Group, Uid, User, getgrouplist};
use serde::Deserialize;
use weir_model::SessionId;

use super::{Choice, Ticket};

/// `[approval]` of the configuration.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Who may answer on this host. Without the key, root for all groups.
    pub operators: Vec<Operator>,
}

impl Default for Config {
    fn default() -> Self {
        Self { operators: vec![Operator::User { user: "root".to_owned(), groups: None }] }
    }
}

/// Unix users that may answer.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(untagged, deny_unknown_fields)]
pub enum Operator {
    /// One user.
    User {
        /// The user's name.
        user: String,
        /// For which approve groups; without it root speaks for all, others for their Unix groups.
        groups: Option<Vec<String>>,
    },
    /// All members of a Unix group.
    Group {
        /// The Unix group's name.
        group: String,
        /// For which approve groups; without it, for those named as their Unix groups.
        groups: Option<Vec<String>>,
    },
}

/// The approve groups for which someone speaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Groups {
    /// Every group.
    All,
    /// These.
    Only(BTreeSet<String>),
}

impl Groups {
    /// Whether one of `asked` is among them; where nothing is asked, any approver will do.
    pub fn answer_for(&self, asked: &[String]) -> bool {
        match self {
            Self::All => true,
            Self::Only(groups) => {
                asked.is_empty() || asked.iter().any(|group| groups.contains(group))
            }
        }
    }
}

/// Someone who answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Approver {
    /// The name in the record: `unix:alice`.
    pub name: String,
    /// The Unix user's name.
    pub user: String,
    /// The Unix user.
    pub uid: u32,
    /// For which groups they speak.
    pub groups: Groups,
    /// The session whose cgroup the answer came from; such an answer is never accepted.
    pub session: Option<SessionId>,
}

/// Why someone is no operator.
#[derive(Debug, thiserror::Error)]
pub enum NotOperator {
    /// The user is in no list.
    #[error(
        "user {0} may not answer holds: add {{ user = \"{0}\", groups = [..] }} to [approval] \
         operators, or ask an operator"
    )]
    Unlisted(String),
    /// The user id has no name.
    #[error("user id {0} has no name on this host, so that it can't be an operator")]
    Nameless(u32),
    /// The user database could not be read.
    #[error("looking up user id {uid}: {source}")]
    Lookup {
        /// The user id.
        uid: u32,
        /// What went wrong.
        source: nix::Error,
    },
}

/// Why an approver's answer is refused.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The answer came out of an agent's cgroup.
    #[error(
        "an answer from inside session {0} is refused: agents can't approve; this is on record"
    )]
    Agent(SessionId),
    /// The agent is the approver's own.
    #[error("{user} may not approve an agent of their own: ask someone else")]
    Own {
        /// The approver.
        user: String,
    },
    /// The approver is in none of the groups that policy asks for.
    #[error("{user} is in none of the groups that may answer this: {}", groups.join(", "))]
    Group {
        /// The approver.
        user: String,
        /// The groups.
        groups: Vec<String>,
    },
}

impl Config {
    /// The approver behind a Unix user, if they are an operator.
    pub fn approver(&self, uid: u32, session: Option<SessionId>) -> Result<Approver, NotOperator> {
        let lookup = |source| NotOperator::Lookup { uid, source };
        let user = User::from_uid(Uid::from_raw(uid)).map_err(lookup)?;
        let user = user.ok_or(NotOperator::Nameless(uid))?;
        let unix_groups = unix_groups(&user.name, user.gid).map_err(lookup)?;
        self.operator(uid, &user.name, &unix_groups, session)
    }

    fn operator(
        &self,
        uid: u32,
        user: &str,
        unix_groups: &BTreeSet<String>,
        session: Option<SessionId>,
    ) -> Result<Approver, NotOperator> {
        let mut listed = false;
        let mut groups = BTreeSet::new();
        for operator in &self.operators {
            let given = match operator {
                Operator::User { user: name, groups } if name == user => groups,
                Operator::Group { group, groups } if unix_groups.contains(group) => groups,
                Operator::User { .. } | Operator::Group { .. } => continue,
            };
            listed = true;
            match given {
                Some(given) => groups.extend(given.iter().cloned()),
                None if uid == 0 => return Ok(approver(uid, user, Groups::All, session)),
                None => groups.extend(unix_groups.iter().cloned()),
            }
        }
        match listed {
            true => Ok(approver(uid, user, Groups::Only(groups), session)),
            false => Err(NotOperator::Unlisted(user.to_owned())),
        }
    }
}

impl Approver {
    /// Whether this approver may choose so. Anyone who may answer at all may deny their own agent.
    pub fn may(&self, choice: Choice, ticket: &Ticket) -> Result<(), Refused> {
        if let Some(session) = self.session {
            return Err(Refused::Agent(session));
        }
        if choice == Choice::Approve && self.owns(ticket) {
            return Err(Refused::Own { user: self.user.clone() });
        }
        let asked = &ticket.question.terms.approve_groups;
        if !self.groups.answer_for(asked) {
            return Err(Refused::Group { user: self.user.clone(), groups: asked.clone() });
        }
        Ok(())
    }

    /// Whether the agent is the approver's own. Root as an operator stands for the host, not for a
    /// person, and may approve agents that run as root.
    fn owns(&self, ticket: &Ticket) -> bool {
        if self.uid == 0 {
            return false;
        }
        let question = &ticket.question;
        let identity = &question.identity;
        let named = |name: &str| {
            let local = name.split('@').next().unwrap_or(name);
            name.eq_ignore_ascii_case(&self.user) || local.eq_ignore_ascii_case(&self.user)
        };
        self.uid == question.uid
            || named(&identity.subject)
            || identity.email.as_deref().is_some_and(named)
            || identity.on_behalf_of.as_deref().is_some_and(named)
    }
}

fn approver(uid: u32, user: &str, groups: Groups, session: Option<SessionId>) -> Approver {
    Approver { name: format!("unix:{user}"), user: user.to_owned(), uid, groups, session }
}

fn unix_groups(user: &str, primary: Gid) -> nix::Result<BTreeSet<String>> {
    let user = CString::new(user).map_err(|_| nix::Error::EINVAL)?;
    let mut names = BTreeSet::new();
    for gid in getgrouplist(&user, primary)? {
        if let Some(group) = Group::from_gid(gid)? {
            names.insert(group.name);
        }
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn config(text: &str) -> Result<Config, toml::de::Error> {
        toml::from_str(text)
    }

    fn only(names: &[&str]) -> Groups {
        Groups::Only(names.iter().map(|name| (*name).to_owned()).collect())
    }

    fn groups_of(config: &Config, uid: u32, user: &str, unix: &[&str]) -> Option<Groups> {
        let unix = unix.iter().map(|name| (*name).to_owned()).collect();
        config.operator(uid, user, &unix, None).ok().map(|approver| approver.groups)
    }

    #[test]
    fn root_alone_answers_by_default() {
        let config = config("").unwrap();
        assert_eq!(groups_of(&config, 0, "root", &["root"]), Some(Groups::All));
        assert_eq!(groups_of(&config, 1000, "alice", &["dba", "root"]), None);
    }

    #[test]
    fn operators_speak_for_the_groups_given_to_them() {
        let text = r#"
            operators = [
                { user = "root", groups = ["data-owners"] },
                { user = "alice" },
                { group = "dba", groups = ["data-owners", "dba"] },
            ]"#;
        let config = config(text).unwrap();
        let check = |uid, user, unix: &[&str], expected| {
            assert_eq!(groups_of(&config, uid, user, unix), expected, "{user}");
        };
        check(0, "root", &["root"], Some(only(&["data-owners"])));
        check(1000, "alice", &["staff"], Some(only(&["staff"])));
        check(1001, "bob", &["dba"], Some(only(&["data-owners", "dba"])));
        check(1002, "eve", &["staff"], None);
    }

    #[test]
    fn unknown_keys_are_refused() {
        assert!(config("operator = []").is_err());
        assert!(config(r#"operators = [{ user = "a", group = "b" }]"#).is_err());
        assert!(config(r#"operators = [{ user = "a", role = "b" }]"#).is_err());
    }

    #[test]
    fn root_is_found_in_the_user_database() {
        let approver = Config::default().approver(0, None).unwrap();
        assert_eq!((approver.name.as_str(), approver.groups), ("unix:root", Groups::All));
    }
}

//! Which facts the policies of a set read: the others need not be prepared for every decision.
//!
//! That is most of the cost of a decision that is not Cedar's own evaluation.

use std::collections::BTreeSet;

use cedar_policy::Policy;
use cedar_policy::pst::{Clause, Expr, Var};

/// The names of attributes that some policy reads, of whatever it reads them.
#[derive(Debug, Default)]
pub(crate) struct Mentions {
    names: BTreeSet<String>,
    /// The ids of the entities that some policy names. No attribute holds an entity, so `in` has
    /// nothing else to compare with.
    entities: BTreeSet<String>,
    /// Some policy reads a fact in a way that this can't follow.
    everything: bool,
}

impl Mentions {
    #[cfg(test)]
    pub(crate) fn everything() -> Self {
        Self { everything: true, ..Self::default() }
    }

    /// Whether an attribute is read.
    pub(crate) fn of(&self, name: &str) -> bool {
        self.everything || self.names.contains(name)
    }

    /// Whether an entity is named, for instance a group.
    pub(crate) fn entity(&self, id: &str) -> bool {
        self.everything || self.entities.contains(id)
    }

    /// Adds what a policy reads.
    pub(crate) fn add(&mut self, policy: &Policy) {
        let literals = policy.entity_literals();
        self.entities.extend(literals.iter().map(|uid| uid.id().unescaped().to_owned()));
        let Ok(tree) = policy.to_pst() else {
            self.everything = true;
            return;
        };
        for clause in tree.body().clauses() {
            let (Clause::When(expr) | Clause::Unless(expr)) = clause;
            for name in read(expr) {
                match name {
                    Some(name) => drop(self.names.insert(name)),
                    None => self.everything = true,
                }
            }
        }
    }
}

/// The names read below a node; `None` is the context as a whole. Entities are compared by their
/// ids, so one as a whole reads none of its attributes.
fn read(expr: &Expr) -> Vec<Option<String>> {
    let look = |node: &Expr| match node {
        Expr::GetAttr { expr, attr } => Some(joined(below(expr), vec![Some(attr.to_string())])),
        Expr::HasAttr { expr, attrs } => {
            Some(joined(below(expr), attrs.iter().map(|attr| Some(attr.to_string())).collect()))
        }
        Expr::Var(Var::Context) => Some(vec![None]),
        _ => None,
    };
    expr.reduce(&look, &joined, Vec::new())
}

fn below(expr: &Expr) -> Vec<Option<String>> {
    if matches!(expr, Expr::Var(Var::Context)) { Vec::new() } else { read(expr) }
}

fn joined(mut left: Vec<Option<String>>, right: Vec<Option<String>>) -> Vec<Option<String>> {
    left.extend(right);
    left
}

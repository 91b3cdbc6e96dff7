//! What only the catalogue can tell of a statement before it runs: whether it does more than read behind
//! the names that it uses, and whether masking can hide what it reads.

use std::rc::Rc;
use std::sync::Arc;

use weir_model::{Effect, Flag, Operation};

use super::catalogue::{self, Catalogue, FIRST_NORMAL};
use super::lane::{Judged, Lane};
use super::shape;
use crate::flow::services::Live;

impl Lane {
    /// Looks a statement over once more, with the types that the client says its parameters have.
    pub async fn guard(&self, judged: Rc<Judged>, types: &[u32]) -> Rc<Judged> {
        if judged.operation.effect == Effect::Unknown {
            return judged;
        }
        let judged = self.guard_names(judged, types).await;
        self.guard_values(judged).await
    }

    /// What uses a name behind which more than a read may be is not known to be what it looks like.
    async fn guard_names(&self, judged: Rc<Judged>, types: &[u32]) -> Rc<Judged> {
        let own_types = types.iter().any(|number| *number >= FIRST_NORMAL);
        if !own_types && !uses_names(&judged) {
            return judged;
        }
        let live = self.live();
        // Only this connection sees what its transaction planted.
        let planted = self.planted.get() && judged.operation.effect <= Effect::Read;
        let hidden = planted
            || match catalogue::see(self).await {
                Ok(()) => {
                    let seen = self.seen.borrow();
                    seen.latest().is_none_or(|catalogue| {
                        let behind = &catalogue.behind;
                        behind.is_used(&judged.facts, &judged.operation)
                            || behind.has_type(types.iter().copied())
                    })
                }
                Err(error) => {
                    tracing::debug!(flow = %self.flow, %error, "looking behind the names of a statement");
                    true
                }
            };
        if !hidden {
            return judged;
        }
        let mut operation = (*judged.operation).clone();
        operation.effect = Effect::Unknown;
        operation.flags.insert(Flag::VolatileFunction);
        self.judged_anew(&live, &judged, operation)
    }

    fn judged_anew(&self, live: &Live, judged: &Judged, operation: Operation) -> Rc<Judged> {
        let operation = Arc::new(operation);
        let decision = self.decision(live, &operation);
        let (bytes, facts) = (judged.bytes.clone(), judged.facts.clone());
        Rc::new(Judged::new(bytes, facts, operation, decision))
    }

    /// What can't be masked is not a plain read or write where sensitive columns are named: COPY
    /// carries no column origins, and a value that is stored elsewhere has lost its own. What a
    /// condition may tell of a masked column is flagged as inference.
    async fn guard_values(&self, judged: Rc<Judged>) -> Rc<Judged> {
        let facts = &judged.facts;
        let escapes = facts.stores || judged.operation.flags.contains(&Flag::CopyOut);
        let unknown = judged.operation.effect == Effect::Unknown;
        if unknown || (!escapes && facts.compares.is_empty()) {
            return judged;
        }
        let live = self.live();
        let (named, infers) = match catalogue::of(self, &live, std::iter::empty()).await {
            Ok(catalogue) => (
                escapes && catalogue.names_classified(&judged.operation),
                infers(self, &live, &catalogue, &judged),
            ),
            Err(error) => {
                tracing::debug!(flow = %self.flow, %error, "guarding a statement");
                (escapes, !facts.compares.is_empty())
            }
        };
        if !named && !infers {
            return judged;
        }
        let mut operation = (*judged.operation).clone();
        if named {
            operation.effect = Effect::Unknown;
        }
        if infers {
            operation.flags.insert(Flag::Inference);
        }
        self.judged_anew(&live, &judged, operation)
    }
}

/// Whether a statement uses any name that a user's own object may have.
fn uses_names(judged: &Judged) -> bool {
    let facts = &judged.facts;
    !facts.names.is_empty()
        || !facts.dotted.is_empty()
        || !facts.executes.is_empty()
        || !judged.operation.resources.is_empty()
}

/// Whether rows, their order or their number may tell a masked column: its value decides them alone, or
/// it is compared with a column that is not masked.
fn infers(lane: &Lane, live: &Live, catalogue: &Catalogue, judged: &Judged) -> bool {
    let (facts, operation) = (&judged.facts, &judged.operation);
    let is_hidden = |(column, classes): (_, _)| shape::is_hidden(lane, live, column, classes);
    let masked = |name: &str| catalogue.classified_as(name, operation).any(is_hidden);
    // `c.name` is a call of `name(c)` where no such column is (`ParseFuncOrColumn`).
    let any =
        |name: &String| name == "*" || (facts.dotted.contains(name) && !catalogue.has_column(name));
    facts.compares.iter().any(|comparison| {
        let names = &comparison.columns;
        let whole = names.iter().any(any);
        let hidden = names.iter().filter(|name| masked(name)).count();
        let tells = comparison.alone || whole || hidden < names.len();
        tells && (hidden > 0 || (whole && catalogue.classified_of(operation).any(is_hidden)))
    })
}

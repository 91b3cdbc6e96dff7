//! The way back: a token that the client sends where a statement compares a masked column with it, or
//! stores it there, reaches the target as the value that it stands for, if policy allows.
//!
//! The value travels as a parameter, never in a text: texts can be read again (`current_query()`,
//! `pg_stat_activity`). Why only there, and what else was thought of, says decision 17.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeSet, VecDeque};
use std::ops::Range;
use std::sync::{Arc, PoisonError};

use weir_classify::{Given, Place, Places, classify, places};
use weir_mask::{Action, Known, Realm};
use weir_model::entry::Event;
use weir_model::{
    Class, ColumnRef, Dialect, Effect, Entry, ExchangeId, Statement, Transform, limits,
};

use super::catalogue::{self, Catalogue};
use super::lane::{Judged, Lane};
use super::shape;
use crate::flow::services::{Live, now_us};

/// The types that a parameter may be declared as: `text`, `varchar`, or whatever the target makes of it.
/// Others cut what they are given.
const TEXTS: [u32; 4] = [0, 25, 1043, 705];
/// The types of columns whose tokens are remembered: `text`, `varchar`, `character(n)`.
const COLUMNS: [u32; 3] = [25, 1043, 1042];
/// A value shorter than this is not looked for in the target's texts.
const SHORTEST: usize = 4;

/// What a connection's tokens were turned back into.
#[derive(Default)]
pub struct WayBack {
    /// What a name means here is not known any more.
    closed: Cell<bool>,
    /// What went into its statements, the oldest first.
    revealed: RefCell<VecDeque<Arc<Known>>>,
}

impl WayBack {
    /// The connection changes the schema: a name may mean another table from here on.
    pub fn close(&self) {
        self.closed.set(true);
    }

    /// A text of the target with values that this connection put into statements as tokens again.
    pub fn hide(&self, text: &[u8]) -> Option<Vec<u8>> {
        let mut hidden = None;
        for known in self.revealed.borrow().iter().filter(|known| known.value().len() >= SHORTEST) {
            let now: &[u8] = hidden.as_deref().unwrap_or(text);
            if let Some(quiet) = replaced(now, known.value(), known.token()) {
                hidden = Some(quiet);
            }
        }
        hidden
    }

    fn note(&self, known: &Arc<Known>) {
        let mut revealed = self.revealed.borrow_mut();
        if revealed.contains(known) {
            return;
        }
        if revealed.len() >= limits::REVEALED {
            revealed.pop_front();
        }
        revealed.push_back(known.clone());
    }
}

fn replaced(text: &[u8], value: &[u8], token: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    let mut rest = text;
    let mut found = false;
    while let Some(at) = rest.windows(value.len()).position(|window| window == value) {
        out.extend_from_slice(&rest[..at]);
        out.extend_from_slice(token);
        rest = &rest[at + value.len()..];
        found = true;
    }
    out.extend_from_slice(rest);
    found.then_some(out)
}

/// Where the tokens of a column are good, if the caller may ever have them turned back.
pub fn realm(
    lane: &Lane,
    live: &Live,
    column: &ColumnRef,
    classes: &[Class],
    type_oid: u32,
) -> Option<Arc<Realm>> {
    let may = |written| {
        live.policy.reveal(&lane.caller.identity, &lane.target, column, classes, written).0
    };
    let known = COLUMNS.contains(&type_oid) && is_token(lane, live, column, classes);
    (known && (may(false) || may(true))).then(|| Arc::new(realm_of(lane, classes)))
}

fn realm_of(lane: &Lane, classes: &[Class]) -> Realm {
    let mut classes = classes.to_vec();
    classes.sort();
    Realm { target: lane.config.name.clone(), database: lane.database.clone(), classes }
}

fn is_token(lane: &Lane, live: &Live, column: &ColumnRef, classes: &[Class]) -> bool {
    let hidden = shape::hidden(lane, live, column, classes);
    matches!(hidden, Action::Apply { transform: Transform::Token, .. })
}

/// A token that is turned back.
struct Turned {
    given: Given,
    known: Arc<Known>,
    column: String,
    policies: Vec<String>,
}

/// A statement's tokens that are turned back.
#[derive(Default)]
pub struct Revealed(Vec<Turned>);

impl Revealed {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What a parameter, from 0 on, becomes.
    pub fn parameter(&self, place: usize) -> Option<&[u8]> {
        let turned = self.0.iter().find(|turned| turned.given == Given::Parameter(place + 1))?;
        Some(turned.known.value())
    }

    /// The values, in the order of the parameters that stand for them.
    pub fn values(&self) -> impl Iterator<Item = &[u8]> {
        self.0.iter().map(|turned| turned.known.value())
    }

    /// The entry that says so; it never holds a value.
    pub fn entry(&self, lane: &Lane, exchange: ExchangeId) -> Entry {
        let columns: BTreeSet<&str> = self.0.iter().map(|turned| turned.column.as_str()).collect();
        let columns = columns.into_iter().collect::<Vec<_>>().join(", ");
        let policies: BTreeSet<&str> =
            self.0.iter().flat_map(|turned| turned.policies.iter().map(String::as_str)).collect();
        let count = self.0.len();
        let message = format!("{count} tokens were turned back into values of {columns}");
        let event = Event::info(now_us(), "token.revealed", message)
            .of_session(lane.session.id)
            .of_flow(lane.flow)
            .with("exchange", exchange)
            .with("columns", columns)
            .with("tokens", count)
            .with("policies", policies.into_iter().collect::<Vec<_>>().join(", "));
        Entry::Event(event)
    }
}

impl Lane {
    /// What becomes of the parameters of a statement. `declared` are their types as the client said
    /// them, `values` what it sent.
    pub async fn reveal_parameters(
        &self,
        judged: &Judged,
        declared: &[u32],
        values: &[Option<&[u8]>],
    ) -> Revealed {
        let said = |given: &Given| match given {
            Given::Parameter(number) => {
                let place = number - 1;
                let kind = declared.get(place).copied().unwrap_or(0);
                let value = values.get(place).copied().flatten()?;
                TEXTS.contains(&kind).then(|| value.to_vec())
            }
            Given::Literal { .. } => None,
        };
        let mut turned = self.reveal(judged, &said).await;
        let all = self.places(judged);
        let same = |a: &Turned, b: &Turned| a.given == b.given && a.known == b.known;
        let whole: Vec<bool> = turned
            .iter()
            .map(|one| {
                let Given::Parameter(number) = one.given else { return false };
                all.are_all(number, turned.iter().filter(|other| same(one, other)).count())
            })
            .collect();
        let mut keep = whole.into_iter();
        turned.retain(|_| keep.next().unwrap_or(false));
        self.revealed(turned)
    }

    /// What becomes of the literals of a simple query: its text with parameters instead, and their values.
    pub async fn reveal_literals(&self, judged: &Judged) -> Option<(Vec<u8>, Revealed)> {
        let said = |given: &Given| match given {
            Given::Literal { text, .. } => Some(text.as_bytes().to_vec()),
            Given::Parameter(_) => None,
        };
        let mut turned = self.reveal(judged, &said).await;
        if turned.is_empty() || !self.places(judged).uses.is_empty() {
            return None;
        }
        turned.sort_by_key(|turned| span(turned).start);
        let mut text = Vec::with_capacity(judged.bytes.len());
        let mut done = 0;
        for (place, turned) in turned.iter().enumerate() {
            let span = span(turned);
            text.extend_from_slice(judged.bytes.get(done..span.start)?);
            text.extend_from_slice(format!(" ${} ", place + 1).as_bytes());
            done = span.end;
        }
        text.extend_from_slice(judged.bytes.get(done..)?);
        self.means_the_same(judged, &text).then(|| (text, self.revealed(turned)))
    }

    /// Whether what is sent in place of a text is what the text was judged as.
    fn means_the_same(&self, judged: &Judged, text: &[u8]) -> bool {
        let statement = Statement::Sql { dialect: Dialect::Postgres, text: text.into() };
        let (facts, sent) = (&judged.facts, classify(&statement, &self.state.get().sql()));
        let same = facts.operation == sent.operation
            && facts.fingerprint == sent.fingerprint
            && facts.statements == sent.statements
            && facts.computed == sent.computed
            && facts.dotted == sent.dotted
            && facts.compares == sent.compares
            && facts.stores == sent.stores;
        if !same {
            tracing::warn!(flow = %self.flow, "a statement would not be the same with its tokens turned back");
        }
        same
    }

    fn revealed(&self, turned: Vec<Turned>) -> Revealed {
        turned.iter().for_each(|turned| self.way_back.note(&turned.known));
        Revealed(turned)
    }

    fn places<'a>(&self, judged: &'a Judged) -> &'a Places {
        judged.places.get_or_init(|| places(&judged.bytes, &self.state.get().sql()))
    }

    /// The places where a token stands that may be turned back there.
    async fn reveal(
        &self,
        judged: &Judged,
        said: &dyn Fn(&Given) -> Option<Vec<u8>>,
    ) -> Vec<Turned> {
        let plain = matches!(judged.operation.effect, Effect::Read | Effect::Write);
        if self.way_back.closed.get() || !plain || self.given().is_empty() {
            return Vec::new();
        }
        let mut found: Vec<(&Place, Vec<u8>)> = Vec::new();
        for place in &self.places(judged).places {
            if let Some(token) = said(&place.given).filter(|token| self.given().knows(token)) {
                found.push((place, token));
            }
        }
        if found.is_empty() {
            return Vec::new();
        }
        let live = self.live();
        let catalogue = match catalogue::of(self, &live, std::iter::empty()).await {
            Ok(catalogue) => catalogue,
            Err(error) => {
                tracing::warn!(flow = %self.flow, %error, "turning tokens back");
                return Vec::new();
            }
        };
        let turn = |(place, token): (&Place, Vec<u8>)| {
            let (column, policies, realm) = self.goal(&live, &catalogue, place)?;
            let known = Arc::new(self.given().recall(&realm, &token)?);
            let readable = known.value().is_ascii() || self.utf8.get();
            readable.then(|| Turned { given: place.given.clone(), known, column, policies })
        };
        found.into_iter().filter_map(turn).collect()
    }

    fn given(&self) -> std::sync::MutexGuard<'_, weir_mask::Memory> {
        self.session.given.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The column of a place, the policies by which a token may be turned back there, and which ones.
    /// Whatever the search path: every relation that may be meant must hide the column by tokens.
    fn goal(
        &self,
        live: &Live,
        catalogue: &Catalogue,
        place: &Place,
    ) -> Option<(String, Vec<String>, Realm)> {
        let mut goal: Option<(String, Vec<String>, Realm)> = None;
        for relation in &place.relations {
            for (column, classes, plain) in catalogue.named(relation, &place.column) {
                if !plain || !is_token(self, live, column, classes) {
                    return None;
                }
                let (caller, target) = (&self.caller.identity, &self.target);
                let (may, policies) =
                    live.policy.reveal(caller, target, column, classes, place.written);
                let realm = realm_of(self, classes);
                if !may || goal.as_ref().is_some_and(|(_, _, other)| *other != realm) {
                    return None;
                }
                goal = Some((format!("{}.{}", column.table, column.column), policies, realm));
            }
        }
        goal
    }
}

fn span(turned: &Turned) -> Range<usize> {
    match turned.given {
        Given::Literal { start, end, .. } => start..end,
        Given::Parameter(_) => 0..0,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;

    #[test]
    fn what_was_put_in_does_not_come_out_in_a_text() {
        let way_back = WayBack::default();
        let known = |token: &str, value: &str| {
            let mut given = weir_mask::Memory::default();
            let realm =
                Realm { target: String::new(), database: String::new(), classes: Vec::new() };
            let realm = Arc::new(realm);
            given.learn(&realm, token.as_bytes(), value.as_bytes());
            Arc::new(given.recall(&realm, token.as_bytes()).expect("a token"))
        };
        way_back.note(&known("tok_a", "a@b.io"));
        way_back.note(&known("tok_b", "ab"));
        assert_eq!(way_back.hide(b"a@b.io and a@b.io, ab").unwrap(), b"tok_a and tok_a, ab");
        assert_eq!(way_back.hide(b"nothing"), None);
        for n in 0..limits::REVEALED {
            way_back.note(&known(&format!("tok_{n}"), &format!("value {n}")));
        }
        assert_eq!(way_back.hide(b"a@b.io"), None);
        assert!(way_back.hide(b"value 0").is_some());
    }
}

//! Stages 5 to 8 for one statement: classify, decide, hold, and make the entry that goes on record
//! before a byte of it is forwarded.

use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use weir_classify::{Facts, classify};
use weir_model::entry::{self, Asked, Kept, Request};
use weir_model::{Decision, Dialect, Entry, Operation, Refusal, Statement, Verdict, limits};
use weir_policy::{Action, Ask};

use super::alike::{self, Alike};
use super::hold::{self, Held};
use super::lane::{Exchange, Judged, Lane, LexerState};
use crate::flow::services::{Live, count_asked, now_us};

/// Statements judged before on this connection: exact bytes under one lexer state and one policy.
#[derive(Default)]
pub struct Cache {
    judged: HashMap<Arc<[u8]>, Rc<Judged>>,
    alike: Alike,
    /// What policy says depends on nothing else of a statement than what it means.
    decided: HashMap<Arc<Operation>, Arc<Decision>>,
    state: Option<LexerState>,
    policy: Option<Arc<str>>,
}

const CACHED: usize = 512;

/// A decided statement: its exchange, and the entry for the record.
pub struct Asking {
    /// The exchange; its `refusal` says whether it goes on.
    pub exchange: Rc<Exchange>,
    /// What must be on record first.
    pub entry: Entry,
}

/// How a request is asked about.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// It would run now.
    Run,
    /// It would be prepared; what would be held is held when it runs.
    Prepare,
}

impl Lane {
    /// Classifies and decides a statement; what was decided before under the same conditions is
    /// remembered by its exact bytes.
    pub fn judge(&self, text: &[u8]) -> Rc<Judged> {
        if let Some(judged) = self.judge_replication(text) {
            return judged;
        }
        let live = self.live();
        let (state, policy) = (self.state.get(), live.policy.hash());
        let skeleton;
        {
            let mut cache = self.judged.borrow_mut();
            if cache.state != Some(state) || cache.policy.as_ref() != Some(policy) {
                *cache =
                    Cache { state: Some(state), policy: Some(policy.clone()), ..Cache::default() };
            }
            if let Some(found) = cache.judged.get(text) {
                return found.clone();
            }
            skeleton = alike::of(text);
            let found = skeleton.as_ref().and_then(|skeleton| cache.alike.find(text, skeleton));
            if let Some(found) = found {
                return Rc::new(found.of_text(text.into()));
            }
        }
        let bytes: Arc<[u8]> = text.into();
        let statement = Statement::Sql { dialect: Dialect::Postgres, text: bytes.clone() };
        let facts = classify(&statement, &state.sql());
        // What SQL's EXECUTE means depends on what was prepared, so it is not remembered.
        let lasting = facts.executes.is_empty();
        let judged = Rc::new(self.decide(&live, bytes.clone(), facts));
        if lasting && text.len() <= limits::CLASSIFIED_TEXT_BYTES {
            let mut cache = self.judged.borrow_mut();
            if cache.judged.len() >= CACHED {
                cache.judged.clear();
            }
            if let Some(skeleton) = skeleton {
                cache.alike.keep(&judged, skeleton);
            }
            cache.judged.insert(bytes, judged.clone());
        }
        judged
    }

    /// Judges a request that is no SQL text.
    pub fn judge_unknown(&self, what: &'static str) -> Rc<Judged> {
        let live = self.live();
        let facts = classify(&Statement::Unknown { what }, &self.state.get().sql());
        Rc::new(self.decide(&live, what.as_bytes().into(), facts))
    }

    /// Judges a call of a function by number.
    pub fn judge_function(&self, number: u32) -> Rc<Judged> {
        let live = self.live();
        let facts = classify(&Statement::Function { number }, &self.state.get().sql());
        let text = format!("FunctionCall {number}");
        Rc::new(self.decide(&live, text.into_bytes().into(), facts))
    }

    fn decide(&self, live: &Live, bytes: Arc<[u8]>, facts: Facts) -> Judged {
        let prepared = self.sql_prepared.borrow();
        let operation = facts.resolve(&|name| prepared.get(name).cloned().flatten());
        let decision = self.decision(live, &operation);
        Judged::new(bytes, Rc::new(facts), operation, decision)
    }

    pub(super) fn decision(&self, live: &Live, operation: &Arc<Operation>) -> Arc<Decision> {
        let mut cache = self.judged.borrow_mut();
        let current = cache.policy.as_ref() == Some(live.policy.hash());
        if current && let Some(decision) = cache.decided.get(operation) {
            return decision.clone();
        }
        let decision = Arc::new(live.policy.decide(&Ask {
            action: Action::SqlRun,
            identity: &self.caller.identity,
            target: &self.target,
            operation,
            approvers: &[],
        }));
        if current {
            if cache.decided.len() >= CACHED {
                cache.decided.clear();
            }
            cache.decided.insert(operation.clone(), decision.clone());
        }
        decision
    }

    /// Asks about a statement: decides, and where a human must say so, waits for one.
    pub async fn ask(
        &self,
        judged: Rc<Judged>,
        parameters: Vec<Option<Vec<u8>>>,
        phase: Phase,
        client: &crate::driver::stream::Side,
    ) -> Asking {
        let asked_us = now_us();
        count_asked(&self.session);
        let (id, seq) = self.next_exchange();
        let mut held = Held::default();
        let mut refusal = match &judged.decision.verdict {
            Verdict::Allow => None,
            Verdict::Deny(refusal) => Some((refusal.clone(), "42501")),
            Verdict::Hold(_) if phase == Phase::Prepare => None,
            Verdict::Hold(terms) => {
                let held_up = hold::hold(self, id, &judged, &parameters, terms, client);
                let outcome = Box::pin(held_up).await;
                match outcome {
                    Ok(approved) => {
                        held = approved;
                        None
                    }
                    Err(refused) => {
                        held = refused.held;
                        Some((refused.refusal, refused.code))
                    }
                }
            }
        };
        if refusal.is_none()
            && let Some(error) = self.services.recorder.refusal()
        {
            refusal = Some((super::unrecorded(&error), "53100"));
        }
        let reason = refusal.as_ref().map(|(refusal, _)| refusal.message.clone());
        let request = Request {
            exchange: id,
            flow: self.flow,
            seq,
            asked_us,
            decided_us: if held.hold.is_some() { now_us() } else { asked_us },
            prepares: phase == Phase::Prepare,
            parameters: shown(self, parameters),
            hold: held.hold,
            approver: held.approver,
            forwarded: refusal.is_none(),
            reason: reason.or(held.comment),
        };
        let entry = Entry::Asked(Asked { judged: judged.recorded.clone(), request });
        let exchange = self.exchange(id, judged, phase == Phase::Prepare, refusal);
        Asking { exchange, entry }
    }

    /// Keeps what a statement that goes on will change for those after it.
    pub fn note_effects(&self, judged: &Judged) {
        let facts = &judged.facts;
        let unknown = judged.operation.effect == weir_model::Effect::Unknown;
        if facts.changes_schema || unknown {
            let plants = facts.plants || unknown;
            self.schema_changed(plants);
            self.schema_changes.set(true);
            self.planted.set(self.planted.get() || plants);
            self.way_back.close();
        }
        if facts.changes_schema || facts.changes_session || facts.defines {
            self.grow_older();
        }
        self.note_computed(judged);
        if facts.leaves_utf8 {
            // The target says so only when more may be on its way.
            self.state.set(LexerState { utf8: false, ..self.state.get() });
        }
        if unknown {
            // A human let something through that nobody understood: what it defined is not known,
            // nor how the target reads text from here on.
            self.deferred.borrow_mut().insert("*".to_owned());
            self.state.set(LexerState { conforming: false, utf8: false });
        }
        let mut talk = self.talk.borrow_mut();
        let verb = |name: &str| judged.operation.verbs.iter().any(|verb| verb == name);
        if facts.defines || unknown || verb("close") || verb("discard") {
            talk.undefine_portals();
        }
        let mut prepared = self.sql_prepared.borrow_mut();
        for (name, operation) in &facts.prepares {
            let known = prepared.contains_key(name) || prepared.len() >= limits::PREPARED;
            prepared.insert(name.clone(), (!known).then(|| operation.clone()));
            talk.undefine(Some(name.as_bytes()));
        }
        // The target may refuse to forget, so names stay blurred rather than free.
        for name in &facts.deallocates {
            match name {
                Some(name) => {
                    prepared.insert(name.clone(), None);
                    talk.undefine(Some(name.as_bytes()));
                }
                None => {
                    prepared.values_mut().for_each(|operation| *operation = None);
                    talk.undefine(None);
                }
            }
        }
    }

    /// A prepared statement or portal can be reached from SQL later, by EXECUTE or FETCH: what went
    /// into its computed columns is remembered for then.
    pub fn note_computed(&self, judged: &Judged) {
        let computed = &judged.facts.computed;
        if !computed.is_empty() && !computed.is_subset(&self.deferred.borrow()) {
            self.deferred.borrow_mut().extend(computed.iter().cloned());
        }
    }

    /// The protocol used a statement's name: what SQL's EXECUTE of it would run is not known.
    pub fn blur_name(&self, name: &[u8]) {
        if name.is_empty() {
            return;
        }
        let name = String::from_utf8_lossy(name).into_owned();
        let mut prepared = self.sql_prepared.borrow_mut();
        if prepared.len() < limits::PREPARED || prepared.contains_key(&name) {
            prepared.insert(name, None);
        }
    }

    /// A refusal of Weir's own, asked about and recorded like any other.
    pub fn refuse_own(&self, what: &'static str, refusal: Refusal, code: &'static str) -> Asking {
        let judged = self.judge_unknown(what);
        let (id, seq) = self.next_exchange();
        let now = now_us();
        let recorded = entry::Judged {
            statement: judged.recorded.statement.clone(),
            fingerprint: None,
            operation: judged.operation.clone(),
            decision: Arc::new(Decision {
                verdict: Verdict::Deny(refusal.clone()),
                policies: vec![refusal.rule.clone()],
                shadow: Vec::new(),
                policy_hash: judged.decision.policy_hash.clone(),
            }),
            kept: Kept::default(),
        };
        let request = Request {
            exchange: id,
            flow: self.flow,
            seq,
            asked_us: now,
            decided_us: now,
            prepares: false,
            parameters: Vec::new(),
            hold: None,
            approver: None,
            forwarded: false,
            reason: Some(refusal.message.clone()),
        };
        let entry = Entry::Asked(Asked { judged: Arc::new(recorded), request });
        let exchange = self.exchange(id, judged, false, Some((refusal, code)));
        Asking { exchange, entry }
    }
}

/// Parameters as the record and approvers see them, with findings masked.
pub fn shown(lane: &Lane, parameters: Vec<Option<Vec<u8>>>) -> Vec<Option<String>> {
    if parameters.is_empty() {
        return Vec::new();
    }
    let rules = super::shape::rules(lane);
    let show = |value: Vec<u8>| {
        let text = String::from_utf8(value)
            .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned());
        lane.services.masker.text(&rules, &text).unwrap_or(text)
    };
    parameters.into_iter().map(|value| value.map(show)).collect()
}

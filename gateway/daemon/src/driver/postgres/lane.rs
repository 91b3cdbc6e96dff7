//! What the two directions of one PostgreSQL connection share. Both are futures of one task, so
//! cells are enough; no borrow lasts across an await.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::rc::Rc;
use std::sync::Arc;

use tokio::sync::{Notify, watch};
use weir_model::entry::Answered;
use weir_model::{Caller, Effect, Entry, ExchangeId, FlowId, Operation, Refusal, Target};
use weir_wire::postgres::build::{self, ErrorFields, Severity};
use weir_wire::postgres::conversation::{Conversation, Portal};

use super::catalogue::{Version, Versions};
pub use super::judged::Judged;
pub use super::lexing::LexerState;
use super::lexing::is_utf8;
use super::parting;
use super::replication::Kind;
use super::shape::Shape;
use super::startup::Start;
use crate::config::TargetConfig;
use crate::driver::stream::Side;
use crate::flow::Flow;
use crate::flow::gate::Gate;
use crate::flow::memory::Share;
use crate::flow::services::{Live, Services, Session, now_ms, now_us, random};

/// One operation on its way: what its answer needs to know.
pub struct Exchange {
    /// Its identifier.
    pub id: ExchangeId,
    /// What was asked.
    pub judged: Rc<Judged>,
    /// A Parse: nothing runs yet.
    pub prepare: bool,
    /// Why it was replaced by a message that errors.
    pub refusal: Option<(Refusal, &'static str)>,
    /// When it was forwarded.
    pub forwarded_us: Cell<Option<i64>>,
    /// When its answer began.
    pub first_us: Cell<Option<i64>>,
    /// Rows delivered.
    pub rows: Cell<u64>,
    /// Rows changed.
    pub affected: Cell<Option<u64>>,
    /// SQLSTATE.
    pub error_code: RefCell<Option<String>>,
    /// Cells masked.
    pub masked: RefCell<BTreeMap<String, u64>>,
    /// Whether its end is on record.
    pub answered: Cell<bool>,
    /// Whether the client may ask for more of it.
    pub suspended: Cell<bool>,
    /// Parts recorded.
    pub parts: Cell<u32>,
    /// How many of its statements have ended.
    pub ended: Cell<usize>,
    /// The shape of the rows that are coming.
    pub shape: RefCell<Option<Rc<Shape>>>,
}

impl Exchange {
    /// Whether the statement that it is at has no rows of its own: what comes all the same is of a rule's.
    pub fn is_silent(&self) -> bool {
        let facts = &self.judged.facts;
        let runs = !facts.executes.is_empty() && self.judged.operation.effect >= Effect::Write;
        runs || facts.silent.get(self.ended.get()).copied().unwrap_or(false)
    }

    /// The entry that ends it.
    pub fn answered(&self, flow: FlowId, status: &'static str) -> Answered {
        self.answered.set(true);
        Answered {
            exchange: self.id,
            flow,
            forwarded_us: self.forwarded_us.get(),
            first_us: self.first_us.get(),
            done_us: now_us(),
            status: status.into(),
            error_code: self.error_code.borrow().clone(),
            rows: self.rows.get(),
            affected: self.affected.get(),
            masked: std::mem::take(&mut *self.masked.borrow_mut()),
        }
    }
}

/// The conversation with this driver's own values.
pub type Talk = Conversation<Rc<Judged>, Rc<Exchange>, Rc<Shape>>;
/// A portal of it.
pub type Lot = Portal<Rc<Judged>, Rc<Exchange>, Rc<Shape>>;

/// A flow's own handle of what is shared: its counter is not the one that all threads count on.
#[allow(clippy::redundant_allocation)] // that is what it is for
pub type Kept = Rc<Arc<Live>>;

/// What the two directions share.
pub struct Lane {
    /// Everything that flows share.
    pub services: Arc<Services>,
    /// The session.
    pub session: Arc<Session>,
    /// Who asks.
    pub caller: Caller,
    /// Of whom.
    pub target: Arc<Target>,
    /// The target's configuration.
    pub config: TargetConfig,
    /// The flow.
    pub flow: FlowId,
    /// The database.
    pub database: String,
    /// The original destination.
    pub original: std::net::SocketAddr,
    /// The way to the record.
    pub gate: Gate,
    /// What was said, what is expected.
    pub talk: RefCell<Talk>,
    /// What the target says of its lexer.
    pub state: Cell<LexerState>,
    /// Rings when the conversation got further.
    pub progress: Notify,
    /// Messages for the client that are no answers.
    pub aside: RefCell<Vec<u8>>,
    /// Rings when there are any.
    pub aside_waits: Notify,
    /// Rings when the client asks to cancel.
    pub interrupt: Arc<Notify>,
    /// Changes whenever a description may be stale.
    pub epoch: Cell<u64>,
    /// A statement that changes the schema is on its way, and its transaction has not ended yet.
    pub schema_changes: Cell<bool>,
    /// Whether texts of the client and of the target are UTF-8.
    pub utf8: Cell<bool>,
    /// The kind of replication connection that it is, if any.
    pub replication: Option<Kind>,
    /// The generation of policy and targets under which a replication stream goes on.
    pub streamed: Cell<Option<u64>>,
    /// What its tokens are turned back into.
    pub way_back: super::reveal::WayBack,
    /// Inputs of computed columns of cursors and SQL-prepared statements.
    pub deferred: RefCell<BTreeSet<String>>,
    /// Operations of SQL-prepared statements; `None` means more than one thing.
    pub sql_prepared: RefCell<HashMap<String, Option<Arc<Operation>>>>,
    /// Exchanges whose end is not on record yet.
    pub open: RefCell<Vec<Rc<Exchange>>>,
    /// When `open` is looked through again.
    sweep_at: Cell<usize>,
    /// Statements judged before.
    pub judged: RefCell<super::ask::Cache>,
    /// How findings are hidden, under which policy.
    pub rules: RefCell<Option<(Arc<str>, Rc<weir_mask::ContentRules>)>>,
    /// Policy and targets, and of which generation.
    live: RefCell<(u64, Kept)>,
    /// A statement of this transaction may have changed what names mean, which nobody else sees yet.
    pub planted: Cell<bool>,
    /// Counts the changes of the target's schema.
    versions: Arc<Versions>,
    /// What is known of the target's names.
    pub seen: RefCell<super::catalogue::Seen>,
    /// The catalogue as it was last read.
    pub catalogue: RefCell<Arc<super::catalogue::Catalogue>>,
    ended: RefCell<watch::Receiver<Option<String>>>,
    ids: (u128, Cell<u64>),
}

impl Lane {
    /// A lane that just logged in.
    pub fn new(
        flow: &Flow,
        config: &TargetConfig,
        start: &Start,
        settings: &[(Vec<u8>, Vec<u8>)],
        interrupt: Arc<Notify>,
    ) -> Self {
        // What the target does not say is not known.
        let says = |wanted: &[u8]| settings.iter().any(|(name, _)| name == wanted);
        let utf8 = says(b"client_encoding") && says(b"server_encoding");
        let mut state = LexerState { conforming: true, utf8 };
        for (name, value) in settings {
            state.learn(name, value);
        }
        let talk = RefCell::<Talk>::default();
        let replication = start.replication();
        if replication.is_some() {
            talk.borrow_mut().replicate();
        }
        let database = String::from_utf8_lossy(start.database(config)).into_owned();
        Self {
            services: flow.services.clone(),
            session: flow.session.clone(),
            caller: flow.caller.clone(),
            target: flow.target.clone(),
            config: config.clone(),
            flow: flow.id,
            database,
            original: flow.original,
            gate: flow.gate.clone(),
            talk,
            state: Cell::new(state),
            progress: Notify::new(),
            aside: RefCell::default(),
            aside_waits: Notify::new(),
            interrupt,
            epoch: Cell::new(0),
            schema_changes: Cell::new(false),
            utf8: Cell::new(settings.iter().any(|(name, value)| is_utf8(name, value))),
            replication,
            streamed: Cell::new(None),
            way_back: Default::default(),
            deferred: RefCell::default(),
            sql_prepared: RefCell::default(),
            open: RefCell::default(),
            sweep_at: Cell::new(64),
            judged: RefCell::default(),
            rules: RefCell::default(),
            live: RefCell::new((0, Rc::new(flow.services.live()))),
            planted: Cell::new(false),
            versions: flow.services.catalogues.versions(&config.name),
            seen: RefCell::default(),
            catalogue: RefCell::default(),
            ended: RefCell::new(flow.session.ended.subscribe()),
            ids: (random(), Cell::new(0)),
        }
    }

    /// Waits until the session ends; says why.
    pub async fn ended(&self) -> String {
        let mut ended = self.ended.borrow().clone();
        let reason = ended.wait_for(Option::is_some).await;
        let reason = reason.ok().and_then(|reason| reason.clone());
        format!("session ended: {}", reason.unwrap_or_default())
    }

    /// Policy and targets as they are now. The copy spares the threads the counter that they share.
    pub fn live(&self) -> Kept {
        let generation = self.services.generation();
        let mut live = self.live.borrow_mut();
        if live.0 != generation {
            *live = (generation, Rc::new(self.services.live()));
        }
        live.1.clone()
    }

    /// The next exchange's identifier and place in the flow.
    pub fn next_exchange(&self) -> (ExchangeId, u64) {
        let seq = self.ids.1.get();
        self.ids.1.set(seq + 1);
        let random = self.ids.0.wrapping_add(u128::from(seq));
        (ExchangeId::from_parts(now_ms(), random), seq)
    }

    /// Registers an exchange whose end must come on record.
    pub fn exchange(
        &self,
        id: ExchangeId,
        judged: Rc<Judged>,
        prepare: bool,
        refusal: Option<(Refusal, &'static str)>,
    ) -> Rc<Exchange> {
        let exchange = Rc::new(Exchange {
            id,
            judged,
            prepare,
            refusal,
            forwarded_us: Cell::new(None),
            first_us: Cell::new(None),
            rows: Cell::new(0),
            affected: Cell::new(None),
            error_code: RefCell::default(),
            masked: RefCell::default(),
            answered: Cell::new(false),
            suspended: Cell::new(false),
            parts: Cell::new(0),
            ended: Cell::new(0),
            shape: RefCell::default(),
        });
        let mut open = self.open.borrow_mut();
        // Doubling keeps this linear, however deep a client pipelines.
        if open.len() >= self.sweep_at.get() {
            open.retain(|exchange| !exchange.answered.get());
            self.sweep_at.set((open.len() * 2).max(64));
        }
        open.push(exchange.clone());
        exchange
    }

    /// Changes whenever a statement through Weir changed the target's schema, or the configuration, whose
    /// rules stand in the catalogue, was read anew.
    pub fn version(&self) -> Version {
        let Version { schema, names } = self.versions.now();
        let generation = self.services.generation();
        Version { schema: schema + generation, names: names + generation }
    }

    /// A statement changes the target's schema, and perhaps what runs behind names.
    pub fn schema_changed(&self, plants: bool) {
        self.versions.change(plants);
    }

    /// The catalogue's and the session's age together: descriptions of another age are stale.
    pub fn age(&self) -> u64 {
        self.version().schema.wrapping_mul(1 << 32).wrapping_add(self.epoch.get())
    }

    /// A share of the memory for large messages.
    pub fn share(&self) -> Share {
        Share::new(&self.session.memory, &self.services.memory)
    }

    /// Learns from what the target reports of a setting.
    pub fn learn(&self, name: &[u8], value: &[u8]) {
        let mut state = self.state.get();
        if name == b"client_encoding" {
            self.utf8.set(is_utf8(name, value));
        }
        if state.learn(name, value) || matches!(name, b"search_path" | b"client_encoding") {
            self.state.set(state);
            self.grow_older();
        }
    }

    /// Something changed that descriptions may depend on.
    pub fn grow_older(&self) {
        self.epoch.set(self.epoch.get() + 1);
    }

    /// Tells the client something that is no answer.
    pub fn notice(&self, message: String, hint: Option<String>) {
        let fields =
            ErrorFields { severity: Severity::Notice, code: "00000", message, detail: None, hint };
        build::notice(&fields, &mut self.aside.borrow_mut());
        self.aside_waits.notify_one();
    }

    /// Ends both sides, and puts on record what will not be answered any more.
    pub async fn close(&self, target: &Side, client: &Side) {
        let mut goodbye = Vec::new();
        build::terminate(&mut goodbye);
        parting::within(async {
            for closing in [target.write(&goodbye).await, target.shutdown().await] {
                if let Err(error) = closing {
                    tracing::trace!(%error, "leaving a target that is gone already");
                }
            }
        })
        .await;
        parting::within(async {
            if let Err(error) = client.shutdown().await {
                tracing::trace!(%error, "leaving a client that is gone already");
            }
        })
        .await;
        let open = std::mem::take(&mut *self.open.borrow_mut());
        let ends: Vec<Entry> = open
            .iter()
            .filter(|exchange| !exchange.answered.get())
            .map(|exchange| Entry::Answered(exchange.answered(self.flow, "aborted")))
            .collect();
        let items: Vec<(&Entry, &[u8])> = ends.iter().map(|entry| (entry, &[][..])).collect();
        if let Err(error) = self.gate.record(&items).await {
            tracing::error!(flow = %self.flow, %error, "recording unanswered requests");
        }
    }
}

/// The statement that a description is of.
pub fn of_whom(
    of: &weir_wire::postgres::conversation::Described<Rc<Judged>, Rc<Exchange>, Rc<Shape>>,
) -> Rc<Judged> {
    use weir_wire::postgres::conversation::Described;
    match of {
        Described::Statement(prepared, _) => prepared.statement.clone(),
        Described::Portal(portal) => portal.exchange.judged.clone(),
    }
}

//! The shape of a result: for each column where it comes from, and so how it is to be hidden.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use weir_mask::{Action, Column, ContentRules, DETECTORS, Masker, Memory, Outcome, Realm};
use weir_model::{ColumnRef, Transform, limits};
use weir_policy::ColumnVerdict;
use weir_wire::WireError;
use weir_wire::postgres::DataRow;
use weir_wire::postgres::build::RowWriter;
use weir_wire::postgres::rows::{Field, RowDescription};

use super::catalogue::{self, Catalogue, Origin};
use super::lane::{Judged, Lane};
use super::reveal;
use crate::flow::services::Live;

/// The number of `bytea`, whose values may hold anything.
const BYTEA: u32 = 17;

/// How the rows of one result are delivered.
pub struct Shape {
    /// Its columns.
    pub columns: Vec<Column>,
    /// Nothing can be hidden in it.
    pub is_clear: bool,
    /// Some column is hidden whatever its value.
    pub applies: bool,
    /// The columns' formats, for whoever reads the record.
    pub formats: Arc<[i16]>,
    rules: Rc<ContentRules>,
    /// Where the tokens of each column are good, if they can be turned back.
    realms: Vec<Option<Arc<Realm>>>,
    /// Whether its texts are UTF-8.
    utf8: bool,
}

impl Shape {
    fn new(
        columns: Vec<Column>,
        realms: Vec<Option<Arc<Realm>>>,
        rules: Rc<ContentRules>,
        utf8: bool,
    ) -> Self {
        let is_clear = columns.iter().all(|column| matches!(column.action, Action::Clear));
        let applies = columns.iter().any(|column| matches!(column.action, Action::Apply { .. }));
        let formats = columns.iter().map(|column| column.format).collect();
        Self { columns, is_clear, applies, formats, rules, realms, utf8 }
    }

    /// The same shape in the formats of a Bind.
    pub fn with_formats(self: &Rc<Self>, formats: &[i16]) -> Rc<Self> {
        let format = |place: usize| match formats {
            [] => 0,
            [one] => *one,
            many => many.get(place).copied().unwrap_or(1),
        };
        if self.formats.iter().enumerate().all(|(place, own)| *own == format(place)) {
            return self.clone();
        }
        let column = |(place, column): (usize, &Column)| Column {
            type_oid: column.type_oid,
            format: format(place),
            action: column.action.clone(),
        };
        let columns = self.columns.iter().enumerate().map(column).collect();
        Rc::new(Self::new(columns, self.realms.clone(), self.rules.clone(), self.utf8))
    }

    /// Writes a row with its findings hidden; `cell` is room for one of its cells.
    ///
    /// # Errors
    /// The row can't be written; nothing of it is then.
    pub fn mask_row(
        &self,
        masker: &Masker,
        given: &Mutex<Memory>,
        row: &DataRow<'_>,
        counts: &mut BTreeMap<String, u64>,
        cell: &mut Vec<u8>,
        out: &mut Vec<u8>,
    ) -> Result<(), WireError> {
        let start = out.len();
        let mut writer = RowWriter::begin(out);
        let mut written = Ok(());
        for ((column, realm), value) in self.columns.iter().zip(&self.realms).zip(row.iter()) {
            let Some(value) = value else {
                written = written.and(writer.push(None));
                continue;
            };
            cell.clear();
            let pushed = match masker.cell(column, &self.rules, value, cell, counts) {
                Outcome::Unchanged => writer.push(Some(value)),
                Outcome::Replaced => {
                    if let Some(realm) = realm
                        && (self.utf8 || value.is_ascii())
                    {
                        let mut given = given.lock().unwrap_or_else(PoisonError::into_inner);
                        given.learn(realm, cell, value);
                    }
                    writer.push(Some(cell))
                }
                Outcome::Null => writer.push(None),
            };
            written = written.and(pushed);
        }
        let finished = writer.finish();
        if let Err(error) = written.and(finished) {
            out.truncate(start);
            return Err(error);
        }
        Ok(())
    }
}

/// How findings of each detector are hidden from this caller; asked once per policy.
pub fn rules(lane: &Lane) -> Rc<ContentRules> {
    let live = lane.live();
    if let Some((hash, rules)) = lane.rules.borrow().as_ref()
        && hash == live.policy.hash()
    {
        return rules.clone();
    }
    let rules = Rc::new(asked_rules(lane, &live));
    *lane.rules.borrow_mut() = Some((live.policy.hash().clone(), rules.clone()));
    rules
}

fn asked_rules(lane: &Lane, live: &Live) -> ContentRules {
    let nowhere = ColumnRef { table: String::new(), column: String::new() };
    let rule = |detector: &&'static dyn weir_mask::Detector| {
        let classes = [detector.class().to_owned(), detector.name().to_owned()];
        match live.policy.column(&lane.caller.identity, &lane.target, &nowhere, &classes) {
            ColumnVerdict::Clear => None,
            ColumnVerdict::Mask { transform, .. } => Some(transform),
        }
    };
    ContentRules { by_detector: DETECTORS.iter().map(rule).collect() }
}

/// A shape that a statement had, and under what conditions.
pub struct Known {
    description: Vec<u8>,
    age: u64,
    policy: Arc<str>,
    deferred: usize,
    strict: bool,
    at: Instant,
    shape: Rc<Shape>,
}

/// The shape of a result of a statement; what it was before under the same conditions is remembered.
///
/// # Errors
/// The catalogue can't be read, so origins mean nothing.
pub async fn of(
    lane: &Lane,
    message: &[u8],
    description: &RowDescription<'_>,
    judged: &Judged,
    silent: bool,
) -> Result<Rc<Shape>, String> {
    let live = lane.live();
    // Names may mean what no other session sees yet, and a rule's rows are of nobody's query.
    let strict = silent || lane.schema_changes.get();
    let (age, deferred) = (lane.age(), lane.deferred.borrow().len());
    if let Some(known) = judged.shape.borrow().as_ref()
        && known.age == age
        && known.deferred == deferred
        && known.strict == strict
        && known.policy == *live.policy.hash()
        && known.at.elapsed() < catalogue::FRESH
        && known.description == message
    {
        return Ok(known.shape.clone());
    }
    let shape = made(lane, description, judged, strict).await?;
    // Longer than a server that cuts names would send: not to be kept once for each statement.
    if message.len() > limits::READ_BYTES {
        return Ok(shape);
    }
    let (description, policy) = (message.to_vec(), live.policy.hash().clone());
    let known = Known { description, age, policy, deferred, strict, at: Instant::now(), shape };
    let shape = known.shape.clone();
    *judged.shape.borrow_mut() = Some(known);
    Ok(shape)
}

async fn made(
    lane: &Lane,
    description: &RowDescription<'_>,
    judged: &Judged,
    strict: bool,
) -> Result<Rc<Shape>, String> {
    let live = lane.live();
    let fields: Vec<Field<'_>> = description.iter().collect();
    let tables = fields.iter().map(|field| field.table);
    let catalogue = catalogue::of(lane, &live, tables).await?;
    *lane.catalogue.borrow_mut() = catalogue.clone();
    let mixed = computed(lane, &live, &catalogue, judged, strict);
    let changes = lane.schema_changes.get();
    let stranger = computed(lane, &live, &catalogue, judged, true);
    let mut realms = Vec::with_capacity(fields.len());
    let columns = fields.iter().map(|field| {
        let mut realm = None;
        let action = match catalogue.origin(field.table, field.column) {
            Origin::Computed => mixed.clone().unwrap_or_else(|| content(field.type_oid)),
            Origin::Stranger => stranger.clone().unwrap_or_else(|| content(field.type_oid)),
            Origin::Column(column, classes) if !classes.is_empty() => {
                realm = reveal::realm(lane, &live, column, classes, field.type_oid);
                hidden(lane, &live, column, classes)
            }
            // As another session sees it; here it may be another view by now.
            Origin::Column(..) if changes && catalogue.is_view(field.table) => {
                stranger.clone().unwrap_or_else(|| content(field.type_oid))
            }
            Origin::Column(..) | Origin::System => content(field.type_oid),
        };
        realms.push(realm);
        Column { type_oid: field.type_oid, format: field.format, action }
    });
    let columns = columns.collect();
    Ok(Rc::new(Shape::new(columns, realms, rules(lane), lane.utf8.get())))
}

/// How the caller sees a column.
pub fn hidden(lane: &Lane, live: &Live, column: &ColumnRef, classes: &[String]) -> Action {
    match live.policy.column(&lane.caller.identity, &lane.target, column, classes) {
        ColumnVerdict::Clear => Action::Clear,
        ColumnVerdict::Mask { transform, policy } => Action::Apply { transform, policy },
    }
}

/// Whether the caller sees a column masked.
pub fn is_hidden(lane: &Lane, live: &Live, column: &ColumnRef, classes: &[String]) -> bool {
    matches!(hidden(lane, live, column, classes), Action::Apply { .. })
}

/// Numbers, times and the like hold nothing that a detector finds.
fn content(type_oid: u32) -> Action {
    // bool, int8, int2, int4, oid, xid, cid, float4, float8, date, time, timestamp(tz), interval,
    // timetz, numeric, uuid: `pg_type.dat`.
    const PLAIN: [u32; 17] =
        [16, 20, 21, 23, 26, 28, 29, 700, 701, 1082, 1083, 1114, 1184, 1186, 1266, 1700, 2950];
    if PLAIN.contains(&type_oid) { Action::Clear } else { Action::Content }
}

/// How columns without an origin are hidden: by the strictest rule of all sensitive columns that may
/// have gone into them, or of `all` there are.
fn computed(
    lane: &Lane,
    live: &Live,
    catalogue: &Catalogue,
    judged: &Judged,
    all: bool,
) -> Option<Action> {
    let deferred = lane.deferred.borrow();
    let facts = &judged.facts;
    let waits = facts.deferred || judged.operation.effect == weir_model::Effect::Unknown;
    if !all && !waits && !catalogue.touches(&judged.operation) {
        return None;
    }
    let names = |name: &str| facts.computed.contains(name) || (waits && deferred.contains(name));
    // `c.name` is a call of `name(c)` where no such column is (`ParseFuncOrColumn`).
    let called = facts.dotted.iter().any(|name| !catalogue.has_column(name));
    let any = all || called || names("*");
    let strictest = catalogue
        .classified()
        .filter(|(column, _)| any || names(&column.column))
        .filter_map(|(column, classes)| match hidden(lane, live, column, classes) {
            Action::Apply { transform, policy } => Some((transform, policy)),
            Action::Clear | Action::Content => None,
        })
        .max_by_key(|(transform, _)| *transform);
    let (_, policy) = strictest?;
    // The pseudonym of an expression would be no pseudonym of any column.
    Some(Action::Apply { transform: Transform::Redact, policy })
}

/// A text of the target with its findings hidden, if there are any.
pub fn clean_text(lane: &Lane, text: &[u8]) -> Option<Vec<u8>> {
    let text = String::from_utf8_lossy(text);
    lane.services.masker.text(&rules(lane), &text).map(String::into_bytes)
}

/// A row of COPY with its findings hidden, if there are any.
///
/// # Errors
/// It is a binary one, out of which nothing can be cut.
pub fn clean_copy(lane: &Lane, row: &[u8]) -> Result<Option<Vec<u8>>, String> {
    if lane.services.masker.row_is_clean(row) {
        return Ok(None);
    }
    if !row.contains(&0) && std::str::from_utf8(row).is_ok() {
        return Ok(clean_text(lane, row));
    }
    match found_in(lane, row) {
        true => Err("a binary COPY holds what has to be hidden".to_owned()),
        false => Ok(None),
    }
}

/// Whether there is anything to hide in bytes of whatever form.
pub fn found_in(lane: &Lane, bytes: &[u8]) -> bool {
    let column = Column { type_oid: BYTEA, format: 1, action: Action::Content };
    let (mut out, mut counts) = (Vec::new(), weir_mask::Counts::new());
    let masker = &lane.services.masker;
    masker.cell(&column, &rules(lane), bytes, &mut out, &mut counts) != Outcome::Unchanged
}

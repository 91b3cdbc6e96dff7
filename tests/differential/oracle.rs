//! What a statement really did, asked of the server before it is rolled back.
//!
//! The transaction's number is the main witness: PostgreSQL gives it one at the first write of any kind, be it
//! of a row, a row lock, the catalogue or a large object. Beside it, the next number of the whole server
//! tells of transactions that failed, or that the text itself ended. Sequences, locks, settings and
//! notifications, which need none, are looked at beside it.

use std::collections::{BTreeMap, BTreeSet};

use weir_classify::{BEHIND_QUERY, Behind, Sources};
use weir_tests::Postgres;

use crate::client::{Answer, Client};
use crate::grammar::BuiltIn;

/// A server with the traps, and one connection that runs what is generated.
pub struct Oracle {
    postgres: Postgres,
    work: Postgres,
    client: Client,
    snapshot: String,
    /// The table of each relation that is counted, be it one or an index.
    relations: Vec<u32>,
    /// What the database has.
    pub schema: Schema,
    settings: BTreeMap<String, (String, String)>,
    hash: String,
    rebuilt: usize,
}

/// Relations and what leads from one to another.
#[derive(Default)]
pub struct Schema {
    /// Their names without schema, by number.
    pub names: BTreeMap<u32, String>,
    /// From a view to what it or its rules use, from a parent to its children.
    pub through: Vec<(u32, u32)>,
    /// From a table to those that refer to it.
    pub referred: Vec<(u32, u32)>,
}

/// How a text is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// It is said to do nothing, and to leave nothing in the session.
    Lightly,
    /// It is said to do nothing: settings, too, are compared.
    Closely,
    /// It is said to write: only what.
    Written,
    /// Nothing is said of it, so nothing can be wrong.
    Away,
}

/// What was seen of one text.
#[derive(Debug, Default)]
pub struct Seen {
    /// The server's error.
    pub error: Option<String>,
    /// The connection was lost.
    pub lost: bool,
    /// It left the session so that nothing could be asked.
    pub blind: bool,
    /// A transaction number was taken.
    pub wrote: bool,
    /// A sequence moved.
    pub sequences: bool,
    /// Locks that hold others up.
    pub locks: String,
    /// Another role than before.
    pub role: bool,
    /// Settings that changed: name, who may set it, value.
    pub settings: Vec<(String, String, String)>,
    /// Somebody was notified.
    pub notified: bool,
    /// Relations whose rows changed.
    pub written: BTreeSet<u32>,
    /// Relations that were scanned.
    pub scanned: BTreeSet<u32>,
}

/// What the server says at one moment.
struct Moment {
    next: String,
    locks: String,
    sequences: String,
    role: String,
    settings: String,
    counts: Vec<i64>,
}

/// How long what is generated may run; what is asked about it may take longer.
const LIMIT: &str = "; set local statement_timeout = 250";
const RELATIONS: &str = "select c.oid, relname, coalesce(i.indrelid, c.oid) from pg_class c \
  left join pg_index i on i.indexrelid = c.oid where relkind in ('r', 'p', 'm', 'v', 'i') and c.oid >= 16384 \
  and relnamespace::regnamespace::text in ('public', 'other') order by c.oid";
const THROUGH: &str = "select distinct r.ev_class, d.refobjid from pg_rewrite r join pg_depend d on d.objid = r.oid \
  and d.classid = 'pg_rewrite'::regclass where d.refclassid = 'pg_class'::regclass and d.refobjid <> r.ev_class \
  and r.ev_class >= 16384 union select inhparent, inhrelid from pg_inherits";
const REFERRED: &str = "select confrelid, conrelid from pg_constraint where contype = 'f'";
const SETTINGS: &str = "select name, setting, context from pg_settings where name not in \
  ('transaction_isolation', 'transaction_read_only', 'transaction_deferrable', 'statement_timeout', 'application_name')";
const HASH: &str = "(select md5(string_agg(name || setting, ',' order by name)) from pg_catalog.pg_settings where name not in \
  ('transaction_isolation', 'transaction_read_only', 'transaction_deferrable', 'statement_timeout', 'application_name'))";
/// Functions of the server's own that can be called from SQL, but for those that wait, stop the
/// server or end a connection.
const FUNCTIONS: &str = "select proname, array_to_string(array(select format_type(t, null) \
  from unnest(proargtypes) t), '|') from pg_proc where pronamespace = 'pg_catalog'::regnamespace \
  and prokind in ('f', 'a') and not (proargtypes::oid[] && array['internal'::regtype::oid, \
  'trigger'::regtype::oid]) and prorettype not in ('internal'::regtype, 'trigger'::regtype, \
  'event_trigger'::regtype) and proname !~ '^(pg_sleep|pg_terminate|pg_cancel|pg_promote|pg_wait|pg_switch|\
pg_import_system|pg_wal_replay|binary_upgrade|pg_stop_making|pg_rotate|pg_isolation|pg_create_(physical|logical)|pg_log_)' \
  order by proname, oid";

impl Oracle {
    /// A database with the traps in it.
    pub fn new(postgres: Postgres, hidden: bool) -> Self {
        // What cleans up in the background would take numbers too.
        postgres.direct("alter system set autovacuum = off");
        postgres.direct("select pg_reload_conf()");
        postgres.direct(include_str!("schema.sql"));
        if hidden {
            postgres.direct(include_str!("hidden.sql"));
        }
        let work = copy(&postgres);
        let client = ready(&work);
        let mut oracle = Self {
            postgres,
            work,
            client,
            snapshot: String::new(),
            relations: Vec::new(),
            schema: Schema::default(),
            settings: BTreeMap::new(),
            hash: String::new(),
            rebuilt: 0,
        };
        oracle.learn();
        oracle
    }

    fn rows(&mut self, text: &str) -> Vec<Vec<String>> {
        let answer = self.client.run(text.as_bytes()).expect("an answer");
        assert!(answer.error.is_none(), "{text}: {:?}", answer.error);
        let cells =
            |row: Vec<Option<String>>| row.into_iter().map(Option::unwrap_or_default).collect();
        answer.rows.into_iter().map(cells).collect()
    }

    /// What may do more than read behind the names of this database.
    pub fn behind(&mut self) -> Behind {
        let queries = BEHIND_QUERY.split(";\n");
        let results: Vec<_> = queries.map(|query| self.rows(query)).collect();
        let mut sources = Sources::default();
        while let Some(wanted) = sources.wanted(&results) {
            let texts: Vec<_> = wanted.split(";\n").map(|query| self.rows(query)).collect();
            assert!(sources.learn(&results, &texts), "{wanted}");
        }
        sources.behind(&results).expect("all results")
    }

    fn learn(&mut self) {
        let number = |text: &String| text.parse::<u32>().expect("a number");
        let relations = self.rows(RELATIONS);
        self.relations = relations.iter().map(|row| number(&row[2])).collect();
        let counted = relations.iter().map(|row| row[0].clone()).collect::<Vec<_>>().join(",");
        let tables = relations.iter().filter(|row| row[0] == row[2]);
        self.schema.names = tables.map(|row| (number(&row[0]), row[1].clone())).collect();
        let pairs =
            |rows: Vec<Vec<String>>| rows.iter().map(|r| (number(&r[0]), number(&r[1]))).collect();
        self.schema.through = pairs(self.rows(THROUGH));
        self.schema.referred = pairs(self.rows(REFERRED));
        self.snapshot = format!(
            "select pg_catalog.concat_ws(' ', pg_catalog.pg_snapshot_xmax(pg_catalog.pg_current_snapshot()), \
              pg_catalog.pg_current_xact_id_if_assigned()), \
             (select pg_catalog.string_agg(distinct locktype || ' ' || mode, ', ') from pg_catalog.pg_locks \
              where pid = pg_catalog.pg_backend_pid() and (locktype = 'advisory' or (locktype = 'relation' \
              and relation >= 16384 and mode not in ('AccessShareLock', 'RowShareLock', 'RowExclusiveLock')))), \
             (select pg_catalog.string_agg(coalesce(pg_catalog.pg_sequence_last_value(oid)::text, '-'), ',' order by oid) \
              from pg_catalog.pg_class where relkind = 'S' and oid >= 16384), \
             current_user || ' ' || session_user, \
             (select pg_catalog.string_agg(pg_catalog.concat_ws(' ', pg_catalog.pg_stat_get_xact_tuples_inserted(o) \
              + pg_catalog.pg_stat_get_xact_tuples_updated(o) + pg_catalog.pg_stat_get_xact_tuples_deleted(o), \
              pg_catalog.pg_stat_get_xact_numscans(o)), ' ' order by o) \
              from pg_catalog.unnest('{{{counted}}}'::oid[]) o)"
        );
        let hash = format!("select {HASH}");
        self.hash = self.rows(&hash)[0][0].clone();
        let settings = self.rows(SETTINGS);
        self.settings = settings
            .into_iter()
            .map(|row| (row[0].clone(), (row[1].clone(), row[2].clone())))
            .collect();
    }

    /// The server's own functions.
    pub fn functions(&mut self) -> Vec<BuiltIn> {
        let types =
            |list: &String| list.split('|').filter(|t| !t.is_empty()).map(str::to_owned).collect();
        let rows = self.rows(FUNCTIONS);
        rows.iter().map(|row| BuiltIn { name: row[0].clone(), arguments: types(&row[1]) }).collect()
    }

    /// Asks between two other texts, of which the first may change what is asked of.
    fn moment(&mut self, first: &str, settings: bool, then: &str) -> Option<Moment> {
        let more = if settings { format!(", {HASH}") } else { String::new() };
        let text = format!("{first}{}{more}{then}", self.snapshot);
        let answer = self.client.run(text.as_bytes())?;
        let row: Vec<String> =
            answer.rows.into_iter().next()?.into_iter().map(Option::unwrap_or_default).collect();
        let counts = row[4].split(' ').map(|n| n.parse().unwrap_or_default()).collect();
        Some(Moment {
            next: row[0].clone(),
            locks: row[1].clone(),
            sequences: row[2].clone(),
            role: row[3].clone(),
            settings: row.get(5).cloned().unwrap_or_default(),
            counts,
        })
    }

    /// Runs a text and says what it did. If it should have done nothing, and nothing was found, it is committed,
    /// which is when notifications go out.
    pub fn run(&mut self, text: &str, look: Look) -> Seen {
        let mut seen = Seen::default();
        let before = match look {
            Look::Away => {
                self.client.run(format!("rollback; begin{LIMIT}").as_bytes()).map(|_| None)
            }
            _ => self.moment("rollback; begin; ", false, LIMIT).map(Some),
        };
        let answer = before.is_some().then(|| self.client.run(text.as_bytes())).flatten();
        let (Some(before), Some(answer)) = (before, answer) else {
            self.again();
            return Seen { lost: true, ..seen };
        };
        if let Some(before) = before {
            self.look(&answer, &before, look, &mut seen);
        } else {
            // Nobody looked: it may have written.
            seen.wrote = true;
        }
        seen.error = answer.error;
        seen.notified |= !answer.notified.is_empty();
        self.clean(look, answer.status, &mut seen);
        seen
    }

    fn look(&mut self, answer: &Answer, before: &Moment, look: Look, seen: &mut Seen) {
        let first = match answer.status {
            b'E' => "rollback; ",
            // A busy host may take longer to answer than a statement may run.
            b'T' => "set local statement_timeout = 0; ",
            _ => "",
        };
        let settings = look != Look::Lightly && answer.status == b'T';
        let Some(after) = self.moment(first, settings, "") else {
            seen.blind = true;
            return;
        };
        seen.wrote = after.next != before.next;
        seen.sequences = after.sequences != before.sequences;
        if after.locks != before.locks {
            seen.locks.clone_from(&after.locks);
        }
        if answer.status != b'T' {
            return;
        }
        seen.role = after.role != before.role;
        if look != Look::Lightly && after.settings != self.hash {
            seen.settings = self.changed_settings();
        }
        for (at, oid) in self.relations.iter().enumerate() {
            let count = |moment: &Moment, of: usize| {
                moment.counts.get(at * 2 + of).copied().unwrap_or_default()
            };
            if count(&after, 0) > count(before, 0) {
                seen.written.insert(*oid);
            }
            if count(&after, 1) > count(before, 1) {
                seen.scanned.insert(*oid);
            }
        }
    }

    fn changed_settings(&mut self) -> Vec<(String, String, String)> {
        let Some(answer) = self.client.run(SETTINGS.as_bytes()) else { return Vec::new() };
        let mut changed = Vec::new();
        for row in answer.rows {
            let row: Vec<String> = row.into_iter().map(Option::unwrap_or_default).collect();
            if self.settings.get(&row[0]).is_none_or(|(value, _)| *value != row[1]) {
                changed.push((row[0].clone(), row[2].clone(), row[1].clone()));
            }
        }
        changed
    }

    /// Makes the connection and the database what they were.
    fn clean(&mut self, look: Look, status: u8, seen: &mut Seen) {
        let harmless = matches!(look, Look::Closely | Look::Lightly) && !seen.wrote;
        let end: &[u8] = if harmless && status == b'T' { b"commit" } else { b"rollback" };
        let ended = self.client.run(end);
        seen.notified |= ended.as_ref().is_some_and(|answer| !answer.notified.is_empty());
        if look == Look::Lightly && ended.is_some() && harmless {
            return;
        }
        let cleaned = self.client.run(b"discard all").is_some_and(|answer| answer.error.is_none());
        // It ended the transaction itself: what it wrote may be there to stay.
        if ended.is_none() || !cleaned || (status == b'I' && seen.wrote) {
            return self.again();
        }
        self.client.run(b"listen trap");
    }

    /// Starts over with a fresh database and connection.
    fn again(&mut self) {
        self.rebuilt += 1;
        let old = std::mem::replace(&mut self.work, copy(&self.postgres));
        self.client = ready(&self.work);
        let mut other = Client::connect(&self.work);
        other.run(format!("drop database {} with (force)", old.database).as_bytes());
    }

    /// How often the database was made anew.
    pub fn rebuilt(&self) -> usize {
        self.rebuilt
    }
}

/// A connection that hears notifications, and has the settings of the language that traps are written in.
fn ready(work: &Postgres) -> Client {
    let mut client = Client::connect(work);
    client.run(b"load 'plpgsql'; listen trap");
    client
}

/// A copy of the database under a name of its own.
fn copy(postgres: &Postgres) -> Postgres {
    let mut work = postgres.clone();
    work.database = format!("work_{}_{}", std::process::id(), weir_tests::unique());
    let mut server = postgres.clone();
    server.database = "postgres".to_owned();
    server.direct(&format!("create database {} template {}", work.database, postgres.database));
    work
}

//! PostgreSQL: libpg_query parses, `Walk` says what it means.

mod admin;
mod before;
mod behind;
mod body;
mod carrier;
mod condition;
mod encoding;
mod expression;
mod fastpath;
mod filter;
mod functions;
mod inference;
mod integer;
mod json;
mod label;
mod lineage;
mod meaning;
mod names;
mod object;
mod operators;
mod output;
mod place;
mod places;
mod query;
mod relation;
mod replication;
mod schema;
mod scope;
mod session;
mod settings;
mod walk;
mod write;

pub(crate) use before::before_image;
pub use before::{Before, BeforeImage};
pub use behind::{Behind, QUERY as BEHIND_QUERY, Row, Sources};
pub use body::{Body, body, is_safe_function};
pub use encoding::{is_ascii_safe, is_utf8};
pub(crate) use fastpath::call;
pub use inference::Comparison;
pub use meaning::Names;
pub(crate) use places::places;
pub use places::{Given, Place, Places};
pub use replication::{mentions_replication, replication};
use weir_model::{Effect, Flag, Operation};
use weir_pgtree::Tree;

use crate::Facts;
use walk::Walk;

/// What a text does; unknown where the grammar does not accept it.
pub(crate) fn classify(text: &str) -> Facts {
    let Ok(Tree { statements, fingerprint }) = weir_pgtree::parse(text) else {
        return Facts::unknown("sql");
    };
    let mut walk = Walk::default();
    for statement in &statements {
        match names::inside(&statement.stmt) {
            Some(node) => walk.top(node),
            None => walk.unplaced(),
        }
    }
    if statements.len() > 1 {
        walk.flag(Flag::Multi);
    }
    facts(walk, statements.len(), Some(fingerprint))
}

fn facts(walk: Walk, statements: usize, fingerprint: Option<i64>) -> Facts {
    let rest = walk.effect;
    let program = walk.flags.contains(&Flag::ToProgram);
    let effect = if walk.executes.is_empty() { rest } else { Effect::Unknown };
    let plants = walk.plants || program || effect == Effect::Unknown;
    let plain = effect == Effect::Read && walk.prepares.is_empty() && !walk.deferred;
    let mut free = if plain { walk.free } else { Vec::new() };
    free.sort_unstable();
    let compares = walk.inference.finish(walk.lineage.renames());
    let (computed, dotted) = walk.lineage.finish();
    Facts {
        operation: Operation {
            effect,
            verbs: walk.verbs,
            resources: walk.resources.finish(),
            flags: walk.flags,
        }
        .into(),
        statements: u32::try_from(statements).unwrap_or(u32::MAX),
        fingerprint,
        changes_schema: walk.changes_schema || effect >= Effect::Schema,
        leaves_utf8: walk.leaves_utf8,
        changes_session: walk.changes_session || effect == Effect::Unknown,
        transaction: statements > 0 && walk.transactions == statements,
        computed,
        dotted,
        compares,
        names: walk.names,
        plants,
        free,
        defines: walk.defines,
        deferred: walk.deferred,
        stores: walk.stores,
        silent: walk.silent,
        prepares: walk.prepares,
        executes: walk.executes,
        deallocates: walk.deallocates,
        notifies: walk.notifies,
        rest,
    }
}

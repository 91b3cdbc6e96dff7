//! Functions: which are known to be free of side effects, and what the others do.
//!
//! `names/safe.txt` is read out of `pg_proc` (immutable and stable functions of `pg_catalog`
//! without those that run a query given as text), plus volatile ones that change nothing.
//! Whatever is not listed, or stands in a schema of the user's, is unknown.

use std::collections::HashSet;
use std::sync::LazyLock;

use pg_query::NodeEnum;
use pg_query::protobuf::FuncCall;
use weir_model::{Effect, Flag};

use super::names::{each, inside, literal};
use super::settings;
use super::walk::Walk;
use crate::Said;

static SAFE: LazyLock<HashSet<&'static str>> =
    LazyLock::new(|| include_str!("names/safe.txt").split_whitespace().collect());

/// Columns of rows that built-in functions return: a dot before one of these reads a field.
static FIELDS: LazyLock<HashSet<&'static str>> =
    LazyLock::new(|| include_str!("names/fields.txt").split_whitespace().collect());

/// The safe ones that return sets (`proretset` in `pg_proc`).
static SETS: LazyLock<HashSet<&'static str>> =
    LazyLock::new(|| include_str!("names/sets.txt").split_whitespace().collect());

/// What calling a function means.
pub(super) enum Judgement {
    /// It changes nothing and reads nothing but its arguments and the catalogue.
    Safe,
    /// It changes nothing, and reads what is in no table.
    Reads,
    /// It is known, and does this.
    Does(Effect, &'static [Flag]),
    /// Nobody knows.
    Unknown,
}

/// What calling a function of this name means.
pub(super) fn judge(name: &[&str]) -> Judgement {
    match name {
        [function] | ["pg_catalog" | "information_schema", function] => built_in(function),
        _ => Judgement::Unknown,
    }
}

/// Whether a name after a dot is a field of a row that a built-in function returns.
pub(super) fn is_field(name: &str) -> bool {
    FIELDS.contains(name)
}

/// Whether `t.name` may be a call that takes the whole row of t as a value.
pub(super) fn takes_row(name: &str) -> bool {
    matches!(
        name,
        "to_json"
            | "to_jsonb"
            | "row_to_json"
            | "json_agg"
            | "jsonb_agg"
            | "array_agg"
            | "concat"
            | "json_build_array"
            | "jsonb_build_array"
            | "json_build_object"
            | "jsonb_build_object"
            | "quote_literal"
            | "quote_nullable"
            | "record_out"
            | "record_send"
            | "hash_record"
            | "hstore"
            | "mode"
            | "any_value"
            | "min"
            | "max"
            | "json_agg_strict"
            | "jsonb_agg_strict"
    )
}

fn built_in(name: &str) -> Judgement {
    if SAFE.contains(name) {
        return Judgement::Safe;
    }
    if reads(name) {
        return Judgement::Reads;
    }
    if reaches_host(name) {
        return Judgement::Does(Effect::Admin, &[Flag::ToProgram]);
    }
    if name.starts_with("dblink") {
        return Judgement::Does(Effect::Admin, &[Flag::DynamicSql]);
    }
    if administers(name) {
        return Judgement::Does(Effect::Admin, &[]);
    }
    if writes(name) {
        return Judgement::Does(Effect::Write, &[]);
    }
    match name {
        // Its arguments say how much it does: `check_arguments`.
        "set_config" => Judgement::Does(Effect::Session, &[]),
        _ if runs_text(name) => Judgement::Does(Effect::Unknown, &[Flag::DynamicSql]),
        _ => Judgement::Unknown,
    }
}

fn reaches_host(name: &str) -> bool {
    let prefix = ["pg_read_", "pg_ls_", "pg_file_", "pg_stat_file", "pg_logdir_", "pg_write_"];
    prefix.iter().any(|p| name.starts_with(p))
        || matches!(name, "lo_import" | "lo_export" | "pg_current_logfile")
}

fn administers(name: &str) -> bool {
    let prefix = [
        "binary_upgrade_",
        "pg_backup_",
        "pg_start_backup",
        "pg_stop_backup",
        "pg_stat_reset",
        "pg_replication_origin_",
        "pg_replication_slot_",
        "pg_logical_",
        "pg_wal_replay_",
        "pg_create_",
        "pg_drop_",
        "pg_copy_",
        "pg_rotate_logfile",
        "pg_log_",
        "pg_sync_",
        "pg_restore_",
        "pg_clear_",
    ];
    prefix.iter().any(|p| name.starts_with(p))
        || matches!(
            name,
            "pg_terminate_backend"
                | "pg_cancel_backend"
                | "pg_reload_conf"
                | "pg_promote"
                | "pg_switch_wal"
                | "pg_switch_xlog"
                | "pg_hba_file_rules"
                | "pg_ident_file_mappings"
                | "pg_show_all_file_settings"
                | "pg_export_snapshot"
                | "pg_import_system_collations"
                | "pg_stop_making_pinned_objects"
                | "pg_nextoid"
        )
}

/// Large objects, as they are. Opening one for writing changes nothing: the writing is a call of its own.
fn reads(name: &str) -> bool {
    matches!(
        name,
        "lo_get"
            | "lo_open"
            | "lo_close"
            | "loread"
            | "lo_lseek"
            | "lo_lseek64"
            | "lo_tell"
            | "lo_tell64"
    )
}

fn writes(name: &str) -> bool {
    let prefix = ["pg_advisory_", "pg_try_advisory_", "lo_truncate", "brin_"];
    prefix.iter().any(|p| name.starts_with(p))
        || matches!(
            name,
            "nextval"
                | "setval"
                | "pg_notify"
                | "lo_creat"
                | "lo_create"
                | "lo_from_bytea"
                | "lo_put"
                | "lo_unlink"
                | "lowrite"
                | "gin_clean_pending_list"
        )
}

fn runs_text(name: &str) -> bool {
    let prefix = [
        "query_to_xml",
        "cursor_to_xml",
        "table_to_xml",
        "schema_to_xml",
        "database_to_xml",
        "crosstab",
        "connectby",
        "xpath_table",
    ];
    prefix.iter().any(|p| name.starts_with(p)) || matches!(name, "ts_stat" | "ts_rewrite")
}

/// Whether it may return any number of rows.
pub(super) fn returns_set(name: &[&str]) -> bool {
    name.last().is_some_and(|name| SETS.contains(name))
}

/// Whether what the function is given stays readable: in locks, sequences, large objects, a seed, a
/// parameter, or with listeners.
pub(super) fn keeps(name: &str) -> bool {
    writes(name) || matches!(name, "setseed" | "set_config")
}

/// Whether a value is the client's own: a constant or a parameter.
pub(super) fn is_given(node: &NodeEnum) -> bool {
    match node {
        NodeEnum::AConst(_) | NodeEnum::ParamRef(_) => true,
        NodeEnum::TypeCast(cast) => inside(&cast.arg).is_some_and(is_given),
        NodeEnum::NamedArgExpr(named) => inside(&named.arg).is_some_and(is_given),
        _ => false,
    }
}

/// A text as it is written: a literal or a parameter.
fn said(node: &NodeEnum) -> Option<Said> {
    match node {
        NodeEnum::ParamRef(place) => {
            Some(Said::Parameter(usize::try_from(place.number).ok()?.checked_sub(1)?))
        }
        node => literal(node).map(Said::Text),
    }
}

/// Calls whose arguments decide what they do, or where a value would leave the answer.
pub(super) fn check_arguments(walk: &mut Walk, name: &[&str], call: &FuncCall) {
    let Some(function) = name.last().copied() else { return };
    let all_given = each(&call.args).all(is_given);
    walk.stores |= keeps(function) && !all_given;
    match function {
        "set_config" => {
            walk.changes_session = true;
            let mut arguments = each(&call.args);
            let setting = arguments.next().and_then(literal);
            let value = arguments.next();
            match (setting, value) {
                (Some(setting), Some(NodeEnum::ParamRef(_))) => {
                    settings::set(walk, &setting, None);
                }
                (Some(setting), Some(value)) => match literal(value) {
                    Some(value) => settings::set(walk, &setting, Some(&settings::split(&value))),
                    None => walk.raise(Effect::Unknown),
                },
                _ => walk.raise(Effect::Unknown),
            }
        }
        // A notification's payload goes to listeners, past every mask.
        "pg_notify" if !all_given => walk.raise(Effect::Unknown),
        "pg_notify" => {
            let mut arguments = each(&call.args).map(said);
            if let (Some(Some(channel)), Some(Some(payload))) = (arguments.next(), arguments.next())
            {
                walk.notifies.push((channel, payload));
            }
        }
        _ => {}
    }
}

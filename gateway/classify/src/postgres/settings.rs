//! What setting a parameter means.

use weir_model::{Effect, Flag};

use super::encoding::{is_ascii_safe, is_utf8};
use super::walk::Walk;

/// Parameters that change nothing but how this session plans, waits and prints.
const HARMLESS: &[&str] = &[
    "application_name",
    "bytea_output",
    "constraint_exclusion",
    "cpu_index_tuple_cost",
    "cpu_operator_cost",
    "cpu_tuple_cost",
    "cursor_tuple_fraction",
    "datestyle",
    "deadlock_timeout",
    "default_statistics_target",
    "default_table_access_method",
    "default_tablespace",
    "default_text_search_config",
    "default_transaction_deferrable",
    "default_transaction_isolation",
    "default_transaction_read_only",
    "default_with_oids",
    "client_min_messages",
    "effective_cache_size",
    "effective_io_concurrency",
    "extra_float_digits",
    "from_collapse_limit",
    "geqo",
    "geqo_threshold",
    "gin_fuzzy_search_limit",
    "hash_mem_multiplier",
    "idle_in_transaction_session_timeout",
    "idle_session_timeout",
    "intervalstyle",
    "jit",
    "jit_above_cost",
    "join_collapse_limit",
    "lc_messages",
    "lc_monetary",
    "lc_numeric",
    "lc_time",
    "lock_timeout",
    "logical_decoding_work_mem",
    "maintenance_io_concurrency",
    "maintenance_work_mem",
    "max_parallel_maintenance_workers",
    "max_parallel_workers",
    "max_parallel_workers_per_gather",
    "min_parallel_index_scan_size",
    "min_parallel_table_scan_size",
    "parallel_leader_participation",
    "parallel_setup_cost",
    "parallel_tuple_cost",
    "plan_cache_mode",
    "quote_all_identifiers",
    "random_page_cost",
    "recursive_worktable_factor",
    "seed",
    "seq_page_cost",
    "ssl_renegotiation_limit",
    "statement_timeout",
    "stats_fetch_consistency",
    "synchronize_seqscans",
    "synchronous_commit",
    "tcp_keepalives_count",
    "tcp_keepalives_idle",
    "tcp_keepalives_interval",
    "tcp_user_timeout",
    "temp_buffers",
    "temp_tablespaces",
    "timezone",
    "timezone_abbreviations",
    "trace_sort",
    "transaction",
    "session characteristics",
    "transaction_deferrable",
    "transaction_isolation",
    "transaction_read_only",
    "transaction_timeout",
    "vacuum_buffer_usage_limit",
    "vacuum_cost_delay",
    "vacuum_cost_limit",
    "work_mem",
    "sort_mem",
    "xmlbinary",
    "xmloption",
    "transform_null_equals",
    "check_function_bodies",
    "default_toast_compression",
    "compute_query_id",
];

/// Takes in what setting a parameter to these values means; `None` is a value not known yet.
pub(super) fn set(walk: &mut Walk, name: &str, values: Option<&[String]>) {
    let name = name.to_ascii_lowercase();
    match name.as_str() {
        "role" | "session_authorization" => {
            walk.changes_session = true;
            walk.raise(Effect::Admin);
            walk.flag(Flag::Privilege);
        }
        "search_path" => {
            walk.changes_session = true;
            if !values.is_some_and(finds_built_ins_first) {
                walk.raise(Effect::Unknown);
            }
        }
        "standard_conforming_strings" => {
            walk.changes_session = true;
            if !values.is_some_and(|v| v.iter().all(|v| is_on(v))) {
                walk.raise(Effect::Unknown);
            }
        }
        "client_encoding" => {
            walk.changes_session = true;
            walk.leaves_utf8 |= !values.is_some_and(|v| v.iter().all(|v| is_utf8(v.as_bytes())));
            if !values.is_some_and(|v| v.iter().all(|v| is_ascii_safe(v.as_bytes()))) {
                walk.raise(Effect::Unknown);
            }
        }
        "escape_string_warning" | "row_security" => walk.changes_session = true,
        "backslash_quote" => {
            walk.changes_session = true;
            walk.raise(Effect::Unknown);
        }
        // A parameter with a dot is an extension's or the application's own, which views and
        // row-level policies may read.
        other if other.contains('.') => walk.changes_session = true,
        other if HARMLESS.contains(&other) || other.starts_with("enable_") => {}
        _ => walk.raise(Effect::Admin),
    }
}

/// A list given as one text, for instance to `set_config`.
pub(super) fn split(value: &str) -> Vec<String> {
    let item = |i: &str| i.trim().trim_matches('"').to_owned();
    value.split(',').map(item).collect()
}

/// Built-in functions and operators come first unless another schema is put before them by name.
fn finds_built_ins_first(path: &[String]) -> bool {
    // One argument may hold a whole list, and quotes may hide a name: look for it anywhere.
    match path.iter().position(|item| item.to_ascii_lowercase().contains("pg_catalog")) {
        None => true,
        Some(0) => path.first().is_some_and(|p| p.trim().starts_with("pg_catalog")),
        Some(_) => false,
    }
}

fn is_on(value: &str) -> bool {
    matches!(value.to_ascii_lowercase().as_str(), "on" | "true" | "yes" | "1" | "t")
}

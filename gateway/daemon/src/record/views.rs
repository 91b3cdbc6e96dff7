//! DuckDB views over the sealed files.

use std::fmt::Write as _;
use std::path::Path;

use weir_ledger::Table;

const READY: &str = include_str!("views.sql");

/// The SQL that makes the views over the record in `dir`, an absolute path.
pub fn sql(dir: &Path) -> String {
    let dir = dir.display().to_string().replace('\'', "''");
    let mut sql = String::from("-- Views over a record, for DuckDB: `duckdb -init views.sql`\n");
    for table in Table::ALL {
        let name = table.name();
        // Writing to a String does not fail.
        let _ = writeln!(
            sql,
            "CREATE OR REPLACE VIEW {name} AS SELECT * FROM read_parquet(\
             '{dir}/v1/{name}/**/*.parquet', union_by_name=true, hive_partitioning=false);"
        );
    }
    sql + READY
}

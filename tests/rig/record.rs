//! What an auditor sees: the sealed Parquet, read by DuckDB through the generated views.

use crate::{Gateway, python};

const QUERY: &str = "
import duckdb, json, sys
connection = duckdb.connect()
connection.execute(open(sys.argv[1]).read())
cursor = connection.execute(sys.argv[2])
names = [column[0] for column in cursor.description]
print(json.dumps([dict(zip(names, row)) for row in cursor.fetchall()], default=str))
";

impl Gateway {
    /// Seals, and asks DuckDB; each row is an object.
    pub fn duckdb(&self, sql: &str) -> Vec<serde_json::Value> {
        self.ask(&["audit", "seal"]);
        self.duckdb_unsealed(sql)
    }

    /// Asks DuckDB what is sealed already.
    pub fn duckdb_unsealed(&self, sql: &str) -> Vec<serde_json::Value> {
        let views = self.dir.join("views.sql").display().to_string();
        self.ask(&["audit", "views", "--out", &views]);
        let text = python::run(QUERY, &[&views, sql]);
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
    }

    /// All files of the record and the state, for tests that look for what must not be there.
    pub fn files(&self) -> Vec<std::path::PathBuf> {
        let mut found = Vec::new();
        let mut open = vec![self.record.clone(), self.dir.clone()];
        while let Some(dir) = open.pop() {
            for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
                let path = entry.path();
                if path.is_dir() {
                    open.push(path);
                } else {
                    found.push(path);
                }
            }
        }
        found
    }
}

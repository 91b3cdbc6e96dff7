//! Writes a segment's rows as Parquet: a file per table and day, whole or not at all.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};

use ::parquet::arrow::ArrowWriter;
use ::parquet::basic::{Compression, ZstdLevel};
use ::parquet::errors::ParquetError;
use ::parquet::file::metadata::KeyValue;
use ::parquet::file::properties::WriterProperties;
use ::parquet::file::reader::{FileReader as _, SerializedFileReader};
use ::parquet::schema::types::ColumnPath;
use arrow_array::RecordBatch;
use weir_ledger::{Rows, Table};

use super::carry;
use super::error::{Doing as _, RecordError};

/// DuckDB's own size; it prunes by row group.
const GROUP_ROWS: usize = 122_880;
/// A row group is ended before its rows take more memory than this.
const GROUP_BYTES: usize = 8 << 20;
/// The day of the file without rows that each table has, so that views over it work.
const NO_DAY: &str = "1970-01-01";

/// A file that is being written.
struct Writing {
    writer: ArrowWriter<File>,
    temporary: PathBuf,
    path: PathBuf,
    rows: i64,
}

/// The files of a range of entries.
pub(super) struct Files<'a> {
    dir: &'a Path,
    host: &'a str,
    range: (u64, u64),
    writing: BTreeMap<(Table, String), Writing>,
}

/// The folder of a table's day.
fn folder(dir: &Path, table: Table, date: &str, host: &str) -> PathBuf {
    let folder = dir.join("v1").join(table.name());
    folder.join(format!("date={date}")).join(format!("host={}", safe(host)))
}

/// A host's name that is no path.
pub(super) fn safe(host: &str) -> String {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "-_.".contains(letter);
    host.chars().map(|letter| if plain(letter) { letter } else { '_' }).collect()
}

/// Writes a file without rows for each table that has none.
pub(super) fn ensure_tables(dir: &Path, host: &str) -> Result<(), RecordError> {
    let mut files = Files::new(dir, host, (0, 0));
    for table in Table::ALL {
        if !dir.join("v1").join(table.name()).is_dir() {
            files.file(table, NO_DAY)?;
        }
    }
    files.finish().map(drop)
}

impl<'a> Files<'a> {
    pub(super) fn new(dir: &'a Path, host: &'a str, range: (u64, u64)) -> Self {
        Self { dir, host, range, writing: BTreeMap::new() }
    }

    /// Adds rows that became complete on the day `date`.
    pub(super) fn write(&mut self, date: &str, rows: &Rows) -> Result<(), RecordError> {
        for table in Table::ALL {
            let batch = rows.batch(table).map_err(|error| self.error(table, error.into()))?;
            if let Some(batch) = batch {
                self.file(table, date)?.write(&batch)?;
            }
        }
        Ok(())
    }

    /// Ends the files; afterwards they are on the disk under their names, and were read back.
    pub(super) fn finish(self) -> Result<Vec<(Table, PathBuf, i64)>, RecordError> {
        let mut files = Vec::new();
        for ((table, _), writing) in self.writing {
            let rows = writing.rows;
            files.push((table, writing.finish()?, rows));
        }
        Ok(files)
    }

    fn file(&mut self, table: Table, date: &str) -> Result<&mut Writing, RecordError> {
        let (dir, host, range) = (self.dir, self.host, self.range);
        match self.writing.entry((table, date.to_owned())) {
            std::collections::btree_map::Entry::Occupied(open) => Ok(open.into_mut()),
            std::collections::btree_map::Entry::Vacant(place) => {
                let folder = folder(dir, table, date, host);
                Ok(place.insert(Writing::create(&folder, table, host, range)?))
            }
        }
    }

    fn error(&self, table: Table, source: ParquetError) -> RecordError {
        RecordError::Parquet { path: self.dir.join("v1").join(table.name()), source }
    }
}

impl Writing {
    fn create(
        folder: &Path,
        table: Table,
        host: &str,
        (first, last): (u64, u64),
    ) -> Result<Self, RecordError> {
        carry::create_dir(folder)?;
        // The range alone names the file: sealing again after a crash replaces it.
        let path = folder.join(format!("{first:016}-{last:016}.parquet"));
        let temporary = path.with_added_extension("tmp");
        let file = carry::create(&temporary)?;
        let writer = ArrowWriter::try_new(file, table.schema(), Some(properties(table, host)))
            .map_err(|source| RecordError::Parquet { path: path.clone(), source })?;
        Ok(Self { writer, temporary, path, rows: 0 })
    }

    fn write(&mut self, batch: &RecordBatch) -> Result<(), RecordError> {
        self.rows += batch.num_rows() as i64;
        self.writer
            .write(batch)
            .and_then(|()| match self.writer.in_progress_size() {
                size if size > GROUP_BYTES => self.writer.flush(),
                _ => Ok(()),
            })
            .map_err(|source| RecordError::Parquet { path: self.path.clone(), source })
    }

    fn finish(self) -> Result<PathBuf, RecordError> {
        let Self { writer, temporary, path, rows } = self;
        let failed = |source| RecordError::Parquet { path: path.clone(), source };
        let file = writer.into_inner().map_err(failed)?;
        file.sync_all().doing("syncing", &temporary)?;
        let file = File::open(&temporary).doing("reading back", &temporary)?;
        let read =
            SerializedFileReader::new(file).map_err(failed)?.metadata().file_metadata().num_rows();
        if read != rows {
            let why = format!("{rows} rows were written, {read} are there");
            return Err(RecordError::Damaged { path: temporary, why });
        }
        carry::rename(&temporary, &path)?;
        Ok(path)
    }
}

fn properties(table: Table, host: &str) -> WriterProperties {
    let meta = KeyValue::new("weir.host".to_owned(), host.to_owned());
    let mut properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_max_row_group_row_count(Some(GROUP_ROWS))
        .set_bloom_filter_max_ndv(GROUP_ROWS as u64)
        .set_bloom_filter_fpp(0.01)
        .set_created_by(concat!("weir ", env!("CARGO_PKG_VERSION")).to_owned())
        .set_key_value_metadata(Some(vec![meta]));
    // The setters above enable the filter for all columns.
    properties = properties.set_bloom_filter_enabled(false);
    for column in table.lookup_columns() {
        let path = ColumnPath::from(*column);
        properties = properties
            .set_column_bloom_filter_enabled(path.clone(), true)
            .set_column_bloom_filter_max_ndv(path.clone(), GROUP_ROWS as u64)
            .set_column_bloom_filter_fpp(path, 0.01);
    }
    properties.build()
}

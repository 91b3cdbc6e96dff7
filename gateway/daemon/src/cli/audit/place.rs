//! Where the record is.

use std::path::PathBuf;

use crate::config::Config;

/// Where the record is.
#[derive(clap::Args)]
pub(crate) struct Place {
    /// The record's folder (default: the configuration's, else /var/lib/weir/record).
    #[arg(long = "record", env = "WEIR_RECORD", value_name = "DIR")]
    record: Option<PathBuf>,
}

impl Place {
    /// The record's folder.
    pub(in crate::cli) fn dir(&self, common: &crate::cli::Common) -> anyhow::Result<PathBuf> {
        if let Some(dir) = &self.record {
            return Ok(dir.clone());
        }
        Ok(Config::load_or_default(&common.config)?.record.dir)
    }
}

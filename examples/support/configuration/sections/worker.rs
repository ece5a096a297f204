//! The section `CondaStoreWorker`: what concerns the worker.

use std::{num::NonZeroUsize, path::PathBuf};

use serde::Deserialize;

use super::Section;
use crate::configuration::log_level::LogLevel;

/// The section `CondaStoreWorker`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CondaStoreWorkerSection {
    /// What is logged.
    pub log_level: LogLevel,
    /// Environment files, or directories of them, that are built as they come and change.
    pub watch_paths: Vec<PathBuf>,
    /// How many jobs run at once; by default one per CPU thread.
    pub concurrency: Option<NonZeroUsize>,
}

impl Section for CondaStoreWorkerSection {
    const NAME: &'static str = "CondaStoreWorker";
}

//! The section `CondaStoreWorker`: what concerns the worker.

use std::{
    net::{IpAddr, Ipv4Addr},
    num::NonZeroUsize,
    path::PathBuf,
};

use serde::Deserialize;

use super::Section;
use crate::configuration::log_level::LogLevel;

/// The section `CondaStoreWorker`.
#[derive(Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CondaStoreWorkerSection {
    /// What is logged.
    pub log_level: LogLevel,
    /// Environment files, or directories of them, that are built as they come and change.
    pub watch_paths: Vec<PathBuf>,
    /// How many jobs run at once; by default one per CPU thread.
    pub concurrency: Option<NonZeroUsize>,
    /// The address that is listened on where there is a port.
    pub address: IpAddr,
    /// The port where measures and health are shown; none by default, 0 for any free one.
    pub port: Option<u16>,
}

impl Default for CondaStoreWorkerSection {
    fn default() -> Self {
        Self {
            log_level: LogLevel::default(),
            watch_paths: Vec::new(),
            concurrency: None,
            address: Ipv4Addr::UNSPECIFIED.into(),
            port: None,
        }
    }
}

impl Section for CondaStoreWorkerSection {
    const NAME: &'static str = "CondaStoreWorker";
}

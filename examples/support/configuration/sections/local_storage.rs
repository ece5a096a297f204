//! The section `LocalStorage`: artifacts in a directory.

use std::path::PathBuf;

use serde::Deserialize;

use super::Section;
use crate::configuration::value::UrlValue;

/// The section `LocalStorage`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LocalStorageSection {
    /// The directory; by default `conda-store/storage` in the user's data directory.
    pub storage_path: Option<PathBuf>,
    /// The base URL of a static file server over that directory; without it this server hands the files out.
    pub storage_url: Option<UrlValue>,
}

impl Section for LocalStorageSection {
    const NAME: &'static str = "LocalStorage";
}

//! What can be set.

use std::path::PathBuf;

use serde::Deserialize;
use url::Url;

/// Settings of [`LocalStorage`](super::LocalStorage), as they stand in the section `LocalStorage` of a configuration.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LocalStorageConfig {
    /// The directory that holds the blobs; made where it is missing.
    pub storage_path: PathBuf,
    /// The base address of a server of static files over `storage_path`; links lead there. Where there is none, this
    /// service streams the blobs itself.
    #[serde(default)]
    pub storage_url: Option<Url>,
}

//! What can be set.

use std::{collections::BTreeMap, fmt};

/// Settings of [`OpendalStorage`](super::OpendalStorage). A debug print shows the names of the options alone.
#[derive(Clone)]
pub struct OpendalStorageConfig {
    /// The service, such as `gcs`, `azblob` or `fs`.
    pub scheme: String,
    /// Its options, under opendal's names.
    pub options: BTreeMap<String, String>,
}

impl fmt::Debug for OpendalStorageConfig {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let options: Vec<_> = self.options.keys().collect();
        formatter.debug_struct("OpendalStorageConfig").field("scheme", &self.scheme).field("options", &options).finish()
    }
}

//! The section `OpendalStorage`: artifacts in any store that opendal knows.

use serde::Deserialize;

use super::Section;
use crate::configuration::secret::SecretMap;

/// The section `OpendalStorage`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OpendalStorageSection {
    /// The service, such as `gcs` or `azblob`.
    pub scheme: String,
    /// Its options, under opendal's names.
    pub options: SecretMap,
}

impl Section for OpendalStorageSection {
    const NAME: &'static str = "OpendalStorage";
    const SECRETS: &'static [&'static str] = &["options"];
}

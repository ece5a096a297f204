//! A map whose values may be secrets.

use std::{collections::BTreeMap, fmt};

use serde::Deserialize;
use serde_json::Value;

/// Options by name; a debug print shows the names alone.
#[derive(Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct SecretMap(pub BTreeMap<String, Value>);

impl fmt::Debug for SecretMap {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_set().entries(self.0.keys()).finish()
    }
}

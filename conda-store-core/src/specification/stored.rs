//! The form of a specification in the column `specification.spec`, and its hash.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};

use super::{CondaSpecification, Dependency, LockfileSpecification, Specification, Variable, canonical};
use crate::{Error, ErrorKind, Result, model::EnvironmentName};

/// What the original wrote: any of its versions, so most can be missing or null.
#[derive(Deserialize)]
struct StoredConda {
    name: EnvironmentName,
    channels: Option<Vec<String>>,
    dependencies: Option<Vec<Dependency>>,
    description: Option<String>,
    prefix: Option<String>,
    variables: Option<BTreeMap<String, Variable>>,
}

#[derive(Deserialize)]
struct StoredLockfile {
    name: EnvironmentName,
    description: Option<String>,
    lockfile: Value,
}

impl From<StoredConda> for CondaSpecification {
    fn from(stored: StoredConda) -> Self {
        Self {
            channels: stored.channels.unwrap_or_default(),
            dependencies: stored.dependencies.unwrap_or_default(),
            description: stored.description.unwrap_or_default(),
            name: stored.name,
            prefix: stored.prefix,
            variables: stored.variables,
        }
    }
}

impl From<StoredLockfile> for LockfileSpecification {
    fn from(stored: StoredLockfile) -> Self {
        let description = stored.description.unwrap_or_default();
        Self { name: stored.name, description, lockfile: stored.lockfile }
    }
}

impl Specification {
    /// The specification as the catalogue keeps it and the API shows it: a map with all its fields.
    #[must_use]
    pub fn to_stored(&self) -> Value {
        match self {
            Self::Conda(conda) => json!(conda),
            Self::Lockfile(lockfile) => json!({
                "name": lockfile.name,
                "description": lockfile.description,
                "lockfile": lockfile.lockfile,
            }),
        }
    }

    /// Reads what [`to_stored`](Self::to_stored) gave, or what the original stored. Its contents were checked when they
    /// were handed in, and rules may have changed since, so only its shape is checked.
    ///
    /// # Errors
    /// [`ErrorKind::Corrupt`] where it has another shape.
    pub fn from_stored(value: Value, is_lockfile: bool) -> Result<Self> {
        let read = if is_lockfile {
            serde_json::from_value(value).map(|stored: StoredLockfile| Self::Lockfile(stored.into()))
        } else {
            serde_json::from_value(value).map(|stored: StoredConda| Self::Conda(stored.into()))
        };
        read.map_err(|error| {
            let message = format!("the stored specification is damaged: {error}");
            Error::new(ErrorKind::Corrupt, "read stored specification", message).with_source(error)
        })
    }

    /// SHA-256, in hexadecimal, of the canonical JSON text of [`to_stored`](Self::to_stored): the same for
    /// specifications that differ only in the order of their lists.
    #[must_use]
    pub fn sha256(&self) -> String {
        canonical::sha256(&self.to_stored())
    }
}

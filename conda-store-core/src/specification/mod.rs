//! What somebody asks for: an `environment.yaml`, or a lockfile.

mod canonical;
pub(crate) mod document;
mod read;
mod stored;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{Result, lockfile::Lockfile, model::EnvironmentName};

/// One entry of `dependencies`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Dependency {
    /// A conda match spec.
    Conda(String),
    /// The `pip:` list.
    Pip {
        /// Requirements and options, one line of a requirements file each.
        pip: Vec<String>,
    },
}

/// The value of an environment variable.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Variable {
    /// An integer; kept as one, since it is hashed as one.
    Integer(i64),
    /// Text.
    Text(String),
}

/// An `environment.yaml`.
///
/// Its serialised form is the stored one (see [`Specification::to_stored`]).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CondaSpecification {
    /// Channels as written: names or URLs.
    pub channels: Vec<String>,
    /// Match specs and the `pip:` list.
    pub dependencies: Vec<Dependency>,
    /// A sentence about the environment.
    pub description: String,
    /// The environment's name.
    pub name: EnvironmentName,
    /// Accepted and kept, since conda writes it; it has no effect.
    pub prefix: Option<String>,
    /// Environment variables that are set when the environment is activated.
    pub variables: Option<BTreeMap<String, Variable>>,
}

impl CondaSpecification {
    /// The match specs, in order.
    pub fn match_specs(&self) -> impl Iterator<Item = &str> {
        self.dependencies.iter().filter_map(|dependency| match dependency {
            Dependency::Conda(spec) => Some(spec.as_str()),
            Dependency::Pip { .. } => None,
        })
    }

    /// The lines of the `pip:` list, in order.
    pub fn pip_lines(&self) -> impl Iterator<Item = &str> {
        let lists = self.dependencies.iter().filter_map(|dependency| match dependency {
            Dependency::Conda(_) => None,
            Dependency::Pip { pip } => Some(pip),
        });
        lists.flatten().map(String::as_str)
    }
}

/// A lockfile as specification: it is built as it is, without a solve.
#[derive(Clone, Debug, PartialEq)]
pub struct LockfileSpecification {
    /// The environment's name.
    pub name: EnvironmentName,
    /// A sentence about the environment.
    pub description: String,
    /// conda-lock v1, as JSON; [`Lockfile::from_json`] reads it.
    pub lockfile: serde_json::Value,
}

/// What a build builds.
#[derive(Clone, Debug, PartialEq)]
pub enum Specification {
    /// Packages to choose.
    Conda(CondaSpecification),
    /// Packages that were chosen.
    Lockfile(LockfileSpecification),
}

/// How large a document may be that describes an environment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpecificationLimits {
    /// Bytes of the text of an `environment.yaml`, counted again after its aliases are expanded.
    pub bytes: usize,
    /// As [`bytes`](Self::bytes), for a lockfile.
    pub lockfile_bytes: usize,
    /// Lists and mappings within each other.
    pub depth: usize,
    /// Values, lists and mappings altogether, after aliases are expanded.
    pub nodes: usize,
    /// As [`nodes`](Self::nodes), for a lockfile.
    pub lockfile_nodes: usize,
}

impl Default for SpecificationLimits {
    /// 1 MiB and 100,000 nodes, 16 MiB and 250,000 nodes for a lockfile, and 16 levels.
    fn default() -> Self {
        Self { bytes: 1 << 20, lockfile_bytes: 16 << 20, depth: 16, nodes: 100_000, lockfile_nodes: 250_000 }
    }
}

impl Specification {
    /// Reads an `environment.yaml`.
    ///
    /// `name` is required; `channels`, `dependencies`, `description`, `prefix` and `variables` may be missing or null. A
    /// variable is text or an integer; as in the original a boolean counts as 1 or 0 and a number without a fraction
    /// as that integer.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`](crate::ErrorKind::Invalid) with the place and what is taken there, for text that is larger
    /// or deeper than `limits`, no YAML, or no specification.
    pub fn from_yaml(text: &str, limits: &SpecificationLimits) -> Result<Self> {
        let document = document::parse("specification", text, limits)?;
        read::conda_specification(document).map(Self::Conda)
    }

    /// Reads a lockfile in the form of conda-lock version 1, YAML or JSON
    /// ([CEP 37](https://github.com/conda/ceps/blob/main/cep-0037.md)).
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`](crate::ErrorKind::Invalid) with the place in the lockfile.
    pub fn from_lockfile(
        name: EnvironmentName,
        description: String,
        text: &str,
        limits: &SpecificationLimits,
    ) -> Result<Self> {
        let lockfile = Lockfile::parse(text, limits)?.to_json();
        Ok(Self::Lockfile(LockfileSpecification { name, description, lockfile }))
    }

    /// The environment's name.
    #[must_use]
    pub fn name(&self) -> &EnvironmentName {
        match self {
            Self::Conda(specification) => &specification.name,
            Self::Lockfile(specification) => &specification.name,
        }
    }

    /// The environment's description.
    #[must_use]
    pub fn description(&self) -> &str {
        match self {
            Self::Conda(specification) => &specification.description,
            Self::Lockfile(specification) => &specification.description,
        }
    }
}

#[cfg(test)]
mod tests;

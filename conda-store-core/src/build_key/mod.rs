//! The part of a path that names a build: the trait [`BuildKeyFormat`].

mod v1;
mod v2;
mod v3;

use std::fmt;

pub use self::{v1::BuildKeyV1, v2::BuildKeyV2, v3::BuildKeyV3};
use crate::{
    Error, Result,
    clock::Timestamp,
    model::{Build, BuildId, EnvironmentName, NamespaceName},
};

/// The formats that exist, the newest last.
const FORMATS: [&dyn BuildKeyFormat; 3] = [&BuildKeyV1, &BuildKeyV2, &BuildKeyV3];

/// The version that new builds have where nothing else is configured.
pub const DEFAULT_VERSION: i32 = 2;

/// What a build key is made of.
#[derive(Clone, Debug)]
pub struct BuildKeyParts<'a> {
    /// The namespace of the environment.
    pub namespace: &'a NamespaceName,
    /// The environment.
    pub environment: &'a EnvironmentName,
    /// The specification's SHA-256 in hexadecimal.
    pub specification_sha256: &'a str,
    /// When the build was asked for.
    pub scheduled_on: Timestamp,
    /// The build's id.
    pub build_id: BuildId,
}

impl<'a> From<&'a Build> for BuildKeyParts<'a> {
    fn from(build: &'a Build) -> Self {
        Self {
            namespace: &build.namespace,
            environment: &build.environment,
            specification_sha256: &build.specification_sha256,
            scheduled_on: build.scheduled_on,
            build_id: build.id,
        }
    }
}

/// What a build key tells about its build.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BuildKeyReference {
    /// The build's id stands in the key.
    Id(BuildId),
    /// The key is a hash; the catalogue knows whose.
    Hash(String),
}

/// A way to write build keys.
///
/// # Contract
/// - [`key`](Self::key) is a pure function, different for different builds, and a single path segment.
/// - [`parse`](Self::parse) of what [`key`](Self::key) gave leads back to the build; of anything else it is `None` or
///   leads to a build with another key.
pub trait BuildKeyFormat: fmt::Debug + Send + Sync + 'static {
    /// The version that stands in the column `build_key_version`.
    fn version(&self) -> i32;

    /// The key of a build.
    fn key(&self, parts: &BuildKeyParts<'_>) -> Result<String>;

    /// Whose key this is.
    fn parse(&self, key: &str) -> Option<BuildKeyReference>;

    /// Whether paths carry the namespace and symlinks are made; not where keys have a fixed size (version 3).
    fn named_paths(&self) -> bool {
        true
    }
}

/// The format of a version.
///
/// # Errors
/// [`ErrorKind::Invalid`](crate::ErrorKind::Invalid) for a version that does not exist.
pub fn format(version: i32) -> Result<&'static dyn BuildKeyFormat> {
    FORMATS.into_iter().find(|format| format.version() == version).ok_or_else(|| {
        let known = FORMATS.map(|format| format.version().to_string()).join(", ");
        Error::invalid("choose build key format", format!("there is no build key version {version}; known are {known}"))
    })
}

/// The key of `build` in the format it was made with, whatever is configured now.
///
/// # Errors
/// [`ErrorKind::Invalid`](crate::ErrorKind::Invalid) for a version that does not exist or a hash that is none.
pub fn of(build: &Build) -> Result<String> {
    let format = format(build.build_key_version)?;
    match &build.hash {
        Some(hash) if format.parse(hash).is_some() => Ok(hash.clone()),
        _ => format.key(&build.into()),
    }
}

/// Whose key this is, in any of the formats.
#[must_use]
pub fn parse_any(key: &str) -> Option<BuildKeyReference> {
    FORMATS.into_iter().find_map(|format| format.parse(key))
}

/// The hash of the parts, if it is a SHA-256: it becomes part of paths.
fn checked_sha256<'a>(parts: &BuildKeyParts<'a>) -> Result<&'a str> {
    let sha256 = parts.specification_sha256;
    if is_hexadecimal(sha256, 64) {
        return Ok(sha256);
    }
    let message = format!("{sha256:?} is no SHA-256 in lowercase hexadecimal");
    Err(Error::invalid("write build key", message).with("build", parts.build_id))
}

fn is_hexadecimal(text: &str, length: usize) -> bool {
    text.len() == length && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// The build of a key that ends in its id and the environment's name, where that is a name.
fn named(build_id: &str, environment: &str) -> Option<BuildKeyReference> {
    environment.parse::<EnvironmentName>().ok()?;
    is_digits(build_id).then(|| build_id.parse().ok().map(BuildKeyReference::Id))?
}

#[cfg(test)]
mod tests;

//! Types of single options, checked as they are read.

use conda_store_core::auth::Permission;
use serde::{Deserialize, Deserializer, de};
use url::Url;

/// A permission under its name in the API, such as `environment::read`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub struct PermissionName(pub Permission);

impl TryFrom<String> for PermissionName {
    type Error = conda_store_core::Error;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse().map(Self)
    }
}

/// An absolute URL.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct UrlValue(pub Url);

impl<'de> Deserialize<'de> for UrlValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let refused = |_| de::Error::invalid_value(de::Unexpected::Str(&text), &"a URL such as https://example.org/");
        text.parse().map(Self).map_err(refused)
    }
}

/// A small number that stands for a version; `LAST` is the highest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Version<const LAST: u8>(pub u8);

impl<'de, const LAST: u8> Deserialize<'de> for Version<LAST> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = u8::deserialize(deserializer)?;
        if (1..=LAST).contains(&number) {
            return Ok(Self(number));
        }
        let takes = format!("a version from 1 to {LAST}");
        Err(de::Error::invalid_value(de::Unexpected::Unsigned(number.into()), &takes.as_str()))
    }
}

/// What is a callable in the original: the file takes its default only, another one is handed to the builder in Rust.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub enum BuiltIn {
    /// The shipped implementation.
    #[default]
    #[serde(rename = "built-in")]
    BuiltIn,
}

/// As [`BuiltIn`], where the default is nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub enum Absent {
    /// None.
    #[default]
    #[serde(rename = "none")]
    None,
}

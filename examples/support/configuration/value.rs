//! Types of single options, checked as they are read.

use std::fmt;

use conda_store_core::auth::Permission;
use serde::{
    Deserialize, Deserializer,
    de::{self, Visitor},
};
use url::Url;

/// Mode bits written in octal digits: `"775"`, or the bare number `775`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mode(pub u32);

struct ModeVisitor;

impl Visitor<'_> for ModeVisitor {
    type Value = Mode;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("three or four octal digits such as \"775\"")
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Mode, E> {
        self.visit_str(&number.to_string())
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Mode, E> {
        let digits = matches!(text.len(), 3 | 4) && text.bytes().all(|byte| byte.is_ascii_digit());
        let bits = u32::from_str_radix(text, 8).ok().filter(|_| digits);
        bits.map(Mode).ok_or_else(|| E::invalid_value(de::Unexpected::Str(text), &self))
    }
}

impl<'de> Deserialize<'de> for Mode {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ModeVisitor)
    }
}

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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn modes_are_octal_however_they_are_written() {
        for (value, bits) in [(json!("775"), 0o775), (json!(775), 0o775), (json!("2770"), 0o2770)] {
            assert_eq!(serde_json::from_value::<Mode>(value).unwrap(), Mode(bits));
        }
        for value in [json!("789"), json!("rwx"), json!("+77"), json!(75), json!(true)] {
            assert!(serde_json::from_value::<Mode>(value).unwrap_err().to_string().contains("octal digits"));
        }
    }
}

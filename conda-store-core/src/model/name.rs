//! Names of namespaces and environments, checked once where they enter.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// The longest name in bytes: what a directory entry can be on most file systems.
const LONGEST: usize = 255;

/// Characters that a name may have besides ASCII letters and digits.
const PUNCTUATION: &str = "-+_@$&?^~.=";

fn check(what: &'static str, text: &str) -> Result<()> {
    let wrong = |message: String| Err(Error::invalid("read name", format!("{what} name {text:?} {message}")));
    if text.is_empty() {
        return wrong("is empty".into());
    }
    if text == "." || text == ".." {
        return wrong("stands for a directory".into());
    }
    if text.len() > LONGEST {
        return wrong(format!("has {} bytes, at most {LONGEST} are allowed", text.len()));
    }
    match text.chars().find(|character| !character.is_ascii_alphanumeric() && !PUNCTUATION.contains(*character)) {
        Some(character) => wrong(format!("contains {character:?}; allowed are A-Z, a-z, 0-9 and {PUNCTUATION}")),
        None => Ok(()),
    }
}

macro_rules! names {
    ($($(#[$doc:meta])* $name:ident $what:literal),* $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, sqlx::Type)]
        #[serde(try_from = "String", into = "String")]
        #[sqlx(transparent)]
        pub struct $name(String);

        impl $name {
            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = Error;

            fn from_str(text: &str) -> Result<Self> {
                check($what, text).map(|()| Self(text.to_owned()))
            }
        }

        impl TryFrom<String> for $name {
            type Error = Error;

            fn try_from(text: String) -> Result<Self> {
                check($what, &text).map(|()| Self(text))
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(&self.0)
            }
        }
    )*};
}

names! {
    /// Name of a namespace: ASCII letters, digits and `-+_@$&?^~.=`, neither empty nor `.` nor `..`, at most 255 bytes.
    NamespaceName "namespace",
    /// Name of an environment, under the same rule as a namespace's.
    EnvironmentName "environment",
}

impl NamespaceName {
    /// `default`: the namespace of specifications that name none, unless another one is configured.
    pub(crate) fn standard() -> Self {
        Self("default".into())
    }

    /// `filesystem`: the namespace of environments found on the file system, unless another one is configured.
    pub(crate) fn filesystem() -> Self {
        Self("filesystem".into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_what_the_contract_allows() {
        for name in ["default", "a", "...", "user@example.org", "$&?^~=+-_", &"x".repeat(255)] {
            assert_eq!(name.parse::<EnvironmentName>().unwrap().as_str(), name);
        }
    }

    #[test]
    fn refuses_what_could_leave_a_directory_or_confuse_a_reader() {
        for (name, reason) in [
            ("", "is empty"),
            (".", "stands for a directory"),
            ("..", "stands for a directory"),
            ("a/b", "contains '/'"),
            ("a b", "contains ' '"),
            ("a\0", "contains '\\0'"),
            ("ü", "contains 'ü'"),
            ("a*", "contains '*'"),
            (&"x".repeat(256), "has 256 bytes"),
        ] {
            let error = name.parse::<NamespaceName>().unwrap_err().to_string();
            assert!(error.contains(reason), "{error}");
        }
    }
}

//! Somebody who was authenticated, and the roles they bring.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    str::FromStr,
};

use serde::{Deserialize, Serialize};

use crate::{
    Error, Result,
    clock::Timestamp,
    model::{EnvironmentName, NamespaceName},
};

/// A named set of permissions; which ones is up to the authorizer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// May look.
    Viewer,
    /// May build as well; `editor` is another name of it.
    #[serde(alias = "editor")]
    Developer,
    /// May do everything.
    Admin,
}

impl Role {
    /// The name on the wire and in the database.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Developer => "developer",
            Self::Admin => "admin",
        }
    }
}

impl FromStr for Role {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "viewer" => Ok(Self::Viewer),
            "developer" | "editor" => Ok(Self::Developer),
            "admin" => Ok(Self::Admin),
            _ => Err(Error::invalid(
                "read role",
                format!("{text:?} is no role; known are viewer, developer (editor), admin"),
            )),
        }
    }
}

/// `NAMESPACE/NAME` with `*` for any run of characters, also none, anywhere in either part.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ArnPattern {
    namespace: String,
    name: String,
}

impl ArnPattern {
    /// Everything.
    #[must_use]
    pub fn everything() -> Self {
        Self { namespace: "*".into(), name: "*".into() }
    }

    /// All environments of `namespace`, and the namespace itself.
    #[must_use]
    pub fn namespace(namespace: &NamespaceName) -> Self {
        Self { namespace: namespace.to_string(), name: "*".into() }
    }

    /// The pattern's two parts.
    #[must_use]
    pub fn parts(&self) -> (&str, &str) {
        (&self.namespace, &self.name)
    }

    /// Whether it covers the environment; without a `name`, the namespace itself, which only `…/*` covers.
    #[must_use]
    pub fn covers(&self, namespace: &NamespaceName, name: Option<&EnvironmentName>) -> bool {
        if !matches(self.namespace.as_bytes(), namespace.as_str().as_bytes()) {
            return false;
        }
        match name {
            Some(name) => matches(self.name.as_bytes(), name.as_str().as_bytes()),
            None => self.name == "*",
        }
    }

    /// Whether it covers whatever `other` covers.
    #[must_use]
    pub fn contains(&self, other: &Self) -> bool {
        // A star is matched by a star alone, so that a pattern matches those that it contains as if they were text.
        matches(self.namespace.as_bytes(), other.namespace.as_bytes())
            && matches(self.name.as_bytes(), other.name.as_bytes())
    }
}

/// Whether `text` matches `pattern`, in time proportional to the product of their lengths.
fn matches(pattern: &[u8], text: &[u8]) -> bool {
    let (mut at_pattern, mut at_text) = (0, 0);
    let mut retry: Option<(usize, usize)> = None;
    while at_text < text.len() {
        match (pattern.get(at_pattern), retry) {
            (Some(b'*'), _) => {
                retry = Some((at_pattern, at_text));
                at_pattern += 1;
            }
            (Some(byte), _) if *byte == text[at_text] => {
                at_pattern += 1;
                at_text += 1;
            }
            (_, Some((star, consumed))) => {
                retry = Some((star, consumed + 1));
                at_pattern = star + 1;
                at_text = consumed + 1;
            }
            (_, None) => return false,
        }
    }
    pattern[at_pattern..].iter().all(|byte| *byte == b'*')
}

impl FromStr for ArnPattern {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let wrong = || Error::invalid("read pattern", format!("{text:?} is no pattern of the form NAMESPACE/NAME"));
        let (namespace, name) = text.split_once('/').ok_or_else(wrong)?;
        for part in [namespace, name] {
            let literal = part.replace('*', "");
            if part.is_empty()
                || (!literal.is_empty()
                    && literal != "."
                    && literal != ".."
                    && literal.parse::<EnvironmentName>().is_err())
            {
                return Err(wrong());
            }
        }
        Ok(Self { namespace: single_stars(namespace), name: single_stars(name) })
    }
}

/// `part` with one star for each run of them, which means the same: equal patterns are equal text.
fn single_stars(part: &str) -> String {
    let mut characters: Vec<char> = part.chars().collect();
    characters.dedup_by(|next, last| *next == '*' && *last == '*');
    characters.into_iter().collect()
}

impl TryFrom<String> for ArnPattern {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

impl From<ArnPattern> for String {
    fn from(pattern: ArnPattern) -> Self {
        pattern.to_string()
    }
}

impl fmt::Display for ArnPattern {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.namespace, self.name)
    }
}

/// Which roles somebody has where.
pub type RoleBindings = BTreeMap<ArnPattern, BTreeSet<Role>>;

/// Somebody who was authenticated.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entity {
    /// The namespace that is theirs.
    pub primary_namespace: String,
    /// The roles that their token or login brings.
    #[serde(default)]
    pub role_bindings: RoleBindings,
    /// When this stops being valid.
    pub expires: Option<Timestamp>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_cover_environments_and_the_namespace_itself() {
        for (pattern, namespace, name, covered) in [
            ("*/*", "default", Some("a"), true),
            ("a-*/*", "a-x", None, true),
            ("a-*/b", "a-x", None, false),
            ("a-*/*-prod", "a-x", Some("web-prod"), true),
            ("a*c*/x", "abcd", Some("x"), true),
            ("a*c/x", "abcd", Some("x"), false),
            ("default/web", "default", Some("web2"), false),
        ] {
            let pattern: ArnPattern = pattern.parse().unwrap();
            let name = name.map(|name| name.parse().unwrap());
            assert_eq!(
                pattern.covers(&namespace.parse().unwrap(), name.as_ref()),
                covered,
                "{pattern} {namespace} {name:?}"
            );
        }
    }

    #[test]
    fn a_pattern_contains_what_covers_no_more() {
        for (one, other, contains) in [
            ("*/*", "default/web", true),
            ("*/*", "*/*", true),
            ("default/web", "*/*", false),
            ("a-*/*", "a-x-*/w*b", true),
            ("a-x-*/w*b", "a-*/*", false),
            ("default/*", "other/*", false),
            ("a*/*", "*b/*", false),
            ("a/*b", "a/*", false),
            ("a/**", "a/*", true),
            ("a*/*", "*/*", false),
        ] {
            let (one, other): (ArnPattern, ArnPattern) = (one.parse().unwrap(), other.parse().unwrap());
            assert_eq!(one.contains(&other), contains, "{one} {other}");
        }
    }

    #[test]
    fn stars_side_by_side_are_one() {
        let pattern: ArnPattern = "a***b*/**".parse().unwrap();
        assert_eq!(pattern.to_string(), "a*b*/*");
        assert!(pattern.covers(&"ab".parse().unwrap(), None));
    }

    #[test]
    fn refuses_what_is_no_pattern() {
        for text in ["", "default", "a/b/c", "/x", "x/", "a b/*"] {
            assert!(text.parse::<ArnPattern>().is_err(), "{text}");
        }
    }
}

//! A YAML document whose keys remember their lines.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor},
};
use serde_json::Value;
use serde_saphyr::Spanned;

use super::problem::explain;

/// One option as it was written.
#[derive(Debug)]
pub(super) struct Entry {
    /// Its key.
    pub(super) key: String,
    /// Its line, from 1.
    pub(super) line: u64,
    /// Its value.
    pub(super) value: Value,
}

/// One section as it was written.
#[derive(Debug)]
pub(super) struct SectionEntries {
    /// Its name.
    pub(super) name: String,
    /// Its line, from 1.
    pub(super) line: u64,
    /// Its options.
    pub(super) entries: Vec<Entry>,
}

/// What makes a text no document of sections.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Malformed {
    /// The line, from 1, where it is known.
    pub(super) line: Option<u64>,
    /// What is wrong, without the text itself.
    pub(super) message: String,
}

/// The sections of `text`; none for an empty document.
pub(super) fn read(text: &str) -> Result<Vec<SectionEntries>, Malformed> {
    let document: Pairs<Pairs<Value>> = serde_saphyr::from_str(text).map_err(|error| malformed(&error))?;
    Ok(document.0.into_iter().map(section).collect())
}

/// The value that `text` stands for in YAML, or `text` itself where it is no YAML.
pub(super) fn scalar(text: &str) -> Value {
    serde_saphyr::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned()))
}

fn malformed(error: &serde_saphyr::Error) -> Malformed {
    let message = error.without_snippet().to_string();
    let message = explain(message.lines().next().unwrap_or_default(), false);
    Malformed { line: error.location().map(|location| location.line()), message }
}

fn section((name, options): (Spanned<String>, Pairs<Value>)) -> SectionEntries {
    let entry = |(key, value): (Spanned<String>, Value)| Entry { line: key.referenced.line(), key: key.value, value };
    SectionEntries {
        line: name.referenced.line(),
        name: name.value,
        entries: options.0.into_iter().map(entry).collect(),
    }
}

/// A map in the order of the text; an absent value is an empty one.
struct Pairs<V>(Vec<(Spanned<String>, V)>);

impl<'de, V: Deserialize<'de>> Deserialize<'de> for Pairs<V> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(PairsVisitor(std::marker::PhantomData))
    }
}

struct PairsVisitor<V>(std::marker::PhantomData<V>);

impl<'de, V: Deserialize<'de>> Visitor<'de> for PairsVisitor<V> {
    type Value = Pairs<V>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a map of keys and values")
    }

    fn visit_unit<E>(self) -> Result<Pairs<V>, E> {
        Ok(Pairs(Vec::new()))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Pairs<V>, A::Error> {
        let mut pairs = Vec::new();
        while let Some(pair) = map.next_entry()? {
            pairs.push(pair);
        }
        Ok(Pairs(pairs))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn keys_remember_their_lines() {
        let sections =
            read("# a comment\nCondaStore:\n  upgrade_db: yes\n\n  conda_platforms:\n  - noarch\nEmpty:\n").unwrap();
        assert_eq!((sections[0].name.as_str(), sections[0].line), ("CondaStore", 2));
        let entries: Vec<_> = sections[0].entries.iter().map(|entry| (entry.key.as_str(), entry.line)).collect();
        assert_eq!(entries, [("upgrade_db", 3), ("conda_platforms", 5)]);
        assert_eq!(sections[0].entries[1].value, json!(["noarch"]));
        assert_eq!((sections[1].name.as_str(), sections[1].line, sections[1].entries.len()), ("Empty", 7, 0));
        assert!(read("").unwrap().is_empty());
    }

    #[test]
    fn says_where_a_text_is_malformed() {
        for (text, line, message) in [
            ("CondaStore:\n  a: 1\n  a: 2\n", Some(3), "duplicate"),
            ("CondaStore:\n  a: b: c\n", Some(2), ""),
            ("- CondaStore\n", None, "takes a map of keys and values"),
        ] {
            let malformed = read(text).unwrap_err();
            assert_eq!(malformed.line, line, "{malformed:?}");
            assert!(malformed.message.contains(message), "{malformed:?}");
        }
    }
}

//! YAML within bounds. The parser hands values over while it reads and expands aliases on the way, so they are counted
//! here and a document that grows beyond its limits is given up before it has grown.

use std::{cell::Cell, collections::BTreeMap, fmt};

use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

use super::SpecificationLimits;
use crate::{Error, Result};

/// A YAML value with text as keys.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Node {
    Null,
    Boolean(bool),
    Integer(i64),
    Float(f64),
    Text(String),
    Sequence(Vec<Self>),
    Mapping(BTreeMap<String, Self>),
}

impl fmt::Display for Node {
    /// What a person would call it, with scalars' values.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => formatter.write_str("empty"),
            Self::Boolean(value) => write!(formatter, "the boolean {value}"),
            Self::Integer(value) => write!(formatter, "the number {value}"),
            Self::Float(value) => write!(formatter, "the number {value}"),
            Self::Text(value) => write!(formatter, "the text {value:?}"),
            Self::Sequence(_) => formatter.write_str("a list"),
            Self::Mapping(_) => formatter.write_str("a mapping"),
        }
    }
}

/// Reads one YAML document within `limits`; `what` it is meant to be stands in messages.
pub(crate) fn parse(what: &'static str, text: &str, limits: &SpecificationLimits) -> Result<Node> {
    if text.len() > limits.bytes {
        let message = format!("the {what} has {} bytes, at most {} are taken", text.len(), limits.bytes);
        return Err(Error::invalid("read document", message));
    }
    let budget = Budget { limits, nodes: Cell::new(0), text: Cell::new(0) };
    let seed = NodeSeed { budget: &budget, depth: 0 };
    serde_saphyr::with_deserializer_from_str_with_options(text, options(limits), |document| seed.deserialize(document))
        .map_err(|error| Error::invalid("read document", format!("cannot read the {what}: {}", reason(&error))))
}

/// What the parser says, without its advice to programmers.
fn reason(error: &serde_saphyr::Error) -> String {
    let text = error.without_snippet().to_string();
    if text.contains("multiple YAML documents") { "it has more than one YAML document".into() } else { text }
}

/// The parser's own limits: they end what would cost it time or stack before it hands anything over. Where both apply,
/// those here come first, since their messages are for people.
fn options(limits: &SpecificationLimits) -> serde_saphyr::Options {
    serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_depth: limits.depth + 1,
            flow_nesting_limit: limits.depth + 1,
            max_nodes: limits.nodes.saturating_mul(2),
            max_recorded_anchor_bytes: limits.bytes,
        },
        // The visitor says it in its own words.
        duplicate_keys: serde_saphyr::DuplicateKeyPolicy::LastWins,
        emit_comments: false,
        strict_booleans: true,
        reject_unsupported_tags: true,
        with_snippet: false,
    }
}

struct Budget<'a> {
    limits: &'a SpecificationLimits,
    nodes: Cell<usize>,
    text: Cell<usize>,
}

impl Budget<'_> {
    fn spend<E: de::Error>(&self, text: usize) -> Result<(), E> {
        self.nodes.set(self.nodes.get() + 1);
        self.text.set(self.text.get() + text);
        if self.nodes.get() > self.limits.nodes {
            let message = format!("more than {} values after aliases are expanded", self.limits.nodes);
            return Err(E::custom(message));
        }
        if self.text.get() > self.limits.bytes {
            let message = format!("more than {} bytes after aliases are expanded", self.limits.bytes);
            return Err(E::custom(message));
        }
        Ok(())
    }
}

#[derive(Clone, Copy)]
struct NodeSeed<'a> {
    budget: &'a Budget<'a>,
    depth: usize,
}

impl NodeSeed<'_> {
    fn deeper<E: de::Error>(self) -> Result<Self, E> {
        let limit = self.budget.limits.depth;
        if self.depth >= limit {
            return Err(E::custom(format!("more than {limit} lists or mappings within each other")));
        }
        Ok(Self { depth: self.depth + 1, ..self })
    }

    fn scalar<E: de::Error>(self, node: Node) -> Result<Node, E> {
        self.budget.spend(0).map(|()| node)
    }
}

impl<'de> DeserializeSeed<'de> for NodeSeed<'_> {
    type Value = Node;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Node, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for NodeSeed<'_> {
    type Value = Node;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("text, a 64-bit number, a boolean, null, a list or a mapping")
    }

    fn visit_unit<E: de::Error>(self) -> Result<Node, E> {
        self.scalar(Node::Null)
    }

    fn visit_none<E: de::Error>(self) -> Result<Node, E> {
        self.scalar(Node::Null)
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<Node, E> {
        self.scalar(Node::Boolean(value))
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Node, E> {
        self.scalar(Node::Integer(value))
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Node, E> {
        let value = i64::try_from(value).map_err(|_| E::invalid_value(de::Unexpected::Unsigned(value), &self))?;
        self.scalar(Node::Integer(value))
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Node, E> {
        self.scalar(Node::Float(value))
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<Node, E> {
        self.budget.spend(value.len())?;
        Ok(Node::Text(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Node, A::Error> {
        self.budget.spend(0)?;
        let seed = self.deeper()?;
        let mut nodes = Vec::new();
        while let Some(node) = sequence.next_element_seed(seed)? {
            nodes.push(node);
        }
        Ok(Node::Sequence(nodes))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut mapping: A) -> Result<Node, A::Error> {
        self.budget.spend(0)?;
        let seed = self.deeper()?;
        let mut entries = BTreeMap::new();
        while let Some(key) = mapping.next_key_seed(KeySeed(self.budget))? {
            if entries.contains_key(&key) {
                return Err(de::Error::custom(format!("the key {key:?} stands there twice")));
            }
            let node = mapping.next_value_seed(seed)?;
            entries.insert(key, node);
        }
        Ok(Node::Mapping(entries))
    }
}

struct KeySeed<'a>(&'a Budget<'a>);

impl<'de> DeserializeSeed<'de> for KeySeed<'_> {
    type Value = String;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<String, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl Visitor<'_> for KeySeed<'_> {
    type Value = String;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("text as a key")
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<String, E> {
        self.0.spend(value.len())?;
        Ok(value.to_owned())
    }
}

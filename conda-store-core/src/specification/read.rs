//! From a YAML document to a specification: what is taken, and sentences about what is not.

use std::collections::BTreeMap;

use rattler_conda_types::{MatchSpec, ParseStrictness};

use super::{CondaSpecification, Dependency, Variable, document::Node};
use crate::{Error, Result, model::EnvironmentName};

/// The keys of an `environment.yaml`.
const KEYS: [&str; 6] = ["name", "channels", "dependencies", "description", "prefix", "variables"];

/// Below this similarity (0 to 1) a key is another word, not a misspelling.
const SIMILAR: f64 = 0.7;

/// Reads the whole document.
pub(super) fn conda_specification(document: Node) -> Result<CondaSpecification> {
    let Node::Mapping(entries) = document else {
        return Err(wrong("the specification", &document, "a mapping with the keys name, channels and dependencies"));
    };
    let mut values = known_keys(entries)?;
    let mut take = |key: &str| values.remove(key).unwrap_or(Node::Null);
    Ok(CondaSpecification {
        name: name(take("name"))?,
        channels: channels(take("channels"))?,
        dependencies: dependencies(take("dependencies"))?,
        description: optional_text("description", take("description"))?.unwrap_or_default(),
        prefix: optional_text("prefix", take("prefix"))?,
        variables: variables(take("variables"))?,
    })
}

fn invalid(message: String) -> Error {
    Error::invalid("read specification", message)
}

fn wrong(place: &str, found: &Node, taken: &str) -> Error {
    let hint = match found {
        Node::Boolean(_) | Node::Integer(_) | Node::Float(_) => "; write it in quotes if text is meant",
        _ => "",
    };
    invalid(format!("{place} is {found}, {taken} is taken{hint}"))
}

fn known_keys(entries: BTreeMap<String, Node>) -> Result<BTreeMap<String, Node>> {
    match entries.keys().find(|key| !KEYS.contains(&key.as_str())) {
        Some(key) => Err(unknown_key(key)),
        None => Ok(entries),
    }
}

fn unknown_key(key: &str) -> Error {
    let similarity = |known: &str| strsim::jaro_winkler(known, &key.to_lowercase());
    let nearest = KEYS.into_iter().max_by(|left, right| similarity(left).total_cmp(&similarity(right)));
    let hint = match nearest.filter(|nearest| similarity(nearest) >= SIMILAR) {
        Some(nearest) => format!("; did you mean {nearest:?}?"),
        None => String::new(),
    };
    invalid(format!("unknown key {key:?}, known are {}{hint}", KEYS.join(", ")))
}

fn name(node: Node) -> Result<EnvironmentName> {
    match node {
        Node::Text(text) => text.parse(),
        Node::Null => Err(invalid("the specification has no name; add one as `name: NAME`".into())),
        other => Err(wrong("name", &other, "text")),
    }
}

fn optional_text(place: &str, node: Node) -> Result<Option<String>> {
    match node {
        Node::Text(text) => Ok(Some(text)),
        Node::Null => Ok(None),
        other => Err(wrong(place, &other, "text")),
    }
}

/// The elements of a list, or none of an empty value.
fn list(place: &str, node: Node) -> Result<Vec<Node>> {
    match node {
        Node::Sequence(nodes) => Ok(nodes),
        Node::Null => Ok(Vec::new()),
        other => Err(wrong(place, &other, "a list")),
    }
}

/// One line of text. More than one would become several where it is handed to another program as a file.
fn line(place: &str, taken: &str, node: Node) -> Result<String> {
    match node {
        Node::Text(text) if text.trim().is_empty() => Err(invalid(format!("{place} is empty, {taken} is taken"))),
        Node::Text(text) if text.contains(char::is_control) => {
            Err(invalid(format!("{place} has a line break or another control character: {text:?}")))
        }
        Node::Text(text) => Ok(text),
        other => Err(wrong(place, &other, taken)),
    }
}

fn channels(node: Node) -> Result<Vec<String>> {
    let nodes = list("channels", node)?.into_iter().enumerate();
    nodes.map(|(index, node)| line(&format!("channels[{index}]"), "the name or URL of a channel", node)).collect()
}

fn dependencies(node: Node) -> Result<Vec<Dependency>> {
    let mut dependencies = Vec::new();
    let mut first_pip = None;
    for (index, node) in list("dependencies", node)?.into_iter().enumerate() {
        let place = format!("dependencies[{index}]");
        let dependency = dependency(&place, node)?;
        if matches!(dependency, Dependency::Pip { .. })
            && let Some(first) = first_pip.replace(index)
        {
            // conda builds the last list alone and says nothing about the others.
            let message = format!("{place} is a second pip list after dependencies[{first}]; put them into one");
            return Err(invalid(message));
        }
        dependencies.push(dependency);
    }
    Ok(dependencies)
}

fn dependency(place: &str, node: Node) -> Result<Dependency> {
    match node {
        Node::Mapping(entries) => pip(place, entries),
        other => conda(place, other),
    }
}

fn conda(place: &str, node: Node) -> Result<Dependency> {
    let spec = line(place, "a match spec such as \"numpy >=1.26\", or a pip list", node)?;
    match MatchSpec::from_str(&spec, ParseStrictness::Lenient) {
        Ok(_) => Ok(Dependency::Conda(spec)),
        Err(error) => {
            let message = format!("{place} is no match spec: {spec:?} ({error}); one looks like \"numpy >=1.26\"");
            Err(invalid(message).with_source(error))
        }
    }
}

fn pip(place: &str, entries: BTreeMap<String, Node>) -> Result<Dependency> {
    let keys: Vec<_> = entries.keys().map(String::as_str).collect();
    if keys != ["pip"] {
        return Err(invalid(format!("{place} has the keys [{}], the one key pip is taken", keys.join(", "))));
    }
    let place = format!("{place}.pip");
    let nodes = entries.into_values().map(|node| list(&place, node)).collect::<Result<Vec<_>>>()?;
    let lines = nodes.into_iter().flatten().enumerate();
    let pip = lines
        .map(|(index, node)| line(&format!("{place}[{index}]"), "a line of a requirements file", node))
        .collect::<Result<_>>()?;
    Ok(Dependency::Pip { pip })
}

fn variables(node: Node) -> Result<Option<BTreeMap<String, Variable>>> {
    match node {
        Node::Null => Ok(None),
        Node::Mapping(entries) => entries
            .into_iter()
            .map(|(name, node)| Ok((name.clone(), variable(&name, node)?)))
            .collect::<Result<_>>()
            .map(Some),
        other => Err(wrong("variables", &other, "a mapping of names to values")),
    }
}

fn variable(name: &str, node: Node) -> Result<Variable> {
    let place = format!("variables.{name}");
    if name.is_empty() || name.contains(['=', '\0']) {
        return Err(invalid(format!(
            "{name:?} cannot name an environment variable; it is empty, or has a \"=\" or NUL"
        )));
    }
    match node {
        Node::Text(text) if text.contains('\0') => Err(invalid(format!("{place} has a NUL character"))),
        Node::Text(text) => Ok(Variable::Text(text)),
        Node::Integer(integer) => Ok(Variable::Integer(integer)),
        Node::Boolean(boolean) => Ok(Variable::Integer(boolean.into())),
        Node::Float(float) => match whole(float) {
            Some(integer) => Ok(Variable::Integer(integer)),
            None => Err(wrong(&place, &Node::Float(float), "text or an integer")),
        },
        other => Err(wrong(&place, &other, "text or an integer")),
    }
}

/// `float` as an integer where nothing is lost.
fn whole(float: f64) -> Option<i64> {
    // Beyond 2^53 neighbouring integers share one float.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    if float.fract() != 0.0 || float.abs() > EXACT {
        return None;
    }
    format!("{float:.0}").parse().ok()
}

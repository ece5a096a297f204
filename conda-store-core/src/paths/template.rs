//! Paths with keys in braces.

use std::{
    ffi::OsString,
    path::{Component, Path, PathBuf},
};

use super::absolute;
use crate::{
    Error, Result,
    model::{EnvironmentName, NamespaceName},
};

/// What the keys of a template can stand for, besides the store's directory.
pub(super) struct Names<'a> {
    pub(super) namespace: &'a NamespaceName,
    pub(super) environment: &'a EnvironmentName,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Literal(OsString),
    Namespace,
    Environment,
}

/// A template whose `{store_directory}` is filled in.
#[derive(Clone, Debug)]
pub(super) struct Template {
    option: &'static str,
    parts: Vec<Part>,
    working_directory: PathBuf,
    /// The part of every path that depends on no name.
    root: PathBuf,
}

impl Template {
    /// Reads the template `text` of `option`.
    pub(super) fn parse(
        option: &'static str,
        text: &str,
        working_directory: &Path,
        store_directory: &Path,
    ) -> Result<Self> {
        let parts = split(option, text, store_directory)?;
        let working_directory = working_directory.to_owned();
        let mut template = Self { option, root: PathBuf::new(), parts, working_directory };
        template.root = template.fixed_part();
        // With any names the path has the same literal components.
        let (namespace, environment) = ("namespace".parse()?, "environment".parse()?);
        template.path(&Names { namespace: &namespace, environment: &environment })?;
        Ok(template)
    }

    /// Refuses a template that is the same for all environments.
    pub(super) fn require_name(&self) -> Result<()> {
        if self.parts.contains(&Part::Environment) {
            return Ok(());
        }
        Err(invalid(self.option, "has no {name}, so all environments would have one path"))
    }

    /// The path for these names, absolute.
    pub(super) fn path(&self, names: &Names<'_>) -> Result<PathBuf> {
        let mut text = OsString::new();
        for part in &self.parts {
            match part {
                Part::Literal(literal) => text.push(literal),
                Part::Namespace => text.push(names.namespace.as_str()),
                Part::Environment => text.push(names.environment.as_str()),
            }
        }
        let path = self.working_directory.join(text);
        if path.components().any(|component| component == Component::ParentDir) {
            return Err(invalid(self.option, "leads through \"..\"").with("path", path.display()));
        }
        let path = absolute(&path);
        if !path.starts_with(&self.root) {
            return Err(invalid(self.option, "leads out of its directory").with("path", path.display()));
        }
        Ok(path)
    }

    /// The directories before the first component with a name in it.
    fn fixed_part(&self) -> PathBuf {
        let mut text = OsString::new();
        let mut named = false;
        for part in &self.parts {
            let Part::Literal(literal) = part else {
                named = true;
                break;
            };
            text.push(literal);
        }
        let path = self.working_directory.join(&text);
        let ends_within_component = named && !text.to_string_lossy().ends_with(std::path::is_separator);
        absolute(if ends_within_component { path.parent().unwrap_or(&path) } else { &path })
    }
}

fn invalid(option: &str, what: &str) -> Error {
    Error::invalid("read path template", format!("{option} {what}"))
}

fn split(option: &'static str, text: &str, store_directory: &Path) -> Result<Vec<Part>> {
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some(position) = rest.find(['{', '}']) {
        let (literal, braces) = rest.split_at(position);
        parts.push(Part::Literal(literal.into()));
        if let Some(after) = ["{{", "}}"].iter().find_map(|pair| braces.strip_prefix(pair)) {
            parts.push(Part::Literal(braces[..1].into()));
            rest = after;
            continue;
        }
        let Some((key, after)) = braces.strip_prefix('{').and_then(|braces| braces.split_once('}')) else {
            return Err(invalid(option, &format!("has a single brace: {text:?}; write it twice if it is meant")));
        };
        parts.push(part(option, key, store_directory)?);
        rest = after;
    }
    parts.push(Part::Literal(rest.into()));
    parts.retain(|part| *part != Part::Literal(OsString::new()));
    Ok(parts)
}

fn part(option: &'static str, key: &str, store_directory: &Path) -> Result<Part> {
    match key {
        "store_directory" => Ok(Part::Literal(store_directory.into())),
        "namespace" => Ok(Part::Namespace),
        "name" => Ok(Part::Environment),
        _ => {
            let what = format!("has the unknown key {{{key}}}; known are {{store_directory}}, {{namespace}}, {{name}}");
            Err(invalid(option, &what))
        }
    }
}

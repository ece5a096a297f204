//! The environment variables that activation sets
//! (<https://docs.conda.io/projects/conda/en/stable/user-guide/tasks/manage-environments.html#setting-environment-variables>).

use std::{
    collections::BTreeMap,
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
};

use serde_json::{Map, Value};

use super::tree::Tree;
use crate::{Error, ErrorKind, Result};

const OPERATION: &str = "read environment variables";

/// What conda writes for a variable that is not to be set.
const UNSET: &str = "***unset***";

/// Those of packages, and over them those of the specification.
///
/// # Errors
/// [`ErrorKind::Corrupt`] where a file that holds them is no JSON.
pub(super) fn variables(tree: &Tree) -> Result<BTreeMap<String, String>> {
    let packages = Path::new("etc/conda/env_vars.d");
    // Sorted by name, as conda takes them.
    let files = tree.entries.iter().map(|entry| &entry.path);
    let files = files.filter(|path| path.parent() == Some(packages) && path.extension() == Some(OsStr::new("json")));
    let mut variables = BTreeMap::new();
    for file in files {
        variables.extend(texts(read(&tree.prefix.join(file))?));
    }
    variables.extend(of_specification(&tree.prefix)?);
    // What no shell could call a variable, conda's activation fails at.
    variables.retain(|name, value| is_name(name) && value != UNSET);
    Ok(variables)
}

/// Those of the specification, as `conda-meta/state` has them.
pub(super) fn of_specification(prefix: &Path) -> Result<BTreeMap<String, String>> {
    let mut state = read(&prefix.join("conda-meta/state"))?;
    let Some(Value::Object(variables)) = state.remove("env_vars") else { return Ok(BTreeMap::new()) };
    Ok(texts(variables))
}

/// The JSON object in a file; an empty one where there is no file.
fn read(path: &PathBuf) -> Result<Map<String, Value>> {
    let text = match fs::read(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Map::new()),
        text => text.map_err(|error| Error::io(OPERATION, error).with("file", path.display()))?,
    };
    serde_json::from_slice(&text).map_err(|error| {
        Error::new(ErrorKind::Corrupt, OPERATION, "the file is no JSON object")
            .with("file", path.display())
            .with_source(error)
    })
}

fn texts(variables: Map<String, Value>) -> BTreeMap<String, String> {
    let text = |(name, value): (String, Value)| match value {
        Value::String(value) => Some((name, value)),
        Value::Number(value) => Some((name, value.to_string())),
        _ => None,
    };
    variables.into_iter().filter_map(text).collect()
}

/// Whether this is a name in the sense of POSIX
/// (<https://pubs.opengroup.org/onlinepubs/9799919799/basedefs/V1_chap03.html#tag_03_216>).
fn is_name(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && text.chars().all(|character| character.is_ascii_alphanumeric() || character == '_')
}

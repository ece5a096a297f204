//! What `conda env export` prints (<https://docs.conda.io/projects/conda/en/stable/commands/env/export.html>).

use std::{collections::BTreeMap, fs, path::Path};

use serde::Serialize;
use serde_json::{Value, json};

use super::tree::{Origin, Tree};
use crate::{Error, Result, channel::ChannelAlias, model::EnvironmentName};

const OPERATION: &str = "export environment";

#[derive(Serialize)]
struct Export<'a> {
    name: &'a str,
    channels: Vec<String>,
    dependencies: Vec<Value>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    variables: BTreeMap<String, String>,
    prefix: &'a Path,
}

/// The export of an environment.
pub(super) fn export(tree: &Tree, name: &EnvironmentName, channel_alias: &str) -> Result<String> {
    let mut dependencies = conda_packages(tree);
    let pip = pip_packages(tree)?;
    if !pip.is_empty() {
        dependencies.push(json!({ "pip": pip }));
    }
    let export = Export {
        name: name.as_str(),
        channels: channels(tree, &ChannelAlias::new(channel_alias)?),
        dependencies,
        variables: variables(&tree.prefix)?,
        prefix: &tree.prefix,
    };
    serde_yaml::to_string(&export)
        .map_err(|error| Error::unexpected(OPERATION, "the export cannot be written").with_source(error))
}

/// Where packages came from: each channel once, the one of most packages first.
fn channels(tree: &Tree, alias: &ChannelAlias) -> Vec<String> {
    let mut packages = BTreeMap::<String, usize>::new();
    for record in &tree.records {
        if let Some(channel) = &record.repodata_record.channel {
            *packages.entry(alias.name(channel)).or_default() += 1;
        }
    }
    let mut channels: Vec<_> = packages.into_iter().collect();
    channels.sort_by_key(|(_, packages)| std::cmp::Reverse(*packages));
    channels.into_iter().map(|(channel, _)| channel).collect()
}

fn conda_packages(tree: &Tree) -> Vec<Value> {
    let packages = tree.records.iter().map(|record| &record.repodata_record.package_record);
    packages
        .map(|package| format!("{}={}={}", package.name.as_normalized(), package.version, package.build).into())
        .collect()
}

/// `NAME==VERSION` of every Python distribution that no conda package brought.
fn pip_packages(tree: &Tree) -> Result<Vec<String>> {
    let mut packages = Vec::new();
    for entry in &tree.entries {
        let is_metadata = entry.path.file_name().is_some_and(|name| name == "METADATA")
            && entry.path.parent().and_then(Path::extension).is_some_and(|kind| kind == "dist-info");
        if is_metadata && entry.origin == Origin::Unmanaged {
            packages.extend(distribution(&String::from_utf8_lossy(&tree.bytes(&entry.path)?)));
        }
    }
    packages.sort();
    Ok(packages)
}

/// Name and version in core metadata (<https://packaging.python.org/en/latest/specifications/core-metadata/>).
fn distribution(metadata: &str) -> Option<String> {
    let headers = metadata.lines().take_while(|line| !line.is_empty());
    let field = |name: &str| headers.clone().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim);
    let name = field("Name")?.to_lowercase().replace(['_', '.'], "-");
    Some(format!("{name}=={}", field("Version")?))
}

fn variables(prefix: &Path) -> Result<BTreeMap<String, String>> {
    let path = prefix.join("conda-meta/state");
    let text = match fs::read_to_string(&path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(BTreeMap::new()),
        text => text.map_err(|error| Error::io(OPERATION, error).with("file", path.display()))?,
    };
    let state: Value = serde_json::from_str(&text)
        .map_err(|error| Error::invalid(OPERATION, "conda-meta/state is no JSON").with_source(error))?;
    let variables = state["env_vars"].as_object().into_iter().flatten();
    Ok(variables.filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned()))).collect())
}

//! What `conda env export` prints (<https://docs.conda.io/projects/conda/en/stable/commands/env/export.html>), but for the
//! line with the path: it leads nobody else anywhere, and differs from build to build.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Value, json};

use super::{distributions::distributions, tree::Tree, variables};
use crate::{Error, Result, channel::ChannelAlias, model::EnvironmentName};

const OPERATION: &str = "export environment";

#[derive(Serialize)]
struct Export<'a> {
    name: &'a str,
    channels: Vec<String>,
    dependencies: Vec<Value>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    variables: BTreeMap<String, String>,
}

/// The export of an environment.
pub(super) fn export(tree: &Tree, name: &EnvironmentName, channel_alias: &str) -> Result<String> {
    let mut dependencies = conda_packages(tree);
    let pip = distributions(tree)?.into_iter().map(|one| format!("{}=={}", one.name, one.version));
    let pip: Vec<_> = pip.collect();
    if !pip.is_empty() {
        dependencies.push(json!({ "pip": pip }));
    }
    let export = Export {
        name: name.as_str(),
        channels: channels(tree, &ChannelAlias::new(channel_alias)?),
        dependencies,
        variables: variables::of_specification(&tree.prefix)?,
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

//! The Python distributions that no conda package brought.

use std::path::Path;

use super::tree::{Origin, Tree};
use crate::Result;

/// What the core metadata of a distribution says
/// (<https://packaging.python.org/en/latest/specifications/core-metadata/>).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Distribution {
    /// In small letters, with hyphens.
    pub(super) name: String,
    pub(super) version: String,
    /// As `License-Expression`, or else `License` has it.
    pub(super) license: Option<String>,
}

/// All of them, by name.
pub(super) fn distributions(tree: &Tree) -> Result<Vec<Distribution>> {
    let mut found = Vec::new();
    for entry in &tree.entries {
        let is_metadata = entry.path.file_name().is_some_and(|name| name == "METADATA")
            && entry.path.parent().and_then(Path::extension).is_some_and(|kind| kind == "dist-info");
        if is_metadata && entry.origin == Origin::Unmanaged {
            found.extend(Distribution::parse(&String::from_utf8_lossy(&tree.bytes(&entry.path)?)));
        }
    }
    found.sort();
    Ok(found)
}

impl Distribution {
    fn parse(metadata: &str) -> Option<Self> {
        let headers = metadata.lines().take_while(|line| !line.is_empty());
        let field =
            |name: &str| headers.clone().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim);
        let license = field("License-Expression").or_else(|| field("License"));
        Some(Self {
            name: field("Name")?.to_lowercase().replace(['_', '.'], "-"),
            version: field("Version")?.to_owned(),
            license: license.filter(|text| !text.is_empty()).map(str::to_owned),
        })
    }
}

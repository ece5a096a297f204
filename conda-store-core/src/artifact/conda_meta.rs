//! `conda-meta` of an environment that has no place yet.

use chrono::DateTime;
use rattler_conda_types::prefix_record::PathType;
use rattler_digest::{Sha256, compute_bytes_digest};
use serde_json::{Map, Value, json};

use super::tree::{Entry, EntryKind, Origin, Tree};
use crate::{Error, Result};

const OPERATION: &str = "read environment";

/// How conda calls a package whose files are copies.
const COPY: u8 = 3;

/// The record of a package, as text, without what holds for one prefix or one machine.
pub(super) fn record(tree: &Tree, number: usize) -> Result<Vec<u8>> {
    let record = &tree.records[number];
    let unwritable = |error| Error::unexpected(OPERATION, "a record cannot be written").with_source(error);
    let mut written = serde_json::to_value(record).map_err(unwritable)?;
    for key in ["extracted_package_dir", "package_tarball_full_path"] {
        if let Some(path) = written.get_mut(key) {
            *path = json!("");
        }
    }
    written["link"] = json!({"source": "", "type": COPY});
    for (path, entry) in written["paths_data"]["paths"].as_array_mut().into_iter().flatten().enumerate() {
        if let Some(entry) = entry.as_object_mut() {
            portable_path(tree, number, path, entry)?;
        }
    }
    sorted(&mut written);
    serde_json::to_vec_pretty(&written).map_err(unwritable)
}

/// Takes out the hash of a file that has the prefix in it; commands get that of what is in the artifact.
fn portable_path(tree: &Tree, record: usize, path: usize, entry: &mut Map<String, Value>) -> Result<()> {
    let packaged = &tree.records[record].paths_data.paths[path];
    if packaged.prefix_placeholder.is_some() {
        entry.remove("sha256_in_prefix");
    }
    if packaged.path_type != PathType::UnixPythonEntryPoint {
        return Ok(());
    }
    entry.remove("sha256_in_prefix");
    let command = Entry {
        path: packaged.relative_path.clone(),
        mode: 0,
        kind: EntryKind::File(0),
        origin: Origin::Package { record, path },
    };
    // One that somebody took away keeps what its package said.
    let place = tree.prefix.join(&command.path);
    if !place.try_exists().map_err(|error| Error::io(OPERATION, error).with("path", place.display()))? {
        return Ok(());
    }
    if let Some(bytes) = tree.portable(&command)?.bytes {
        entry.insert("sha256".into(), hex::encode(compute_bytes_digest::<Sha256>(&bytes)).into());
        entry.insert("size_in_bytes".into(), bytes.len().into());
    }
    Ok(())
}

/// Puts the keys of maps into their order.
fn sorted(value: &mut Value) {
    match value {
        Value::Object(map) => {
            map.sort_keys();
            map.values_mut().for_each(sorted);
        }
        Value::Array(list) => list.iter_mut().for_each(sorted),
        _ => {}
    }
}

/// The history, whose revisions were all made at the time of the newest package.
pub(super) fn history(tree: &Tree) -> Result<Vec<u8>> {
    let text = tree.bytes("conda-meta/history".as_ref())?;
    let time = DateTime::from_timestamp(tree.time, 0).unwrap_or_default().format("%Y-%m-%d %H:%M:%S").to_string();
    let line = |line: &str| {
        let is_revision = line.starts_with("==> ") && line.ends_with(" <==");
        if is_revision { format!("==> {time} <==\n") } else { format!("{line}\n") }
    };
    Ok(String::from_utf8_lossy(&text).lines().map(line).collect::<String>().into())
}

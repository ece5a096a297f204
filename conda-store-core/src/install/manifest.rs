//! What an unpacked package holds, as found when it was checked.

use std::{
    fs::File,
    io::{BufReader, BufWriter, Write},
    path::Path,
};

use rattler_conda_types::{
    PackageRecord,
    package::{EntryPoint, IndexJson, PathsEntry},
};
use serde::{Deserialize, Serialize};

use crate::{Error, ErrorKind, Result};

const OPERATION: &str = "read package manifest";

/// The checked contents of a package; it is written once per package of the store and read for every build.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Manifest {
    /// `info/index.json`.
    pub index: IndexJson,
    /// The entries of `info/paths.json`, or what stands in for them in older packages, each file with hash and size.
    pub paths: Vec<PathsEntry>,
    /// The commands of a noarch Python package (`info/link.json`).
    #[serde(default)]
    pub entry_points: Vec<EntryPoint>,
}

impl Manifest {
    /// Reads what [`write`](Self::write) wrote.
    pub(super) fn read(path: &Path) -> Result<Self> {
        let file = File::open(path).map_err(|error| Error::io(OPERATION, error).with("file", path.display()))?;
        serde_json::from_reader(BufReader::new(file)).map_err(|error| {
            Error::new(ErrorKind::Corrupt, OPERATION, "manifest in the package cache is damaged, remove its directory")
                .with("file", path.display())
                .with_source(error)
        })
    }

    /// Writes the manifest to the new file `path`.
    pub(super) fn write(&self, path: &Path) -> Result<()> {
        let fail = |error| Error::io("write package manifest", error).with("file", path.display());
        let mut writer = BufWriter::new(File::create_new(path).map_err(fail)?);
        serde_json::to_writer(&mut writer, self).map_err(|error| fail(error.into()))?;
        writer.flush().map_err(fail)
    }

    /// Refuses a package that is not the one that `record` promises.
    pub(super) fn confirm(&self, record: &PackageRecord) -> Result<()> {
        let found = &self.index;
        if found.name.as_normalized() != record.name.as_normalized() {
            return Err(other("name", found.name.as_source(), record.name.as_source()));
        }
        if found.version != record.version {
            return Err(other("version", &found.version.to_string(), &record.version.to_string()));
        }
        if found.build != record.build {
            return Err(other("build", found.build.as_ref(), record.build.as_ref()));
        }
        Ok(())
    }

    /// Bytes of all files.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.paths.iter().filter_map(|entry| entry.size_in_bytes).sum()
    }
}

fn other(field: &str, found: &str, expected: &str) -> Error {
    let message = format!("package has the {field} '{found}' in info/index.json, but the channel says '{expected}'");
    Error::new(ErrorKind::Corrupt, "check package", message)
}

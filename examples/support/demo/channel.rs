//! A conda channel made on the spot, the same bytes on every machine.

use std::{
    fs, io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use anyhow::Context;
use rattler_conda_types::{Subdir, compression_level::CompressionLevel};
use rattler_digest::{Sha256, compute_bytes_digest};
use rattler_index::{IndexFsConfig, PackageRevisionAssignment, index_fs};
use rattler_package_streaming::write::write_conda_package;
use serde_json::{Value, json};

/// Seconds since 1970 that every file of every package was written at: 2024-01-01T00:00:00Z.
const WRITTEN_ON: i64 = 1_704_067_200;

/// Stands for the prefix in a package's files until it is linked.
pub const PLACEHOLDER: &str =
    "/opt/conda_store_demo_placeholder_placeholder_placeholder_placeholder_placeholder_placeholder";

/// One file of a package.
#[derive(Clone, Debug)]
pub struct PackagedFile {
    /// Its path in the environment.
    pub path: String,
    /// Its text, where [`PLACEHOLDER`] stands for the prefix.
    pub text: String,
    /// Whether it can be run.
    pub executable: bool,
}

/// One package for any platform.
#[derive(Clone, Debug)]
pub struct Package {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// What it needs, as match specs.
    pub depends: Vec<String>,
    /// One line about it.
    pub summary: String,
    /// What is in it.
    pub files: Vec<PackagedFile>,
}

impl Package {
    /// Its file's name without the extension.
    fn stem(&self) -> String {
        format!("{}-{}-0", self.name, self.version)
    }
}

/// Writes a channel with `packages` to `directory`; one that is there already with packages of these names and versions
/// stays as it is.
///
/// # Errors
/// Where the directory cannot be written.
pub async fn write(directory: &Path, packages: Vec<Package>) -> anyhow::Result<()> {
    let noarch = directory.join("noarch");
    let complete = |package: &Package| noarch.join(package.stem() + ".conda").is_file();
    if packages.iter().all(complete) && noarch.join("repodata.json").is_file() {
        return Ok(());
    }
    tokio::task::spawn_blocking(move || write_packages(&noarch, &packages)).await??;
    if let Some(platform) = Subdir::current() {
        // Solvers ask for this platform's list too.
        fs::create_dir_all(directory.join(platform.as_str()))?;
    }
    Box::pin(index_fs(index(directory))).await.context("cannot write the list of packages")
}

fn index(directory: &Path) -> IndexFsConfig {
    IndexFsConfig {
        channel: directory.to_owned(),
        target_platform: None,
        repodata_patch: None,
        write_zst: false,
        write_shards: false,
        repodata_revisions: Vec::new(),
        package_revision_assignment: PackageRevisionAssignment::default(),
        force: true,
        max_parallel: 2,
        multi_progress: None,
    }
}

fn write_packages(directory: &Path, packages: &[Package]) -> anyhow::Result<()> {
    fs::create_dir_all(directory)?;
    packages.iter().try_for_each(|package| write_package(directory, package))
}

fn write_package(directory: &Path, package: &Package) -> anyhow::Result<()> {
    let tree = tempfile::tempdir()?;
    let mut paths = vec![
        write_metadata(tree.path(), "info/about.json", &json!({ "summary": package.summary }))?,
        write_metadata(tree.path(), "info/index.json", &index_json(package))?,
        write_metadata(tree.path(), "info/paths.json", &paths_json(package))?,
    ];
    for file in &package.files {
        paths.push(write_file(tree.path(), &file.path, file.text.as_bytes(), file.executable)?);
    }
    let finished = directory.join(package.stem() + ".conda");
    // Whole or not at all: a file of this name is taken for the package.
    let archive = tempfile::NamedTempFile::new_in(directory)?;
    let written_on = jiff::Timestamp::from_second(WRITTEN_ON)?;
    write_conda_package(
        archive.as_file(),
        tree.path(),
        &paths,
        CompressionLevel::Default,
        Some(1),
        &package.stem(),
        Some(&written_on),
        None,
    )?;
    archive.as_file().set_permissions(fs::Permissions::from_mode(0o644))?;
    archive.persist(finished)?;
    Ok(())
}

/// `info/index.json` (<https://docs.conda.io/projects/conda-build/en/stable/resources/package-spec.html#info-index-json>).
fn index_json(package: &Package) -> Value {
    json!({
        "name": package.name,
        "version": package.version,
        "build": "0",
        "build_number": 0,
        "depends": package.depends,
        "license": "BSD-3-Clause",
        "noarch": "generic",
        "subdir": "noarch",
        "timestamp": WRITTEN_ON * 1000,
    })
}

/// `info/paths.json` (the same page, "info/paths.json").
fn paths_json(package: &Package) -> Value {
    let paths: Vec<_> = package.files.iter().map(path_entry).collect();
    json!({ "paths": paths, "paths_version": 1 })
}

fn path_entry(file: &PackagedFile) -> Value {
    let mut entry = json!({
        "_path": file.path,
        "path_type": "hardlink",
        "sha256": hex::encode(compute_bytes_digest::<Sha256>(&file.text)),
        "size_in_bytes": file.text.len(),
    });
    if file.text.contains(PLACEHOLDER) {
        entry["file_mode"] = "text".into();
        entry["prefix_placeholder"] = PLACEHOLDER.into();
    }
    entry
}

fn write_metadata(tree: &Path, path: &str, content: &Value) -> anyhow::Result<PathBuf> {
    Ok(write_file(tree, path, serde_json::to_string_pretty(content)?.as_bytes(), false)?)
}

fn write_file(tree: &Path, path: &str, content: &[u8], executable: bool) -> io::Result<PathBuf> {
    let full = tree.join(path);
    if let Some(parent) = full.parent() {
        fs::create_dir_all(parent)?;
    }
    fs::write(&full, content)?;
    fs::set_permissions(&full, fs::Permissions::from_mode(if executable { 0o755 } else { 0o644 }))?;
    Ok(full)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::packages;

    async fn written() -> (tempfile::TempDir, Vec<Vec<u8>>) {
        let directory = tempfile::tempdir().unwrap();
        write(directory.path(), packages()).await.unwrap();
        let read =
            |package: &Package| fs::read(directory.path().join("noarch").join(package.stem() + ".conda")).unwrap();
        let packages = packages().iter().map(read).collect();
        (directory, packages)
    }

    #[tokio::test]
    async fn the_packages_are_the_same_bytes_every_time() {
        let ((_first, one), (_second, other)) = (written().await, written().await);
        assert!(one == other);
    }

    #[tokio::test]
    async fn the_channel_lists_the_packages_and_stays_as_it_is() {
        let (directory, contents) = written().await;
        let repodata = directory.path().join("noarch/repodata.json");
        let list: Value = serde_json::from_slice(&fs::read(&repodata).unwrap()).unwrap();
        for (package, content) in packages().iter().zip(&contents) {
            let record = &list["packages.conda"][package.stem() + ".conda"];
            assert_eq!(record["depends"], json!(package.depends));
            assert_eq!(record["sha256"], hex::encode(compute_bytes_digest::<Sha256>(content)));
        }
        let platform = Subdir::current().unwrap();
        assert!(directory.path().join(platform.as_str()).join("repodata.json").is_file());
        let before = fs::metadata(&repodata).unwrap().modified().unwrap();
        write(directory.path(), packages()).await.unwrap();
        assert_eq!(fs::metadata(&repodata).unwrap().modified().unwrap(), before);
    }
}

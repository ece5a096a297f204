//! Every package of the real channel.

use std::collections::{BTreeMap, BTreeSet};

use rattler_conda_types::{
    PrefixRecord, RepoDataRecord,
    package::{PathType, PathsJson},
};
use rattler_digest::{Sha256, compute_file_digest};

use super::fixture::{Workshop, channel};
use crate::install::Environment;

/// Environments that together hold every package, each with one version of a name.
fn partition(channel: Vec<RepoDataRecord>) -> Vec<Vec<RepoDataRecord>> {
    let pythons: Vec<RepoDataRecord> =
        channel.iter().filter(|record| record.package_record.name.as_normalized() == "python").cloned().collect();
    let mut environments: Vec<BTreeMap<String, RepoDataRecord>> = Vec::new();
    for record in channel {
        let name = record.package_record.name.as_normalized().to_owned();
        let index = environments.iter().position(|environment| !environment.contains_key(&name));
        let index = index.unwrap_or_else(|| {
            environments.push(BTreeMap::new());
            environments.len() - 1
        });
        environments[index].insert(name, record);
    }
    for environment in &mut environments {
        if environment.values().any(|record| record.package_record.noarch.is_python()) {
            environment.entry("python".to_owned()).or_insert_with(|| pythons[0].clone());
        }
    }
    environments.into_iter().map(|environment| environment.into_values().collect()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_package_is_linked_as_it_says() {
    let Some(channel) = channel() else { return };
    let total = channel.len();
    let workshop = Workshop::open().await;
    let mut seen = BTreeSet::new();
    for (index, records) in partition(channel).into_iter().enumerate() {
        let environment = workshop.environment(&format!("environment-{index}"), records);
        let records = workshop.install(&environment).await.unwrap();
        for record in &records {
            assert_linked(&environment, record);
            seen.insert(record.repodata_record.url.clone());
        }
    }
    assert_eq!(seen.len(), total);
}

/// Every entry of the package's own `paths.json` is there, with its contents unless they hold a prefix.
fn assert_linked(environment: &Environment, record: &PrefixRecord) {
    let package = record.extracted_package_dir.as_ref().unwrap();
    let stated = PathsJson::from_package_directory_with_deprecated_fallback(package).unwrap();
    let site_packages = record.paths_data.paths.iter().map(|path| path.relative_path.to_str().unwrap());
    let linked: BTreeSet<&str> = site_packages.collect();
    for entry in stated.paths {
        let path = entry.relative_path.to_str().unwrap();
        let Some(target) = linked.iter().find(|linked| same_file(path, linked)) else {
            assert_eq!(path, "share/clobber/shared.txt", "{} is not linked", record.file_name());
            continue;
        };
        let target = environment.prefix.join(target);
        let found = target.symlink_metadata().unwrap();
        match entry.path_type {
            PathType::Directory => assert!(found.is_dir()),
            PathType::SoftLink => assert_eq!(target.read_link().unwrap(), package.join(path).read_link().unwrap()),
            PathType::HardLink if entry.prefix_placeholder.is_some() => {
                let contents = std::fs::read(&target).unwrap();
                assert!(!contents.windows(20).any(|window| window == b"_placehold_placehold"), "{}", target.display());
            }
            PathType::HardLink => {
                assert_eq!(entry.size_in_bytes.unwrap_or(found.len()), found.len());
                let hash = compute_file_digest::<Sha256>(&target).unwrap();
                assert_eq!(entry.sha256.unwrap_or(hash), hash, "{}", target.display());
            }
        }
    }
    let written = environment.prefix.join("conda-meta").join(record.file_name());
    assert_eq!(&PrefixRecord::from_path(written).unwrap(), record);
}

/// Whether `linked` is where `path` of a package belongs.
fn same_file(path: &str, linked: &str) -> bool {
    if let Some(module) = path.strip_prefix("site-packages/") {
        return linked.strip_prefix("lib/python3.").is_some_and(|rest| {
            rest.split_once('/').is_some_and(|(_, rest)| rest.strip_prefix("site-packages/") == Some(module))
        });
    }
    match path.strip_prefix("python-scripts/") {
        Some(script) => linked.strip_prefix("bin/") == Some(script),
        None => linked == path,
    }
}

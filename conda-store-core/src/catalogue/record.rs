//! Writing down the packages of a build, in bulk.
//!
//! Rows are inserted in sorted order, so that two builds that bring the same new packages wait for one another instead
//! of each for the other.

use std::collections::{BTreeMap, BTreeSet};

use rattler_conda_types::{PackageRecord, RepoDataRecord, utils::TimestampMs};
use rattler_redaction::strip_url_for_serialization;
use sqlx::types::Json;
use url::Url;

use super::query::Transaction;
use crate::{Result, model::BuildId};

/// What is being done.
const OPERATION: &str = "record packages";

/// Rows of one statement; with eleven values each they stay below the 32766 that `SQLite` takes.
const ROWS: usize = 500;

/// The width of the column `license_family`; the text is for people, its end can go.
const LICENSE_FAMILY: usize = 64;

/// A package and its channel's name.
struct Package<'a> {
    channel: String,
    record: &'a PackageRecord,
}

impl Package<'_> {
    fn version(&self) -> String {
        self.record.version.as_str().into_owned()
    }

    fn sha256(&self) -> String {
        self.record.sha256.map(hex::encode).unwrap_or_default()
    }

    /// What tells versions of packages apart.
    fn version_key(&self, channels: &BTreeMap<String, i32>) -> Option<(i32, String, String)> {
        let channel = *channels.get(&self.channel)?;
        Some((channel, self.record.name.as_normalized().to_owned(), self.version()))
    }
}

/// What tells package builds apart: the columns of the constraint `_conda_package_build_uc`.
type BuildKey = (i32, i32, String, String, i32, String);

/// Writes down what `build` consists of.
pub(super) async fn packages(
    transaction: &mut Transaction<'_>,
    build: BuildId,
    records: &[RepoDataRecord],
) -> Result<()> {
    let packages: Vec<Package<'_>> = records
        .iter()
        .map(|record| Package { channel: channel_name(record), record: &record.package_record })
        .collect();
    let channels = channels(transaction, &packages).await?;
    let versions = versions(transaction, &packages, &channels).await?;
    let mut builds = BTreeMap::new();
    for package in &packages {
        let Some(version) = package.version_key(&channels) else { continue };
        let Some(id) = versions.get(&version) else { continue };
        let record = package.record;
        let number = i32::try_from(record.build_number).unwrap_or(i32::MAX);
        let key = (version.0, *id, record.subdir.clone(), record.build.to_string(), number, package.sha256());
        builds.insert(key, record);
    }
    let builds: Vec<(BuildKey, &PackageRecord)> = builds.into_iter().collect();
    for chunk in builds.chunks(ROWS) {
        insert_builds(transaction, chunk).await?;
        link(transaction, build, chunk).await?;
    }
    Ok(())
}

/// The channel's URL without secrets, as the original names channels: no slash at its end.
fn channel_name(record: &RepoDataRecord) -> String {
    let platform = record.platform_url();
    let fallback = || platform.join("..").map_or_else(|_| platform.to_string(), String::from);
    let name = record.channel.clone().unwrap_or_else(fallback);
    let name = name.parse::<Url>().map_or(name, |url| strip_url_for_serialization(&url).to_string());
    name.trim_end_matches('/').to_owned()
}

/// The ids of the channels by name.
async fn channels(transaction: &mut Transaction<'_>, packages: &[Package<'_>]) -> Result<BTreeMap<String, i32>> {
    let names: BTreeSet<&str> = packages.iter().map(|package| package.channel.as_str()).collect();
    let mut ids = BTreeMap::new();
    for name in names {
        const INSERT: &str = "insert into conda_channel (name) values ($1) on conflict (name) do nothing";
        transaction.query(OPERATION, INSERT).value(name).run().await?;
        let select = transaction.query(OPERATION, "select id from conda_channel where name = ").bind(name);
        let (id,) = select.one().await?;
        ids.insert(name.to_owned(), id);
    }
    Ok(ids)
}

/// The ids of the packages' versions.
async fn versions(
    transaction: &mut Transaction<'_>,
    packages: &[Package<'_>],
    channels: &BTreeMap<String, i32>,
) -> Result<BTreeMap<(i32, String, String), i32>> {
    let keyed = packages.iter().filter_map(|package| Some((package.version_key(channels)?, package.record)));
    let sorted: Vec<_> = keyed.collect::<BTreeMap<_, _>>().into_iter().collect();
    let mut ids = BTreeMap::new();
    for chunk in sorted.chunks(ROWS) {
        insert_versions(transaction, chunk).await?;
        let mut select = transaction.query(
            OPERATION,
            "select id, channel_id, name, version from conda_package where (channel_id, name, version) in (values ",
        );
        for (index, ((channel, name, version), _)) in chunk.iter().enumerate() {
            select = select.push(if index == 0 { "(" } else { ", (" }).bind(*channel).push(", ").bind(name.as_str());
            select = select.push(", ").bind(version.as_str()).push(")");
        }
        let rows: Vec<(i32, i32, String, String)> = select.push(")").unprepared().all().await?;
        ids.extend(rows.into_iter().map(|(id, channel, name, version)| ((channel, name, version), id)));
    }
    Ok(ids)
}

async fn insert_versions(
    transaction: &mut Transaction<'_>,
    chunk: &[((i32, String, String), &PackageRecord)],
) -> Result<()> {
    let mut insert = transaction
        .query(OPERATION, "insert into conda_package (channel_id, name, version, license, license_family) values ");
    for (index, ((channel, name, version), record)) in chunk.iter().enumerate() {
        let family =
            record.license_family.as_ref().map(|family| family.chars().take(LICENSE_FAMILY).collect::<String>());
        insert = insert.push(if index == 0 { "(" } else { ", (" }).bind(*channel).push(", ").bind(name.as_str());
        insert = insert.push(", ").bind(version.as_str()).push(", ").bind(record.license.clone()).push(", ");
        insert = insert.bind(family).push(")");
    }
    insert.push(" on conflict (channel_id, name, version) do nothing").unprepared().run().await?;
    Ok(())
}

async fn insert_builds(transaction: &mut Transaction<'_>, chunk: &[(BuildKey, &PackageRecord)]) -> Result<()> {
    let mut insert = transaction.query(
        OPERATION,
        "insert into conda_package_build (channel_id, package_id, subdir, build, build_number, sha256, \
         constrains, depends, md5, size, timestamp) values ",
    );
    for (index, ((channel, package, subdir, build, number, sha256), record)) in chunk.iter().enumerate() {
        insert = insert.push(if index == 0 { "(" } else { ", (" });
        insert = insert.bind(*channel).push(", ").bind(*package).push(", ").bind(subdir.as_str()).push(", ");
        insert = insert.bind(build.as_str()).push(", ").bind(*number).push(", ").bind(sha256.as_str()).push(", ");
        insert = insert.bind(Json(&record.constrains)).push(", ").bind(Json(&record.depends)).push(", ");
        insert = insert.bind(record.md5.map(hex::encode).unwrap_or_default()).push(", ");
        insert = insert.bind(record.size.and_then(|size| i64::try_from(size).ok()).unwrap_or_default()).push(", ");
        insert = insert.bind(record.timestamp.as_ref().map(TimestampMs::timestamp_millis)).push(")");
    }
    let insert = insert.push(" on conflict (channel_id, package_id, subdir, build, build_number, sha256) do nothing");
    insert.unprepared().run().await?;
    Ok(())
}

async fn link(transaction: &mut Transaction<'_>, id: BuildId, chunk: &[(BuildKey, &PackageRecord)]) -> Result<()> {
    let mut insert = transaction
        .query(OPERATION, "insert into build_conda_package_build (build_id, conda_package_build_id) select ");
    insert = insert.bind(id).push(
        ", id from conda_package_build \
         where (channel_id, package_id, subdir, build, build_number, sha256) in (values ",
    );
    for (index, ((channel, package, subdir, build, number, sha256), _)) in chunk.iter().enumerate() {
        insert = insert.push(if index == 0 { "(" } else { ", (" });
        insert = insert.bind(*channel).push(", ").bind(*package).push(", ").bind(subdir.as_str()).push(", ");
        insert = insert.bind(build.as_str()).push(", ").bind(*number).push(", ").bind(sha256.as_str()).push(")");
    }
    insert.push(") on conflict (build_id, conda_package_build_id) do nothing").unprepared().run().await?;
    Ok(())
}

//! The rows of packages, which builds and the index of channels both write, in bulk.
//!
//! Whoever adds or removes builds of a package first takes the rows of `cs_package_name`, in sorted order: so two that
//! bring the same new packages wait for one another instead of each for the other, and the number of builds in that row
//! is right.

use std::collections::{BTreeMap, BTreeSet};

use rattler_conda_types::{PackageRecord, utils::TimestampMs};
use sqlx::{FromRow, types::Json};

use super::query::{Query, Transaction};
use crate::Result;

/// Rows of one statement; with eleven values each they stay below the 32766 that `SQLite` takes.
const ROWS: usize = 500;

/// The width of the column `license_family`; the text is for people, its end can go.
const LICENSE_FAMILY: usize = 64;

/// A package and the id of its channel.
#[derive(Clone, Copy, Debug)]
pub(super) struct PackageRow<'a> {
    pub(super) channel: i32,
    pub(super) record: &'a PackageRecord,
}

/// A version of a package: channel, name, version.
type VersionKey = (i32, String, String);

/// What tells package builds apart, as the columns of the constraint `_conda_package_build_uc` do.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct PackageKey {
    pub(super) version: VersionKey,
    pub(super) subdir: String,
    pub(super) build: String,
    pub(super) number: i32,
    pub(super) sha256: String,
}

impl PackageRow<'_> {
    /// What tells it apart.
    pub(super) fn key(&self) -> PackageKey {
        let record = self.record;
        PackageKey {
            version: (self.channel, record.name.as_normalized().to_owned(), record.version.as_str().into_owned()),
            subdir: record.subdir.clone(),
            build: record.build.to_string(),
            number: i32::try_from(record.build_number).unwrap_or(i32::MAX),
            sha256: record.sha256.map(hex::encode).unwrap_or_default(),
        }
    }
}

/// Packages by what tells them apart, each once.
pub(super) type PackageRows<'a> = BTreeMap<PackageKey, &'a PackageRecord>;

/// The columns of a build that a channel may change afterwards.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Content {
    pub(super) constrains: Vec<String>,
    pub(super) depends: Vec<String>,
    pub(super) md5: String,
    pub(super) size: i64,
    pub(super) timestamp: Option<i64>,
}

impl Content {
    /// As the columns hold it for `record`.
    pub(super) fn of(record: &PackageRecord) -> Self {
        Self {
            constrains: record.constrains.clone(),
            depends: record.depends.clone(),
            md5: record.md5.map(hex::encode).unwrap_or_default(),
            size: record.size.and_then(|size| i64::try_from(size).ok()).unwrap_or_default(),
            timestamp: record.timestamp.as_ref().map(TimestampMs::timestamp_millis),
        }
    }
}

/// The ids of all `rows`; those that are not there yet are inserted. None of them goes before the transaction ends.
pub(super) async fn ensure(
    transaction: &mut Transaction<'_>,
    operation: &'static str,
    rows: &PackageRows<'_>,
) -> Result<Vec<i32>> {
    let mut found = find(transaction, operation, rows).await?;
    let missing: PackageRows<'_> =
        rows.iter().filter(|(key, _)| !found.contains_key(key)).map(|(key, record)| (key.clone(), *record)).collect();
    if !missing.is_empty() {
        let names = names(&missing);
        lock_names(transaction, operation, &names).await?;
        insert(transaction, operation, &missing).await?;
        count_builds(transaction, operation, &names).await?;
        found.extend(find(transaction, operation, &missing).await?);
    }
    Ok(found.into_values().collect())
}

/// Names of packages, each with its channel, in the order in which they are locked.
pub(super) type Names = BTreeSet<(String, i32)>;

/// The names of `rows`.
pub(super) fn names(rows: &PackageRows<'_>) -> Names {
    rows.keys().map(|key| (key.version.1.clone(), key.version.0)).collect()
}

/// The id of the channel `name`, made where there is none.
pub(super) async fn channel(transaction: &mut Transaction<'_>, operation: &'static str, name: &str) -> Result<i32> {
    const INSERT: &str = "insert into conda_channel (name) values ($1) on conflict (name) do nothing";
    transaction.query(operation, INSERT).value(name).run().await?;
    let select = transaction.query(operation, "select id from conda_channel where name = ").bind(name);
    let (id,) = select.one().await?;
    Ok(id)
}

/// Takes the rows of `names`: nobody else adds or removes builds of them before the transaction ends.
pub(super) async fn lock_names(
    transaction: &mut Transaction<'_>,
    operation: &'static str,
    names: &Names,
) -> Result<()> {
    for chunk in chunks(names) {
        let mut insert = transaction.query(operation, "insert into cs_package_name (name, channel_id, builds) values ");
        for (index, (name, channel)) in chunk.iter().enumerate() {
            insert = insert.push(open(index)).bind(name.as_str()).push(", ").bind(*channel).push(", 0)");
        }
        let insert = insert.push(" on conflict (name, channel_id) do update set builds = cs_package_name.builds");
        insert.unprepared().run().await?;
    }
    Ok(())
}

/// Writes down how many builds there are of `names`, which are locked; one without builds goes.
pub(super) async fn count_builds(
    transaction: &mut Transaction<'_>,
    operation: &'static str,
    names: &Names,
) -> Result<()> {
    for chunk in chunks(names) {
        let update = transaction.query(
            operation,
            "update cs_package_name set builds = (select count(*) from conda_package p \
             join conda_package_build pb on pb.package_id = p.id \
             where p.channel_id = cs_package_name.channel_id and p.name = cs_package_name.name) \
             where (name, channel_id) in (values ",
        );
        named(update, &chunk).push(")").unprepared().run().await?;
        let delete = transaction
            .query(operation, "delete from cs_package_name where builds = 0 and (name, channel_id) in (values ");
        named(delete, &chunk).push(")").unprepared().run().await?;
    }
    Ok(())
}

/// Names and channels as rows of values.
fn named<'t>(mut query: Query<'t>, names: &[&(String, i32)]) -> Query<'t> {
    for (index, (name, channel)) in names.iter().copied().enumerate() {
        query = query.push(open(index)).bind(name.as_str()).push(", ").bind(*channel).push(")");
    }
    query
}

/// Inserts what is not there yet; the names of `rows` are locked.
pub(super) async fn insert(
    transaction: &mut Transaction<'_>,
    operation: &'static str,
    rows: &PackageRows<'_>,
) -> Result<()> {
    let by_version: BTreeMap<&VersionKey, &PackageRecord> =
        rows.iter().map(|(key, record)| (&key.version, *record)).collect();
    let mut versions = BTreeMap::new();
    for chunk in chunks(&by_version) {
        insert_versions(transaction, operation, &chunk).await?;
        versions.extend(find_versions(transaction, operation, &chunk).await?);
    }
    for chunk in chunks(rows) {
        insert_builds(transaction, operation, &chunk, &versions).await?;
    }
    Ok(())
}

async fn insert_versions(
    transaction: &mut Transaction<'_>,
    operation: &'static str,
    chunk: &[(&&VersionKey, &&PackageRecord)],
) -> Result<()> {
    let mut insert = transaction
        .query(operation, "insert into conda_package (channel_id, name, version, license, license_family) values ");
    for (index, ((channel, name, version), record)) in chunk.iter().enumerate() {
        let family =
            record.license_family.as_ref().map(|family| family.chars().take(LICENSE_FAMILY).collect::<String>());
        insert = insert.push(open(index)).bind(*channel).push(", ").bind(name.as_str());
        insert = insert.push(", ").bind(version.as_str()).push(", ").bind(record.license.clone()).push(", ");
        insert = insert.bind(family).push(")");
    }
    insert.push(" on conflict (channel_id, name, version) do nothing").unprepared().run().await?;
    Ok(())
}

async fn find_versions(
    transaction: &mut Transaction<'_>,
    operation: &'static str,
    chunk: &[(&&VersionKey, &&PackageRecord)],
) -> Result<BTreeMap<VersionKey, i32>> {
    let mut select = transaction.query(
        operation,
        "select id, channel_id, name, version from conda_package where (channel_id, name, version) in (values ",
    );
    for (index, ((channel, name, version), _)) in chunk.iter().enumerate() {
        select = select.push(open(index)).bind(*channel).push(", ").bind(name.as_str());
        select = select.push(", ").bind(version.as_str()).push(")");
    }
    let rows: Vec<(i32, i32, String, String)> = select.push(")").unprepared().all().await?;
    Ok(rows.into_iter().map(|(id, channel, name, version)| ((channel, name, version), id)).collect())
}

async fn insert_builds(
    transaction: &mut Transaction<'_>,
    operation: &'static str,
    chunk: &[(&PackageKey, &&PackageRecord)],
    versions: &BTreeMap<VersionKey, i32>,
) -> Result<()> {
    let mut insert = transaction.query(
        operation,
        "insert into conda_package_build (channel_id, package_id, subdir, build, build_number, sha256, \
         constrains, depends, md5, size, timestamp) values ",
    );
    for (index, (key, record)) in chunk.iter().enumerate() {
        let content = Content::of(record);
        insert = insert.push(open(index)).bind(key.version.0).push(", ");
        insert = insert.bind(versions.get(&key.version).copied()).push(", ").bind(key.subdir.as_str()).push(", ");
        insert = insert.bind(key.build.as_str()).push(", ").bind(key.number).push(", ");
        insert = insert.bind(key.sha256.as_str()).push(", ").bind(Json(content.constrains)).push(", ");
        insert = insert.bind(Json(content.depends)).push(", ").bind(content.md5).push(", ");
        insert = insert.bind(content.size).push(", ").bind(content.timestamp).push(")");
    }
    let insert = insert.push(" on conflict (channel_id, package_id, subdir, build, build_number, sha256) do nothing");
    insert.unprepared().run().await?;
    Ok(())
}

/// A package build that is there.
#[derive(FromRow)]
struct FoundRow {
    id: i32,
    channel_id: i32,
    name: String,
    version: String,
    subdir: String,
    build: String,
    build_number: i32,
    sha256: String,
}

impl FoundRow {
    fn split(self) -> (PackageKey, i32) {
        let Self { id, channel_id, name, version, subdir, build, build_number: number, sha256 } = self;
        (PackageKey { version: (channel_id, name, version), subdir, build, number, sha256 }, id)
    }
}

/// The ids of those of `rows` that are there; nobody removes them before the transaction ends.
async fn find(
    transaction: &mut Transaction<'_>,
    operation: &'static str,
    rows: &PackageRows<'_>,
) -> Result<BTreeMap<PackageKey, i32>> {
    let mut found = BTreeMap::new();
    for chunk in chunks(rows) {
        let mut select = transaction.query(
            operation,
            "with wanted (channel_id, name, version, subdir, build, build_number, sha256) as (values ",
        );
        for (index, (key, _)) in chunk.iter().enumerate() {
            let (channel, name, version) = &key.version;
            select = select.push(open(index)).bind(*channel).push(", ").bind(name.as_str()).push(", ");
            select = select.bind(version.as_str()).push(", ").bind(key.subdir.as_str()).push(", ");
            select = select.bind(key.build.as_str()).push(", ").bind(key.number).push(", ");
            select = select.bind(key.sha256.as_str()).push(")");
        }
        let select = select.push(
            ") select pb.id, w.channel_id, w.name, w.version, w.subdir, w.build, w.build_number, w.sha256 \
             from wanted w join conda_package p \
             on p.channel_id = w.channel_id and p.name = w.name and p.version = w.version \
             join conda_package_build pb on pb.package_id = p.id and pb.channel_id = w.channel_id \
             and pb.subdir = w.subdir and pb.build = w.build and pb.build_number = w.build_number \
             and pb.sha256 = w.sha256",
        );
        let select = select.push_either("", " for key share of pb").unprepared();
        let rows: Vec<FoundRow> = select.all().await?;
        found.extend(rows.into_iter().map(FoundRow::split));
    }
    Ok(found)
}

/// The items in pieces that fit a statement.
pub(super) fn chunks<T>(items: impl IntoIterator<Item = T>) -> Vec<Vec<T>> {
    let mut chunks: Vec<Vec<T>> = Vec::new();
    for item in items {
        match chunks.last_mut() {
            Some(last) if last.len() < ROWS => last.push(item),
            _ => chunks.push(vec![item]),
        }
    }
    chunks
}

/// What opens the row `index` of values.
pub(super) fn open(index: usize) -> &'static str {
    if index == 0 { "(" } else { ", (" }
}

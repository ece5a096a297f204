//! The index of channels: all packages that their lists name, kept current a list and a name at a time.

use std::collections::{BTreeMap, BTreeSet};

use rattler_conda_types::RepoDataRecord;
use sqlx::{FromRow, types::Json};

use super::{
    Catalogue,
    package_rows::{self, Content, Names, PackageKey, PackageRow, PackageRows, chunks, open},
    query::{Query, Transaction},
};
use crate::{Result, model::ChannelId};

/// What is being done.
const OPERATION: &str = "index packages";

/// Which version of a package list was read: what a conditional request names (RFC 9110 section 13).
#[derive(Clone, Debug, PartialEq, Eq, FromRow)]
pub struct ListVersion {
    /// Where it is, without secrets.
    pub url: String,
    /// The entity tag that came with it.
    pub etag: Option<String>,
    /// The time that came with it, in the form of the header.
    pub last_modified: Option<String>,
}

/// All that a package list says of one name.
#[derive(Clone, Debug)]
pub struct IndexedName {
    /// The name.
    pub name: String,
    /// A digest of the records, in at most 64 characters; an equal one means that nothing changed.
    pub digest: String,
    /// Every build of the package in the list.
    pub records: Vec<RepoDataRecord>,
}

/// A build of a package as it is in the index.
#[derive(FromRow)]
struct BuildRow {
    id: i32,
    name: String,
    version: String,
    build: String,
    build_number: i32,
    sha256: String,
    constrains: Option<Json<Option<Vec<String>>>>,
    depends: Json<Vec<String>>,
    md5: String,
    size: i64,
    timestamp: Option<i64>,
}

impl BuildRow {
    fn split(self, channel: i32, subdir: &str) -> (PackageKey, (i32, Content)) {
        let key = PackageKey {
            version: (channel, self.name, self.version),
            subdir: subdir.to_owned(),
            build: self.build,
            number: self.build_number,
            sha256: self.sha256,
        };
        let content = Content {
            constrains: self.constrains.and_then(|Json(constrains)| constrains).unwrap_or_default(),
            depends: self.depends.0,
            md5: self.md5,
            size: self.size,
            timestamp: self.timestamp,
        };
        (key, (self.id, content))
    }
}

impl Catalogue {
    /// The id of the channel `name` (its URL without a slash at its end), made where there is none.
    pub async fn ensure_channel(&self, name: &str) -> Result<ChannelId> {
        let mut transaction = self.database.begin(OPERATION).await?;
        let id = package_rows::channel(&mut transaction, OPERATION, name).await?;
        transaction.commit(OPERATION).await?;
        Ok(ChannelId(id))
    }

    /// Which version of the list of a channel's subdirectory the index holds; none before the first.
    pub async fn indexed_list(&self, channel: ChannelId, subdir: &str) -> Result<Option<ListVersion>> {
        const SELECT: &str =
            "select url, etag, last_modified from cs_package_list where channel_id = $1 and subdir = $2";
        self.database.query(OPERATION, SELECT).value(channel.0).value(subdir).first().await
    }

    /// The names that the index holds of a channel's subdirectory, each with the digest of its records.
    pub async fn indexed_names(&self, channel: ChannelId, subdir: &str) -> Result<BTreeMap<String, String>> {
        const SELECT: &str = "select name, digest from cs_indexed_name where channel_id = $1 and subdir = $2";
        let query = self.database.query(OPERATION, SELECT).value(channel.0).value(subdir);
        let rows: Vec<(String, String)> = query.all().await?;
        Ok(rows.into_iter().collect())
    }

    /// Makes the index hold of these names exactly what is given, and of the names without records nothing. What builds
    /// consist of stays, also where the channel no longer has it.
    pub async fn index_packages(&self, channel: ChannelId, subdir: &str, names: &[IndexedName]) -> Result<()> {
        let mut rows = PackageRows::new();
        for record in names.iter().flat_map(|name| &name.records) {
            let record = &record.package_record;
            let key = PackageRow { channel: channel.0, record }.key();
            rows.insert(PackageKey { subdir: subdir.to_owned(), ..key }, record);
        }
        let mut locked: Names = names.iter().map(|name| (name.name.clone(), channel.0)).collect();
        locked.extend(package_rows::names(&rows));
        let mut transaction = self.database.begin(OPERATION).await?;
        package_rows::lock_names(&mut transaction, OPERATION, &locked).await?;
        let present = present(&mut transaction, channel, subdir, names).await?;
        let missing: PackageRows<'_> =
            rows.iter().filter(|(key, _)| !present.contains_key(key)).map(|(key, row)| (key.clone(), *row)).collect();
        package_rows::insert(&mut transaction, OPERATION, &missing).await?;
        for (key, (id, content)) in &present {
            match rows.get(key).map(|record| Content::of(record)) {
                Some(now) if now != *content => change(&mut transaction, *id, now).await?,
                _ => {}
            }
        }
        let gone: BTreeSet<i32> =
            present.iter().filter(|(key, _)| !rows.contains_key(key)).map(|(_, (id, _))| *id).collect();
        remove(&mut transaction, &gone).await?;
        package_rows::count_builds(&mut transaction, OPERATION, &locked).await?;
        note(&mut transaction, channel, subdir, names).await?;
        transaction.commit(OPERATION).await
    }

    /// Writes down that the index holds this version of the list.
    pub async fn set_indexed_list(&self, channel: ChannelId, subdir: &str, version: &ListVersion) -> Result<()> {
        const UPSERT: &str = "insert into cs_package_list (channel_id, subdir, url, etag, last_modified) \
            values ($1, $2, $3, $4, $5) on conflict (channel_id, subdir) do update set \
            url = excluded.url, etag = excluded.etag, last_modified = excluded.last_modified";
        let upsert = self.database.query(OPERATION, UPSERT).value(channel.0).value(subdir);
        let upsert = upsert.value(version.url.as_str()).value(version.etag.clone());
        upsert.value(version.last_modified.clone()).run().await?;
        Ok(())
    }

    /// Writes down that the channel's lists were looked at just now.
    pub async fn set_channel_updated(&self, channel: ChannelId) -> Result<()> {
        const UPDATE: &str = "update conda_channel set last_update = $1 where id = $2";
        self.database.query(OPERATION, UPDATE).value(self.clock.now()).value(channel.0).run().await?;
        Ok(())
    }
}

/// What the index holds of `names`.
async fn present(
    transaction: &mut Transaction<'_>,
    channel: ChannelId,
    subdir: &str,
    names: &[IndexedName],
) -> Result<BTreeMap<PackageKey, (i32, Content)>> {
    let mut present = BTreeMap::new();
    for chunk in chunks(names) {
        let select = transaction.query(
            OPERATION,
            "select pb.id, p.name, p.version, pb.build, pb.build_number, pb.sha256, pb.constrains, pb.depends, pb.md5, \
             pb.size, pb.timestamp from conda_package p join conda_package_build pb on pb.package_id = p.id \
             and pb.subdir = ",
        );
        let mut select = select.bind(subdir).push(" where p.channel_id = ").bind(channel.0).push(" and p.name in (");
        for (index, name) in chunk.iter().enumerate() {
            select = select.push(if index == 0 { "" } else { ", " }).bind(name.name.as_str());
        }
        let rows: Vec<BuildRow> = select.push(")").unprepared().all().await?;
        present.extend(rows.into_iter().map(|row| row.split(channel.0, subdir)));
    }
    Ok(present)
}

async fn change(transaction: &mut Transaction<'_>, id: i32, content: Content) -> Result<()> {
    const UPDATE: &str = "update conda_package_build set constrains = $1, depends = $2, md5 = $3, size = $4, \
        timestamp = $5 where id = $6";
    let update = transaction.query(OPERATION, UPDATE).value(Json(content.constrains)).value(Json(content.depends));
    update.value(content.md5).value(content.size).value(content.timestamp).value(id).run().await?;
    Ok(())
}

/// Removes package builds that no build and no solve consists of.
async fn remove(transaction: &mut Transaction<'_>, ids: &BTreeSet<i32>) -> Result<()> {
    for chunk in chunks(ids) {
        // Whoever is about to name one of these rows is waited for, and seen by the statement after this one.
        let lock = transaction.query(OPERATION, "select id from conda_package_build where id in (");
        let lock = listed(lock, &chunk).push(") order by id").push_either("", " for update");
        let _locked: Vec<(i32,)> = lock.unprepared().all().await?;
        let delete = transaction.query(OPERATION, "delete from conda_package_build where id in (");
        let delete = listed(delete, &chunk).push(
            ") and not exists (select 1 from build_conda_package_build l \
             where l.conda_package_build_id = conda_package_build.id) \
             and not exists (select 1 from solve_conda_package_build l \
             where l.conda_package_build_id = conda_package_build.id)",
        );
        delete.unprepared().run().await?;
    }
    Ok(())
}

/// Ids, as a list of values.
fn listed<'t>(mut query: Query<'t>, ids: &[&i32]) -> Query<'t> {
    for (index, id) in ids.iter().enumerate() {
        query = query.push(if index == 0 { "" } else { ", " }).bind(**id);
    }
    query
}

/// Writes down the digests of `names`.
async fn note(
    transaction: &mut Transaction<'_>,
    channel: ChannelId,
    subdir: &str,
    names: &[IndexedName],
) -> Result<()> {
    let (kept, gone): (Vec<_>, Vec<_>) = names.iter().partition(|name| !name.records.is_empty());
    for chunk in chunks(kept) {
        let mut upsert =
            transaction.query(OPERATION, "insert into cs_indexed_name (channel_id, subdir, name, digest) values ");
        for (index, name) in chunk.iter().enumerate() {
            upsert = upsert.push(open(index)).bind(channel.0).push(", ").bind(subdir).push(", ");
            upsert = upsert.bind(name.name.as_str()).push(", ").bind(name.digest.as_str()).push(")");
        }
        let upsert = upsert.push(" on conflict (channel_id, subdir, name) do update set digest = excluded.digest");
        upsert.unprepared().run().await?;
    }
    for name in gone {
        const DELETE: &str = "delete from cs_indexed_name where channel_id = $1 and subdir = $2 and name = $3";
        let delete = transaction.query(OPERATION, DELETE).value(channel.0).value(subdir);
        delete.value(name.name.as_str()).run().await?;
    }
    Ok(())
}

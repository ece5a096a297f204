//! Writing down the packages of a build.
//!
//! Channels are made in sorted order, so that two builds that bring the same new ones do not wait each for the other.

use std::collections::{BTreeMap, BTreeSet};

use rattler_conda_types::RepoDataRecord;
use rattler_redaction::strip_url_for_serialization;
use url::Url;

use super::{
    package_rows::{self, PackageRow, PackageRows, chunks, open},
    query::Transaction,
};
use crate::{Result, model::BuildId};

/// What is being done.
const OPERATION: &str = "record packages";

/// Writes down what `build` consists of.
pub(super) async fn packages(
    transaction: &mut Transaction<'_>,
    build: BuildId,
    records: &[RepoDataRecord],
) -> Result<()> {
    let names: BTreeSet<String> = records.iter().map(channel_name).collect();
    let mut channels = BTreeMap::new();
    for name in names {
        let id = package_rows::channel(transaction, OPERATION, &name).await?;
        channels.insert(name, id);
    }
    let mut rows = PackageRows::new();
    for record in records {
        let Some(channel) = channels.get(&channel_name(record)) else { continue };
        let record = &record.package_record;
        rows.insert(PackageRow { channel: *channel, record }.key(), record);
    }
    let ids = package_rows::ensure(transaction, OPERATION, &rows).await?;
    for chunk in chunks(ids) {
        link(transaction, build, &chunk).await?;
    }
    Ok(())
}

/// The channel's URL without secrets, as the original names channels: no slash at its end.
pub(crate) fn channel_name(record: &RepoDataRecord) -> String {
    let platform = record.platform_url();
    let fallback = || platform.join("..").map_or_else(|_| platform.to_string(), String::from);
    let name = record.channel.clone().unwrap_or_else(fallback);
    let name = name.parse::<Url>().map_or(name, |url| strip_url_for_serialization(&url).to_string());
    name.trim_end_matches('/').to_owned()
}

async fn link(transaction: &mut Transaction<'_>, build: BuildId, packages: &[i32]) -> Result<()> {
    let mut insert = transaction
        .query(OPERATION, "insert into build_conda_package_build (build_id, conda_package_build_id) values ");
    for (index, package) in packages.iter().enumerate() {
        insert = insert.push(open(index)).bind(build).push(", ").bind(*package).push(")");
    }
    insert.push(" on conflict (build_id, conda_package_build_id) do nothing").unprepared().run().await?;
    Ok(())
}

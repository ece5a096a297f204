//! The order of a lock.

use rattler_conda_types::{PackageRecord, RepoDataRecord};
use url::Url;

use super::{mirrored::behind_stand_in, public_url};

/// `records` under addresses without credentials, each after what it depends on.
pub(super) fn in_order(mut records: Vec<RepoDataRecord>) -> Vec<RepoDataRecord> {
    // The order among packages that do not depend on one another follows the input.
    records.sort_by(|one, other| one.package_record.name.cmp(&other.package_record.name));
    for record in &mut records {
        record.url = public_url(&behind_stand_in(&record.url));
        record.channel = record.channel.take().map(public_channel);
    }
    PackageRecord::sort_topologically(records)
}

fn public_channel(channel: String) -> String {
    match channel.parse::<Url>() {
        Ok(url) => public_url(&behind_stand_in(&url)).to_string(),
        Err(_) => channel,
    }
}

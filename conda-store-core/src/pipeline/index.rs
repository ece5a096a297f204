//! The index of channels: what packages there are, kept current from the channels' lists.
//!
//! A list that did not change costs a conditional request. Of one that did, each name's records are compared with what
//! the index holds by a digest, and only names with another digest are written, some at a time.

use std::collections::BTreeMap;

use rattler_conda_types::{ChannelUrl, PackageRecord, RepoDataRecord, Subdir};
use rattler_digest::{Sha256, compute_bytes_digest};
use tokio::sync::mpsc;

use crate::{
    Error, Result,
    catalogue::IndexedName,
    channel::ChannelAlias,
    conda::{Answer, WholeList},
    conda_store::CondaStore,
    error::ErrorKind,
    install::blocking,
    job::{Attempt, Outcome},
    model::ChannelId,
    settings::SettingPlace,
};

const OPERATION: &str = "index packages";

/// How many records are written in one transaction, except where a single name has more.
const BATCH: usize = 2_000;

/// The widths of the columns that hold a name, and a version or a build string.
const NAME: usize = 255;
const WIDTH: usize = 64;

impl CondaStore {
    /// Brings the index of all channels up to date that the settings name. A channel that cannot be read is left as it
    /// was until the next time, and holds up no other.
    pub(super) async fn index_channels(&self, attempt: &Attempt) -> Result<Outcome> {
        let settings = self.settings_at(SettingPlace::Global).await?;
        let names = settings.conda_indexed_channels.iter().map(String::as_str);
        for channel in ChannelAlias::new(&settings.conda_channel_alias)?.resolve_all(names)? {
            match self.index_channel(&channel, &settings.conda_platforms, attempt).await {
                Ok(()) => {}
                Err(error) if error.kind() == ErrorKind::Cancelled => return Ok(Outcome::HandBack),
                Err(error) => {
                    tracing::warn!(channel.url = %channel, error = error.report(), "could not index a channel");
                }
            }
        }
        Ok(Outcome::Done)
    }

    async fn index_channel(&self, channel: &ChannelUrl, subdirs: &[Subdir], attempt: &Attempt) -> Result<()> {
        let id = self.catalogue().ensure_channel(channel.as_str().trim_end_matches('/')).await?;
        for &subdir in subdirs {
            let known = self.catalogue().indexed_list(id, subdir.as_str()).await?;
            match self.parts().channel_lists.read(channel, subdir, known.as_ref()).await? {
                Answer::Unchanged => {}
                Answer::Missing => {
                    tracing::debug!(channel.url = %channel, channel.subdir = %subdir, "a channel has no such list");
                }
                Answer::Changed(version, list) => {
                    self.index_list(id, subdir, *list, attempt).await?;
                    self.catalogue().set_indexed_list(id, subdir.as_str(), &version).await?;
                }
            }
        }
        self.catalogue().set_channel_updated(id).await
    }

    /// Writes what a list changed, while the rest of it is still read.
    async fn index_list(&self, channel: ChannelId, subdir: Subdir, list: WholeList, attempt: &Attempt) -> Result<()> {
        let known = self.catalogue().indexed_names(channel, subdir.as_str()).await?;
        let (sender, mut batches) = mpsc::channel(1);
        let reading = blocking(OPERATION, move || read_changes(&list, known, &sender));
        let writing = async {
            while let Some(batch) = batches.recv().await {
                if attempt.cancellation.is_cancelled() {
                    return Err(Error::new(ErrorKind::Cancelled, OPERATION, "the worker was told to stop"));
                }
                self.catalogue().index_packages(channel, subdir.as_str(), &batch).await?;
            }
            // Before the reader, which ends when nobody takes its batches any more.
            drop(batches);
            Ok(())
        };
        let (written, read) = tokio::join!(writing, reading);
        written.and(read)
    }
}

/// Sends every name whose records are not the `known` ones, and every one that is no longer there.
fn read_changes(
    list: &WholeList,
    mut known: BTreeMap<String, String>,
    sender: &mpsc::Sender<Vec<IndexedName>>,
) -> Result<()> {
    let (mut batch, mut records) = (Vec::new(), 0);
    let send = |batch: Vec<IndexedName>| sender.blocking_send(batch).is_ok();
    for name in list.names() {
        let found = storable(list.records(name)?);
        let digest = digest(&found)?;
        // What is left in the map in the end is no longer in the list.
        if found.is_empty() || known.remove(name).is_some_and(|before| before == digest) {
            continue;
        }
        records += found.len();
        batch.push(IndexedName { name: name.to_owned(), digest, records: found });
        if records >= BATCH {
            records = 0;
            if !send(std::mem::take(&mut batch)) {
                return Ok(());
            }
        }
    }
    batch.extend(known.into_keys().map(gone));
    send(batch);
    Ok(())
}

fn gone(name: String) -> IndexedName {
    IndexedName { name, digest: String::new(), records: Vec::new() }
}

/// The records that the columns of the catalogue can hold.
fn storable(mut records: Vec<RepoDataRecord>) -> Vec<RepoDataRecord> {
    let fits = |record: &PackageRecord| {
        let texts = [record.version.as_str().chars().count(), record.build.as_str().chars().count()];
        record.name.as_normalized().chars().count() <= NAME && texts.into_iter().all(|length| length <= WIDTH)
    };
    records.retain(|record| {
        let fits = fits(&record.package_record);
        if !fits {
            tracing::debug!(package.url = %record.url, "a package's version or build string is too long for the index");
        }
        fits
    });
    records
}

/// A digest of all that the index could hold of `records`.
fn digest(records: &[RepoDataRecord]) -> Result<String> {
    let records: Vec<&PackageRecord> = records.iter().map(|record| &record.package_record).collect();
    let text = serde_json::to_vec(&records)
        .map_err(|error| Error::unexpected(OPERATION, "a record cannot be written").with_source(error))?;
    Ok(hex::encode(compute_bytes_digest::<Sha256>(text)))
}

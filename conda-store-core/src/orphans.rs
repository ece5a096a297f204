//! Blobs that no row of the catalogue leads to, and rows that lead to no blob.

use std::{
    collections::HashSet,
    hash::{BuildHasher, BuildHasherDefault, DefaultHasher},
    time::Duration,
};

use futures::{StreamExt, TryStreamExt, stream};
use tokio_util::sync::CancellationToken;

use crate::{
    CondaStore, Error, ErrorKind, Result,
    model::Artifact,
    storage::{ARTIFACT_PREFIXES, BlobInfo, StorageKey},
};

/// A blob this young may still get its row: a build that makes it takes hours at most.
const GRACE: Duration = Duration::from_hours(7 * 24);

/// How many keys, and how many rows, are looked at in one query.
const AT_ONCE: usize = 500;

/// How many blobs are removed or looked at at the same time.
const IN_FLIGHT: usize = 16;

/// What a search found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Orphans {
    /// Blobs without a row that were removed.
    pub removed: u64,
    /// Their bytes.
    pub removed_bytes: u64,
    /// Blobs without a row that are too young to be removed.
    pub young: u64,
    /// Rows without a blob, which are left as they are: what they were about, only a person can tell.
    pub missing: u64,
}

/// The keys of all blobs, a word for each: two of them are the same once in a billion times at a million blobs, and then one
/// missing blob is not reported.
#[derive(Default)]
struct Keys {
    hashes: HashSet<u64>,
    hasher: BuildHasherDefault<DefaultHasher>,
}

impl Keys {
    fn add(&mut self, key: &str) {
        self.hashes.insert(self.hasher.hash_one(key));
    }

    fn may_have(&self, key: &str) -> bool {
        self.hashes.contains(&self.hasher.hash_one(key))
    }
}

impl CondaStore {
    /// Looks for blobs without a row and for rows without a blob, tells the log of each, and removes the former where they
    /// are older than a week. It ends early, without an error, where `cancellation` fires.
    ///
    /// # Errors
    /// What the storage and the catalogue say. What was removed by then stays removed; it can be called again.
    pub async fn remove_orphans(&self, cancellation: &CancellationToken) -> Result<Orphans> {
        let (mut orphans, mut keys) = (Orphans::default(), Keys::default());
        for place in ARTIFACT_PREFIXES {
            let mut blobs = self.storage().list(place).try_chunks(AT_ONCE);
            while let Some(blobs) = blobs.next().await {
                if cancellation.is_cancelled() {
                    return Ok(orphans);
                }
                let blobs = blobs.map_err(|error| error.1)?;
                for blob in &blobs {
                    keys.add(blob.key.as_str());
                }
                self.remove_unknown(blobs, &mut orphans).await?;
            }
        }
        orphans.missing = self.count_missing(&keys, cancellation).await?;
        if orphans != Orphans::default() {
            let Orphans { removed, removed_bytes, young, missing } = orphans;
            tracing::info!(removed, removed_bytes, young, missing, "looked for orphans in the storage");
        }
        Ok(orphans)
    }

    async fn remove_unknown(&self, blobs: Vec<BlobInfo>, orphans: &mut Orphans) -> Result<()> {
        let keys: Vec<_> = blobs.iter().map(|blob| blob.key.as_str()).collect();
        let known = self.catalogue().known_artifact_keys(&keys).await?;
        let now = self.clock().now();
        let unknown = blobs.into_iter().filter(|blob| !known.contains(blob.key.as_str()));
        let (old, young): (Vec<_>, Vec<_>) = unknown.partition(|blob| now.since(blob.modified) >= GRACE);
        orphans.young += young.len() as u64;
        let removed = stream::iter(old).map(|blob| async move {
            self.storage().delete(&blob.key).await?;
            tracing::warn!(storage.key = %blob.key, blob.size, blob.modified = %blob.modified, "removed a blob without a row");
            Ok::<_, Error>(blob.size)
        });
        let mut removed = removed.buffer_unordered(IN_FLIGHT);
        while let Some(bytes) = removed.try_next().await? {
            orphans.removed += 1;
            orphans.removed_bytes += bytes;
        }
        Ok(())
    }

    /// How many artifacts have a row and no blob, of which there were `keys`.
    async fn count_missing(&self, keys: &Keys, cancellation: &CancellationToken) -> Result<u64> {
        let (mut missing, mut after) = (0, None);
        while !cancellation.is_cancelled() {
            let artifacts = self.catalogue().stored_artifacts(after, AT_ONCE).await?;
            let Some(last) = artifacts.last() else { break };
            after = Some(last.id);
            let absent = artifacts.into_iter().filter(|artifact| !keys.may_have(&artifact.key));
            let looks = stream::iter(absent).map(|artifact| self.is_missing(artifact)).buffer_unordered(IN_FLIGHT);
            missing += looks.try_fold(0, |count, missing| async move { Ok(count + u64::from(missing)) }).await?;
        }
        Ok(missing)
    }

    /// Whether the blob of an artifact is not there, and its row still is.
    async fn is_missing(&self, artifact: Artifact) -> Result<bool> {
        let there = match artifact.key.parse::<StorageKey>() {
            Ok(key) => self.storage().head(&key).await?.is_some(),
            Err(error) if error.kind() == ErrorKind::Invalid => false,
            Err(error) => return Err(error),
        };
        if there || self.catalogue().artifact_by_key(&artifact.key).await?.is_none() {
            return Ok(false);
        }
        tracing::warn!(build.id = %artifact.build_id, storage.key = artifact.key, "an artifact has a row and no blob");
        Ok(true)
    }
}

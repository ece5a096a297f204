//! Blobs in memory.

use std::{
    collections::BTreeMap,
    fmt,
    ops::Range,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;
use bytes::Bytes;
use conda_store_core::{
    Error, ErrorKind, Result,
    clock::Clock,
    storage::{Blob, BlobInfo, Body, Link, LinkOptions, Storage, StorageCapabilities, StorageKey, clip},
};
use futures::{
    StreamExt, TryStreamExt,
    stream::{self, BoxStream},
};
use sha2::{Digest, Sha256};

#[derive(Clone)]
struct Stored {
    info: BlobInfo,
    bytes: Bytes,
}

/// Keeps blobs in memory, as long as it lives.
pub struct MemoryStorage {
    clock: Arc<dyn Clock>,
    blobs: Mutex<BTreeMap<StorageKey, Stored>>,
}

impl MemoryStorage {
    /// An empty storage.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, blobs: Mutex::default() }
    }

    fn blobs(&self) -> MutexGuard<'_, BTreeMap<StorageKey, Stored>> {
        // Each change of the map is one call, so a panic elsewhere leaves it as it should be.
        self.blobs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn find(&self, key: &StorageKey) -> Result<Stored> {
        let missing = || Error::new(ErrorKind::NotFound, "read blob", "there is no such blob").with("key", key);
        self.blobs().get(key).cloned().ok_or_else(missing)
    }
}

impl fmt::Debug for MemoryStorage {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("MemoryStorage").field("blobs", &self.blobs().len()).finish_non_exhaustive()
    }
}

async fn collect(body: Body) -> Result<Bytes> {
    match body {
        Body::Bytes(bytes) => Ok(bytes),
        Body::File(path) => {
            let read = tokio::fs::read(&path).await;
            read.map(Bytes::from).map_err(|error| Error::io("read upload", error).with("path", path.display()))
        }
        Body::Stream(stream) => stream
            .try_fold(Vec::new(), |mut all, part| async move {
                all.extend_from_slice(&part);
                Ok(all)
            })
            .await
            .map(Bytes::from),
    }
}

#[async_trait]
impl Storage for MemoryStorage {
    fn capabilities(&self) -> StorageCapabilities {
        StorageCapabilities { redirect: false }
    }

    async fn put(&self, key: &StorageKey, body: Body) -> Result<BlobInfo> {
        let bytes = collect(body).await?;
        let info = BlobInfo {
            key: key.clone(),
            size: bytes.len() as u64,
            modified: self.clock.now(),
            etag: hex::encode(Sha256::digest(&bytes)),
        };
        self.blobs().insert(key.clone(), Stored { info: info.clone(), bytes });
        Ok(info)
    }

    async fn get(&self, key: &StorageKey, range: Option<Range<u64>>) -> Result<Blob> {
        let Stored { info, bytes } = self.find(key)?;
        let range = clip(range, info.size)?;
        let index = |at: u64| usize::try_from(at).unwrap_or(usize::MAX).min(bytes.len());
        let part = bytes.slice(index(range.start)..index(range.end));
        Ok(Blob { info, range, stream: stream::iter([Ok(part)]).boxed() })
    }

    async fn head(&self, key: &StorageKey) -> Result<Option<BlobInfo>> {
        Ok(self.blobs().get(key).map(|stored| stored.info.clone()))
    }

    async fn link(&self, key: &StorageKey, _options: &LinkOptions) -> Result<Link> {
        self.find(key).map(|_| Link::Stream)
    }

    async fn delete(&self, key: &StorageKey) -> Result<()> {
        self.blobs().remove(key);
        Ok(())
    }

    fn list(&self, prefix: &str) -> BoxStream<'_, Result<BlobInfo>> {
        let found: Vec<_> = self
            .blobs()
            .values()
            .filter(|stored| stored.info.key.as_str().starts_with(prefix))
            .map(|stored| Ok(stored.info.clone()))
            .collect();
        stream::iter(found).boxed()
    }
}

#[cfg(test)]
mod tests {
    use conda_store_core::testing::ManualClock;
    use futures::future;

    use super::*;

    fn empty() -> future::Ready<Option<(Arc<dyn Storage>, ())>> {
        let storage: Arc<dyn Storage> = Arc::new(MemoryStorage::new(Arc::new(ManualClock::new())));
        future::ready(Some((storage, ())))
    }

    conda_store_core::storage_suite!(empty);
}

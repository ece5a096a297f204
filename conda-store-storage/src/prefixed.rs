//! A part of a storage as a storage of its own.

use std::ops::Range;

use async_trait::async_trait;
use conda_store_core::{
    Result,
    storage::{Blob, BlobInfo, Body, Link, LinkOptions, Storage, StorageCapabilities, StorageKey},
};
use futures::{
    StreamExt,
    future::ready,
    stream::{self, BoxStream},
};

/// Keeps blobs in another storage, all below one prefix, so that several services can share a bucket.
#[derive(Clone, Debug)]
pub struct PrefixedStorage<S> {
    inner: S,
    prefix: String,
}

impl<S: Storage> PrefixedStorage<S> {
    /// The part of `inner` whose keys start with `prefix` and a slash.
    #[must_use]
    pub fn new(inner: S, prefix: &StorageKey) -> Self {
        Self { inner, prefix: format!("{prefix}/") }
    }

    /// The key in the other storage; too long a one is refused.
    fn outer(&self, key: &StorageKey) -> Result<StorageKey> {
        format!("{}{key}", self.prefix).parse()
    }
}

/// What is known about a blob under the key that our caller gave it.
fn known_as(key: &StorageKey, info: BlobInfo) -> BlobInfo {
    BlobInfo { key: key.clone(), ..info }
}

#[async_trait]
impl<S: Storage> Storage for PrefixedStorage<S> {
    fn capabilities(&self) -> StorageCapabilities {
        self.inner.capabilities()
    }

    async fn put(&self, key: &StorageKey, body: Body) -> Result<BlobInfo> {
        let info = self.inner.put(&self.outer(key)?, body).await?;
        Ok(known_as(key, info))
    }

    async fn get(&self, key: &StorageKey, range: Option<Range<u64>>) -> Result<Blob> {
        let blob = self.inner.get(&self.outer(key)?, range).await?;
        Ok(Blob { info: known_as(key, blob.info), ..blob })
    }

    async fn head(&self, key: &StorageKey) -> Result<Option<BlobInfo>> {
        let info = self.inner.head(&self.outer(key)?).await?;
        Ok(info.map(|info| known_as(key, info)))
    }

    async fn link(&self, key: &StorageKey, options: &LinkOptions) -> Result<Link> {
        self.inner.link(&self.outer(key)?, options).await
    }

    async fn delete(&self, key: &StorageKey) -> Result<()> {
        self.inner.delete(&self.outer(key)?).await
    }

    fn list(&self, prefix: &str) -> BoxStream<'_, Result<BlobInfo>> {
        // A prefix that no key starts with, such as `../`, must not reach what lies beside ours.
        let whole = prefix.rsplit_once('/').is_none_or(|(directory, _)| directory.parse::<StorageKey>().is_ok());
        if !whole {
            return stream::empty().boxed();
        }
        let listed = self.inner.list(&format!("{}{prefix}", self.prefix));
        listed.filter_map(|found| ready(found.map(|info| self.inside(info)).transpose())).boxed()
    }
}

impl<S> PrefixedStorage<S> {
    /// What a line of the other storage's listing says, where its key is one of ours.
    fn inside(&self, info: BlobInfo) -> Option<BlobInfo> {
        let key = info.key.as_str().strip_prefix(&self.prefix)?.parse().ok()?;
        Some(BlobInfo { key, ..info })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use conda_store_core::{ErrorKind, storage::StorageExt, testing::ManualClock};

    use super::*;
    use crate::MemoryStorage;

    async fn empty() -> Option<(Arc<dyn Storage>, ())> {
        let inner = MemoryStorage::new(Arc::new(ManualClock::new()));
        for name in ["shared", "shared/otherwise", "shared/conda2/a", "other/a"] {
            inner.put(&name.parse().unwrap(), Body::from("not ours".to_owned())).await.unwrap();
        }
        Some((Arc::new(PrefixedStorage::new(inner, &"shared/conda".parse().unwrap())), ()))
    }

    conda_store_core::storage_suite!(empty);

    #[tokio::test]
    async fn blobs_lie_below_the_prefix() {
        let inner: Arc<dyn Storage> = Arc::new(MemoryStorage::new(Arc::new(ManualClock::new())));
        let storage = PrefixedStorage::new(Arc::clone(&inner), &"conda".parse().unwrap());
        storage.put(&"logs/1".parse().unwrap(), Body::from("x".to_owned())).await.unwrap();
        assert_eq!(inner.keys("").await.unwrap(), ["conda/logs/1".parse().unwrap()]);
        let long = "x".repeat(1020).parse().unwrap();
        assert_eq!(storage.head(&long).await.unwrap_err().kind(), ErrorKind::Invalid);
    }
}

//! What is done with a storage, as metrics and traces.

use std::{future::Future, ops::Range, sync::Arc};

use async_trait::async_trait;
use conda_store_core::{
    Error, Result,
    clock::Clock,
    storage::{Blob, BlobInfo, Body, Link, LinkOptions, Storage, StorageCapabilities, StorageKey},
};
use futures::{
    StreamExt, TryStreamExt,
    stream::{self, BoxStream},
};
use prometheus::{HistogramOpts, HistogramVec, IntCounterVec, Opts, Registry, core::Collector};
use tracing::{Instrument, debug, debug_span};

/// Upper bounds of the buckets of durations in seconds: from a look at a file to an upload of gigabytes.
const DURATIONS: [f64; 10] = [0.001, 0.005, 0.025, 0.1, 0.25, 1.0, 5.0, 25.0, 100.0, 500.0];

/// A storage whose operations are counted, timed and traced.
///
/// The metrics are `conda_store_storage_operations_total` by operation and outcome (`ok` or the kind of the error),
/// `conda_store_storage_operation_seconds` by operation, and `conda_store_storage_bytes_total` by direction (`in` for those
/// that were put, `out` for those that were read). A download lasts until it is opened; its bytes count as they are read.
/// Each operation is a span `storage` of level DEBUG with its name and the key.
#[derive(Clone, Debug)]
pub struct ObservedStorage<S> {
    inner: S,
    clock: Arc<dyn Clock>,
    operations: IntCounterVec,
    seconds: HistogramVec,
    bytes: IntCounterVec,
}

impl<S: Storage> ObservedStorage<S> {
    /// Observes `inner` by metrics of `registry`, which must not have them yet.
    ///
    /// # Errors
    /// [`ErrorKind::Conflict`](conda_store_core::ErrorKind::Conflict) where it has.
    pub fn new(inner: S, clock: Arc<dyn Clock>, registry: &Registry) -> Result<Self> {
        let operations = Opts::new("conda_store_storage_operations_total", "Operations on the storage.");
        let seconds = HistogramOpts::new("conda_store_storage_operation_seconds", "How long operations took.");
        let bytes = Opts::new("conda_store_storage_bytes_total", "Bytes put into the storage and read from it.");
        Ok(Self {
            inner,
            clock,
            operations: registered(registry, IntCounterVec::new(operations, &["operation", "outcome"]))?,
            seconds: registered(registry, HistogramVec::new(seconds.buckets(DURATIONS.into()), &["operation"]))?,
            bytes: registered(registry, IntCounterVec::new(bytes, &["direction"]))?,
        })
    }

    /// Does `operation`, and notes how it went.
    async fn observe<T>(
        &self,
        operation: &'static str,
        key: &StorageKey,
        work: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        let begun = self.clock.now();
        let outcome = work.instrument(debug_span!("storage", operation, storage.key = %key)).await;
        self.seconds.with_label_values(&[operation]).observe(self.clock.now().since(begun).as_secs_f64());
        self.count(operation, outcome.as_ref().err());
        outcome
    }

    fn count(&self, operation: &'static str, error: Option<&Error>) {
        let outcome = error.map_or_else(|| "ok".to_owned(), |error| format!("{:?}", error.kind()).to_lowercase());
        self.operations.with_label_values(&[operation, &outcome]).inc();
        if let Some(error) = error {
            debug!(operation, error = error.report(), "a storage operation failed");
        }
    }
}

/// The metric, registered.
fn registered<M: Collector + Clone + 'static>(registry: &Registry, metric: prometheus::Result<M>) -> Result<M> {
    let metric = metric.and_then(|metric| registry.register(Box::new(metric.clone())).map(|()| metric));
    metric.map_err(|error| {
        let message = "the registry has metrics of a storage already";
        Error::new(conda_store_core::ErrorKind::Conflict, "observe storage", message).with_source(error)
    })
}

#[async_trait]
impl<S: Storage> Storage for ObservedStorage<S> {
    fn capabilities(&self) -> StorageCapabilities {
        self.inner.capabilities()
    }

    async fn put(&self, key: &StorageKey, body: Body) -> Result<BlobInfo> {
        let info = self.observe("put", key, self.inner.put(key, body)).await?;
        self.bytes.with_label_values(&["in"]).inc_by(info.size);
        Ok(info)
    }

    async fn get(&self, key: &StorageKey, range: Option<Range<u64>>) -> Result<Blob> {
        let blob = self.observe("get", key, self.inner.get(key, range)).await?;
        let read = self.bytes.with_label_values(&["out"]);
        let stream = blob.stream.inspect_ok(move |part| read.inc_by(part.len() as u64));
        Ok(Blob { stream: stream.boxed(), ..blob })
    }

    async fn head(&self, key: &StorageKey) -> Result<Option<BlobInfo>> {
        self.observe("head", key, self.inner.head(key)).await
    }

    async fn link(&self, key: &StorageKey, options: &LinkOptions) -> Result<Link> {
        self.observe("link", key, self.inner.link(key, options)).await
    }

    async fn delete(&self, key: &StorageKey) -> Result<()> {
        self.observe("delete", key, self.inner.delete(key)).await
    }

    fn list(&self, prefix: &str) -> BoxStream<'_, Result<BlobInfo>> {
        debug!(operation = "list", storage.prefix = prefix, "a storage is listed");
        // One listing is one operation, however many blobs it yields; it counts when it ends.
        let listing = (self.inner.list(prefix), false);
        let counted = stream::unfold(listing, move |(mut blobs, failed)| async move {
            let found = blobs.next().await;
            match &found {
                Some(Err(error)) => self.count("list", Some(error)),
                None if !failed => self.count("list", None),
                _ => {}
            }
            let failed = failed || found.as_ref().is_some_and(Result::is_err);
            found.map(|found| (found, (blobs, failed)))
        });
        counted.boxed()
    }
}

#[cfg(test)]
mod tests {
    use conda_store_core::{ErrorKind, storage::StorageExt, testing::ManualClock};
    use futures::future;

    use super::*;
    use crate::MemoryStorage;

    fn observed() -> (ObservedStorage<MemoryStorage>, Registry) {
        let (clock, registry) = (Arc::new(ManualClock::new()), Registry::new());
        let inner = MemoryStorage::new(Arc::<ManualClock>::clone(&clock));
        (ObservedStorage::new(inner, clock, &registry).unwrap(), registry)
    }

    fn empty() -> future::Ready<Option<(Arc<dyn Storage>, ())>> {
        let storage: Arc<dyn Storage> = Arc::new(observed().0);
        future::ready(Some((storage, ())))
    }

    conda_store_core::storage_suite!(empty);

    #[tokio::test]
    async fn operations_and_bytes_are_counted() {
        let (storage, registry) = observed();
        let (there, missing) = ("a".parse().unwrap(), "b".parse().unwrap());
        storage.put(&there, Body::from("12345".to_owned())).await.unwrap();
        storage.read(&there, 10).await.unwrap();
        storage.get(&missing, None).await.unwrap_err();
        storage.keys("").await.unwrap();
        for (labels, count) in [(["put", "ok"], 1), (["get", "ok"], 1), (["get", "notfound"], 1), (["list", "ok"], 1)] {
            assert_eq!(storage.operations.with_label_values(&labels).get(), count, "{labels:?}");
        }
        for direction in ["in", "out"] {
            assert_eq!(storage.bytes.with_label_values(&[direction]).get(), 5, "{direction}");
        }
        let names: Vec<_> = registry.gather().iter().map(|family| family.name().to_owned()).collect();
        let expected = ["bytes_total", "operation_seconds", "operations_total"];
        assert_eq!(names, expected.map(|name| format!("conda_store_storage_{name}")));
        let again = ObservedStorage::new(storage, Arc::new(ManualClock::new()), &registry).unwrap_err();
        assert_eq!(again.kind(), ErrorKind::Conflict);
    }
}

//! What a worker does, in its own process or in the server's.

use std::{num::NonZeroUsize, sync::Arc};

use conda_store_core::CondaStore;
use conda_store_queue::Worker;
use tokio_util::sync::CancellationToken;

use crate::{configuration::Configuration, watch::Watch};

/// Does jobs and watches files until `shutdown` fires; returns when nothing runs any more.
pub async fn work(store: CondaStore, configuration: &Configuration, shutdown: CancellationToken) {
    let section = &configuration.worker;
    let (queue, clock) = (Arc::clone(store.queue()), Arc::clone(store.clock()));
    let worker = Worker::builder(Arc::new(store.clone()), queue, clock)
        .concurrency(section.concurrency.unwrap_or_else(threads))
        .build();
    let namespace = configuration.settings.filesystem_namespace.clone();
    let watch = Watch::new(Arc::clone(store.queue()), namespace, &section.watch_paths);
    tokio::join!(worker.run(shutdown.clone()), watch.run(shutdown));
}

/// The CPU threads of this machine.
fn threads() -> NonZeroUsize {
    std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN)
}

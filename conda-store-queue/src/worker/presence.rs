//! A worker's signs of life, whether it has something to do or not.

use std::{future::Future, sync::Arc, time::Duration};

use conda_store_core::{
    Result,
    job::{JobHandler, WorkerIdentity},
};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

/// How often a sign is given. Whoever waits for one takes several that are missing for the worker's loss.
const EVERY: Duration = Duration::from_secs(5);

/// How long a sign may take, so that a database that hangs does not keep a worker from coming to its end.
const LONGEST: Duration = Duration::from_secs(5);

/// Tells a handler that the worker is there.
pub(super) struct Presence {
    handler: Arc<dyn JobHandler>,
    worker: WorkerIdentity,
}

impl Presence {
    /// The presence of `worker`.
    pub(super) fn new(handler: Arc<dyn JobHandler>, worker: WorkerIdentity) -> Self {
        Self { handler, worker }
    }

    /// Gives signs of life until the worker's work is `over`, and takes leave.
    pub(super) async fn keep(&self, over: &CancellationToken) {
        let mut failing = false;
        loop {
            let given = self.told(self.handler.worker_is_there(&self.worker)).await;
            if !given && !failing {
                tracing::warn!(worker.name = %self.worker.name, "the worker's sign of life is not taken; trying on");
            }
            failing = !given;
            if timeout(EVERY, over.cancelled()).await.is_ok() {
                break;
            }
        }
        self.told(self.handler.worker_is_gone(&self.worker)).await;
    }

    async fn told(&self, telling: impl Future<Output = Result<()>>) -> bool {
        match timeout(LONGEST, telling).await {
            Ok(Ok(())) => true,
            Ok(Err(error)) => {
                tracing::debug!(error = error.report(), "the sign of life failed");
                false
            }
            Err(_) => false,
        }
    }
}

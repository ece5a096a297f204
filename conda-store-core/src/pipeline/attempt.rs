//! One attempt at a build, from its claim to its end.

use std::{any::Any, panic::AssertUnwindSafe, sync::Arc};

use futures::FutureExt;
use tokio_util::sync::CancellationToken;

use super::{events::EventLog, log::BuildLog, prefix::Prefix, steps::Built};
use crate::{
    Error, Result,
    conda_store::CondaStore,
    error::ErrorKind,
    event::{BuildEvent, Reporter as _, ReporterExt},
    job::{Attempt, Outcome},
    model::{Build, BuildId},
    pipeline::gone,
    storage::StorageKey,
};

/// After so many lost workers a build is given up.
const WORKERS_LOST: u32 = 3;

/// Everything that the steps of an attempt share.
#[derive(Debug)]
pub(super) struct Run<'a> {
    pub(super) store: &'a CondaStore,
    pub(super) attempt: &'a Attempt,
    pub(super) build: Build,
    /// The number that guards every write.
    pub(super) number: u32,
    /// The build's key.
    pub(super) key: String,
    pub(super) prefix: Prefix,
    pub(super) log: Arc<BuildLog>,
    pub(super) events: Arc<EventLog>,
    pub(super) log_key: StorageKey,
}

impl CondaStore {
    /// Makes attempt `number` at a build that was claimed.
    pub(super) async fn attempt_build(
        &self,
        build_id: BuildId,
        number: u32,
        lost: u32,
        attempt: &Attempt,
    ) -> Result<Outcome> {
        let run = match Run::new(self, build_id, number, attempt).await {
            Ok(run) => run,
            Err(error) if error.is_temporary() => return Err(error),
            Err(error) => return self.fail_unstarted(build_id, number, &error).await,
        };
        let finished = CancellationToken::new();
        let steps = async {
            let result = AssertUnwindSafe(run.work(lost))
                .catch_unwind()
                .await
                .unwrap_or_else(|panic| Err(panicked(panic.as_ref())));
            finished.cancel();
            result
        };
        let storage = self.storage().as_ref();
        let flushing = run.log.keep_flushing(storage, &run.log_key, || run.is_held(), &finished);
        let telling = run.events.keep_flushing(self.catalogue(), build_id, number, &finished);
        let (result, (), ()) = tokio::join!(steps, flushing, telling);
        let concluded = run.conclude(result).await;
        run.tell_end().await;
        concluded
    }
}

impl<'a> Run<'a> {
    async fn new(store: &'a CondaStore, build_id: BuildId, number: u32, attempt: &'a Attempt) -> Result<Self> {
        let build = store.catalogue().build(build_id).await?.ok_or_else(|| gone(build_id))?;
        let key = store.build_key(&build)?;
        let log_key = format!("logs/{key}.log").parse()?;
        let events = EventLog::new();
        let observers = store.parts().observers.iter().map(|observer| observer.watch(&build));
        let watchers = observers.chain([Arc::<EventLog>::clone(&events) as _]).collect();
        let log = Arc::new(BuildLog::new(Arc::clone(store.clock()), watchers));
        log.report(BuildEvent::AttemptStarted { attempt: number });
        log.message(format!(
            "build {build_id} of {}/{}, attempt {number} by worker {}",
            build.namespace, build.environment, attempt.worker
        ));
        let prefix = Prefix::new(store.layout().build_path(&build)?, build_id, number);
        Ok(Self { store, attempt, build, number, key, prefix, log, events, log_key })
    }

    /// Builds the environment, unless `lost` workers were too many.
    async fn work(&self, lost: u32) -> Result<Built> {
        self.open_log().await?;
        let killed = self.look_after_lost_workers(lost).await;
        if lost >= WORKERS_LOST {
            return Err(given_up(lost, killed));
        }
        self.steps().await
    }

    /// Whether the claim was confirmed so lately that nobody else can have the build.
    fn is_held(&self) -> bool {
        let claimed = self.store.parts().running.get(self.build.id);
        claimed.is_some_and(|claimed| self.store.clock().now().since(claimed.confirmed) < self.attempt.lease)
    }

    /// Fails with [`ErrorKind::Cancelled`] once the attempt must stop.
    pub(super) fn go_on(&self) -> Result<()> {
        if self.attempt.cancellation.is_cancelled() {
            return Err(Error::new(ErrorKind::Cancelled, "build environment", "the build was told to stop"));
        }
        Ok(())
    }
}

fn given_up(lost: u32, killed: Option<String>) -> Error {
    let reason = killed.map_or_else(
        || {
            "most often a worker is killed (signal 9) because the solve or the build needs more memory than it may use; \
             give the workers more memory, and look for an out-of-memory kill in the logs of their hosts"
                .to_owned()
        },
        |killed| format!("{killed}; the solve or the build needs more than the worker may use, so give the workers more memory"),
    );
    let message = format!("the build was given up after {lost} workers were lost while they had it: {reason}");
    Error::unexpected("build environment", message)
}

/// What a panic says, as an error.
pub(super) fn panicked(panic: &(dyn Any + Send)) -> Error {
    let words = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    let message = format!("the work met a defect of conda-store: {}", words.unwrap_or("it panicked without a word"));
    Error::unexpected("build environment", message)
}

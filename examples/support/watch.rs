//! Environments described by files: workers look at them as the files come and change (`watch_paths`).

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use conda_store_core::{
    job::Job,
    model::NamespaceName,
    queue::{Enqueued, Queue},
};
use notify::{RecursiveMode, Watcher};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// How often the files are looked at where nothing tells of changes, as on network file systems.
const POLL: Duration = Duration::from_secs(10);

/// How long after a change the files are looked at, so that whoever writes one can finish.
const SETTLE: Duration = Duration::from_millis(200);

/// How often a look is asked for while the queue has one already that may have begun before the change.
const AGAIN: Duration = Duration::from_millis(500);

/// How often that is done before the files are looked at anyway.
const TRIES: u32 = 20;

/// Asks for looks at files, whose environments are built in one namespace. Whichever worker is free makes the look.
#[derive(Debug)]
pub struct Watch {
    queue: Arc<dyn Queue>,
    namespace: NamespaceName,
    paths: BTreeSet<PathBuf>,
}

impl Watch {
    /// Watches `paths`, files or directories of `.yaml` and `.yml` files, for `namespace`.
    #[must_use]
    pub fn new(queue: Arc<dyn Queue>, namespace: NamespaceName, paths: &[PathBuf]) -> Self {
        // The worker that looks may have another working directory. A path of which nothing can be made is reported by it.
        let absolute = |path: &PathBuf| std::path::absolute(path).unwrap_or_else(|_| path.clone());
        Self { queue, namespace, paths: paths.iter().map(absolute).collect() }
    }

    /// Watches until `shutdown` fires.
    pub async fn run(self, shutdown: CancellationToken) {
        if self.paths.is_empty() {
            return;
        }
        let changed = Arc::new(Notify::new());
        // It stops to tell when it is dropped.
        let _teller = self.tell(&changed);
        let job = Job::WatchPaths { namespace: self.namespace.clone(), paths: self.paths.clone() };
        let mut tries = 0;
        while !shutdown.is_cancelled() {
            tries = if self.hand_in(&job).await { 0 } else { tries };
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = changed.notified() => {
                    tokio::time::sleep(SETTLE).await;
                    tries = TRIES;
                }
                () = tokio::time::sleep(AGAIN), if tries > 0 => tries -= 1,
                () = tokio::time::sleep(POLL) => {}
            }
        }
    }

    /// Asks for a look, and says whether one that begins from now on is sure to come. One that is under way already may have
    /// passed by a file before it changed.
    async fn hand_in(&self, job: &Job) -> bool {
        let handed_in = self.queue.enqueue(job.enqueueable()).await;
        if let Err(error) = &handed_in {
            tracing::warn!(error = error.report(), "the queue takes no look at watched files; it is asked again");
        }
        handed_in.is_ok_and(|enqueued| enqueued == Enqueued::New)
    }

    /// Has the operating system tell of changes, as far as it can.
    fn tell(&self, changed: &Arc<Notify>) -> Option<notify::RecommendedWatcher> {
        let told = Arc::clone(changed);
        let mut watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            if event.is_ok_and(|event| !event.kind.is_access()) {
                told.notify_one();
            }
        })
        .inspect_err(|error| tracing::warn!(%error, "changes of watched files are noticed late"))
        .ok()?;
        for path in &self.paths {
            // Editors put a new file in the place of an old one: only its directory tells of that.
            let directory = if path.is_dir() { path.as_path() } else { path.parent().unwrap_or(Path::new("/")) };
            if let Err(error) = watcher.watch(directory, RecursiveMode::NonRecursive) {
                tracing::warn!(watch.path = %path.display(), %error, "changes of a watched path are noticed late");
            }
        }
        Some(watcher)
    }
}

//! The kinds of work that go through the queue, and who does them.

use std::{collections::BTreeSet, path::PathBuf, time::Duration};

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tokio_util::sync::CancellationToken;

use crate::{
    Error, Result,
    clock::Timestamp,
    model::{ArtifactType, BuildId, EnvironmentName, NamespaceName, SolveId},
    queue::{JobName, NewJob, Priority, RetryPolicy},
    text::texts,
};

/// What a worker is asked to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Job {
    /// Solve and build an environment.
    Build {
        /// Which one.
        build_id: BuildId,
    },
    /// Solve a specification for somebody who waits for the answer.
    Solve {
        /// Which solve.
        solve_id: SolveId,
    },
    /// Make an artifact of a completed build.
    Artifact {
        /// The build.
        build_id: BuildId,
        /// What is made of it.
        artifact_type: ArtifactType,
    },
    /// Make the symlink of an environment lead to its current build, and tell of it.
    CurrentBuild {
        /// The environment's namespace.
        namespace: NamespaceName,
        /// Its name.
        environment: EnvironmentName,
    },
    /// Remove what a deleted build left behind.
    DeleteBuild {
        /// Which one.
        build_id: BuildId,
    },
    /// Enqueue the removal of each deleted build that left something behind.
    Deletions,
    /// Enqueue again what the queue lost, and end what nobody will finish.
    Sweep,
    /// Measure the disks.
    StorageMetrics,
    /// Bring the index of the channels' packages up to date.
    IndexChannels,
    /// Remove blobs that nothing leads to.
    Orphans,
    /// Delete builds that are kept no longer.
    Retention,
    /// Have built what files describe that are new or changed. Whoever watches them hands it in, again and again.
    WatchPaths {
        /// The namespace of the environments.
        namespace: NamespaceName,
        /// Files, or directories of `.yaml` and `.yml` files: absolute paths in UTF-8, the same for every worker.
        paths: BTreeSet<PathBuf>,
    },
}

/// What a [`Job`] is about, without which one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum JobKind {
    /// [`Job::Build`]
    Build,
    /// [`Job::Solve`]
    Solve,
    /// [`Job::Artifact`]
    Artifact,
    /// [`Job::CurrentBuild`]
    CurrentBuild,
    /// [`Job::DeleteBuild`]
    DeleteBuild,
    /// [`Job::Deletions`]
    Deletions,
    /// [`Job::Sweep`]
    Sweep,
    /// [`Job::StorageMetrics`]
    StorageMetrics,
    /// [`Job::IndexChannels`]
    IndexChannels,
    /// [`Job::Orphans`]
    Orphans,
    /// [`Job::Retention`]
    Retention,
    /// [`Job::WatchPaths`]
    WatchPaths,
}

texts!(JobKind, "kind of job", {
    Build = "build",
    Solve = "solve",
    Artifact = "artifact",
    CurrentBuild = "current_build",
    DeleteBuild = "delete_build",
    Deletions = "deletions",
    Sweep = "sweep",
    StorageMetrics = "storage_metrics",
    IndexChannels = "index_channels",
    Orphans = "orphans",
    Retention = "retention",
    WatchPaths = "watch_paths",
});

impl JobKind {
    /// How urgent its jobs are.
    #[must_use]
    pub fn priority(self) -> Priority {
        match self {
            // Somebody waits for artifacts, too; behind every build, those of one namespace would wait for all others'.
            // The sweep is short, and everything relies on it: where builds never stop waiting it would never come. Nor
            // would a look at files, which is as short.
            Self::Build | Self::Solve | Self::Artifact | Self::CurrentBuild | Self::Sweep | Self::WatchPaths => {
                Priority::INTERACTIVE
            }
            Self::DeleteBuild | Self::Deletions => Priority::FOLLOW_UP,
            Self::StorageMetrics | Self::IndexChannels | Self::Orphans | Self::Retention => Priority::PERIODIC,
        }
    }

    /// Whether each of its jobs has a row in the catalogue that wants it done, such as that of a build.
    #[must_use]
    pub fn has_own_row(self) -> bool {
        matches!(self, Self::Build | Self::Solve | Self::Artifact | Self::DeleteBuild)
    }

    /// After which time its jobs are due again; none where they are due only when they are handed in.
    #[must_use]
    pub fn every(self) -> Option<Duration> {
        match self {
            Self::Build
            | Self::Solve
            | Self::CurrentBuild
            | Self::Artifact
            | Self::DeleteBuild
            | Self::Deletions
            | Self::WatchPaths => None,
            Self::Sweep => Some(Duration::from_secs(10)),
            Self::StorageMetrics => Some(Duration::from_mins(1)),
            Self::IndexChannels => Some(Duration::from_mins(15)),
            Self::Retention => Some(Duration::from_hours(1)),
            Self::Orphans => Some(Duration::from_hours(24)),
        }
    }

    /// Whether its jobs come again and again: after their interval, or because somebody goes on to hand them in.
    #[must_use]
    pub fn comes_again(self) -> bool {
        self.every().is_some() || self == Self::WatchPaths
    }

    /// When and how often its jobs are tried again.
    #[must_use]
    pub fn retry(self) -> RetryPolicy {
        match self {
            // The next look is handed in soon, and must not be taken for this one that waits for another attempt.
            Self::WatchPaths => RetryPolicy { attempts: 1, ..RetryPolicy::default() },
            _ => RetryPolicy::default(),
        }
    }
}

impl Job {
    /// Its kind.
    #[must_use]
    pub fn kind(&self) -> JobKind {
        match self {
            Self::Build { .. } => JobKind::Build,
            Self::Solve { .. } => JobKind::Solve,
            Self::Artifact { .. } => JobKind::Artifact,
            Self::CurrentBuild { .. } => JobKind::CurrentBuild,
            Self::DeleteBuild { .. } => JobKind::DeleteBuild,
            Self::Deletions => JobKind::Deletions,
            Self::Sweep => JobKind::Sweep,
            Self::StorageMetrics => JobKind::StorageMetrics,
            Self::IndexChannels => JobKind::IndexChannels,
            Self::Orphans => JobKind::Orphans,
            Self::Retention => JobKind::Retention,
            Self::WatchPaths { .. } => JobKind::WatchPaths,
        }
    }

    /// The name under which the queue knows it.
    #[must_use]
    pub fn name(&self) -> JobName {
        JobName(match self {
            Self::Build { build_id } => format!("build/{build_id}"),
            Self::Solve { solve_id } => format!("solve/{solve_id}"),
            Self::Artifact { build_id, artifact_type } => format!("artifact/{build_id}/{artifact_type}"),
            Self::CurrentBuild { namespace, environment } => format!("current-build/{namespace}/{environment}"),
            Self::DeleteBuild { build_id } => format!("delete-build/{build_id}"),
            Self::Deletions => "deletions".into(),
            Self::Sweep => "sweep".into(),
            Self::StorageMetrics => "storage-metrics".into(),
            Self::IndexChannels => "index-channels".into(),
            Self::Orphans => "orphans".into(),
            Self::Retention => "retention".into(),
            Self::WatchPaths { namespace, paths } => format!("watch-paths/{namespace}/{}", digest(paths)),
        })
    }

    /// The job as it is handed to the queue.
    #[must_use]
    pub fn enqueueable(&self) -> NewJob {
        NewJob {
            name: self.name(),
            payload: serde_json::to_value(self).unwrap_or_default(),
            priority: self.kind().priority(),
            group: None,
            delay: Duration::ZERO,
            retry: self.kind().retry(),
            every: self.kind().every(),
        }
    }

    /// The job in a lease's payload.
    ///
    /// # Errors
    /// [`Invalid`](crate::ErrorKind::Invalid) where the payload is no job of this version.
    pub fn from_payload(payload: &serde_json::Value) -> Result<Self> {
        Self::deserialize(payload)
            .map_err(|error| Error::invalid("read job", format!("the queue holds a job of an unknown kind: {error}")))
    }
}

/// Tells paths from all others: the first 64 bits of a SHA-256, in hexadecimal.
fn digest(paths: &BTreeSet<PathBuf>) -> String {
    let mut hasher = Sha256::new();
    for path in paths {
        hasher.update(path.as_os_str().as_encoded_bytes());
        // No path has this byte.
        hasher.update([0]);
    }
    hex::encode(&hasher.finalize()[..8])
}

/// How an attempt at a job ended, where it did not fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Done, canceled, or failed for good and recorded: it need not come again.
    Done,
    /// Not done through no fault of its own, for example because the worker stops: hand it back.
    HandBack,
}

/// Why a running job is told to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// Somebody canceled it.
    Canceled,
    /// The lease was lost; another worker may have it already.
    Stale,
    /// The worker shuts down.
    Shutdown,
    /// Somebody else does the same just now; what is waited for will be there later, and other jobs can have this place.
    GiveWay,
}

/// What a handler knows about the attempt it makes.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// Who makes it.
    pub worker: String,
    /// Its number, from 1.
    pub number: u32,
    /// How many there are at most; a `number` above it means that every attempt was lost.
    pub limit: u32,
    /// How long the lease lasts without a heartbeat.
    pub lease: Duration,
    /// Fires when the work must stop; [`Attempt::stop_reason`] says why.
    pub cancellation: CancellationToken,
    /// Why it must stop.
    pub stop: std::sync::Arc<std::sync::OnceLock<Stop>>,
}

impl Attempt {
    /// Why the work must stop, once it must.
    #[must_use]
    pub fn stop_reason(&self) -> Option<Stop> {
        self.stop.get().copied()
    }

    /// Tells the work to stop, for the first reason given.
    pub fn stop(&self, reason: Stop) {
        let _first = self.stop.set(reason);
        self.cancellation.cancel();
    }

    /// Does `work`, which can be dropped at any moment, unless it must stop before; it is handed back then where the worker
    /// shuts down.
    pub(crate) async fn unless_stopped(&self, work: impl Future<Output = Result<()>>) -> Result<Outcome> {
        match self.cancellation.run_until_cancelled(work).await {
            Some(done) => done.map(|()| Outcome::Done),
            None if self.stop_reason() == Some(Stop::Shutdown) => Ok(Outcome::HandBack),
            None => Ok(Outcome::Done),
        }
    }
}

/// A worker as it presents itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkerIdentity {
    /// The name under which it leases; no other worker has it.
    pub name: String,
    /// The name of its machine.
    pub host: String,
    /// The number of its process there.
    pub process: u32,
    /// How many jobs it does at the same time.
    pub concurrency: usize,
    /// When it began to take jobs.
    pub started_on: Timestamp,
}

/// Does jobs. `CondaStore` is the one that ships; the worker loop knows only this.
///
/// # Contract
/// - [`handle`](Self::handle) returns soon after the attempt's cancellation fires, with nothing left behind.
/// - An error means that the job shall be tried again under its retry policy.
/// - [`pulse`](Self::pulse) is called four times a second while a job runs, renews what the handler holds, and says
///   whether to stop.
/// - [`worker_is_there`](Self::worker_is_there) is called every few seconds from the worker's start to its end, also
///   while no job runs, and [`worker_is_gone`](Self::worker_is_gone) when it came to its end by itself.
#[async_trait]
pub trait JobHandler: std::fmt::Debug + Send + Sync + 'static {
    /// Does the job.
    async fn handle(&self, job: &Job, attempt: &Attempt) -> Result<Outcome>;

    /// Asks whether the job shall go on.
    async fn pulse(&self, job: &Job, attempt: &Attempt) -> Result<Option<Stop>>;

    /// The jobs that are to be due again and again.
    fn periodic(&self) -> Vec<Job>;

    /// Is told that those jobs are in the queue. Comes every few seconds.
    async fn periodic_handed_in(&self, _jobs: &[Job]) -> Result<()> {
        Ok(())
    }

    /// Is told that the worker is there.
    async fn worker_is_there(&self, _worker: &WorkerIdentity) -> Result<()> {
        Ok(())
    }

    /// Is told that the worker is no longer there.
    async fn worker_is_gone(&self, _worker: &WorkerIdentity) -> Result<()> {
        Ok(())
    }
}

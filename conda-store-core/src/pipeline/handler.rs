//! Jobs as they come from the queue.

use std::time::Duration;

use async_trait::async_trait;

use super::running::Claimed;
use crate::{
    ErrorKind, Result,
    catalogue::{Claim, StorageMetrics},
    conda_store::CondaStore,
    disk::Space,
    install,
    job::{Attempt, Job, JobHandler, Outcome, Stop, WorkerIdentity},
    model::{BuildId, BuildStatus},
};

#[async_trait]
impl JobHandler for CondaStore {
    async fn handle(&self, job: &Job, attempt: &Attempt) -> Result<Outcome> {
        self.note_begin(job, attempt).await;
        let ended = Box::pin(self.attend_to(job, attempt)).await;
        self.note_end(job, attempt, &ended).await;
        match (job, ended) {
            // What is wrong with files has been reported and written down; trying again makes it no better.
            (Job::WatchPaths { .. }, Err(error)) if error.kind() == ErrorKind::Invalid => Ok(Outcome::Done),
            (_, ended) => ended,
        }
    }

    async fn pulse(&self, job: &Job, attempt: &Attempt) -> Result<Option<Stop>> {
        let build_id = match job {
            Job::Build { build_id } => build_id,
            Job::Solve { solve_id } => return self.stop_of_solve(solve_id).await,
            Job::Artifact { build_id, artifact_type } => return self.stop_of_artifact(*build_id, *artifact_type).await,
            _ => return Ok(None),
        };
        let Some(claimed) = self.parts().running.get(*build_id) else { return Ok(None) };
        // Reading is enough to learn of a stop; the claim is written anew well before it ends.
        let due = self.clock().now().since(claimed.confirmed) >= attempt.lease / RENEWALS;
        let asked = self.clock().now();
        let answer = if due {
            self.catalogue().renew_build(*build_id, claimed.attempt, attempt.lease).await
        } else {
            self.catalogue().stop_of_build(*build_id, claimed.attempt).await
        };
        let now = self.clock().now();
        match answer {
            Ok(None) if due => {
                self.parts().running.confirm(*build_id, asked);
                Ok(None)
            }
            Ok(stop) => Ok(stop),
            // Another worker may have the build by now, and the catalogue cannot tell.
            Err(_) if now.since(claimed.confirmed) >= attempt.lease => Ok(Some(Stop::Stale)),
            Err(error) => Err(error),
        }
    }

    fn periodic(&self) -> Vec<Job> {
        vec![Job::Sweep, Job::StorageMetrics, Job::IndexChannels, Job::Orphans, Job::Retention]
    }

    async fn periodic_handed_in(&self, jobs: &[Job]) -> Result<()> {
        self.catalogue().note_jobs(jobs).await
    }

    async fn worker_is_there(&self, worker: &WorkerIdentity) -> Result<()> {
        self.catalogue().see_worker(worker, env!("CARGO_PKG_VERSION")).await
    }

    async fn worker_is_gone(&self, worker: &WorkerIdentity) -> Result<()> {
        self.catalogue().forget_worker(&worker.name).await
    }
}

impl CondaStore {
    async fn attend_to(&self, job: &Job, attempt: &Attempt) -> Result<Outcome> {
        match job {
            Job::Build { build_id } => self.handle_build(*build_id, attempt).await,
            Job::Solve { solve_id } => self.handle_solve(solve_id, attempt).await,
            Job::Artifact { build_id, artifact_type } => self.handle_artifact(*build_id, *artifact_type, attempt).await,
            Job::CurrentBuild { namespace, environment } => {
                self.follow_current_build(namespace, environment).await.map(|()| Outcome::Done)
            }
            Job::DeleteBuild { build_id } => self.handle_deletion(*build_id, attempt).await,
            Job::Deletions => self.enqueue_deletions().await.map(|()| Outcome::Done),
            Job::IndexChannels => self.index_channels(attempt).await,
            Job::Sweep => {
                self.sweep().await?;
                self.sweep_solves().await?;
                self.sweep_artifacts().await?;
                self.tidy().await.map(|()| Outcome::Done)
            }
            Job::StorageMetrics => self.measure_storage().await.map(|()| Outcome::Done),
            Job::Orphans => self.remove_orphans(&attempt.cancellation).await.map(|_| Outcome::Done),
            Job::Retention => attempt.unless_stopped(Box::pin(self.remove_old_builds())).await,
            Job::WatchPaths { namespace, paths } => {
                attempt.unless_stopped(Box::pin(self.look_at_files(namespace, paths))).await
            }
        }
    }

    async fn handle_build(&self, build_id: BuildId, attempt: &Attempt) -> Result<Outcome> {
        let (number, lost) = match self.catalogue().claim_build(build_id, &attempt.worker, attempt.lease).await? {
            Claim::Started { attempt, lost } => (attempt, lost),
            // A worker may have been lost between completing the build and what follows of it.
            Claim::Over(BuildStatus::Completed) => {
                self.settle(build_id).await?;
                return self.hand_in_artifacts(build_id).await.map(|()| Outcome::Done);
            }
            // Whoever has it finishes it; if not, the sweeper enqueues it again.
            Claim::Busy { .. } | Claim::Over(_) | Claim::Missing => return Ok(Outcome::Done),
        };
        let claimed = Claimed { attempt: number, confirmed: self.clock().now() };
        let _entered = self.parts().running.enter(build_id, claimed);
        self.attempt_build(build_id, number, lost, attempt).await
    }

    /// Removes what builds said a while ago, gathers what they have in common, and adds up how much they take.
    async fn tidy(&self) -> Result<()> {
        self.catalogue().remove_events(EVENTS_KEPT).await?;
        self.tidy_journal().await?;
        self.catalogue().update_build_facts().await?;
        self.catalogue().fold_usage().await
    }

    /// Enqueues again what the queue lost.
    async fn sweep(&self) -> Result<()> {
        let mut after = None;
        loop {
            let builds = self.catalogue().unfinished_builds(SETTLED, after, SWEPT_AT_ONCE).await?;
            after = self.enqueue_jobs(&builds, |build_id| Job::Build { build_id }).await?;
            if after.is_none() {
                break;
            }
        }
        let others = self.catalogue().unbegun_jobs(SETTLED, SWEPT_AT_ONCE).await?;
        self.enqueue_each(&others).await?;
        self.enqueue_deletions().await
    }

    /// Enqueues the removal of what deleted builds left behind.
    async fn enqueue_deletions(&self) -> Result<()> {
        let mut after = None;
        loop {
            let builds = self.catalogue().unfinished_deletions(after, SWEPT_AT_ONCE).await?;
            after = self.enqueue_jobs(&builds, |build_id| Job::DeleteBuild { build_id }).await?;
            if after.is_none() {
                return Ok(());
            }
        }
    }

    /// Enqueues a job for each of `builds`; gives the last of them where others may follow.
    async fn enqueue_jobs(&self, builds: &[BuildId], job: fn(BuildId) -> Job) -> Result<Option<BuildId>> {
        self.enqueue_each(&builds.iter().copied().map(job).collect::<Vec<_>>()).await?;
        Ok(if builds.len() < SWEPT_AT_ONCE as usize { None } else { builds.last().copied() })
    }

    async fn measure_storage(&self) -> Result<()> {
        let directory = self.layout().store_directory().to_owned();
        let space = install::blocking("measure disk", move || Space::of(&directory)).await?;
        let bytes = |count: u64| Some(i64::try_from(count).unwrap_or(i64::MAX));
        let metrics = StorageMetrics {
            disk_usage: bytes(space.total.saturating_sub(space.free)),
            free_storage: bytes(space.free),
            total_storage: bytes(space.total),
        };
        self.catalogue().set_storage_metrics(metrics).await
    }
}

/// How often a claim is renewed in the time that it lasts.
const RENEWALS: u32 = 3;

/// A build, or another job, this young is most likely on its way into the queue.
pub(super) const SETTLED: Duration = Duration::from_secs(5);

/// How many builds, artifacts or other jobs are looked at in one query.
pub(super) const SWEPT_AT_ONCE: u32 = 500;

/// How long the events of a build can be watched after its end; its log stays.
const EVENTS_KEPT: Duration = Duration::from_hours(24);

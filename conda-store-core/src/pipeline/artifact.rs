//! What is made of a completed build, each artifact in a job of its own.
//!
//! The catalogue says which artifacts are still to be made; a job that the queue loses is enqueued again by the sweeper.
//! Nobody claims an artifact: equal builds have equal artifacts and storage replaces a blob in one step, so it does no harm
//! that two workers make one at the same time.

use std::panic::AssertUnwindSafe;

use futures::FutureExt;
use rattler_conda_types::Subdir;

use super::{attempt::panicked, handler::SWEPT_AT_ONCE};
use crate::{
    Error, Result, artifact,
    catalogue::{ArtifactProgress, ArtifactState},
    conda_store::CondaStore,
    error::ErrorKind,
    job::{Attempt, Job, Outcome, Stop},
    lockfile::PipPackage,
    model::{ArtifactType, Build, BuildId, BuildStatus},
    storage::{Body, StorageExt},
};

/// The most of a log that is read to add to it.
const LARGEST_LOG: u64 = 64 * 1024 * 1024;

impl CondaStore {
    /// Has an artifact of a completed build made, also where it is there or failed before.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] for an unknown build, [`ErrorKind::Conflict`] for one that is not completed or was deleted,
    /// [`ErrorKind::Invalid`] for what is not made of completed builds.
    pub async fn make_artifact(&self, build_id: BuildId, artifact_type: ArtifactType) -> Result<()> {
        const OPERATION: &str = "make artifact";
        if !artifact::MADE.contains(&artifact_type) {
            let made = artifact::MADE.map(ArtifactType::as_str).join(", ");
            let message = format!("{artifact_type} cannot be asked for; {made} can");
            return Err(Error::invalid(OPERATION, message));
        }
        let build = self.catalogue().build(build_id).await?.ok_or_else(|| super::gone(build_id))?;
        if !has_environment(&build) {
            let message = format!("build {build_id} has no environment that {artifact_type} could be made of");
            return Err(Error::new(ErrorKind::Conflict, OPERATION, message));
        }
        self.catalogue().set_artifact_state(build_id, &ArtifactProgress::pending(artifact_type)).await?;
        self.hand_in(&Job::Artifact { build_id, artifact_type }).await;
        Ok(())
    }

    /// Enqueues the artifacts of a build that are to be made.
    pub(super) async fn hand_in_artifacts(&self, build_id: BuildId) -> Result<()> {
        for progress in self.catalogue().artifact_states(build_id).await? {
            if progress.state == ArtifactState::Pending {
                self.hand_in(&Job::Artifact { build_id, artifact_type: progress.artifact_type }).await;
            }
        }
        Ok(())
    }

    /// Enqueues again the artifacts that the queue lost.
    pub(super) async fn sweep_artifacts(&self) -> Result<()> {
        let mut after = None;
        loop {
            let pending = self.catalogue().pending_artifacts(after, SWEPT_AT_ONCE).await?;
            let job = |(build_id, artifact_type): &(_, _)| Job::Artifact {
                build_id: *build_id,
                artifact_type: *artifact_type,
            };
            self.enqueue_each(&pending.iter().map(job).collect::<Vec<_>>()).await?;
            after = pending.last().copied();
            if pending.len() < SWEPT_AT_ONCE as usize {
                return Ok(());
            }
        }
    }

    /// Makes one artifact, unless it is there or nobody wants it any more.
    pub(super) async fn handle_artifact(
        &self,
        build_id: BuildId,
        artifact_type: ArtifactType,
        attempt: &Attempt,
    ) -> Result<Outcome> {
        let build = self.catalogue().build(build_id).await?.filter(has_environment);
        let wanted = self.wants(build_id, artifact_type).await?;
        let Some(build) = build.filter(|_| wanted) else { return Ok(Outcome::Done) };
        let making = AssertUnwindSafe(self.make(&build, artifact_type, attempt)).catch_unwind();
        let made = making.await.unwrap_or_else(|panic| Err(panicked(panic.as_ref())));
        match (made, attempt.stop_reason()) {
            (Err(error), _) if error.kind() == ErrorKind::Cancelled && attempt.stop_reason().is_none() => {}
            (Ok(progress), _) => self.catalogue().set_artifact_state(build_id, &progress).await?,
            (Err(_), Some(Stop::Shutdown)) => return Ok(Outcome::HandBack),
            (Err(_), Some(Stop::Canceled | Stop::Stale | Stop::GiveWay)) => {}
            (Err(error), None) if error.is_temporary() && attempt.number < attempt.limit => return Err(error),
            (Err(error), None) => self.give_up_artifact(&build, artifact_type, &error).await?,
        }
        Ok(Outcome::Done)
    }

    /// Whether the artifact is still to be made.
    async fn wants(&self, build_id: BuildId, artifact_type: ArtifactType) -> Result<bool> {
        let states = self.catalogue().artifact_states(build_id).await?;
        Ok(states.contains(&ArtifactProgress::pending(artifact_type)))
    }

    /// Why the making of an artifact has to stop, if it has to.
    pub(super) async fn stop_of_artifact(
        &self,
        build_id: BuildId,
        artifact_type: ArtifactType,
    ) -> Result<Option<Stop>> {
        Ok(if self.wants(build_id, artifact_type).await? { None } else { Some(Stop::Canceled) })
    }

    async fn make(&self, build: &Build, artifact_type: ArtifactType, attempt: &Attempt) -> Result<ArtifactProgress> {
        if attempt.number > attempt.limit {
            return Err(lost(attempt.limit));
        }
        let settings = self.settings(&build.namespace, Some(&build.environment)).await?;
        let request = artifact::Request {
            prefix: self.layout().build_path(build)?,
            name: build.environment.clone(),
            build_key: self.build_key(build)?,
            channel_alias: settings.conda_channel_alias,
            archive_format: settings.archive_format,
            pip: if artifact_type == ArtifactType::Sbom { self.pip_packages(build).await? } else { Vec::new() },
        };
        let making = artifact::make(artifact_type, request, self.storage().as_ref());
        let stopped = || Error::new(ErrorKind::Cancelled, "make artifact", "the work was told to stop");
        let made = attempt.cancellation.run_until_cancelled(making).await.ok_or_else(stopped)??;
        if !self.catalogue().build(build.id).await?.is_some_and(|build| has_environment(&build)) {
            // It was deleted meanwhile, and nobody would remove this.
            self.storage().delete(&made.key).await?;
            return Err(Error::new(ErrorKind::Cancelled, "make artifact", "the build was deleted"));
        }
        self.catalogue().add_artifact(build.id, artifact_type, made.key.as_str()).await?;
        // It was of another format before.
        for former in self.catalogue().artifacts(build.id).await? {
            if former.artifact_type == artifact_type && former.key != made.key.as_str() {
                self.remove_artifact(build, &former).await?;
            }
        }
        Ok(ArtifactProgress {
            artifact_type,
            state: ArtifactState::Done,
            message: None,
            sha256: Some(made.sha256),
            size: Some(i64::try_from(made.size).unwrap_or(i64::MAX)),
        })
    }

    /// What pip installed on this platform, as far as the lockfile of the build is there to say so.
    async fn pip_packages(&self, build: &Build) -> Result<Vec<PipPackage>> {
        let Some(lockfile) = self.lockfile(build).await? else { return Ok(Vec::new()) };
        Ok(Subdir::current().map(|platform| lockfile.pip_packages(platform)).unwrap_or_default())
    }

    /// Writes down that an artifact cannot be made. The build stays completed.
    async fn give_up_artifact(&self, build: &Build, artifact_type: ArtifactType, error: &Error) -> Result<()> {
        tracing::warn!(build.id = %build.id, artifact = %artifact_type, error = error.report(), "could not make an artifact");
        let failed = ArtifactProgress {
            state: ArtifactState::Failed,
            message: Some(error.to_string()),
            ..ArtifactProgress::pending(artifact_type)
        };
        let logged = self.add_to_log(build, &format!("{artifact_type} could not be made: {}", error.report())).await;
        if let Err(error) = logged {
            tracing::warn!(build.id = %build.id, error = error.report(), "could not add to the log of a build");
        }
        self.catalogue().set_artifact_state(build.id, &failed).await
    }

    async fn add_to_log(&self, build: &Build, line: &str) -> Result<()> {
        let key = format!("logs/{}.log", self.build_key(build)?).parse()?;
        let _alone = self.parts().log.lock().await;
        let log = self.storage().read(&key, LARGEST_LOG).await?;
        let line = format!("[{}] {line}\n", self.clock().now());
        let log = [log.as_ref(), line.as_bytes()].concat();
        let described = ArtifactProgress::done(ArtifactType::Logs, &log);
        self.storage().put(&key, Body::from(log)).await?;
        self.catalogue().set_artifact_state(build.id, &described).await
    }
}

fn has_environment(build: &Build) -> bool {
    build.status == BuildStatus::Completed && build.deleted_on.is_none()
}

fn lost(workers: u32) -> Error {
    let message = format!(
        "{workers} workers were lost while they made it: most often a worker is killed (signal 9) because it needs more \
         memory than it may use; look for an out-of-memory kill in the logs of their hosts, and ask for it again"
    );
    Error::unexpected("make artifact", message)
}

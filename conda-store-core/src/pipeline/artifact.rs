//! What is made of a completed build, each artifact in a job of its own.
//!
//! The catalogue says which artifacts are still to be made; a job that the queue loses is enqueued again by the sweeper.
//! Nobody claims an artifact: equal builds have equal artifacts and storage replaces a blob in one step, so it does no harm
//! that two workers make one at the same time. Those of which the making is dear take turns at it all the same.

use std::panic::AssertUnwindSafe;

use futures::FutureExt;
use rattler_conda_types::Subdir;

use super::{attempt::panicked, handler::SWEPT_AT_ONCE};
use crate::{
    Error, Result,
    artifact::{self, Draft},
    catalogue::{ArtifactProgress, ArtifactState},
    conda_store::CondaStore,
    error::ErrorKind,
    job::{Attempt, Job, Outcome, Stop},
    lockfile::PipPackage,
    model::{ArtifactType, Build, BuildId, BuildStatus},
    storage::{Body, StorageExt},
};

pub(super) const OPERATION: &str = "make artifact";

/// The most of a log that is read to add to it.
const LARGEST_LOG: u64 = 64 * 1024 * 1024;

impl CondaStore {
    /// Has an artifact of a completed build made, also where it is there or failed before.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] for an unknown build, [`ErrorKind::Conflict`] for one that is not completed or was deleted,
    /// [`ErrorKind::Invalid`] for what is not made of completed builds.
    pub async fn make_artifact(&self, build_id: BuildId, artifact_type: ArtifactType) -> Result<()> {
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
            (Ok(()), _) | (Err(_), Some(Stop::Canceled | Stop::Stale)) => {}
            (Err(_), Some(Stop::Shutdown | Stop::GiveWay)) => return Ok(Outcome::HandBack),
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

    /// Makes an artifact and writes down that it is there.
    async fn make(&self, build: &Build, artifact_type: ArtifactType, attempt: &Attempt) -> Result<()> {
        if attempt.number > attempt.limit {
            return Err(lost(attempt.limit));
        }
        let request = self.request(build, artifact_type).await?;
        let making = async {
            let draft = Draft::read(artifact_type, request).await?;
            let packages = draft.packages();
            // Until the catalogue says where the artifact is, others wait.
            let turn = self.turn(packages.as_deref(), attempt).await?;
            Ok::<_, Error>((self.make_or_copy(&draft, packages, build.id, artifact_type).await?, turn))
        };
        let stopped = || Error::new(ErrorKind::Cancelled, OPERATION, "the work was told to stop");
        let ((made, made_of), _turn) = attempt.cancellation.run_until_cancelled(making).await.ok_or_else(stopped)??;
        if !self.catalogue().build(build.id).await?.is_some_and(|build| has_environment(&build)) {
            // It was deleted meanwhile, and nobody would remove this.
            self.storage().delete(&made.key).await?;
            return Err(Error::new(ErrorKind::Cancelled, OPERATION, "the build was deleted"));
        }
        self.catalogue().add_artifact(build.id, artifact_type, made.key.as_str()).await?;
        // It was of another format before.
        for former in self.catalogue().artifacts(build.id).await? {
            if former.artifact_type == artifact_type && former.key != made.key.as_str() {
                self.remove_artifact(build, &former).await?;
            }
        }
        let done = ArtifactProgress {
            state: ArtifactState::Done,
            sha256: Some(made.sha256),
            size: Some(i64::try_from(made.size).unwrap_or(i64::MAX)),
            ..ArtifactProgress::pending(artifact_type)
        };
        self.catalogue().set_artifact_state(build.id, &done).await?;
        // The artifact is there, whether others can find it or not.
        if let Err(error) = self.catalogue().set_made_of(build.id, artifact_type, made_of.as_ref()).await {
            tracing::warn!(build.id = %build.id, error = error.report(), "an artifact is not shared with other builds");
        }
        Ok(())
    }

    /// What the artifact of a build is to be made of.
    async fn request(&self, build: &Build, artifact_type: ArtifactType) -> Result<artifact::Request> {
        let settings = self.settings(&build.namespace, Some(&build.environment)).await?;
        Ok(artifact::Request {
            prefix: self.layout().build_path(build)?,
            name: build.environment.clone(),
            build_key: self.build_key(build)?,
            channel_alias: settings.conda_channel_alias,
            archive_format: settings.archive_format,
            pip: if artifact_type == ArtifactType::Sbom { self.pip_packages(build).await? } else { Vec::new() },
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
    Error::unexpected(OPERATION, message)
}

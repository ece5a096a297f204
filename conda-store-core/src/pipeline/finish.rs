//! The end of an attempt: completed, failed, canceled, or handed to another worker.

use std::path::Path;

use uuid::Uuid;

use super::{attempt::Run, steps::Built};
use crate::{
    Error, Result, artifact, build_key,
    catalogue::{ArtifactProgress, BuildResult},
    conda_store::CondaStore,
    error::ErrorKind,
    event::{BuildEvent, Reporter as _, ReporterExt},
    job::{Outcome, Stop},
    model::{ArtifactType, Build, BuildId, EnvironmentName, NamespaceName},
    pipeline::gone,
};

impl Run<'_> {
    /// Records how the attempt ended.
    pub(super) async fn conclude(&self, result: Result<Built>) -> Result<Outcome> {
        match result {
            Ok(built) => self.complete(&built).await,
            Err(error) => self.stop_short(error).await,
        }
    }

    /// Ends an attempt that came to nothing. What others see is touched only if the build is certainly still this
    /// attempt's: after a suspension or an outage it may be another's, complete and in use.
    async fn stop_short(&self, error: Error) -> Result<Outcome> {
        let standing = self.store.catalogue().renew_build(self.build.id, self.number, self.attempt.lease).await;
        match (standing, self.attempt.stop_reason()) {
            (Err(unknown), _) => self.give_way().await.and(Err(unknown)),
            (Ok(Some(Stop::Canceled)), _) => self.cancel().await,
            (Ok(Some(_)), _) => self.give_way().await,
            (Ok(None), Some(Stop::Shutdown)) => self.hand_back("the worker stops").await.map(|()| Outcome::HandBack),
            (Ok(None), Some(Stop::GiveWay)) => {
                self.hand_back("another build is solving the same").await.map(|()| Outcome::HandBack)
            }
            (Ok(None), Some(Stop::Stale)) => {
                self.hand_back("the queue gave the job to another worker").await.map(|()| Outcome::Done)
            }
            (Ok(None), _) if error.is_temporary() && self.attempt.number < self.attempt.limit => {
                self.hand_back(&error.report()).await.and(Err(error))
            }
            (Ok(None), _) => self.fail(&error).await,
        }
    }

    async fn complete(&self, built: &Built) -> Result<Outcome> {
        let result = BuildResult {
            size: built.size,
            packages: &built.packages,
            make_current: true,
            artifacts: &artifact::made_of(&built.artifacts),
        };
        match self.store.catalogue().complete_build(self.build.id, self.number, result).await {
            Err(error) if error.kind() == ErrorKind::Stale => return self.stop_short(error).await,
            completed => completed?,
        };
        let directory = self.prefix.target().to_string_lossy();
        self.store.catalogue().add_artifact(self.build.id, ArtifactType::Directory, &directory).await?;
        self.store.settle(self.build.id).await?;
        self.close_log("completed").await;
        self.describe_log().await;
        // After the log is written: an artifact that fails adds to it.
        self.store.hand_in_artifacts(self.build.id).await?;
        Ok(Outcome::Done)
    }

    async fn fail(&self, error: &Error) -> Result<Outcome> {
        self.log.message(error.report());
        self.remove_prefix().await;
        // Whoever sees that it failed looks there for the reason.
        self.write_log().await;
        self.store.catalogue().fail_build(self.build.id, self.number, &error.to_string()).await?;
        self.close_log("failed").await;
        self.describe_log().await;
        self.store.tell_ended(self.build.id).await;
        Ok(Outcome::Done)
    }

    async fn cancel(&self) -> Result<Outcome> {
        self.remove_prefix().await;
        self.close_log("canceled").await;
        self.describe_log().await;
        let left = self.store.catalogue().leave_canceled_build(self.build.id, self.number).await;
        self.warn_if_failed("give up the claim on a canceled build", left);
        self.store.tell_ended(self.build.id).await;
        Ok(Outcome::Done)
    }

    /// Back to the queue, with nothing left behind.
    async fn hand_back(&self, reason: &str) -> Result<()> {
        self.remove_prefix().await;
        self.close_log(&format!("handed back: {reason}")).await;
        self.store.catalogue().release_build(self.build.id, self.number).await
    }

    /// Another worker may have the build: nothing but what is this attempt's alone is touched, not even the log.
    async fn give_way(&self) -> Result<Outcome> {
        tracing::warn!(build.id = %self.build.id, build.attempt = self.number, "the claim on a build was lost to another worker");
        self.warn_if_failed("remove a staging directory", self.prefix.discard_staging().await);
        Ok(Outcome::Done)
    }

    async fn remove_prefix(&self) {
        self.warn_if_failed("remove a half-built prefix", self.prefix.discard().await);
    }

    /// Puts the log where it can be read from now on.
    pub(super) async fn open_log(&self) -> Result<()> {
        self.log.flush(self.store.storage().as_ref(), &self.log_key).await?;
        self.store.catalogue().add_artifact(self.build.id, ArtifactType::Logs, self.log_key.as_str()).await.map(drop)
    }

    /// Tells those who watch that nothing follows.
    pub(super) async fn tell_end(&self) {
        self.log.report(BuildEvent::AttemptEnded { attempt: self.number });
        let flushed = self.events.flush(self.store.catalogue(), self.build.id, self.number).await;
        self.warn_if_failed("write the events of a build", flushed);
    }

    async fn close_log(&self, end: &str) {
        let phases: Vec<_> = self
            .log
            .phases()
            .iter()
            .map(|(phase, elapsed)| format!("{phase} {:.3} s", elapsed.as_secs_f64()))
            .collect();
        self.log.message(format!("{end} ({})", phases.join(", ")));
        self.warn_if_failed(
            "record the phases of a build",
            self.store.catalogue().record_phases(self.build.id, self.number, &self.log.phases()).await,
        );
        self.write_log().await;
    }

    async fn write_log(&self) {
        let flushed = self.log.flush(self.store.storage().as_ref(), &self.log_key).await;
        self.warn_if_failed("write the log of a build", flushed);
    }

    /// Writes down how large the log of an ended build is, and its hash. Before, it grows.
    async fn describe_log(&self) {
        let described = ArtifactProgress::done(ArtifactType::Logs, &self.log.text());
        let described = self.store.catalogue().set_artifact_state(self.build.id, &described).await;
        self.warn_if_failed("describe the log of a build", described);
    }

    /// What concerns only leftovers and logs must not turn a build's end into something else.
    fn warn_if_failed<T>(&self, what: &str, result: Result<T>) {
        if let Err(error) = result {
            tracing::warn!(build.id = %self.build.id, error = error.report(), "could not {what}");
        }
    }
}

impl CondaStore {
    /// Does what follows of a build that was completed. Doing it again changes nothing.
    pub(super) async fn settle(&self, build_id: BuildId) -> Result<()> {
        let build = self.catalogue().build(build_id).await?.ok_or_else(|| gone(build_id))?;
        if self.point_to_current(&build.namespace, &build.environment).await? == Some(build_id) {
            report_hook("current build changed", self.parts().hooks.current_build_changed(&build).await);
        }
        report_hook("build ended", self.parts().hooks.build_ended(&build).await);
        Ok(())
    }

    /// Does what follows of a change of an environment's current build.
    pub(super) async fn follow_current_build(&self, namespace: &NamespaceName, name: &EnvironmentName) -> Result<()> {
        let Some(current) = self.point_to_current(namespace, name).await? else { return Ok(()) };
        let build = self.catalogue().build(current).await?.ok_or_else(|| gone(current))?;
        report_hook("current build changed", self.parts().hooks.current_build_changed(&build).await);
        Ok(())
    }

    /// Fails a build of which not even the paths can be made.
    pub(super) async fn fail_unstarted(&self, build_id: BuildId, number: u32, error: &Error) -> Result<Outcome> {
        self.catalogue().fail_build(build_id, number, &error.to_string()).await?;
        self.tell_ended(build_id).await;
        Ok(Outcome::Done)
    }

    async fn tell_ended(&self, build_id: BuildId) {
        if let Ok(Some(build)) = self.catalogue().build(build_id).await {
            report_hook("build ended", self.parts().hooks.build_ended(&build).await);
        }
    }

    /// Makes the environment's symlink lead to its current build, also where another process changes it meanwhile.
    pub(crate) async fn point_to_current(
        &self,
        namespace: &NamespaceName,
        name: &EnvironmentName,
    ) -> Result<Option<BuildId>> {
        let mut pointed: Option<Build> = None;
        loop {
            let environment = self.catalogue().environment(namespace, name).await?;
            let current = environment.and_then(|environment| environment.current_build_id);
            if current == pointed.as_ref().map(|build| build.id) {
                return Ok(current);
            }
            let Some(build_id) = current else {
                // It was deleted while the symlink was made.
                if let Some(build) = pointed {
                    self.remove_link(&build).await?;
                }
                return Ok(None);
            };
            let build = self.catalogue().build(build_id).await?.ok_or_else(|| gone(build_id))?;
            let format = build_key::format(build.build_key_version)?;
            if let Some(link) = self.layout().environment_path(format, namespace, name)? {
                replace_symlink(&link, &self.layout().build_path(&build)?).await?;
            }
            pointed = Some(build);
        }
    }
}

fn report_hook(hook: &str, result: Result<()>) {
    if let Err(error) = result {
        tracing::warn!(hooks.name = hook, error = error.report(), "a hook failed");
    }
}

/// Makes `link` lead to `target`; at every moment it leads to the old or to the new one.
async fn replace_symlink(link: &Path, target: &Path) -> Result<()> {
    let failed = |error| Error::io("point environment to its current build", error).with("path", link.display());
    let parent = link.parent().unwrap_or(Path::new("/"));
    tokio::fs::create_dir_all(parent).await.map_err(failed)?;
    let temporary = parent.join(format!(".{}.link", Uuid::new_v4().simple()));
    tokio::fs::symlink(target, &temporary).await.map_err(failed)?;
    tokio::fs::rename(&temporary, link).await.map_err(failed)
}

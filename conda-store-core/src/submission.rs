//! What happens when somebody hands a specification in: checked, written to the catalogue, handed to a worker.

use crate::{
    Error, ErrorKind, Result,
    build_key::BuildKeyParts,
    catalogue::{NewBuild, NewSpecification},
    conda_store::CondaStore,
    disk::Space,
    job::Job,
    model::{Build, BuildId, EnvironmentName, NamespaceName},
    settings::Settings,
    specification::Specification,
    validator::{Action, ValidationContext},
};

impl CondaStore {
    /// Checks `specification`, completes it as the rules say, and queues a build of it.
    ///
    /// The build is written to the catalogue first; where the queue cannot be reached then, the sweeper hands it in
    /// later, and this succeeds all the same.
    ///
    /// # Errors
    /// What a validator objects to; [`ErrorKind::Unavailable`](crate::ErrorKind::Unavailable) where the catalogue cannot be reached.
    pub async fn submit(&self, namespace: &NamespaceName, specification: Specification) -> Result<Build> {
        let specification = self.complete(namespace, specification).await?;
        self.create_build(namespace, &specification, Some(specification.description())).await
    }

    /// Queues another build of what `build` was built of, under the rules that hold now.
    ///
    /// # Errors
    /// As [`submit`](Self::submit); [`ErrorKind::Conflict`] where the environment was deleted.
    pub async fn rebuild(&self, build: &Build) -> Result<Build> {
        const OPERATION: &str = "rebuild";
        let (namespace, environment) = (&build.namespace, &build.environment);
        if self.catalogue().environment(namespace, environment).await?.is_none() {
            let message = "the environment was deleted; hand its specification in again";
            return Err(Error::new(ErrorKind::Conflict, OPERATION, message).with("build", build.id));
        }
        let stored = self.catalogue().specification_of(build.id).await?;
        let stored = stored.ok_or_else(|| Error::not_found(OPERATION, "build id does not exist"))?;
        let specification = Specification::from_stored(stored.spec, stored.is_lockfile)?;
        let specification = self.complete(namespace, specification).await?;
        self.create_build(namespace, &specification, None).await
    }

    /// Writes a build down and hands it to a worker. Without a description the environment keeps the one that it has.
    async fn create_build(
        &self,
        namespace: &NamespaceName,
        specification: &Specification,
        description: Option<&str>,
    ) -> Result<Build> {
        let sha256 = specification.sha256();
        self.check_path(namespace, specification, &sha256)?;
        let new = NewBuild {
            namespace,
            environment: specification.name(),
            description,
            specification: NewSpecification {
                name: specification.name().as_str(),
                spec: &specification.to_stored(),
                sha256: &sha256,
                is_lockfile: matches!(specification, Specification::Lockfile(_)),
            },
            build_key: self.parts().build_key_format.as_ref(),
        };
        let build = self.catalogue().create_build(&new).await?;
        self.hand_in(&Job::Build { build_id: build.id }).await;
        Ok(build)
    }

    /// Checks `specification` and completes it as the rules say: what [`submit`](Self::submit) would have built.
    ///
    /// # Errors
    /// What a validator objects to.
    pub async fn complete(&self, namespace: &NamespaceName, mut specification: Specification) -> Result<Specification> {
        let settings = self.settings(namespace, Some(specification.name())).await?;
        let context = ValidationContext { namespace, settings: &settings, free_space: self.free_space() };
        for validator in &self.parts().validators {
            validator.allow(&context, Action::Create).await?;
            validator.validate(&context, &mut specification).await?;
        }
        Ok(specification)
    }

    /// Has every validator check and complete `specification`, under `settings`.
    pub(crate) async fn validate(
        &self,
        namespace: &NamespaceName,
        settings: &Settings,
        specification: &mut Specification,
    ) -> Result<()> {
        let context = ValidationContext { namespace, settings, free_space: self.free_space() };
        for validator in &self.parts().validators {
            validator.validate(&context, specification).await?;
        }
        Ok(())
    }

    /// Asks every validator whether `action` is allowed, for one environment or the namespace.
    pub(crate) async fn allow(
        &self,
        namespace: &NamespaceName,
        environment: Option<&EnvironmentName>,
        action: Action,
    ) -> Result<()> {
        let settings = self.settings(namespace, environment).await?;
        let context = ValidationContext { namespace, settings: &settings, free_space: self.free_space() };
        for validator in &self.parts().validators {
            validator.allow(&context, action).await?;
        }
        Ok(())
    }

    /// Calls a build off: at once where it waits, within a second where it runs. Of one that is completed the artifacts
    /// are called off that are still to be made.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`](crate::ErrorKind::NotFound) for an unknown build,
    /// [`ErrorKind::Conflict`](crate::ErrorKind::Conflict) for one of which nothing is left to do.
    pub async fn cancel_build(&self, build_id: BuildId) -> Result<()> {
        let artifacts = self.catalogue().cancel_artifacts(build_id).await?;
        if artifacts.is_empty() {
            self.catalogue().cancel_build(build_id).await?;
            self.withdraw(&Job::Build { build_id }).await;
        }
        for artifact_type in artifacts {
            self.withdraw(&Job::Artifact { build_id, artifact_type }).await;
        }
        Ok(())
    }

    /// Takes a job out of the queue that was called off. The catalogue has the last word; this is only so that no worker
    /// takes the job up for nothing.
    pub(crate) async fn withdraw(&self, job: &Job) {
        if let Err(error) = self.queue().cancel(&job.name()).await {
            tracing::warn!(job.name = %job.name(), error = error.report(), "could not take a canceled job out of the queue");
        }
    }

    /// Makes a completed build the current one of its environment; a worker then changes the symlink.
    ///
    /// # Errors
    /// What [`Catalogue::set_current_build`](crate::catalogue::Catalogue::set_current_build) says.
    pub async fn set_current_build(
        &self,
        namespace: &NamespaceName,
        environment: &EnvironmentName,
        build_id: BuildId,
    ) -> Result<()> {
        self.allow(namespace, Some(environment), Action::Update).await?;
        self.catalogue().set_current_build(namespace, environment, build_id).await?;
        self.hand_in(&Job::CurrentBuild { namespace: namespace.clone(), environment: environment.clone() }).await;
        Ok(())
    }

    /// Bytes free where environments are built, unless the disk does not tell.
    fn free_space(&self) -> Option<u64> {
        let space = Space::of(self.layout().store_directory());
        space
            .inspect_err(|error| tracing::warn!(error = error.report(), "could not measure free space"))
            .ok()
            .map(|space| space.free)
    }

    /// Refuses, before anything is written, what would have a prefix that is too long. The id is not known yet, so the
    /// shortest one stands in for it; what is too long only with a longer one fails as a build.
    fn check_path(&self, namespace: &NamespaceName, specification: &Specification, sha256: &str) -> Result<()> {
        let format = self.parts().build_key_format.as_ref();
        let parts = BuildKeyParts {
            namespace,
            environment: specification.name(),
            specification_sha256: sha256,
            scheduled_on: self.clock().now(),
            build_id: BuildId(1),
        };
        self.layout().prefix(format, namespace, specification.name(), &format.key(&parts)?).map(drop)
    }
}

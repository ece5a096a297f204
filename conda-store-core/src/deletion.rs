//! Deleting builds, environments and namespaces: marked at once, removed by a worker.

use crate::{
    Error, Result,
    conda_store::CondaStore,
    job::Job,
    model::{BuildId, EnvironmentName, NamespaceName},
    validator::Action,
};

impl CondaStore {
    /// Deletes a build: nobody is offered it any more, and a worker removes it.
    ///
    /// # Errors
    /// What a validator objects to, and what [`Catalogue::delete_build`](crate::catalogue::Catalogue::delete_build) says.
    pub async fn delete_build(&self, build_id: BuildId) -> Result<()> {
        let build = self.catalogue().build(build_id).await?;
        let build = build.ok_or_else(|| Error::not_found("delete build", "build id does not exist"))?;
        self.allow(&build.namespace, Some(&build.environment), Action::Delete).await?;
        self.catalogue().delete_build(build_id).await?;
        self.hand_in(&Job::DeleteBuild { build_id }).await;
        Ok(())
    }

    /// Deletes an environment with all of its builds: nobody is offered them any more, and workers remove them.
    ///
    /// # Errors
    /// What a validator objects to, and what [`Catalogue::delete_environment`](crate::catalogue::Catalogue::delete_environment) says.
    pub async fn delete_environment(&self, namespace: &NamespaceName, environment: &EnvironmentName) -> Result<()> {
        self.allow(namespace, Some(environment), Action::Delete).await?;
        self.catalogue().delete_environment(namespace, environment).await?;
        self.hand_in(&Job::Deletions).await;
        Ok(())
    }

    /// Deletes a namespace with all of its environments and builds: nobody is offered them any more, and workers remove
    /// them.
    ///
    /// # Errors
    /// What a validator objects to, and what [`Catalogue::delete_namespace`](crate::catalogue::Catalogue::delete_namespace) says.
    pub async fn delete_namespace(&self, namespace: &NamespaceName) -> Result<()> {
        self.allow(namespace, None, Action::Delete).await?;
        self.catalogue().delete_namespace(namespace).await?;
        self.hand_in(&Job::Deletions).await;
        Ok(())
    }
}

//! Jobs on their way into the queue, each in a group of its namespace, so that namespaces share the workers.

use std::collections::{HashMap, hash_map::Entry};

use crate::{
    Result,
    conda_store::CondaStore,
    job::Job,
    model::{BuildId, NamespaceName},
    queue::{Group, NewJob},
};

impl CondaStore {
    /// Hands a job in. Where that fails the sweeper does it later.
    pub(crate) async fn hand_in(&self, job: &Job) {
        if let Err(error) = self.enqueue_each(std::slice::from_ref(job)).await {
            tracing::warn!(job.name = %job.name(), error = error.report(), "the queue takes no job; the sweeper will try again");
        }
    }

    /// Hands jobs in, unless they wait or run already.
    pub(crate) async fn enqueue_each(&self, jobs: &[Job]) -> Result<()> {
        let builds: Vec<BuildId> = jobs.iter().filter_map(shared_by_namespaces).collect();
        let namespaces = self.catalogue().namespaces_of(&builds).await?;
        let mut limits = HashMap::new();
        for job in jobs {
            let namespace = shared_by_namespaces(job).and_then(|build_id| namespaces.get(&build_id));
            let group = match namespace {
                Some(namespace) => Some(self.group(job, namespace, &mut limits).await?),
                None => None,
            };
            self.queue().enqueue(NewJob { group, ..job.enqueueable() }).await?;
        }
        Ok(())
    }

    /// The group of a job of this namespace. Builds are one of their own, whose limit the settings have; `limits` are those
    /// that were looked up already.
    async fn group<'n>(
        &self,
        job: &Job,
        namespace: &'n NamespaceName,
        limits: &mut HashMap<&'n NamespaceName, Group>,
    ) -> Result<Group> {
        if !matches!(job, Job::Build { .. }) {
            return Ok(Group { name: format!("artifacts/{namespace}"), at_once: None });
        }
        match limits.entry(namespace) {
            Entry::Occupied(known) => Ok(known.get().clone()),
            Entry::Vacant(unknown) => {
                let at_once = self.settings(namespace, None).await?.max_concurrent_builds;
                Ok(unknown.insert(Group { name: format!("builds/{namespace}"), at_once }).clone())
            }
        }
    }
}

/// The build that a job is about, where it is one of those that namespaces can have many of.
fn shared_by_namespaces(job: &Job) -> Option<BuildId> {
    match job {
        Job::Build { build_id } | Job::Artifact { build_id, .. } => Some(*build_id),
        _ => None,
    }
}

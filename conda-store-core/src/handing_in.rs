//! Jobs on their way into the queue, each in a group of its namespace, so that namespaces share the workers.

use std::collections::{HashMap, hash_map::Entry};

use crate::{
    Result,
    conda_store::CondaStore,
    job::Job,
    model::{BuildId, NamespaceName, SolveId},
    queue::{Group, JobName, NewJob},
};

impl CondaStore {
    /// Hands a job in. Where that fails the sweeper does it later.
    pub(crate) async fn hand_in(&self, job: &Job) {
        leave_to_sweeper(&job.name(), self.enqueue_each(std::slice::from_ref(job)).await);
    }

    /// Hands in a solve of this namespace. Where that fails the sweeper does it later.
    pub(crate) async fn hand_in_solve(&self, solve_id: SolveId, namespace: &NamespaceName) {
        let job = Job::Solve { solve_id };
        leave_to_sweeper(&job.name(), self.enqueue_solve(&job, namespace).await);
    }

    /// Hands in a solve of this namespace, unless it waits or runs already.
    pub(crate) async fn enqueue_solve(&self, job: &Job, namespace: &NamespaceName) -> Result<()> {
        let group = Group { name: format!("solves/{namespace}"), at_once: None };
        self.queue().enqueue(NewJob { group: Some(group), ..job.enqueueable() }).await.map(drop)
    }

    /// Hands jobs in, unless they wait or run already.
    pub(crate) async fn enqueue_each(&self, jobs: &[Job]) -> Result<()> {
        let unknown: Vec<Job> = jobs.iter().filter(|job| !job.kind().has_own_row()).cloned().collect();
        // Before a worker can be through with them.
        self.catalogue().note_jobs(&unknown).await?;
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

fn leave_to_sweeper(name: &JobName, handed_in: Result<()>) {
    if let Err(error) = handed_in {
        tracing::warn!(job.name = %name, error = error.report(), "the queue takes no job; the sweeper will try again");
    }
}

/// The build that a job is about, where it is one of those that namespaces can have many of.
fn shared_by_namespaces(job: &Job) -> Option<BuildId> {
    match job {
        Job::Build { build_id } | Job::Artifact { build_id, .. } => Some(*build_id),
        _ => None,
    }
}

//! A worker, and what it does.

use conda_store_core::{
    catalogue::{SeenWorker, WorkerJob},
    clock::Timestamp,
};
use serde::Serialize;
use utoipa::ToSchema;

use crate::openapi::schema;

/// A job in the hands of a worker.
#[derive(Debug, Serialize, ToSchema)]
struct WorkerJobView {
    name: String,
    #[schema(value_type = schema::JobKind)]
    kind: &'static str,
    /// The number of the attempt, from 1.
    attempt: u32,
    #[schema(value_type = schema::Moment)]
    started_on: Timestamp,
}

impl From<WorkerJob> for WorkerJobView {
    fn from(job: WorkerJob) -> Self {
        Self { name: job.name, kind: job.kind.as_str(), attempt: job.attempt, started_on: job.started_on }
    }
}

/// A worker as the API shows it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct WorkerView {
    id: i32,
    /// The name under which it takes jobs.
    name: String,
    #[schema(value_type = schema::WorkerState)]
    state: &'static str,
    /// The name of its machine.
    host: String,
    /// The number of its process there.
    pid: u32,
    /// The version of its program.
    version: String,
    /// How many jobs it does at the same time.
    concurrency: usize,
    #[schema(value_type = schema::Moment)]
    started_on: Timestamp,
    /// Its last sign of life; one comes every few seconds.
    #[schema(value_type = schema::Moment)]
    seen_on: Timestamp,
    /// What it does now; of a lost one, what it did.
    jobs: Vec<WorkerJobView>,
}

/// The states that a worker is shown in.
pub(crate) const WORKER_STATES: [&str; 3] = ["idle", "busy", "lost"];

impl From<SeenWorker> for WorkerView {
    fn from(worker: SeenWorker) -> Self {
        let [idle, busy, lost] = WORKER_STATES;
        let state = match (worker.is_lost, worker.jobs.is_empty()) {
            (true, _) => lost,
            (false, true) => idle,
            (false, false) => busy,
        };
        Self {
            id: worker.id,
            name: worker.identity.name,
            state,
            host: worker.identity.host,
            pid: worker.identity.process,
            version: worker.version,
            concurrency: worker.identity.concurrency,
            started_on: worker.identity.started_on,
            seen_on: worker.seen_on,
            jobs: worker.jobs.into_iter().map(WorkerJobView::from).collect(),
        }
    }
}

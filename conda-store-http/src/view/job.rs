//! A job that is to be done, or is being done.

use conda_store_core::{
    catalogue::{JobState, OpenJob},
    clock::Timestamp,
    job::JobKind,
    model::{BuildId, EnvironmentName, NamespaceName},
};
use serde::Serialize;
use utoipa::ToSchema;

use crate::openapi::schema;

/// A job as the API shows it. Whatever belongs to an attempt is of the latest one, and missing where there was none.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct JobView {
    name: String,
    #[schema(value_type = schema::JobKind)]
    kind: &'static str,
    #[schema(value_type = schema::JobState)]
    state: &'static str,
    /// The higher goes first.
    priority: i16,
    /// After how many seconds it is due again; missing where it is due only when it is handed in.
    every: Option<u64>,
    #[schema(value_type = Option<i32>)]
    build_id: Option<BuildId>,
    #[schema(value_type = Option<String>)]
    namespace: Option<NamespaceName>,
    #[schema(value_type = Option<String>)]
    environment: Option<EnvironmentName>,
    /// When it was asked for, where that is known.
    #[schema(value_type = Option<schema::Moment>)]
    enqueued_on: Option<Timestamp>,
    /// The number of the attempt, from 1.
    attempt: Option<u32>,
    /// The number of the last attempt.
    attempts: Option<u32>,
    /// The name of the worker that makes the attempt.
    worker: Option<String>,
    #[schema(value_type = Option<schema::Moment>)]
    started_on: Option<Timestamp>,
    #[schema(value_type = Option<schema::Moment>)]
    ended_on: Option<Timestamp>,
    /// Why the attempt failed; while it runs, why the one before failed.
    error: Option<String>,
}

impl From<OpenJob> for JobView {
    fn from(job: OpenJob) -> Self {
        let attempt = job.attempt.as_ref();
        Self {
            kind: JobKind::as_str(job.kind),
            state: JobState::as_str(job.state),
            priority: job.kind.priority().0,
            every: job.kind.every().map(|every| every.as_secs()),
            build_id: job.build,
            enqueued_on: job.enqueued_on,
            attempt: attempt.map(|attempt| attempt.number),
            attempts: attempt.map(|attempt| attempt.limit),
            worker: attempt.map(|attempt| attempt.worker.clone()),
            started_on: attempt.map(|attempt| attempt.started_on),
            ended_on: attempt.and_then(|attempt| attempt.ended_on),
            error: attempt.and_then(|attempt| attempt.error.clone()),
            name: job.name,
            namespace: job.namespace,
            environment: job.environment,
        }
    }
}

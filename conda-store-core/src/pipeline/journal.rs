//! What is written down of workers and of attempts at jobs, for whoever looks after the service.

use std::time::Duration;

use crate::{
    Result,
    conda_store::CondaStore,
    job::{Attempt, Job, Outcome},
};

/// How long workers that were lost are shown, and jobs that were given up.
const KEPT: Duration = Duration::from_hours(24);

/// How long a job is shown that came again and again, as long as somebody handed it in.
const ABANDONED_KEPT: Duration = Duration::from_hours(48);

impl CondaStore {
    /// Writes down that an attempt begins. The work does not depend on whether that succeeds.
    pub(super) async fn note_begin(&self, job: &Job, attempt: &Attempt) {
        unless_away(self.catalogue().begin_job(job, attempt).await);
    }

    /// Writes down how the attempt ended.
    pub(super) async fn note_end(&self, job: &Job, attempt: &Attempt, ended: &Result<Outcome>) {
        unless_away(match ended {
            Err(error) => self.catalogue().end_job(job, attempt, Some(&error.report())).await,
            Ok(Outcome::Done) if !job.kind().comes_again() => self.catalogue().finish_job(job, attempt).await,
            Ok(_) => self.catalogue().end_job(job, attempt, None).await,
        });
    }

    /// Forgets what is of no interest any more.
    pub(super) async fn tidy_journal(&self) -> Result<()> {
        self.catalogue().forget_lost_workers(KEPT).await?;
        self.catalogue().forget_jobs(KEPT).await?;
        self.catalogue().forget_abandoned_jobs(ABANDONED_KEPT).await
    }
}

fn unless_away(noted: Result<()>) {
    if let Err(error) = noted {
        tracing::debug!(error = error.report(), "an attempt at a job was not written down");
    }
}

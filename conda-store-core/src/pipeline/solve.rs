//! Solves that somebody waits for, without a build.

use std::panic::AssertUnwindSafe;

use futures::FutureExt;

use super::{
    attempt::panicked,
    handler::{SETTLED, SWEPT_AT_ONCE},
};
use crate::{
    Error, Result,
    catalogue::OpenSolve,
    clock::Timestamp,
    conda_store::CondaStore,
    error::ErrorKind,
    event::{Reporter, Silent},
    job::{Attempt, Job, Outcome, Stop},
    model::SolveId,
    solver::{Lock, SolveRequest},
    solving::{Question, Solution},
    specification::Specification,
};

impl CondaStore {
    /// Solves what somebody waits for, unless nobody does any more. What goes wrong is an answer too: whoever waits decides
    /// whether to ask again.
    pub(super) async fn handle_solve(&self, id: &SolveId, attempt: &Attempt) -> Result<Outcome> {
        let Some(open) = self.catalogue().open_solve(id).await? else { return Ok(Outcome::Done) };
        let solving = AssertUnwindSafe(self.answer(open, attempt)).catch_unwind();
        let solved = attempt.cancellation.run_until_cancelled(solving).await;
        let outcome = solved.map(|solved| solved.unwrap_or_else(|panic| Err(panicked(panic.as_ref()))));
        match (attempt.stop_reason(), outcome) {
            (None, Some(outcome)) => self.catalogue().answer_solve(id, outcome).await?,
            (Some(Stop::Shutdown | Stop::GiveWay), _) => return Ok(Outcome::HandBack),
            (Some(Stop::Canceled | Stop::Stale), _) | (None, None) => {}
        }
        Ok(Outcome::Done)
    }

    async fn answer(&self, open: OpenSolve, attempt: &Attempt) -> Result<Solution> {
        if attempt.number > attempt.limit {
            return Err(lost(attempt.limit));
        }
        let specification = Specification::from_stored(open.specification, false)?;
        let settings = self.settings(&open.namespace, Some(specification.name())).await?;
        let question = Question::new(specification, &settings)?;
        question.solution(&self.solve_shared(&question.request, open.asked_on, &Silent, attempt).await?)
    }

    /// The packages for `request`, which was made at `asked`, from somebody else who asked for the same where there is one.
    /// Gives way where another solve of the same takes long.
    pub(super) async fn solve_shared(
        &self,
        request: &SolveRequest,
        asked: Timestamp,
        reporter: &dyn Reporter,
        attempt: &Attempt,
    ) -> Result<Lock> {
        let shared = &self.parts().shared_solves;
        let lock = shared.solve(self.solver().as_ref(), request, asked, reporter, &attempt.cancellation).await?;
        lock.ok_or_else(|| {
            attempt.stop(Stop::GiveWay);
            Error::new(ErrorKind::Cancelled, "solve environment", "another build is solving the same")
        })
    }

    /// Why a solve has to stop, if it has to.
    pub(super) async fn stop_of_solve(&self, id: &SolveId) -> Result<Option<Stop>> {
        Ok(if self.catalogue().is_solve_open(id).await? { None } else { Some(Stop::Canceled) })
    }

    /// Enqueues again the solves that the queue lost, and removes those of whoever was lost.
    pub(super) async fn sweep_solves(&self) -> Result<()> {
        self.catalogue().remove_expired_solves().await?;
        let mut after = None;
        loop {
            let open = self.catalogue().open_solves(SETTLED, after.as_ref(), SWEPT_AT_ONCE).await?;
            for (id, namespace) in &open {
                self.enqueue_solve(&Job::Solve { solve_id: id.clone() }, namespace).await?;
            }
            let is_last = open.len() < SWEPT_AT_ONCE as usize;
            after = open.into_iter().last().map(|(id, _)| id);
            if is_last {
                return Ok(());
            }
        }
    }
}

fn lost(workers: u32) -> Error {
    let message = format!(
        "{workers} workers were lost while they solved this: most often a worker is killed (signal 9) because the solve needs \
         more memory than it may use; ask for less, or give the workers more memory"
    );
    Error::new(ErrorKind::Full, "solve specification", message)
}

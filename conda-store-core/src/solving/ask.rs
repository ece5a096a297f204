//! Having a worker choose packages, and waiting for its answer.

use std::time::Duration;

use tokio::{runtime::Handle, time::sleep};

use super::{OPERATION, Question, Solution, too_late};
use crate::{
    Error, ErrorKind, Result,
    catalogue::{NewSolve, SolveProgress},
    conda_store::CondaStore,
    job::Job,
    model::{NamespaceName, SolveId},
    specification::Specification,
};

/// When the answer is first looked for.
const FIRST_LOOK: Duration = Duration::from_millis(10);

/// The longest time between two looks.
const LONGEST_WAIT: Duration = Duration::from_millis(250);

impl CondaStore {
    /// Has a worker choose the conda packages that a build of `specification` in `namespace` would have.
    ///
    /// It is called off when the returned future is dropped, and where
    /// [`conda_max_solve_time`](crate::settings::Settings::conda_max_solve_time) is over, the wait for a worker included.
    /// Has to be called within a tokio runtime that goes on.
    ///
    /// # Errors
    /// What a validator objects to, before a worker is asked, and what [`Solver`](crate::solver::Solver) says;
    /// [`ErrorKind::Timeout`] where there was not enough time, [`ErrorKind::Full`] where workers were lost over it.
    pub async fn solve(&self, namespace: &NamespaceName, specification: Specification) -> Result<Solution> {
        let question = self.question(namespace, specification).await?;
        let limit = question.request.time_limit;
        let answer = tokio::time::timeout(limit, self.ask(namespace, &question));
        answer.await.unwrap_or_else(|_| Err(too_late(limit)))
    }

    async fn ask(&self, namespace: &NamespaceName, question: &Question) -> Result<Solution> {
        let new = NewSolve {
            id: SolveId::random(),
            namespace: namespace.clone(),
            environment: question.specification.name().clone(),
            specification: question.specification.to_stored(),
            time_limit: question.request.time_limit,
        };
        // A task of its own: where nobody waits any more when the row is written, the row goes again.
        let asked = tokio::spawn(Asked::new(self.clone(), new)).await;
        let asked =
            asked.map_err(|error| Error::unexpected(OPERATION, "it was not asked for").with_source(error))??;
        asked.answer().await
    }

    /// Forgets a solve, and has a worker forget it.
    async fn call_off_solve(&self, solve_id: SolveId) {
        if let Err(error) = self.catalogue().remove_solve(&solve_id).await {
            tracing::warn!(solve.id = %solve_id, error = error.report(), "a solve stays that nobody waits for; the sweeper will remove it");
        }
        self.withdraw(&Job::Solve { solve_id }).await;
    }
}

/// A solve that somebody waits for. Nothing of it stays when it is dropped.
struct Asked {
    store: CondaStore,
    id: SolveId,
}

impl Asked {
    async fn new(store: CondaStore, new: NewSolve) -> Result<Self> {
        store.catalogue().create_solve(&new).await?;
        let asked = Self { store, id: new.id };
        asked.store.hand_in_solve(asked.id.clone(), &new.namespace).await;
        Ok(asked)
    }

    async fn answer(&self) -> Result<Solution> {
        let mut wait = FIRST_LOOK;
        loop {
            sleep(wait).await;
            match self.store.catalogue().solve_progress(&self.id).await? {
                SolveProgress::Open => {}
                SolveProgress::Over(outcome) => return outcome.map(|solution| *solution),
                SolveProgress::Missing => {
                    return Err(Error::new(ErrorKind::Cancelled, OPERATION, "the solve was called off"));
                }
            }
            // So an answer is found at most a quarter later than it was there.
            wait = (wait * 5 / 4).min(LONGEST_WAIT);
        }
    }
}

impl Drop for Asked {
    fn drop(&mut self) {
        // Where there is no runtime the service is at its end, and the sweeper of another does this.
        let Ok(runtime) = Handle::try_current() else { return };
        let (store, id) = (self.store.clone(), self.id.clone());
        runtime.spawn(async move { store.call_off_solve(id).await });
    }
}

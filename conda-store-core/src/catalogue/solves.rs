//! Solves that somebody waits for: what is to be solved, and what came of it until they have read it.
//!
//! A row is there as long as somebody wants the answer. Nobody claims one: two workers that solve the same come to answers
//! of which either will do, and the first is kept.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sqlx::types::Json;

use super::{Catalogue, error};
use crate::{
    Error, Result,
    clock::Timestamp,
    install::blocking,
    kept_error::KeptError,
    model::{EnvironmentName, NamespaceName, SolveId},
    solving::Solution,
};

/// A solve as it is asked for.
#[derive(Clone, Debug)]
pub struct NewSolve {
    /// Its id.
    pub id: SolveId,
    /// The namespace whose settings hold, and whose share of the workers it takes.
    pub namespace: NamespaceName,
    /// The name in the specification.
    pub environment: EnvironmentName,
    /// What is to be solved: an `environment.yaml` in its stored form.
    pub specification: Value,
    /// How long the answer is waited for.
    pub time_limit: Duration,
}

/// A solve that waits for its answer.
#[derive(Clone, Debug, PartialEq)]
pub struct OpenSolve {
    /// The namespace whose settings hold.
    pub namespace: NamespaceName,
    /// What is to be solved: an `environment.yaml` in its stored form.
    pub specification: Value,
    /// When it was asked for.
    pub asked_on: Timestamp,
}

/// How far a solve is.
#[derive(Debug)]
pub enum SolveProgress {
    /// It waits for its answer.
    Open,
    /// That is the answer.
    Over(Result<Box<Solution>>),
    /// There is no such solve; it may have been called off.
    Missing,
}

/// An answer as it is kept.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Answer {
    Solved(Box<Solution>),
    Failed(KeptError),
}

/// How much longer than it is waited for a row stays, so that the asker and not the sweep says that the time is over.
const KEPT: Duration = Duration::from_mins(1);

impl Catalogue {
    /// Writes a solve down, for a worker to do.
    pub async fn create_solve(&self, new: &NewSolve) -> Result<()> {
        const INSERT: &str = "insert into cs_solve (id, namespace, environment, specification, asked_on, expires_on) \
            values ($1, $2, $3, $4, $5, $6)";
        let now = self.clock.now();
        let insert = self.database.query("ask for a solve", INSERT).value(new.id.0.as_str());
        let insert = insert.value(new.namespace.as_str()).value(new.environment.as_str());
        insert.value(Json(&new.specification)).value(now).value(now.after(new.time_limit)).run().await?;
        Ok(())
    }

    /// A solve, where it waits for its answer and the time for that is not over.
    pub async fn open_solve(&self, id: &SolveId) -> Result<Option<OpenSolve>> {
        const SELECT: &str = "select namespace, specification, asked_on from cs_solve \
            where id = $1 and answer is null and expires_on > $2";
        let query = self.database.query("read what is to be solved", SELECT).value(id.0.as_str());
        let row: Option<(String, Json<Value>, Timestamp)> = query.value(self.clock.now()).first().await?;
        let Some((namespace, Json(specification), asked_on)) = row else { return Ok(None) };
        Ok(Some(OpenSolve { namespace: parse_namespace(id, &namespace)?, specification, asked_on }))
    }

    /// Whether a solve waits for its answer and the time for that is not over.
    pub async fn is_solve_open(&self, id: &SolveId) -> Result<bool> {
        const SELECT: &str = "select count(*) from cs_solve where id = $1 and answer is null and expires_on > $2";
        let query = self.database.query("look at a solve", SELECT).value(id.0.as_str()).value(self.clock.now());
        let (open,): (i64,) = query.one().await?;
        Ok(open > 0)
    }

    /// Writes down what came of a solve. It changes nothing where there is an answer, or where it was called off.
    pub async fn answer_solve(&self, id: &SolveId, outcome: Result<Solution>) -> Result<()> {
        const UPDATE: &str = "update cs_solve set answer = $1 where id = $2 and answer is null";
        let answer = match outcome {
            Ok(solution) => Answer::Solved(Box::new(solution)),
            Err(error) => Answer::Failed(KeptError::from(&error)),
        };
        let answer = serde_json::to_string(&answer).map_err(|cause| unreadable(id, &cause).with_source(cause))?;
        let update = self.database.query("answer a solve", UPDATE).value(answer).value(id.0.as_str());
        update.run().await?;
        Ok(())
    }

    /// How far a solve is, and what came of it.
    pub async fn solve_progress(&self, id: &SolveId) -> Result<SolveProgress> {
        const OPERATION: &str = "read the answer of a solve";
        let query = self.database.query(OPERATION, "select answer from cs_solve where id = $1");
        let row: Option<(Option<String>,)> = query.value(id.0.as_str()).first().await?;
        let Some((answer,)) = row else { return Ok(SolveProgress::Missing) };
        let Some(answer) = answer else { return Ok(SolveProgress::Open) };
        // Of many packages that takes a while.
        let read = blocking(OPERATION, move || Ok(serde_json::from_str::<Answer>(&answer))).await?;
        let answer = read.map_err(|cause| unreadable(id, &cause).with_source(cause))?;
        Ok(SolveProgress::Over(match answer {
            Answer::Solved(solution) => Ok(solution),
            Answer::Failed(error) => Err(error.into_error("solve specification")),
        }))
    }

    /// Takes a solve back, whether there is an answer or not.
    pub async fn remove_solve(&self, id: &SolveId) -> Result<()> {
        let delete = self.database.query("call off a solve", "delete from cs_solve where id = $1");
        delete.value(id.0.as_str()).run().await?;
        Ok(())
    }

    /// Removes solves that nobody can be waiting for any more: whoever asked was lost.
    pub async fn remove_expired_solves(&self) -> Result<()> {
        let delete = self.database.query("remove solves", "delete from cs_solve where expires_on < $1");
        delete.value(self.clock.now().before(KEPT)).run().await?;
        Ok(())
    }

    /// Solves that have waited longer than `older_than`, with their namespaces: at most `limit`, by id, beginning behind
    /// `after`.
    pub async fn open_solves(
        &self,
        older_than: Duration,
        after: Option<&SolveId>,
        limit: u32,
    ) -> Result<Vec<(SolveId, NamespaceName)>> {
        const SELECT: &str = "select id, namespace from cs_solve where id > $1 and answer is null \
            and asked_on <= $2 and expires_on > $3 order by id limit $4";
        let now = self.clock.now();
        let after = after.map_or("", |id| id.0.as_str());
        let query = self.database.query("find solves", SELECT).value(after).value(now.before(older_than));
        let rows: Vec<(SolveId, String)> = query.value(now).value(i64::from(limit)).all().await?;
        let solve = |(id, namespace): (SolveId, String)| Ok((id.clone(), parse_namespace(&id, &namespace)?));
        rows.into_iter().map(solve).collect()
    }
}

fn parse_namespace(id: &SolveId, name: &str) -> Result<NamespaceName> {
    name.parse().map_err(|cause: Error| error::corrupt("cs_solve", "namespace", id, &cause).with_source(cause))
}

fn unreadable(id: &SolveId, problem: &serde_json::Error) -> Error {
    error::corrupt("cs_solve", "answer", id, problem)
}

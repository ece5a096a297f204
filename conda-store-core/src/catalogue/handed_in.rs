//! Jobs that no other table has: written down when they are handed in, so that they can be seen before anybody begins them
//! and handed in again where the queue lost them.

use std::{collections::HashSet, time::Duration};

use super::{Catalogue, error};
use crate::{Result, job::Job};

/// That a job's last attempt failed, and that it is handed in for the first time again.
const GIVEN_UP: &str = "not cs_job.is_periodic and cs_job.error is not null and cs_job.attempt >= cs_job.attempts";

impl Catalogue {
    /// Writes down that `jobs` are handed in, unless they are there already.
    pub async fn note_jobs(&self, jobs: &[Job]) -> Result<()> {
        const OPERATION: &str = "record jobs";
        let known = self.known_jobs(OPERATION, jobs).await?;
        let new: Vec<&Job> = jobs.iter().filter(|job| !known.contains(&job.name().0)).collect();
        if new.is_empty() {
            return Ok(());
        }
        let now = self.clock.now();
        let mut insert = self
            .database
            .query(OPERATION, "insert into cs_job (name, kind, is_periodic, enqueued_on, payload) values ");
        for (index, job) in new.iter().enumerate() {
            let payload = job.enqueueable().payload.to_string();
            insert = insert.push(if index == 0 { "(" } else { ", (" }).bind(job.name().0);
            insert = insert.push(", ").bind(job.kind().as_str()).push(", ").bind(job.kind().comes_again());
            insert = insert.push(", ").bind(now).push(", ").bind(payload).push(")");
        }
        let insert = insert.push(
            " on conflict (name) do update set enqueued_on = excluded.enqueued_on, payload = excluded.payload, \
             worker = null, attempt = null, attempts = null, started_on = null, ended_on = null, error = null where ",
        );
        insert.push(GIVEN_UP).unprepared().run().await?;
        Ok(())
    }

    /// The names of those of `jobs` that are there. Some are handed in anew every few seconds, for which a look is enough.
    async fn known_jobs(&self, operation: &'static str, jobs: &[Job]) -> Result<HashSet<String>> {
        let Some((first, others)) = jobs.split_first() else { return Ok(HashSet::new()) };
        let query = self.database.query(operation, "select name from cs_job where not (").push(GIVEN_UP);
        let query = query.push(") and name in (").bind(first.name().0);
        let query = others.iter().fold(query, |query, job| query.push(", ").bind(job.name().0));
        let rows: Vec<(String,)> = query.push(")").unprepared().all().await?;
        Ok(rows.into_iter().map(|(name,)| name).collect())
    }

    /// Jobs that were handed in longer than `older_than` ago and that nobody has begun, apart from those that come again
    /// and again: at most `limit`, the oldest first.
    pub async fn unbegun_jobs(&self, older_than: Duration, limit: u32) -> Result<Vec<Job>> {
        const SELECT: &str = "select name, payload from cs_job where attempt is null and not is_periodic \
            and enqueued_on <= $1 and payload is not null order by enqueued_on, name limit $2";
        let query = self.database.query("find jobs", SELECT).value(self.clock.now().before(older_than));
        let rows: Vec<(String, String)> = query.value(i64::from(limit)).all().await?;
        rows.into_iter().map(|(name, payload)| read(&name, &payload)).collect()
    }
}

fn read(name: &str, payload: &str) -> Result<Job> {
    let payload = serde_json::from_str(payload)
        .map_err(|cause| error::corrupt("cs_job", "payload", name, &cause).with_source(cause))?;
    Job::from_payload(&payload)
}

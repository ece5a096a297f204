//! The life of a build: who works on it, until when, and how it ends.
//!
//! The row of the build is the lock: whoever changes the build or its run takes that row first. Each worker that takes
//! the build gets a number, the attempt; whoever comes with a number that is not the last one changes nothing.

use std::time::Duration;

use rattler_conda_types::RepoDataRecord;
use serde::de::IntoDeserializer;
use sqlx::FromRow;

use super::{ArtifactProgress, Catalogue, artifacts, builds::parse_status, error, query::Transaction, record};
use crate::{
    Error, ErrorKind, Result,
    clock::Timestamp,
    event::Phase,
    job::Stop,
    model::{ArtifactType, BuildId, BuildStatus},
};

/// What became of the wish to work on a build.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claim {
    /// It is yours, and building.
    Started {
        /// The number to show at every step, from 1.
        attempt: u32,
        /// How many workers disappeared over it so far.
        lost: u32,
    },
    /// Another worker has it.
    Busy {
        /// When its lease ends unless it is renewed.
        until: Timestamp,
    },
    /// It came to an end.
    Over(BuildStatus),
    /// There is no such build.
    Missing,
}

/// What a build came to.
#[derive(Clone, Copy, Debug)]
pub struct BuildResult<'a> {
    /// Bytes on disk.
    pub size: i64,
    /// The packages in it.
    pub packages: &'a [RepoDataRecord],
    /// Whether it becomes the environment's current build, if that is not a newer one.
    pub make_current: bool,
    /// What is to be made of it from now on.
    pub artifacts: &'a [ArtifactType],
}

/// What became of the wish to cancel a build.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CancelResult {
    /// No worker had it.
    WasQueued,
    /// A worker had it, and learns of it when it next renews its lease.
    WasBuilding,
}

/// How long a phase of an attempt took.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PhaseTime {
    /// Which attempt.
    pub attempt: u32,
    /// Which phase.
    pub phase: Phase,
    /// How long it took.
    pub elapsed: Duration,
}

/// Where a build stands, and who has it.
pub(super) struct Run {
    pub(super) status: BuildStatus,
    attempt: u32,
    lost: u32,
    lease_expires: Option<Timestamp>,
}

impl Run {
    /// Until when another worker has it.
    fn busy_until(&self, now: Timestamp) -> Option<Timestamp> {
        self.lease_expires.filter(|expires| self.status == BuildStatus::Building && *expires > now)
    }

    /// Refuses whoever is not the holder of the build.
    fn check(&self, operation: &'static str, id: BuildId, attempt: u32) -> Result<()> {
        if self.status == BuildStatus::Building && self.attempt == attempt {
            return Ok(());
        }
        Err(stale(operation, id, attempt).with("status", self.status).with("last attempt", self.attempt))
    }
}

fn stale(operation: &'static str, id: BuildId, attempt: u32) -> Error {
    let message = "this worker no longer has the build";
    Error::new(ErrorKind::Stale, operation, message).with("build", id).with("attempt", attempt)
}

#[derive(FromRow)]
struct RunRow {
    attempt: i32,
    lost: i32,
    lease_expires: Option<Timestamp>,
}

/// Takes the row of the build, which is the lock, and reads its run.
pub(super) async fn lock(
    transaction: &mut Transaction<'_>,
    operation: &'static str,
    id: BuildId,
) -> Result<Option<Run>> {
    const RUN: &str = "select attempt, lost, lease_expires from cs_build_run where build_id = $1";
    let query = transaction.query(operation, "select status from build where id = ").bind(id);
    let row: Option<(Option<String>,)> = query.push_either("", " for no key update").first().await?;
    let Some((status,)) = row else { return Ok(None) };
    let status = parse_status(id.0, status)?;
    let run: Option<RunRow> = transaction.query(operation, RUN).value(id).first().await?;
    let run = run.unwrap_or(RunRow { attempt: 0, lost: 0, lease_expires: None });
    let (attempt, lost) = (number("attempt", id, run.attempt)?, number("lost", id, run.lost)?);
    Ok(Some(Run { status, attempt, lost, lease_expires: run.lease_expires }))
}

/// Takes the row of the build for the holder of `attempt`.
async fn lock_as_holder(
    transaction: &mut Transaction<'_>,
    operation: &'static str,
    id: BuildId,
    attempt: u32,
) -> Result<()> {
    match lock(transaction, operation, id).await? {
        Some(run) => run.check(operation, id, attempt),
        None => Err(stale(operation, id, attempt)),
    }
}

/// Takes the row of the build for whoever made `attempt`, also when it is over.
pub(super) async fn check_attempt(
    transaction: &mut Transaction<'_>,
    operation: &'static str,
    id: BuildId,
    attempt: u32,
) -> Result<()> {
    let run = lock(transaction, operation, id).await?;
    if run.is_none_or(|run| run.attempt != attempt) {
        return Err(stale(operation, id, attempt));
    }
    Ok(())
}

/// Why the holder of `attempt` has to stop, where the build has this status and `last` is the last attempt at it.
fn stop(status: BuildStatus, last: u32, attempt: u32) -> Option<Stop> {
    match status {
        _ if last != attempt => Some(Stop::Stale),
        BuildStatus::Building => None,
        BuildStatus::Canceled => Some(Stop::Canceled),
        _ => Some(Stop::Stale),
    }
}

/// The number that `column` holds.
fn number(column: &'static str, id: BuildId, value: i32) -> Result<u32> {
    u32::try_from(value).map_err(|_| error::corrupt("cs_build_run", column, id, format!("{value} is negative")))
}

/// As a column holds it.
fn column(number: u32) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}

impl Catalogue {
    /// Takes a build for `worker`, for the time of `lease` unless it is renewed.
    ///
    /// It is then building. A worker whose lease of it had ended counts as lost.
    pub async fn claim_build(&self, id: BuildId, worker: &str, lease: Duration) -> Result<Claim> {
        const OPERATION: &str = "claim build";
        let mut transaction = self.database.begin(OPERATION).await?;
        let Some(run) = lock(&mut transaction, OPERATION, id).await? else { return Ok(Claim::Missing) };
        let now = self.clock.now();
        if run.status.is_final() {
            return Ok(Claim::Over(run.status));
        }
        if let Some(until) = run.busy_until(now) {
            return Ok(Claim::Busy { until });
        }
        let was_lost = run.status == BuildStatus::Building && run.lease_expires.is_some();
        let (attempt, lost) = (run.attempt + 1, run.lost + u32::from(was_lost));
        start(&mut transaction, id, now).await?;
        let upsert = transaction.query(
            OPERATION,
            "insert into cs_build_run (build_id, attempt, worker, lease_expires, lost) values ($1, $2, $3, $4, $5) \
             on conflict (build_id) do update set attempt = excluded.attempt, worker = excluded.worker, \
             lease_expires = excluded.lease_expires, lost = excluded.lost",
        );
        let upsert = upsert.value(id).value(column(attempt)).value(worker).value(now.after(lease));
        upsert.value(column(lost)).run().await?;
        transaction.commit(OPERATION).await?;
        Ok(Claim::Started { attempt, lost })
    }

    /// Renews the lease: it ends the time of `lease` from now. Says why to stop where it cannot be renewed.
    pub async fn renew_build(&self, id: BuildId, attempt: u32, lease: Duration) -> Result<Option<Stop>> {
        const OPERATION: &str = "renew the lease of a build";
        let mut transaction = self.database.begin(OPERATION).await?;
        let Some(run) = lock(&mut transaction, OPERATION, id).await? else { return Ok(Some(Stop::Stale)) };
        if let Some(stop) = stop(run.status, run.attempt, attempt) {
            return Ok(Some(stop));
        }
        let update = transaction.query(OPERATION, "update cs_build_run set lease_expires = $1 where build_id = $2");
        update.value(self.clock.now().after(lease)).value(id).run().await?;
        transaction.commit(OPERATION).await?;
        Ok(None)
    }

    /// Why the holder of `attempt` has to stop, if it has to. As [`renew_build`](Self::renew_build), but writes nothing.
    pub async fn stop_of_build(&self, id: BuildId, attempt: u32) -> Result<Option<Stop>> {
        const SELECT: &str =
            "select b.status, r.attempt from build b join cs_build_run r on r.build_id = b.id where b.id = $1";
        let query = self.database.query("look at the claim on a build", SELECT).value(id);
        let row: Option<(Option<String>, i32)> = query.first().await?;
        let Some((status, last)) = row else { return Ok(Some(Stop::Stale)) };
        Ok(stop(parse_status(id.0, status)?, number("attempt", id, last)?, attempt))
    }

    /// The build is there: writes down its packages and size, and that it is completed. Says whether it became the
    /// environment's current build.
    ///
    /// # Errors
    /// [`ErrorKind::Stale`] where `attempt` no longer has the build.
    pub async fn complete_build(&self, id: BuildId, attempt: u32, result: BuildResult<'_>) -> Result<bool> {
        const OPERATION: &str = "complete build";
        const UPDATE: &str = "update build set status = $1, size = $2, ended_on = $3, status_info = null where id = $4";
        let mut transaction = self.database.begin(OPERATION).await?;
        lock_as_holder(&mut transaction, OPERATION, id, attempt).await?;
        record::packages(&mut transaction, id, result.packages).await?;
        let update = transaction.query(OPERATION, UPDATE).value(BuildStatus::Completed.as_str()).value(result.size);
        update.value(self.clock.now()).value(id).run().await?;
        for artifact_type in result.artifacts {
            artifacts::write_state(&mut transaction, OPERATION, id, &ArtifactProgress::pending(*artifact_type)).await?;
        }
        let became_current = result.make_current && make_current(&mut transaction, OPERATION, id).await?;
        hand_back(&mut transaction, OPERATION, id).await?;
        transaction.commit(OPERATION).await?;
        Ok(became_current)
    }

    /// The build cannot be made; `info` says why in one sentence.
    ///
    /// # Errors
    /// [`ErrorKind::Stale`] where `attempt` no longer has the build.
    pub async fn fail_build(&self, id: BuildId, attempt: u32, info: &str) -> Result<()> {
        const OPERATION: &str = "fail build";
        const UPDATE: &str = "update build set status = $1, status_info = $2, ended_on = $3 where id = $4";
        let mut transaction = self.database.begin(OPERATION).await?;
        lock_as_holder(&mut transaction, OPERATION, id, attempt).await?;
        let update = transaction.query(OPERATION, UPDATE).value(BuildStatus::Failed.as_str()).value(info);
        update.value(self.clock.now()).value(id).run().await?;
        hand_back(&mut transaction, OPERATION, id).await?;
        transaction.commit(OPERATION).await
    }

    /// Hands the build back undone: it is queued again, and no worker counts as lost.
    ///
    /// # Errors
    /// [`ErrorKind::Stale`] where `attempt` no longer has the build.
    pub async fn release_build(&self, id: BuildId, attempt: u32) -> Result<()> {
        const OPERATION: &str = "release build";
        let mut transaction = self.database.begin(OPERATION).await?;
        lock_as_holder(&mut transaction, OPERATION, id, attempt).await?;
        let update = transaction.query(OPERATION, "update build set status = $1 where id = $2");
        update.value(BuildStatus::Queued.as_str()).value(id).run().await?;
        hand_back(&mut transaction, OPERATION, id).await?;
        transaction.commit(OPERATION).await
    }

    /// Calls a build off.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] where there is no such build; [`ErrorKind::Conflict`] where it is over.
    pub async fn cancel_build(&self, id: BuildId) -> Result<CancelResult> {
        const OPERATION: &str = "cancel build";
        let mut transaction = self.database.begin(OPERATION).await?;
        let Some(run) = lock(&mut transaction, OPERATION, id).await? else {
            return Err(Error::not_found(OPERATION, "build does not exist").with("build", id));
        };
        if run.status.is_final() {
            let message = format!("the build is over, it cannot be canceled: it is {}", run.status);
            return Err(Error::new(ErrorKind::Conflict, OPERATION, message).with("build", id));
        }
        let update = transaction.query(OPERATION, "update build set status = $1, ended_on = $2 where id = $3");
        update.value(BuildStatus::Canceled.as_str()).value(self.clock.now()).value(id).run().await?;
        transaction.commit(OPERATION).await?;
        let building = run.status == BuildStatus::Building;
        Ok(if building { CancelResult::WasBuilding } else { CancelResult::WasQueued })
    }

    /// The worker of a build that was called off has stopped and touches it no more.
    ///
    /// # Errors
    /// [`ErrorKind::Stale`] where `attempt` is not the last one at the build, or the build was not called off.
    pub async fn leave_canceled_build(&self, id: BuildId, attempt: u32) -> Result<()> {
        const OPERATION: &str = "leave a canceled build";
        let mut transaction = self.database.begin(OPERATION).await?;
        let run = lock(&mut transaction, OPERATION, id).await?;
        if run.is_none_or(|run| run.attempt != attempt || run.status != BuildStatus::Canceled) {
            return Err(stale(OPERATION, id, attempt));
        }
        hand_back(&mut transaction, OPERATION, id).await?;
        transaction.commit(OPERATION).await
    }

    /// Builds that wait for a worker longer than `older_than`, and those whose worker has no lease any more: at most
    /// `limit`, by id, beginning behind `after`.
    pub async fn unfinished_builds(
        &self,
        older_than: Duration,
        after: Option<BuildId>,
        limit: u32,
    ) -> Result<Vec<BuildId>> {
        const SELECT: &str = "select b.id from build b left join cs_build_run r on r.build_id = b.id \
            where b.id > $1 and ((b.status = 'QUEUED' and b.scheduled_on <= $2) \
            or (b.status = 'BUILDING' and (r.lease_expires is null or r.lease_expires <= $3))) \
            and b.status in ('QUEUED', 'BUILDING') order by b.id limit $4";
        let now = self.clock.now();
        let scheduled_before = now.before(older_than);
        let query = self.database.query("find unfinished builds", SELECT).value(after.map_or(0, |id| id.0));
        let rows: Vec<(BuildId,)> = query.value(scheduled_before).value(now).value(i64::from(limit)).all().await?;
        Ok(rows.into_iter().map(|(id,)| id).collect())
    }

    /// Writes down how long phases of an attempt took, also when it is over; again for the same phase replaces.
    ///
    /// # Errors
    /// [`ErrorKind::Stale`] where another attempt was begun since.
    pub async fn record_phases(&self, id: BuildId, attempt: u32, phases: &[(Phase, Duration)]) -> Result<()> {
        const OPERATION: &str = "record the phases of a build";
        const UPSERT: &str = "insert into cs_build_phase (build_id, attempt, phase, seconds) values ($1, $2, $3, $4) \
            on conflict (build_id, attempt, phase) do update set seconds = excluded.seconds";
        let mut transaction = self.database.begin(OPERATION).await?;
        check_attempt(&mut transaction, OPERATION, id, attempt).await?;
        for (phase, elapsed) in phases {
            let upsert = transaction.query(OPERATION, UPSERT).value(id).value(column(attempt));
            upsert.value(phase.to_string()).value(elapsed.as_secs_f64()).run().await?;
        }
        transaction.commit(OPERATION).await
    }

    /// How long the phases of a build took: by attempt, then in the order of the phases.
    pub async fn phases(&self, id: BuildId) -> Result<Vec<PhaseTime>> {
        const SELECT: &str = "select attempt, phase, seconds from cs_build_phase where build_id = $1";
        let query = self.database.query("read the phases of a build", SELECT).value(id);
        let rows: Vec<(i32, String, f64)> = query.all().await?;
        let phases: Result<Vec<PhaseTime>> = rows.into_iter().map(|row| phase(id, row)).collect();
        let mut phases = phases?;
        phases.sort_by_key(|time| (time.attempt, time.phase));
        Ok(phases)
    }
}

fn phase(id: BuildId, (attempt, phase, seconds): (i32, String, f64)) -> Result<PhaseTime> {
    let wrong = |column, problem: String| error::corrupt("cs_build_phase", column, id, problem);
    let name: serde::de::value::StrDeserializer<'_, serde::de::value::Error> = phase.as_str().into_deserializer();
    Ok(PhaseTime {
        attempt: u32::try_from(attempt).map_err(|cause| wrong("attempt", cause.to_string()))?,
        phase: serde::Deserialize::deserialize(name).map_err(|cause| wrong("phase", cause.to_string()))?,
        elapsed: Duration::try_from_secs_f64(seconds).map_err(|cause| wrong("seconds", cause.to_string()))?,
    })
}

async fn start(transaction: &mut Transaction<'_>, id: BuildId, now: Timestamp) -> Result<()> {
    const UPDATE: &str = "update build set status = $1, started_on = coalesce(started_on, $2) where id = $3";
    let update = transaction.query("claim build", UPDATE).value(BuildStatus::Building.as_str());
    update.value(now).value(id).run().await?;
    Ok(())
}

/// Ends the lease. The attempt stays: the next one gets a greater number.
async fn hand_back(transaction: &mut Transaction<'_>, operation: &'static str, id: BuildId) -> Result<()> {
    const UPDATE: &str = "update cs_build_run set worker = null, lease_expires = null where build_id = $1";
    transaction.query(operation, UPDATE).value(id).run().await?;
    Ok(())
}

/// Makes the build the environment's current one, unless that is newer or the environment was deleted.
async fn make_current(transaction: &mut Transaction<'_>, operation: &'static str, id: BuildId) -> Result<bool> {
    const UPDATE: &str = "update environment set current_build_id = $1 \
        where id = (select environment_id from build where id = $1) and deleted_on is null \
        and (current_build_id is null or current_build_id < $1)";
    Ok(transaction.query(operation, UPDATE).value(id).run().await? > 0)
}

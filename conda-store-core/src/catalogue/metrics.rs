//! How much there is of everything.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use super::{Catalogue, builds::parse_status};
use crate::{Result, clock::Timestamp, model::BuildStatus};

/// What the disks that hold environments have, as last measured. All in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StorageMetrics {
    /// In use by environments.
    pub disk_usage: Option<i64>,
    /// Free.
    pub free_storage: Option<i64>,
    /// Free or not.
    pub total_storage: Option<i64>,
}

/// A build that came to an end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EndedBuild {
    /// Which end.
    pub status: BuildStatus,
    /// When.
    pub ended_on: Timestamp,
    /// How long after a worker first took it; none where none did.
    pub elapsed: Option<Duration>,
}

/// How the builds fare that workers have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Claims {
    /// Workers that hold at least one build.
    pub workers: u64,
    /// Builds whose worker was lost, and that no other one has taken yet.
    pub abandoned: u64,
}

type Counts = BTreeMap<BuildStatus, u64>;

impl Catalogue {
    /// How many builds wait and how many are being built: the few that no end has come to, found by an index.
    pub async fn count_open_builds(&self) -> Result<Counts> {
        const SELECT: &str = "select status, count(*), min(id) from build \
            where status in ('QUEUED', 'BUILDING') group by status";
        counts(self.database.query("count open builds", SELECT).all().await?)
    }

    /// How many builds came to each end until then. It reads all of them: whoever wants to know again counts those of
    /// [`builds_ended_after`](Self::builds_ended_after) on top.
    pub async fn count_ended_builds(&self, until: Timestamp) -> Result<Counts> {
        const SELECT: &str = "select status, count(*), min(id) from build \
            where status in ('COMPLETED', 'FAILED', 'CANCELED') and (ended_on is null or ended_on <= $1) group by status";
        counts(self.database.query("count ended builds", SELECT).value(until).all().await?)
    }

    /// The builds that came to an end since then, the first to do so first.
    pub async fn builds_ended_after(&self, then: Timestamp) -> Result<Vec<EndedBuild>> {
        const SELECT: &str = "select id, status, ended_on, started_on from build \
            where ended_on > $1 and status in ('COMPLETED', 'FAILED', 'CANCELED') order by ended_on, id";
        type Row = (i32, Option<String>, Timestamp, Option<Timestamp>);
        let rows: Vec<Row> = self.database.query("read ended builds", SELECT).value(then).all().await?;
        let ended = |(id, status, ended_on, started_on): Row| {
            let elapsed = started_on.map(|started_on| ended_on.since(started_on));
            Ok(EndedBuild { status: parse_status(id, status)?, ended_on, elapsed })
        };
        rows.into_iter().map(ended).collect()
    }

    /// How the builds fare that workers have.
    pub async fn claims(&self) -> Result<Claims> {
        const SELECT: &str = "select run.worker, run.lease_expires from build \
            join cs_build_run run on run.build_id = build.id where build.status = 'BUILDING'";
        let query = self.database.query("read claims", SELECT);
        let rows: Vec<(Option<String>, Option<Timestamp>)> = query.all().await?;
        let now = self.clock.now();
        let (held, lost): (Vec<_>, Vec<_>) =
            rows.into_iter().partition(|(_, expires)| expires.is_some_and(|expires| expires > now));
        let workers: BTreeSet<_> = held.into_iter().filter_map(|(worker, _)| worker).collect();
        Ok(Claims { workers: workers.len() as u64, abandoned: lost.len() as u64 })
    }

    /// How many environments there are that are not deleted.
    pub async fn count_environments(&self) -> Result<u64> {
        const SELECT: &str = "select count(*) from environment where deleted_on is null";
        let (count,): (i64,) = self.database.query("count environments", SELECT).one().await?;
        Ok(u64::try_from(count).unwrap_or_default())
    }

    /// What was last measured; all none before the first time.
    pub async fn storage_metrics(&self) -> Result<StorageMetrics> {
        const SELECT: &str =
            "select disk_usage, free_storage, total_storage from conda_store_configuration where id = 1";
        let query = self.database.query("read storage metrics", SELECT);
        let row: Option<(Option<i64>, Option<i64>, Option<i64>)> = query.first().await?;
        let metrics = row.map(|(disk_usage, free_storage, total_storage)| StorageMetrics {
            disk_usage,
            free_storage,
            total_storage,
        });
        Ok(metrics.unwrap_or_default())
    }

    /// Writes down what was measured.
    pub async fn set_storage_metrics(&self, metrics: StorageMetrics) -> Result<()> {
        const UPSERT: &str = "insert into conda_store_configuration (id, disk_usage, free_storage, total_storage) \
            values (1, $1, $2, $3) on conflict (id) do update set disk_usage = excluded.disk_usage, \
            free_storage = excluded.free_storage, total_storage = excluded.total_storage";
        let upsert = self.database.query("write storage metrics", UPSERT).value(metrics.disk_usage);
        upsert.value(metrics.free_storage).value(metrics.total_storage).run().await?;
        Ok(())
    }
}

fn counts(rows: Vec<(Option<String>, i64, i32)>) -> Result<Counts> {
    let count = |(status, count, id): (Option<String>, i64, i32)| {
        Ok((parse_status(id, status)?, u64::try_from(count).unwrap_or_default()))
    };
    rows.into_iter().map(count).collect()
}

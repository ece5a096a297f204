//! How much there is of everything.

use std::collections::BTreeMap;

use super::{Catalogue, builds::parse_status};
use crate::{Result, model::BuildStatus};

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

impl Catalogue {
    /// How many builds have each status; a status that none has is there with zero.
    pub async fn count_builds(&self) -> Result<BTreeMap<BuildStatus, u64>> {
        const SELECT: &str = "select status, count(*), min(id) from build group by status";
        let rows: Vec<(Option<String>, i64, i32)> = self.database.query("count builds", SELECT).all().await?;
        let mut counts: BTreeMap<BuildStatus, u64> = BuildStatus::ALL.map(|status| (status, 0)).into();
        for (status, count, id) in rows {
            counts.insert(parse_status(id, status)?, u64::try_from(count).unwrap_or_default());
        }
        Ok(counts)
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

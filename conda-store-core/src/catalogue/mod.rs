//! The catalogue: what is known about namespaces, environments, specifications, builds, packages and artifacts, on
//! `SQLite` or PostgreSQL.
//!
//! Each method of [`Catalogue`] is one use case, done wholly or not at all; transactions do not cross it. The tables are
//! those of the original and a few of our own, whose names begin with `cs_`.

mod artifacts;
mod build_facts;
mod build_order;
mod build_sets;
mod builds;
mod create;
mod database;
mod deletions;
mod difference;
mod environments;
mod error;
mod events;
mod execution;
mod filter;
mod handed_in;
mod index;
mod jobs;
mod metrics;
mod migrate;
mod namespaces;
mod package_columns;
mod package_rows;
mod packages;
mod page;
mod query;
mod record;
mod retention;
mod role_mappings;
mod run_memory;
mod same_artifacts;
mod search;
mod settings;
mod solves;
mod specifications;
mod tokens;
mod usage;
mod walk;
mod workers;

use std::sync::Arc;

pub(crate) use self::record::channel_name;
pub use self::{
    artifacts::{ArtifactProgress, ArtifactState},
    builds::{BuildQuery, BuildSort},
    create::{NewBuild, NewSpecification},
    database::Database,
    deletions::Deletion,
    difference::BuildDifference,
    environments::{Environment, EnvironmentQuery, EnvironmentSort},
    events::RecordedEvent,
    execution::{BuildResult, CancelResult, Claim, PhaseTime},
    index::{IndexedName, ListVersion},
    jobs::{JobAttempt, JobQuery, JobState, OpenJob},
    metrics::{Claims, EndedBuild, StorageMetrics},
    migrate::Migrations,
    namespaces::{Namespace, NamespaceQuery},
    packages::{PackageQuery, PackageSort},
    page::{Cursor, Order, Page, PageRequest, Start},
    retention::{EnvironmentPlace, KeptBuilds},
    role_mappings::{NamespaceRole, RoleMapping},
    search::{PackageColumn, PackageSearch},
    solves::{NewSolve, OpenSolve, SolveProgress},
    specifications::StoredSpecification,
    tokens::{NewToken, Token},
    usage::NamespaceUsage,
    workers::{SeenWorker, WorkerCounts, WorkerJob},
};
use crate::{Result, clock::Clock};

/// Everything the service keeps in its database. Cheap to clone; clones share the pool.
#[derive(Clone, Debug)]
pub struct Catalogue {
    database: Database,
    clock: Arc<dyn Clock>,
    kept_columns: package_columns::KeptColumns,
}

impl Catalogue {
    /// The catalogue in `database`, which [`Catalogue::migrate`] must have prepared, at some time or other.
    #[must_use]
    pub fn new(database: Database, clock: Arc<dyn Clock>) -> Self {
        Self { database, clock, kept_columns: package_columns::KeptColumns::default() }
    }

    /// The database, for those who keep tables of their own in it.
    #[must_use]
    pub fn database(&self) -> &Database {
        &self.database
    }

    /// Asks the database for a sign of life.
    ///
    /// # Errors
    /// [`ErrorKind::Unavailable`](crate::ErrorKind::Unavailable) where none comes.
    pub async fn ping(&self) -> Result<()> {
        self.database.query("reach the database", "select 1").run().await?;
        Ok(())
    }
}

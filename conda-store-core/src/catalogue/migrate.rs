//! Bringing the tables up to date, and telling whose they are.

use std::collections::BTreeSet;

use sqlx::migrate::{MigrateError, Migration, Migrator};

use super::{Catalogue, Database, error};
use crate::{Error, ErrorKind, Result};

/// The revision of the original's schema that this program works on, as alembic names it.
const REVISION: &str = "bf065abf375b";

/// What is being done.
const MIGRATE: &str = "prepare the database";

/// Serialises migrations on PostgreSQL; any number that other programs hardly use for the same.
#[cfg(feature = "postgres")]
const LOCK: i64 = 0x636f_6e64_6173_746f;

#[cfg(feature = "sqlite")]
static SQLITE: Migrator = sqlx::migrate!("migrations/sqlite");
#[cfg(feature = "postgres")]
static POSTGRES: Migrator = sqlx::migrate!("migrations/postgres");

/// The migration that makes the original's tables.
const ORIGINAL: i64 = 1;

/// A set of migrations, the same numbers for either kind of database.
#[derive(Clone, Copy, Debug)]
pub struct Migrations {
    /// The table in which those that ran are written down; each set has one of its own.
    pub history: &'static str,
    /// Those for `SQLite`, made by [`sqlx::migrate!`]; none where the set has none.
    pub sqlite: Option<&'static Migrator>,
    /// Those for PostgreSQL, made by [`sqlx::migrate!`]; none where the set has none.
    pub postgres: Option<&'static Migrator>,
}

/// The catalogue's own.
const CATALOGUE: Migrations = Migrations {
    history: "cs_migrations",
    #[cfg(feature = "sqlite")]
    sqlite: Some(&SQLITE),
    #[cfg(not(feature = "sqlite"))]
    sqlite: None,
    #[cfg(feature = "postgres")]
    postgres: Some(&POSTGRES),
    #[cfg(not(feature = "postgres"))]
    postgres: None,
};

impl Migrations {
    /// Those that fit `database`.
    fn of(&self, database: &Database) -> Result<&'static Migrator> {
        let migrations = match database {
            #[cfg(feature = "sqlite")]
            Database::Sqlite(_) => self.sqlite,
            #[cfg(feature = "postgres")]
            Database::Postgres(_) => self.postgres,
        };
        migrations.ok_or_else(|| {
            let message = format!("there are no tables of {} for this kind of database", self.history);
            Error::new(ErrorKind::Unsupported, MIGRATE, message)
        })
    }

    /// Those that fit `database`, under their own history.
    fn migrator(&self, database: &Database) -> Result<Migrator> {
        let migrations: Vec<Migration> = self.of(database)?.iter().cloned().collect();
        let mut migrator = Migrator::with_migrations(migrations);
        migrator.dangerous_set_table_name(self.history);
        // The transaction around it holds a lock that fits.
        migrator.set_locking(false);
        Ok(migrator)
    }
}

impl Database {
    /// Runs what has not run yet of `migrations`, all or nothing, one process at a time.
    ///
    /// # Errors
    /// [`ErrorKind::Conflict`] where the history is not one of this set: another version of the program made it, or a
    /// migration was changed afterwards. Otherwise as the database fails.
    pub async fn migrate(&self, migrations: &Migrations) -> Result<()> {
        self.migrate_from(migrations, None).await
    }

    /// As [`Database::migrate`], where those up to the number `made` count as done already.
    async fn migrate_from(&self, migrations: &Migrations, made: Option<i64>) -> Result<()> {
        let migrator = migrations.migrator(self)?;
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite(pool) => {
                let mut transaction = pool.begin_with("BEGIN IMMEDIATE").await.map_err(|cause| self.failed(cause))?;
                apply(&migrator, &mut *transaction, made).await?;
                transaction.commit().await.map_err(|cause| self.failed(cause))
            }
            #[cfg(feature = "postgres")]
            Self::Postgres(pool) => {
                let mut transaction = pool.begin().await.map_err(|cause| self.failed(cause))?;
                let lock = sqlx::query("select pg_advisory_xact_lock($1)").bind(LOCK);
                lock.execute(&mut *transaction).await.map_err(|cause| self.failed(cause))?;
                apply(&migrator, &mut *transaction, made).await?;
                transaction.commit().await.map_err(|cause| self.failed(cause))
            }
        }
    }

    fn failed(&self, cause: sqlx::Error) -> Error {
        error::failed(MIGRATE, &self.description(), cause)
    }
}

async fn apply<C: sqlx::migrate::Migrate>(migrator: &Migrator, connection: &mut C, made: Option<i64>) -> Result<()> {
    if let Some(made) = made {
        migrator.run_direct(Some(made), connection, true).await.map_err(refused)?;
    }
    migrator.run_direct(None, connection, false).await.map_err(refused)
}

fn refused(cause: MigrateError) -> Error {
    match cause {
        MigrateError::Execute(cause) | MigrateError::ExecuteMigration(cause, _) => {
            error::failed(MIGRATE, "its tables", cause)
        }
        cause @ (MigrateError::VersionMissing(_) | MigrateError::VersionTooNew(..)) => {
            let message = "the database was prepared by a newer version of this program: use that one";
            Error::new(ErrorKind::Conflict, MIGRATE, message).with_source(cause)
        }
        cause => {
            let message = "the history of the database's tables is not that of this program";
            Error::new(ErrorKind::Conflict, MIGRATE, message).with_source(cause)
        }
    }
}

impl Catalogue {
    /// Makes the tables, or brings them up to date. A database that the original made is taken over as it is, and the
    /// original can work on it again.
    ///
    /// # Errors
    /// [`ErrorKind::Conflict`] where the tables are of another version of the original, or of something else; the
    /// message says what to do about it.
    pub async fn migrate(&self) -> Result<()> {
        let made = if self.has_original_tables().await? { Some(ORIGINAL) } else { None };
        self.database.migrate_from(&CATALOGUE, made).await?;
        tracing::info!(database = self.database.description(), "the tables are up to date");
        Ok(())
    }

    /// Whether the tables are there and up to date, for those who use but do not migrate them.
    ///
    /// # Errors
    /// [`ErrorKind::Conflict`] where they are not.
    pub async fn check_schema(&self) -> Result<()> {
        let unprepared = || {
            let message = "the database is not prepared for this version: start the server, or migrate it, once";
            Error::new(ErrorKind::Conflict, MIGRATE, message).with("database", self.database.description())
        };
        if !self.has_original_tables().await? || !self.has_table("cs_migrations").await? {
            return Err(unprepared());
        }
        let rows: Vec<(i64,)> = self.database.query(MIGRATE, "select version from cs_migrations").all().await?;
        let found: BTreeSet<i64> = rows.into_iter().map(|(version,)| version).collect();
        let wanted: BTreeSet<i64> = CATALOGUE.of(&self.database)?.iter().map(|migration| migration.version).collect();
        if wanted == found { Ok(()) } else { Err(unprepared()) }
    }

    /// Whether the original's tables are there, in the revision that we know.
    async fn has_original_tables(&self) -> Result<bool> {
        // In this order: another process may be making all of them, in one transaction, between the two looks.
        let has_tables = self.has_table("environment").await?;
        if !self.has_table("alembic_version").await? {
            return if has_tables { Err(self.foreign("no revision")) } else { Ok(false) };
        }
        let rows: Vec<(String,)> =
            self.database.query(MIGRATE, "select version_num from alembic_version").all().await?;
        match rows.as_slice() {
            [(revision,)] if revision == REVISION => Ok(true),
            rows => {
                let found: Vec<&str> = rows.iter().map(|(revision,)| revision.as_str()).collect();
                Err(self.foreign(&found.join(", ")))
            }
        }
    }

    fn foreign(&self, found: &str) -> Error {
        let message = format!(
            "the tables of the database have {found:?} where alembic revision {REVISION} is needed: start conda-store-server \
             2024.11 or newer on it once with `upgrade_db` (or run its `alembic upgrade head`), then come back"
        );
        Error::new(ErrorKind::Conflict, MIGRATE, message).with("database", self.database.description())
    }

    async fn has_table(&self, name: &'static str) -> Result<bool> {
        let query = self.database.query(MIGRATE, "select count(*) from ");
        let query = query.push_either(
            "sqlite_master where type = 'table' and name = ",
            "pg_class where relkind in ('r', 'p') and pg_table_is_visible(oid) and relname = ",
        );
        let (tables,): (i64,) = query.bind(name).one().await?;
        Ok(tables > 0)
    }
}

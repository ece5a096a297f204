//! The suite on `SQLite` in a file, `SQLite` in memory and PostgreSQL, and what only a database can do.

use std::sync::Arc;

use conda_store_core::{
    catalogue::Database,
    clock::Clock,
    queue::{Priority, Queue, RetryPolicy},
    testing::{ManualClock, service},
};

use super::*;

#[cfg(feature = "amqp")]
mod amqp;
#[cfg(feature = "amqp")]
mod amqp_tls;
mod outage;
mod schema;
mod sharing;

type Fixture<G> = Option<(Arc<dyn Queue>, Arc<ManualClock>, G)>;

async fn fixture<G>(place: Place<G>) -> Fixture<G> {
    let clock = Arc::new(ManualClock::new());
    let queue = SqlQueue::migrated(place.connect().await, Arc::<ManualClock>::clone(&clock)).await.unwrap();
    Some((Arc::new(queue), clock, place.guard))
}

mod file {
    async fn fixture() -> super::Fixture<tempfile::TempDir> {
        super::fixture(super::file()).await
    }
    conda_store_core::queue_suite!(fixture);
}

mod memory {
    async fn fixture() -> super::Fixture<()> {
        super::fixture(super::Place { url: "sqlite::memory:".into(), guard: () }).await
    }
    conda_store_core::queue_suite!(fixture);
}

#[cfg(feature = "postgres")]
mod postgres {
    async fn fixture() -> super::Fixture<super::Schema> {
        super::fixture(super::schema().await?).await
    }
    conda_store_core::queue_suite!(fixture);
}

/// Where a test keeps its tables.
struct Place<G> {
    url: String,
    guard: G,
}

impl<G> Place<G> {
    async fn connect(&self) -> Database {
        Database::connect(&self.url).await.unwrap()
    }

    /// A queue that reads the machine's clock.
    async fn queue(&self) -> SqlQueue {
        SqlQueue::migrated(self.connect().await, system_clock()).await.unwrap()
    }
}

const LEASE: Duration = Duration::from_secs(30);

/// A job that is due at once.
fn job(name: &str) -> NewJob {
    NewJob {
        name: JobName(name.into()),
        payload: serde_json::Value::Null,
        priority: Priority::FOLLOW_UP,
        group: None,
        delay: Duration::ZERO,
        retry: RetryPolicy::default(),
        every: None,
    }
}

fn system_clock() -> Arc<dyn Clock> {
    Arc::new(conda_store_core::clock::SystemClock)
}

/// A database file of its own.
fn file() -> Place<tempfile::TempDir> {
    let directory = tempfile::tempdir().unwrap();
    Place { url: format!("sqlite:{}", directory.path().join("queue.sqlite").display()), guard: directory }
}

/// A schema of its own.
#[cfg(feature = "postgres")]
async fn schema() -> Option<Place<Schema>> {
    let server = service("postgres")?;
    let name = format!("queue_{}", Uuid::new_v4().simple());
    run(&server, format!("create schema {name}")).await;
    let separator = if server.contains('?') { '&' } else { '?' };
    let url = format!("{server}{separator}options[search_path]={name}&application_name={name}");
    Some(Place { url, guard: Schema { server, name } })
}

#[cfg(feature = "postgres")]
async fn run(server: &str, statement: String) {
    use sqlx::{AssertSqlSafe, Connection, PgConnection};

    let mut connection = PgConnection::connect(server).await.unwrap();
    sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}

/// Dropped when the test is over.
#[cfg(feature = "postgres")]
struct Schema {
    server: String,
    name: String,
}

#[cfg(feature = "postgres")]
impl Drop for Schema {
    fn drop(&mut self) {
        let drop = || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            // A transaction that the test left open would hold its tables: while this waits, nobody rolls it back.
            let name = &self.name;
            let statements = format!(
                "select pg_terminate_backend(pid) from pg_stat_activity where application_name = '{name}';
                 drop schema {name} cascade"
            );
            runtime.block_on(run(&self.server, statements));
        };
        // A destructor cannot await, and the test's own runtime may be about to end.
        std::thread::scope(|scope| {
            scope.spawn(drop);
        });
    }
}

//! Databases to test on, and things to put into them.

use std::{panic::AssertUnwindSafe, sync::Arc, time::Duration};

use conda_store_core::{
    Result,
    build_key::{BuildKeyFormat, BuildKeyParts, BuildKeyReference},
    catalogue::{BuildResult, Catalogue, Claim, Database, NewBuild, NewSpecification},
    clock::Clock,
    model::{Build, BuildId},
    testing::{ManualClock, service},
};
use futures::FutureExt;
use rattler_conda_types::RepoDataRecord;
use serde_json::json;
use sqlx::{AssertSqlSafe, Connection, PgConnection, raw_sql};

/// How long leases last in these tests.
pub(crate) const LEASE: Duration = Duration::from_mins(1);

/// A catalogue of its own for one run of one case.
#[derive(Clone)]
pub(crate) struct Fixture {
    pub(crate) catalogue: Catalogue,
    pub(crate) database: Database,
    pub(crate) clock: Arc<ManualClock>,
    /// What leads to the database.
    pub(crate) url: String,
}

impl Fixture {
    async fn connect(url: String) -> Self {
        let database = Database::connect(&url).await.unwrap();
        let clock = Arc::new(ManualClock::new());
        let shared: Arc<dyn Clock> = Arc::<ManualClock>::clone(&clock);
        Self { catalogue: Catalogue::new(database.clone(), shared), database, clock, url }
    }

    /// Runs statements as they are.
    pub(crate) async fn execute(&self, text: &str) {
        match &self.database {
            Database::Sqlite(pool) => drop(raw_sql(AssertSqlSafe(text)).execute(pool).await.unwrap()),
            Database::Postgres(pool) => drop(raw_sql(AssertSqlSafe(text)).execute(pool).await.unwrap()),
            other => panic!("{other:?}"),
        }
    }

    /// The first column of what a query gives, which must be text.
    pub(crate) async fn texts(&self, text: &str) -> Vec<String> {
        match &self.database {
            Database::Sqlite(pool) => sqlx::query_scalar(AssertSqlSafe(text)).fetch_all(pool).await.unwrap(),
            Database::Postgres(pool) => sqlx::query_scalar(AssertSqlSafe(text)).fetch_all(pool).await.unwrap(),
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn is_sqlite(&self) -> bool {
        matches!(self.database, Database::Sqlite(_))
    }

    /// A queued build of `namespace/name`.
    pub(crate) async fn queue(&self, path: &str) -> Build {
        create(&self.catalogue, path, "one").await.unwrap()
    }

    /// A build of `namespace/name` in the hands of a worker, and its attempt.
    pub(crate) async fn start(&self, path: &str) -> (BuildId, u32) {
        let build = self.queue(path).await.id;
        (build, self.claim(build).await)
    }

    /// Takes the build and gives the attempt.
    pub(crate) async fn claim(&self, build: BuildId) -> u32 {
        match self.catalogue.claim_build(build, "worker", LEASE).await.unwrap() {
            Claim::Started { attempt, .. } => attempt,
            other => panic!("{other:?}"),
        }
    }

    /// A completed build of `namespace/name` with these packages.
    pub(crate) async fn complete(&self, path: &str, packages: &[RepoDataRecord]) -> BuildId {
        let (build, attempt) = self.start(path).await;
        let result = BuildResult { size: 10, packages, make_current: true, artifacts: &[] };
        self.catalogue.complete_build(build, attempt, result).await.unwrap();
        build
    }
}

/// Asks for a build of `namespace/name`; equal `content` is the same specification.
pub(crate) async fn create(catalogue: &Catalogue, path: &str, content: &str) -> Result<Build> {
    let (namespace, environment) = path.split_once('/').unwrap();
    let new = NewBuild {
        namespace: &namespace.parse().unwrap(),
        environment: &environment.parse().unwrap(),
        description: None,
        specification: NewSpecification {
            name: environment,
            spec: &json!({"name": environment, "dependencies": [content]}),
            sha256: content,
            is_lockfile: false,
        },
        build_key: &Numbered,
    };
    catalogue.create_build(&new).await
}

/// Keys that are the build's id.
#[derive(Debug)]
pub(crate) struct Numbered;

impl BuildKeyFormat for Numbered {
    fn version(&self) -> i32 {
        2
    }

    fn key(&self, parts: &BuildKeyParts<'_>) -> Result<String> {
        Ok(parts.build_id.to_string())
    }

    fn parse(&self, key: &str) -> Option<BuildKeyReference> {
        Some(BuildKeyReference::Id(key.parse().ok()?))
    }
}

/// A package of the channel `forge`.
pub(crate) fn package(name: &str, version: &str) -> RepoDataRecord {
    let file = format!("{name}-{version}-h0_1.conda");
    serde_json::from_value(json!({
        "name": name, "version": version, "build": "h0_1", "build_number": 1, "subdir": "linux-64",
        "depends": ["python >=3.10"], "constrains": [], "license": "MIT", "license_family": "MIT".repeat(40),
        "md5": "d41d8cd98f00b204e9800998ecf8427e", "size": 7, "timestamp": 1_713_204_800_955_i64,
        "sha256": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "fn": file, "url": format!("https://user:secret@example.org/t/token/forge/linux-64/{file}"),
        "channel": "https://user:secret@example.org/t/token/forge/",
    }))
    .unwrap()
}

/// Runs `body` on an empty, migrated `SQLite` database and on an empty, migrated PostgreSQL schema.
pub(crate) async fn both(body: impl AsyncFn(&Fixture)) {
    both_empty(async |fixture: &Fixture| {
        fixture.catalogue.migrate().await.unwrap();
        body(fixture).await;
    })
    .await;
}

/// As [`both`], without tables.
pub(crate) async fn both_empty(body: impl AsyncFn(&Fixture)) {
    on_sqlite(&body).await;
    if let Some(url) = service("postgres") {
        on_postgres(&url, &body).await;
    }
}

async fn on_sqlite(body: &impl AsyncFn(&Fixture)) {
    let directory = tempfile::tempdir().unwrap();
    let fixture = Fixture::connect(format!("sqlite:{}", directory.path().join("store.db").display())).await;
    body(&fixture).await;
    fixture.database.close().await;
}

/// Runs `body` in a schema of its own, which is gone afterwards however `body` ends.
pub(crate) async fn on_postgres(url: &str, body: &impl AsyncFn(&Fixture)) {
    let schema = format!("test_{}", uuid::Uuid::new_v4().simple());
    let mut administrator = PgConnection::connect(url).await.unwrap();
    raw_sql(AssertSqlSafe(format!("create schema {schema}"))).execute(&mut administrator).await.unwrap();
    let separator = if url.contains('?') { '&' } else { '?' };
    let fixture = Fixture::connect(format!("{url}{separator}options[search_path]={schema}")).await;
    let outcome = AssertUnwindSafe(body(&fixture)).catch_unwind().await;
    fixture.database.close().await;
    raw_sql(AssertSqlSafe(format!("drop schema {schema} cascade"))).execute(&mut administrator).await.unwrap();
    if let Err(panic) = outcome {
        std::panic::resume_unwind(panic);
    }
}

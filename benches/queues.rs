//! Many small jobs through each queue, done by four processes of which one is killed every second:
//!
//!     CONDA_STORE_TEST_POSTGRES_URL=… CONDA_STORE_TEST_REDIS_URL=… CONDA_STORE_TEST_AMQP_URL=… cargo bench --bench queues
//!
//! A job claims a build in the catalogue and completes it. At the end each build has to be completed, and none twice; Redis
//! is flushed in the middle. Prints how long a job waits for an idle worker and how many are done in a second, beside what
//! the broker's own benchmark says of this machine.

#![expect(clippy::print_stdout, reason = "a bench answers on the terminal")]

#[path = "support/brokers.rs"]
mod brokers;
#[path = "support/database.rs"]
mod database;
#[path = "support/small_jobs.rs"]
mod small_jobs;

use std::{
    collections::HashSet,
    path::Path,
    process::{Child, Command},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use conda_store_core::{
    CondaStore,
    catalogue::Database,
    clock::Timestamp,
    specification::{Specification, SpecificationLimits},
    testing::service,
};
use futures::{StreamExt, TryStreamExt};

use self::small_jobs::{DONE, Place, Through};

const JOBS: usize = 10_000;
/// Jobs that come one by one, while all workers wait.
const LONELY_JOBS: usize = 200;
const WORKERS: usize = 4;
/// Builds belong to so many environments.
const ENVIRONMENTS: usize = 100;
/// How many are handed in at the same time.
const HANDS: usize = 8;
/// Longer than it may take until all is done.
const PATIENCE: Duration = Duration::from_mins(20);

/// The argument that makes a worker of this program.
const WORK: &str = "--work";

fn main() -> Result<()> {
    let runtime = tokio::runtime::Runtime::new()?;
    let arguments: Vec<String> = std::env::args().collect();
    match arguments.iter().position(|argument| argument == WORK) {
        Some(at) => runtime.block_on(small_jobs::work(&Place::from_argument(&arguments[at + 1])?)),
        None => runtime.block_on(compare()),
    }
}

async fn compare() -> Result<()> {
    let postgres = service("postgres");
    println!("{JOBS} jobs, {WORKERS} workers, one killed every second; {LONELY_JOBS} jobs one by one");
    println!("{:<28}{:>10}{:>14}{:>14}{:>8}", "queue", "jobs/s", "start p50", "start p99", "killed");
    measure("SQLite", None, Through::Database).await?;
    if let Some(server) = &postgres {
        measure("PostgreSQL", Some(server), Through::Database).await?;
    }
    let prefix = format!("bench-{}", std::process::id());
    if let Some(url) = service("redis") {
        let through = Through::Redis { url: url.clone(), prefix: prefix.clone() };
        measure("Redis, flushed in the middle", postgres.as_deref(), through).await?;
    }
    if let Some(url) = service("amqp") {
        measure("RabbitMQ", postgres.as_deref(), Through::RabbitMq { url, queue: prefix }).await?;
    }
    println!("\nthe services themselves on this machine, by their own benchmarks where they have one");
    println!("{:<44}{:>14}{:>14}{:>14}", "operation", "per second", "p50", "p99");
    if let Some(server) = &postgres {
        brokers::postgres(server).await?;
    }
    if let Some(url) = service("redis") {
        brokers::redis(&url)?;
    }
    if let Some(url) = service("amqp") {
        brokers::rabbitmq(&url).await?;
    }
    Ok(())
}

async fn measure(name: &str, server: Option<&str>, through: Through) -> Result<()> {
    let directory = tempfile::tempdir()?;
    let database = database::Database::make(directory.path(), server).await?;
    let place = Place { directory: directory.path().to_owned(), database: database.url.clone(), through };
    let store = place.store().await?;
    let catalogue = Database::connect(&database.url).await?;

    let mut workers = Workers::start(&place)?;
    let waits = lonely(&store, &catalogue).await?;
    let begun = Instant::now();
    let (submitted, stormed) = tokio::join!(submit(&store, JOBS), storm(&mut workers, &place, &catalogue));
    submitted?;
    let rate = f64::from(u32::try_from(JOBS)?) / (stormed? - begun).as_secs_f64();
    check(&place, &catalogue).await?;

    let [middle, late] = [50, 99].map(|percent| format!("{:.1} ms", waits[waits.len() * percent / 100] * 1_000.0));
    println!("{name:<28}{rate:>10.0}{middle:>14}{late:>14}{:>8}", workers.killed);
    drop(workers);
    place.clean_up().await?;
    database.drop().await
}

/// Hands in jobs while all workers wait, and answers how many seconds each waited, in order.
async fn lonely(store: &CondaStore, catalogue: &Database) -> Result<Vec<f64>> {
    // The first ones find the workers starting.
    submit(store, WORKERS).await?;
    until_completed(catalogue, WORKERS).await?;
    tokio::time::sleep(Duration::from_secs(2)).await;
    for number in 1..=LONELY_JOBS {
        submit(store, 1).await?;
        until_completed(catalogue, WORKERS + number).await?;
    }
    let mut waits: Vec<_> = starts(catalogue).await?.split_off(WORKERS);
    waits.sort_by(f64::total_cmp);
    Ok(waits)
}

/// Kills a worker every second, and flushes Redis once, until every build is completed; answers when that was.
async fn storm(workers: &mut Workers, place: &Place, catalogue: &Database) -> Result<Instant> {
    let (begun, mut flushed) = (Instant::now(), false);
    loop {
        let completed = completed(catalogue).await?;
        if completed == WORKERS + LONELY_JOBS + JOBS {
            return Ok(Instant::now());
        }
        ensure!(begun.elapsed() < PATIENCE, "{completed} builds are completed after {PATIENCE:?}");
        if !flushed && completed > JOBS / 2 {
            place.flush()?;
            flushed = true;
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
        workers.kill_one(place)?;
    }
}

/// Each build is completed, and nobody was told twice that it is.
async fn check(place: &Place, catalogue: &Database) -> Result<()> {
    let total = WORKERS + LONELY_JOBS + JOBS;
    ensure!(starts(catalogue).await?.len() == total, "there are more builds than were handed in, or fewer");
    ensure!(completed(catalogue).await? == total, "a build is not completed");
    let done = std::fs::read_to_string(place.directory.join(DONE))?;
    let mut seen = HashSet::new();
    let twice: Vec<_> = done.lines().filter(|id| !seen.insert(*id)).collect();
    ensure!(twice.is_empty(), "completed more than once: {twice:?}");
    Ok(())
}

async fn submit(store: &CondaStore, count: usize) -> Result<()> {
    let submit = async |number: usize| {
        let text = format!("name: env-{}\nchannels: []\ndependencies: []\n", number % ENVIRONMENTS);
        let specification = Specification::from_yaml(&text, &SpecificationLimits::default())?;
        store.submit(&"bench".parse()?, specification).await?;
        anyhow::Ok(())
    };
    futures::stream::iter(0..count).map(submit).buffer_unordered(HANDS).try_collect().await
}

/// Runs `$run` with the pool of either kind of database.
macro_rules! with_pool {
    ($database:expr, $pool:ident => $run:expr) => {
        match $database {
            Database::Sqlite($pool) => $run,
            Database::Postgres($pool) => $run,
            other => anyhow::bail!("{other:?} is no database of this bench"),
        }
    };
}

async fn completed(catalogue: &Database) -> Result<usize> {
    const COUNT: &str = "select count(*) from build where status = 'COMPLETED'";
    let count: i64 = with_pool!(catalogue, pool => sqlx::query_scalar(COUNT).fetch_one(pool).await?);
    Ok(usize::try_from(count)?)
}

async fn until_completed(catalogue: &Database, count: usize) -> Result<()> {
    let begun = Instant::now();
    while completed(catalogue).await? < count {
        ensure!(begun.elapsed() < PATIENCE, "a build is not completed after {PATIENCE:?}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    Ok(())
}

/// How many seconds each build waited for a worker, in the order in which they were handed in.
async fn starts(catalogue: &Database) -> Result<Vec<f64>> {
    const SELECT: &str = "select scheduled_on, started_on from build order by id";
    let times: Vec<(Timestamp, Option<Timestamp>)> =
        with_pool!(catalogue, pool => sqlx::query_as(SELECT).fetch_all(pool).await?);
    let wait = |(scheduled, started): (Timestamp, Option<Timestamp>)| {
        started.map(|started| started.since(scheduled).as_secs_f64()).context("a build was never started")
    };
    times.into_iter().map(wait).collect()
}

/// Processes that do jobs; killed with this.
struct Workers {
    processes: Vec<Child>,
    killed: usize,
}

impl Workers {
    fn start(place: &Place) -> Result<Self> {
        let processes: Result<_> = (0..WORKERS).map(|_| start_one(place)).collect();
        Ok(Self { processes: processes?, killed: 0 })
    }

    /// Kills the one that has worked longest, and starts another.
    fn kill_one(&mut self, place: &Place) -> Result<()> {
        let mut process = self.processes.remove(0);
        let (killed, ended) = (process.kill(), process.wait());
        killed.and(ended)?;
        self.killed += 1;
        self.processes.push(start_one(place)?);
        Ok(())
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        for process in &mut self.processes {
            let _over_already = process.kill();
            let _status = process.wait();
        }
    }
}

fn start_one(place: &Place) -> Result<Child> {
    let program = std::env::current_exe()?;
    Command::new(&program).arg(WORK).arg(place.argument()?).spawn().with_context(|| describe(&program))
}

fn describe(program: &Path) -> String {
    format!("start {}", program.display())
}

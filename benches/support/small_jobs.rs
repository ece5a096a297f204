//! Workers whose jobs are small: each claims a build in the catalogue and completes it.

use std::{fs::OpenOptions, io::Write, num::NonZeroUsize, path::PathBuf, sync::Arc, time::Duration};

use async_trait::async_trait;
use conda_store_core::{
    CondaStore, Error, ErrorKind,
    catalogue::{BuildResult, Catalogue, Claim, Database},
    clock::{Clock, SystemClock},
    job::{Attempt, Job, JobHandler, Outcome, Stop},
    model::BuildId,
    paths::{Layout, LayoutOptions},
    queue::Queue,
    settings::Settings,
};
use conda_store_queue::{RabbitMq, RedisQueue, SqlQueue, Worker};
use conda_store_storage::MemoryStorage;
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

/// The file with a line for each build that a worker completed.
pub(crate) const DONE: &str = "done";

/// How long the work on a build takes.
const WORK: Duration = Duration::from_millis(1);

/// How long a lost worker's job waits, which has to be short beside the whole.
const LEASE: Duration = Duration::from_secs(5);

/// What a service of this bench is made of, for each of its processes.
#[derive(Serialize, Deserialize)]
pub(crate) struct Place {
    pub(crate) directory: PathBuf,
    pub(crate) database: String,
    pub(crate) through: Through,
}

/// What carries the jobs.
#[derive(Serialize, Deserialize)]
pub(crate) enum Through {
    Database,
    Redis { url: String, prefix: String },
    RabbitMq { url: String, queue: String },
}

impl Place {
    pub(crate) fn from_argument(argument: &str) -> anyhow::Result<Self> {
        Ok(serde_json::from_str(argument)?)
    }

    pub(crate) fn argument(&self) -> anyhow::Result<String> {
        Ok(serde_json::to_string(self)?)
    }

    pub(crate) async fn store(&self) -> anyhow::Result<CondaStore> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let database = Database::connect(&self.database).await?;
        let catalogue = Catalogue::new(database.clone(), Arc::clone(&clock));
        catalogue.migrate().await?;
        let layout = Layout::new(&LayoutOptions::new(self.directory.join("state")), &self.directory)?;
        std::fs::create_dir_all(layout.store_directory())?;
        let builder = CondaStore::builder()
            .catalogue(catalogue)
            .storage(MemoryStorage::new(Arc::clone(&clock)))
            .settings(Settings { storage_threshold: 0, ..Settings::default() })
            .layout(layout);
        let builder = match &self.through {
            Through::Database => builder.queue(SqlQueue::migrated(database, clock).await?),
            Through::Redis { url, prefix } => builder.queue(RedisQueue::connect(url, prefix, clock).await?),
            Through::RabbitMq { url, queue } => {
                let messenger = RabbitMq::connect(url, queue).await?;
                builder.queue(SqlQueue::migrated(database, clock).await?.announced_by(messenger))
            }
        };
        Ok(builder.build().await?)
    }

    /// Has a queue that can forget its jobs forget them.
    pub(crate) fn flush(&self) -> anyhow::Result<()> {
        let Through::Redis { url, prefix } = &self.through else { return Ok(()) };
        let mut connection = redis::Client::open(url.as_str())?.get_connection()?;
        let keys: Vec<String> = redis::cmd("KEYS").arg(format!("{{{prefix}}}:*")).query(&mut connection)?;
        if !keys.is_empty() {
            redis::cmd("DEL").arg(keys).exec(&mut connection)?;
        }
        Ok(())
    }

    /// Takes away what the bench left in services.
    pub(crate) async fn clean_up(&self) -> anyhow::Result<()> {
        self.flush()?;
        if let Through::RabbitMq { url, queue } = &self.through {
            let connection = lapin::Connection::connect(url, lapin::ConnectionProperties::default()).await?;
            let channel = connection.create_channel().await?;
            channel.queue_delete(queue.as_str().into(), lapin::options::QueueDeleteOptions::default()).await?;
        }
        Ok(())
    }
}

/// Does jobs until this process is killed.
pub(crate) async fn work(place: &Place) -> anyhow::Result<()> {
    let store = place.store().await?;
    let queue: Arc<dyn Queue> = Arc::clone(store.queue());
    let handler = Arc::new(SmallJobs { store, done: place.directory.join(DONE) });
    let worker = Worker::builder(handler, queue, Arc::new(SystemClock))
        .concurrency(NonZeroUsize::MIN.saturating_add(3))
        .lease(LEASE)
        .build();
    worker.run(CancellationToken::new()).await;
    Ok(())
}

#[derive(Debug)]
struct SmallJobs {
    store: CondaStore,
    done: PathBuf,
}

impl SmallJobs {
    /// Claims the build and completes it, unless it is another's.
    async fn complete(&self, id: BuildId, attempt: &Attempt) -> conda_store_core::Result<()> {
        let catalogue = self.store.catalogue();
        let Claim::Started { attempt, .. } = catalogue.claim_build(id, &attempt.worker, attempt.lease).await? else {
            return Ok(());
        };
        tokio::time::sleep(WORK).await;
        let result = BuildResult { size: 0, packages: &[], artifacts: &[], make_current: false };
        match catalogue.complete_build(id, attempt, result).await {
            Ok(_is_current) => self.note(id),
            Err(error) if error.kind() == ErrorKind::Stale => Ok(()),
            Err(error) => Err(error),
        }
    }

    fn note(&self, id: BuildId) -> conda_store_core::Result<()> {
        let file = OpenOptions::new().create(true).append(true).open(&self.done);
        let write = |mut file: std::fs::File| file.write_all(format!("{id}\n").as_bytes());
        file.and_then(write).map_err(|error| Error::io("note build", error))
    }
}

#[async_trait]
impl JobHandler for SmallJobs {
    async fn handle(&self, job: &Job, attempt: &Attempt) -> conda_store_core::Result<Outcome> {
        match job {
            Job::Build { build_id } => self.complete(*build_id, attempt).await.map(|()| Outcome::Done),
            other => self.store.handle(other, attempt).await,
        }
    }

    async fn pulse(&self, job: &Job, attempt: &Attempt) -> conda_store_core::Result<Option<Stop>> {
        self.store.pulse(job, attempt).await
    }

    fn periodic(&self) -> Vec<Job> {
        vec![Job::Sweep]
    }
}

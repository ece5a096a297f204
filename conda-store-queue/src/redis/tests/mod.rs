//! The suite on a Redis service, and what only a service can do.

use std::{sync::Arc, time::Duration};

use conda_store_core::{
    ErrorKind,
    clock::{Clock, SystemClock},
    queue::{Enqueued, JobName, NewJob, Priority, Queue, QueueDepth, RetryPolicy},
    testing::{ManualClock, service},
};
use uuid::Uuid;

use super::RedisQueue;

mod outage;
mod sharing;
mod tls;

const LEASE: Duration = Duration::from_secs(30);

/// A prefix of a test's own, whose keys are gone when the test is over.
struct Place {
    url: String,
    prefix: String,
}

impl Place {
    fn new() -> Option<Self> {
        Some(Self { url: service("redis")?, prefix: format!("test-{}", Uuid::new_v4().simple()) })
    }

    async fn queue(&self) -> RedisQueue {
        self.queue_with(Arc::new(SystemClock)).await
    }

    async fn queue_with(&self, clock: Arc<dyn Clock>) -> RedisQueue {
        RedisQueue::connect(&self.url, &self.prefix, clock).await.unwrap()
    }

    /// Forgets all jobs and scripts, as a service does that is flushed.
    fn flush(&self) {
        self.forget_jobs();
        let mut connection = redis::Client::open(self.url.as_str()).unwrap().get_connection().unwrap();
        redis::cmd("SCRIPT").arg("FLUSH").exec(&mut connection).unwrap();
    }

    fn forget_jobs(&self) {
        let mut connection = redis::Client::open(self.url.as_str()).unwrap().get_connection().unwrap();
        let pattern = format!("{{{}}}:*", self.prefix);
        let keys: Vec<String> = redis::cmd("KEYS").arg(pattern).query(&mut connection).unwrap();
        if !keys.is_empty() {
            redis::cmd("DEL").arg(keys).exec(&mut connection).unwrap();
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.forget_jobs();
    }
}

async fn fixture() -> Option<(Arc<dyn Queue>, Arc<ManualClock>, Place)> {
    let place = Place::new()?;
    let clock = Arc::new(ManualClock::new());
    let queue = place.queue_with(Arc::<ManualClock>::clone(&clock)).await;
    Some((Arc::new(queue), clock, place))
}

conda_store_core::queue_suite!(fixture);

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

#[tokio::test]
async fn queues_with_prefixes_of_their_own_share_a_service() {
    let (Some(one), Some(other)) = (Place::new(), Place::new()) else { return };
    one.queue().await.enqueue(job("job")).await.unwrap();
    assert_eq!(other.queue().await.depth().await.unwrap(), QueueDepth::default());
}

#[tokio::test]
async fn a_wrong_url_is_refused_without_its_password() {
    for url in ["http://:hunter2@localhost", "redis://:hunter2@localhost:port", "redis://:hunter2@localhost/name"] {
        let error = RedisQueue::connect(url, "test", Arc::new(SystemClock)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
        assert!(
            error.to_string().contains("redis://USER") && !error.report().contains("hunter2"),
            "{}",
            error.report()
        );
    }
}

#[tokio::test]
async fn a_wrong_password_is_named() {
    let Some(url) = service("redis") else { return };
    let url = url.replace("redis://", "redis://nobody:hunter2@");
    let error = RedisQueue::connect(&url, "test", Arc::new(SystemClock)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid, "{}", error.report());
    assert!(!error.report().contains("hunter2"), "{}", error.report());
}

#[tokio::test]
async fn a_service_that_threw_a_job_away_gives_the_next_one() {
    let Some(place) = Place::new() else { return };
    let queue = place.queue().await;
    for name in ["evicted", "kept"] {
        queue.enqueue(job(name)).await.unwrap();
    }
    let mut connection = redis::Client::open(place.url.as_str()).unwrap().get_connection().unwrap();
    redis::cmd("DEL").arg(format!("{{{}}}:job:evicted", place.prefix)).exec(&mut connection).unwrap();
    assert_eq!(queue.lease("worker", LEASE).await.unwrap().unwrap().name, job("kept").name);
}

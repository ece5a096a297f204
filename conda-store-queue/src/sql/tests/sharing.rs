//! Several processes on one queue, each with connections of its own.

use std::{collections::BTreeSet, time::Instant};

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn processes_share_jobs() {
    let place = file();
    share(async || place.queue().await).await;
    #[cfg(feature = "postgres")]
    if let Some(place) = schema().await {
        share(async || place.queue().await).await;
    }
}

/// Three processes with two workers each take, fail once and acknowledge what a fourth hands in meanwhile.
pub(super) async fn share(open: impl AsyncFn() -> SqlQueue) {
    const JOBS: usize = 60;
    let source = open().await;
    let mut workers = tokio::task::JoinSet::new();
    for process in 0..3 {
        let queue = Arc::new(open().await);
        for worker in 0..2 {
            let queue = Arc::clone(&queue);
            workers.spawn(async move { work(&queue, &format!("{process}:{worker}")).await });
        }
    }
    let retry = RetryPolicy { backoff: Duration::ZERO, ..RetryPolicy::default() };
    for number in 0..JOBS {
        source.enqueue(NewJob { retry, ..job(&format!("job/{number}")) }).await.unwrap();
    }
    for worker in 0..6 {
        let last = NewJob { priority: Priority::PERIODIC, payload: "end".into(), ..job(&format!("end/{worker}")) };
        source.enqueue(NewJob { delay: Duration::from_millis(1), ..last }).await.unwrap();
    }
    let done = tokio::time::timeout(Duration::from_mins(1), workers.join_all()).await.expect("the queue runs empty");
    let done = done.concat();
    assert_eq!(done.len(), JOBS, "each job is acknowledged once");
    assert_eq!(done.into_iter().collect::<BTreeSet<_>>().len(), JOBS);
    assert_eq!(source.depth().await.unwrap(), QueueDepth::default());
}

/// Fails each job at the first attempt and acknowledges it at the second, until a last one comes.
async fn work(queue: &SqlQueue, worker: &str) -> Vec<JobName> {
    let mut done = Vec::new();
    loop {
        let Some(lease) = queue.lease(worker, LEASE).await.unwrap() else {
            queue.ready(LEASE).await;
            continue;
        };
        if lease.payload == "end" {
            queue.ack(&lease).await.unwrap();
            return done;
        }
        if lease.attempt == 1 {
            assert!(matches!(queue.retry(&lease).await.unwrap(), Retry::At(_)));
            continue;
        }
        assert_eq!(lease.attempt, 2);
        queue.ack(&lease).await.unwrap();
        done.push(lease.name);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_of_another_process_starts_soon() {
    let place = file();
    assert!(soonest(&place.queue().await, &place.queue().await).await < Duration::from_millis(100));
}

#[cfg(feature = "postgres")]
#[tokio::test(flavor = "multi_thread")]
async fn a_job_of_another_process_is_announced() {
    let Some(place) = schema().await else { return };
    let (worker, source) = (place.queue().await, place.queue().await);
    until_told(&worker).await;
    assert_eq!(worker.wakeup.news.patience(), Duration::from_secs(1), "it does not find jobs by looking");
    assert!(soonest(&worker, &source).await < Duration::from_millis(50));
}

/// Waits until changes by other processes arrive.
#[cfg(any(feature = "amqp", feature = "postgres"))]
pub(super) async fn until_told(queue: &SqlQueue) {
    let told = async {
        while queue.wakeup.news.patience() < Duration::from_secs(1) {
            queue.ready(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), told).await.expect("the queue listens");
}

/// How long it takes from a job's arrival to its lease, the best of several: other programs run as well.
pub(super) async fn soonest(worker: &SqlQueue, source: &SqlQueue) -> Duration {
    let mut soonest = Duration::MAX;
    for number in 0..5 {
        let take = async {
            loop {
                worker.ready(LEASE).await;
                if let Some(lease) = worker.lease("worker", LEASE).await.unwrap() {
                    return (lease, Instant::now());
                }
            }
        };
        let enqueue = async {
            // The worker looks first and finds nothing.
            source.ready(Duration::from_millis(20)).await;
            let enqueued = Instant::now();
            source.enqueue(job(&format!("job/{number}"))).await.unwrap();
            enqueued
        };
        let ((lease, taken), enqueued) = tokio::join!(take, enqueue);
        worker.ack(&lease).await.unwrap();
        soonest = soonest.min(taken - enqueued);
    }
    soonest
}

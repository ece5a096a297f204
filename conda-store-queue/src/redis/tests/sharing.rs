//! Several processes on one queue, each with connections of its own.

use std::time::Instant;

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn a_job_of_another_process_is_announced() {
    let Some(place) = Place::new() else { return };
    let (worker, source) = (place.queue().await, place.queue().await);
    until_told(&worker).await;
    assert_eq!(worker.news.patience(), Duration::from_secs(1), "it does not find jobs by looking");
    // The best of several: other programs run as well.
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
            tokio::time::sleep(Duration::from_millis(20)).await;
            let enqueued = Instant::now();
            source.enqueue(job(&format!("job/{number}"))).await.unwrap();
            enqueued
        };
        let ((lease, taken), enqueued) = tokio::join!(take, enqueue);
        worker.ack(&lease).await.unwrap();
        soonest = soonest.min(taken - enqueued);
    }
    assert!(soonest < Duration::from_millis(50), "{soonest:?}");
}

/// Waits until changes by other processes arrive.
pub(super) async fn until_told(queue: &RedisQueue) {
    let told = async {
        while queue.news.patience() < Duration::from_secs(1) {
            queue.ready(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), told).await.expect("the queue listens");
}

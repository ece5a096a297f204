//! What is leased, and in which order.

use std::time::Duration;

use super::{LEASE, MILLISECOND, RETRY, assert_empty, assert_idle, enqueue_and_lease, job, just_before, lease, name};
use crate::{
    clock::Clock,
    queue::{Enqueued, NewJob, Priority, Queue, QueueDepth},
    testing::ManualClock,
};

/// Longer than any of these waits may take, shorter than the patience of whoever runs the tests.
const PATIENCE: Duration = Duration::from_secs(10);

pub async fn a_job_arrives_as_it_was_handed_in(queue: &dyn Queue, clock: &ManualClock) {
    let payload = serde_json::json!({ "text": "ä\n\"\u{1f40d}", "number": -1.5, "list": [null, true, {}] });
    let enqueued = queue.enqueue(NewJob { payload: payload.clone(), ..job("build/1") }).await.unwrap();
    assert_eq!(enqueued, Enqueued::New);
    let lease = queue.lease("host:1", LEASE).await.unwrap().expect("the job is due");
    assert_eq!((lease.name.0.as_str(), &lease.payload), ("build/1", &payload));
    assert_eq!((lease.attempt, lease.attempts), (1, RETRY.attempts));
    assert_eq!((lease.worker.as_str(), lease.expires), ("host:1", clock.now().after(LEASE)));
    queue.ack(&lease).await.unwrap();
    assert_empty(queue).await;
}

pub async fn an_empty_queue_gives_nothing(queue: &dyn Queue, _clock: &ManualClock) {
    assert_idle(queue).await;
    assert_empty(queue).await;
}

pub async fn the_higher_priority_goes_first(queue: &dyn Queue, clock: &ManualClock) {
    for (name, priority) in
        [("low", Priority::PERIODIC), ("middle", Priority::FOLLOW_UP), ("high", Priority::INTERACTIVE)]
    {
        queue.enqueue(NewJob { priority, ..job(name) }).await.unwrap();
        clock.advance(MILLISECOND);
    }
    for expected in ["high", "middle", "low"] {
        assert_eq!(lease(queue).await.name, name(expected));
    }
}

pub async fn among_equals_the_one_due_longest_goes_first(queue: &dyn Queue, clock: &ManualClock) {
    queue.enqueue(NewJob { delay: Duration::from_secs(5), ..job("last") }).await.unwrap();
    queue.enqueue(NewJob { delay: Duration::from_secs(2), ..job("middle") }).await.unwrap();
    clock.advance(Duration::from_secs(1));
    queue.enqueue(job("first")).await.unwrap();
    clock.advance(Duration::from_secs(10));
    for expected in ["first", "middle", "last"] {
        assert_eq!(lease(queue).await.name, name(expected));
    }
}

pub async fn a_delayed_job_is_not_due_before(queue: &dyn Queue, clock: &ManualClock) {
    queue.enqueue(NewJob { delay: Duration::from_secs(5), ..job("delayed") }).await.unwrap();
    assert_idle(queue).await;
    clock.advance(just_before(Duration::from_secs(5)));
    assert_idle(queue).await;
    clock.advance(MILLISECOND);
    assert_eq!(lease(queue).await.attempt, 1);
}

pub async fn depth_counts_ready_delayed_and_leased(queue: &dyn Queue, clock: &ManualClock) {
    enqueue_and_lease(queue, "leased").await;
    for name in ["ready/1", "ready/2"] {
        queue.enqueue(job(name)).await.unwrap();
    }
    for name in ["delayed/1", "delayed/2", "delayed/3"] {
        queue.enqueue(NewJob { delay: LEASE * 2, ..job(name) }).await.unwrap();
    }
    assert_eq!(queue.depth().await.unwrap(), QueueDepth { ready: 2, delayed: 3, leased: 1 });
    clock.advance(LEASE);
    assert_eq!(queue.depth().await.unwrap(), QueueDepth { ready: 3, delayed: 3, leased: 0 });
}

pub async fn waiting_ends_when_a_job_comes(queue: &dyn Queue, _clock: &ManualClock) {
    let enqueue = async {
        tokio::task::yield_now().await;
        queue.enqueue(job("wanted")).await.unwrap();
    };
    let both = async { tokio::join!(queue.ready(PATIENCE * 10), enqueue) };
    tokio::time::timeout(PATIENCE, both).await.expect("the wait ends when a job comes");
    tokio::time::timeout(PATIENCE, queue.ready(PATIENCE * 10)).await.expect("there is no wait where a job is due");
    assert_eq!(lease(queue).await.name, name("wanted"));
}

pub async fn waiting_ends_at_its_limit(queue: &dyn Queue, _clock: &ManualClock) {
    tokio::time::timeout(PATIENCE, queue.ready(MILLISECOND)).await.expect("the wait ends at its limit");
    assert_idle(queue).await;
}

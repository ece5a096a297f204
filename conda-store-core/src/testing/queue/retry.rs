//! Failures, losses and hand-backs.

use std::time::Duration;

use super::{LEASE, MILLISECOND, RETRY, assert_empty, assert_idle, enqueue_and_lease, just_before, lease};
use crate::{
    clock::Clock,
    queue::{Queue, Retry},
    testing::ManualClock,
};

pub async fn a_failed_job_is_due_again_after_its_backoff(queue: &dyn Queue, clock: &ManualClock) {
    let mut held = enqueue_and_lease(queue, "job").await;
    for wait in [Duration::from_secs(10), Duration::from_secs(15)] {
        assert_eq!(queue.retry(&held).await.unwrap(), Retry::At(clock.now().after(wait)));
        clock.advance(just_before(wait));
        assert_idle(queue).await;
        clock.advance(MILLISECOND);
        let next = lease(queue).await;
        assert_eq!((next.attempt, next.attempts), (held.attempt + 1, held.attempts));
        held = next;
    }
}

pub async fn the_last_failure_ends_the_job(queue: &dyn Queue, clock: &ManualClock) {
    let mut held = enqueue_and_lease(queue, "job").await;
    while held.attempt < held.attempts {
        assert!(matches!(queue.retry(&held).await.unwrap(), Retry::At(_)));
        clock.advance(RETRY.longest);
        held = lease(queue).await;
    }
    assert_eq!(queue.retry(&held).await.unwrap(), Retry::Exhausted);
    assert_empty(queue).await;
    clock.advance(RETRY.longest * 100);
    assert_idle(queue).await;
}

pub async fn a_lost_attempt_counts(queue: &dyn Queue, clock: &ManualClock) {
    enqueue_and_lease(queue, "job").await;
    clock.advance(LEASE);
    lease(queue).await;
    clock.advance(LEASE);
    let last = lease(queue).await;
    assert_eq!(last.attempt, last.attempts);
    assert_eq!(queue.retry(&last).await.unwrap(), Retry::Exhausted);
    assert_empty(queue).await;
}

pub async fn a_job_whose_last_attempt_was_lost_comes_once_more(queue: &dyn Queue, clock: &ManualClock) {
    let lost = lose_every_attempt(queue, clock).await;
    assert!(lost.attempt > lost.attempts, "attempt {} of {}", lost.attempt, lost.attempts);
    queue.ack(&lost).await.unwrap();
    assert_empty(queue).await;
}

pub async fn a_job_that_failed_after_its_last_attempt_was_lost_is_gone(queue: &dyn Queue, clock: &ManualClock) {
    let lost = lose_every_attempt(queue, clock).await;
    assert_eq!(queue.retry(&lost).await.unwrap(), Retry::Exhausted);
    assert_empty(queue).await;
}

/// The lease that a job gets after every worker that tried it disappeared.
async fn lose_every_attempt(queue: &dyn Queue, clock: &ManualClock) -> crate::queue::Lease {
    let first = enqueue_and_lease(queue, "job").await;
    for _ in 1..first.attempts {
        clock.advance(LEASE);
        lease(queue).await;
    }
    clock.advance(LEASE);
    lease(queue).await
}

pub async fn a_job_handed_back_is_due_at_once(queue: &dyn Queue, _clock: &ManualClock) {
    let held = enqueue_and_lease(queue, "job").await;
    queue.release(&held).await.unwrap();
    let next = lease(queue).await;
    assert_eq!((&next.name, &next.payload), (&held.name, &held.payload));
    assert!(next.attempt > held.attempt, "attempt {} after {}", next.attempt, held.attempt);
}

pub async fn handing_back_does_not_count(queue: &dyn Queue, clock: &ManualClock) {
    let mut held = enqueue_and_lease(queue, "job").await;
    let left = held.attempts - held.attempt;
    for _ in 0..RETRY.attempts * 2 {
        queue.release(&held).await.unwrap();
        held = lease(queue).await;
        assert_eq!(held.attempts - held.attempt, left);
    }
    for wait in [Duration::from_secs(10), Duration::from_secs(15)] {
        assert_eq!(queue.retry(&held).await.unwrap(), Retry::At(clock.now().after(wait)));
        clock.advance(wait);
        held = lease(queue).await;
    }
    assert_eq!(queue.retry(&held).await.unwrap(), Retry::Exhausted);
}

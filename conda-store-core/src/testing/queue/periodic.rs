//! Jobs that are due again and again.

use std::time::Duration;

use super::{LEASE, MILLISECOND, RETRY, assert_empty, assert_idle, job, just_before, lease, name};
use crate::{
    queue::{Cancel, Enqueued, NewJob, Queue, Retry},
    testing::ManualClock,
};

const EVERY: Duration = Duration::from_mins(10);

fn periodic() -> NewJob {
    NewJob { every: Some(EVERY), ..job("periodic") }
}

pub async fn a_periodic_job_is_due_again_after_its_interval(queue: &dyn Queue, clock: &ManualClock) {
    queue.enqueue(periodic()).await.unwrap();
    for _ in 0..3 {
        let held = lease(queue).await;
        assert_eq!(held.payload, periodic().payload);
        clock.advance(Duration::from_secs(7));
        queue.ack(&held).await.unwrap();
        clock.advance(just_before(EVERY));
        assert_idle(queue).await;
        clock.advance(MILLISECOND);
    }
}

pub async fn a_periodic_job_has_all_its_attempts_each_time(queue: &dyn Queue, clock: &ManualClock) {
    queue.enqueue(periodic()).await.unwrap();
    for _ in 0..RETRY.attempts * 2 {
        let held = lease(queue).await;
        assert_eq!(held.attempts - held.attempt, RETRY.attempts - 1);
        queue.ack(&held).await.unwrap();
        clock.advance(EVERY);
    }
}

pub async fn a_periodic_job_outlives_its_last_failure(queue: &dyn Queue, clock: &ManualClock) {
    queue.enqueue(periodic()).await.unwrap();
    for _ in 1..RETRY.attempts {
        let held = lease(queue).await;
        assert!(matches!(queue.retry(&held).await.unwrap(), Retry::At(_)));
        clock.advance(RETRY.longest);
    }
    let last = lease(queue).await;
    assert_eq!(queue.retry(&last).await.unwrap(), Retry::Exhausted);
    clock.advance(just_before(EVERY));
    assert_idle(queue).await;
    clock.advance(MILLISECOND);
    let held = lease(queue).await;
    assert_eq!(held.attempts - held.attempt, RETRY.attempts - 1);
}

pub async fn a_duplicate_sets_the_interval(queue: &dyn Queue, clock: &ManualClock) {
    queue.enqueue(periodic()).await.unwrap();
    let shorter = NewJob { every: Some(EVERY / 2), payload: "dropped".into(), ..periodic() };
    assert_eq!(queue.enqueue(shorter).await.unwrap(), Enqueued::Duplicate);
    let held = lease(queue).await;
    assert_eq!(held.payload, periodic().payload);
    queue.ack(&held).await.unwrap();
    clock.advance(EVERY / 2);
    assert_eq!(lease(queue).await.name, held.name);
}

pub async fn a_canceled_periodic_job_is_gone(queue: &dyn Queue, clock: &ManualClock) {
    queue.enqueue(periodic()).await.unwrap();
    queue.ack(&lease(queue).await).await.unwrap();
    assert_eq!(queue.cancel(&name("periodic")).await.unwrap(), Cancel::Removed);
    assert_empty(queue).await;
    clock.advance(EVERY);
    assert_idle(queue).await;
    if !queue.capabilities().cancel_leased {
        return;
    }
    queue.enqueue(periodic()).await.unwrap();
    let held = lease(queue).await;
    assert_eq!(queue.cancel(&held.name).await.unwrap(), Cancel::Requested);
    queue.heartbeat(&held, LEASE).await.unwrap();
    queue.ack(&held).await.unwrap();
    assert_empty(queue).await;
}

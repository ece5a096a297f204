//! Who holds a job, and who no longer does.

use super::{LEASE, assert_empty, assert_idle, assert_stale, enqueue_and_lease, job, just_before, lease};
use crate::{
    queue::{Heartbeat, Queue},
    testing::ManualClock,
};

pub async fn a_leased_job_is_not_leased_again(queue: &dyn Queue, clock: &ManualClock) {
    enqueue_and_lease(queue, "job").await;
    assert_idle(queue).await;
    clock.advance(just_before(LEASE));
    assert_idle(queue).await;
}

pub async fn a_heartbeat_renews_the_lease(queue: &dyn Queue, clock: &ManualClock) {
    let lease = enqueue_and_lease(queue, "job").await;
    for _ in 0..3 {
        clock.advance(just_before(LEASE));
        assert_eq!(queue.heartbeat(&lease, LEASE).await.unwrap(), Heartbeat::Held);
    }
    clock.advance(just_before(LEASE));
    assert_idle(queue).await;
    queue.ack(&lease).await.unwrap();
    assert_empty(queue).await;
}

pub async fn an_expired_lease_is_given_to_another_with_a_higher_attempt(queue: &dyn Queue, clock: &ManualClock) {
    let lost = enqueue_and_lease(queue, "job").await;
    clock.advance(LEASE);
    let next = queue.lease("another", LEASE).await.unwrap().expect("the job is due again");
    assert_eq!((&next.name, &next.payload, next.worker.as_str()), (&lost.name, &lost.payload, "another"));
    assert!(next.attempt > lost.attempt, "attempt {} after {}", next.attempt, lost.attempt);
    assert_ne!(next.token, lost.token);
}

pub async fn a_holder_whose_job_went_to_another_is_stale(queue: &dyn Queue, clock: &ManualClock) {
    let lost = enqueue_and_lease(queue, "job").await;
    clock.advance(LEASE);
    let next = lease(queue).await;
    assert_stale(queue, &lost).await;
    assert_eq!(queue.heartbeat(&next, LEASE).await.unwrap(), Heartbeat::Held);
    assert_idle(queue).await;
    queue.ack(&next).await.unwrap();
    assert_empty(queue).await;
}

pub async fn a_holder_whose_lease_expired_is_stale(queue: &dyn Queue, clock: &ManualClock) {
    let lost = enqueue_and_lease(queue, "job").await;
    clock.advance(LEASE);
    assert_stale(queue, &lost).await;
    assert_eq!(lease(queue).await.name, lost.name);
}

pub async fn a_holder_that_settled_is_stale(queue: &dyn Queue, clock: &ManualClock) {
    let failed = enqueue_and_lease(queue, "failed").await;
    queue.retry(&failed).await.unwrap();
    assert_stale(queue, &failed).await;
    let released = enqueue_and_lease(queue, "released").await;
    queue.release(&released).await.unwrap();
    assert_stale(queue, &released).await;
    let done = lease(queue).await;
    queue.ack(&done).await.unwrap();
    assert_stale(queue, &done).await;
    clock.advance(LEASE);
    assert_eq!(lease(queue).await.name, failed.name);
    assert_idle(queue).await;
}

pub async fn a_stale_holder_of_the_same_name_changes_nothing(queue: &dyn Queue, _clock: &ManualClock) {
    let first = enqueue_and_lease(queue, "same").await;
    queue.ack(&first).await.unwrap();
    queue.enqueue(job("same")).await.unwrap();
    assert_stale(queue, &first).await;
    let second = lease(queue).await;
    assert_eq!((second.attempt, first.attempt), (1, 1));
    assert_stale(queue, &first).await;
    queue.ack(&second).await.unwrap();
}

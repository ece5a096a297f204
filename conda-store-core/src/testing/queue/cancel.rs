//! Jobs that are called off.

use super::{LEASE, assert_empty, assert_idle, assert_stale, enqueue_and_lease, job, just_before, lease, name};
use crate::{
    queue::{Cancel, Enqueued, Heartbeat, NewJob, Queue},
    testing::ManualClock,
};

pub async fn nothing_to_cancel_is_absent(queue: &dyn Queue, _clock: &ManualClock) {
    assert_eq!(queue.cancel(&name("never")).await.unwrap(), Cancel::Absent);
    let done = enqueue_and_lease(queue, "done").await;
    queue.ack(&done).await.unwrap();
    assert_eq!(queue.cancel(&done.name).await.unwrap(), Cancel::Absent);
}

pub async fn a_canceled_waiting_job_is_never_leased(queue: &dyn Queue, clock: &ManualClock) {
    queue.enqueue(job("canceled")).await.unwrap();
    queue.enqueue(job("kept")).await.unwrap();
    assert_eq!(queue.cancel(&name("canceled")).await.unwrap(), Cancel::Removed);
    assert_eq!(queue.cancel(&name("canceled")).await.unwrap(), Cancel::Absent);
    assert_eq!(lease(queue).await.name, name("kept"));
    clock.advance(just_before(LEASE));
    assert_idle(queue).await;
}

pub async fn a_canceled_delayed_job_is_never_leased(queue: &dyn Queue, clock: &ManualClock) {
    queue.enqueue(NewJob { delay: LEASE, ..job("delayed") }).await.unwrap();
    let failed = enqueue_and_lease(queue, "failed").await;
    queue.retry(&failed).await.unwrap();
    for canceled in [name("delayed"), failed.name] {
        assert_eq!(queue.cancel(&canceled).await.unwrap(), Cancel::Removed);
    }
    clock.advance(LEASE * 10);
    assert_idle(queue).await;
    assert_empty(queue).await;
}

pub async fn the_holder_of_a_canceled_job_learns_of_it(queue: &dyn Queue, _clock: &ManualClock) {
    if !queue.capabilities().cancel_leased {
        return;
    }
    let held = enqueue_and_lease(queue, "job").await;
    assert_eq!(queue.heartbeat(&held, LEASE).await.unwrap(), Heartbeat::Held);
    for _ in 0..2 {
        assert_eq!(queue.cancel(&held.name).await.unwrap(), Cancel::Requested);
        assert_eq!(queue.heartbeat(&held, LEASE).await.unwrap(), Heartbeat::CancelRequested);
    }
    assert_eq!(queue.enqueue(job("job")).await.unwrap(), Enqueued::Duplicate);
    queue.ack(&held).await.unwrap();
    assert_empty(queue).await;
}

pub async fn a_canceled_job_is_gone_once_settled(queue: &dyn Queue, clock: &ManualClock) {
    if !queue.capabilities().cancel_leased {
        return;
    }
    let failed = enqueue_and_lease(queue, "failed").await;
    queue.cancel(&failed.name).await.unwrap();
    queue.retry(&failed).await.unwrap();
    let released = enqueue_and_lease(queue, "released").await;
    queue.cancel(&released.name).await.unwrap();
    queue.release(&released).await.unwrap();
    assert_empty(queue).await;
    clock.advance(LEASE * 10);
    assert_idle(queue).await;
}

pub async fn a_canceled_job_is_gone_when_its_lease_expires(queue: &dyn Queue, clock: &ManualClock) {
    if !queue.capabilities().cancel_leased {
        return;
    }
    let held = enqueue_and_lease(queue, "job").await;
    queue.cancel(&held.name).await.unwrap();
    clock.advance(LEASE);
    assert_empty(queue).await;
    assert_eq!(queue.cancel(&held.name).await.unwrap(), Cancel::Absent);
    assert_idle(queue).await;
    assert_stale(queue, &held).await;
    let held = enqueue_and_lease(queue, "job").await;
    queue.cancel(&held.name).await.unwrap();
    clock.advance(LEASE);
    assert_eq!(queue.enqueue(job("job")).await.unwrap(), Enqueued::New);
    assert_eq!(lease(queue).await.attempt, 1);
}

pub async fn a_job_whose_lease_expired_counts_as_waiting(queue: &dyn Queue, clock: &ManualClock) {
    let lost = enqueue_and_lease(queue, "job").await;
    clock.advance(LEASE);
    assert_eq!(queue.cancel(&lost.name).await.unwrap(), Cancel::Removed);
    assert_idle(queue).await;
    assert_stale(queue, &lost).await;
    assert_empty(queue).await;
}

//! At most one job of a name.

use super::{assert_empty, assert_idle, enqueue_and_lease, job, lease};
use crate::{
    queue::{Enqueued, NewJob, Priority, Queue},
    testing::ManualClock,
};

pub async fn a_second_job_of_a_waiting_name_is_dropped(queue: &dyn Queue, _clock: &ManualClock) {
    queue.enqueue(job("same")).await.unwrap();
    let second = NewJob { payload: "second".into(), priority: Priority::INTERACTIVE, ..job("same") };
    assert_eq!(queue.enqueue(second).await.unwrap(), Enqueued::Duplicate);
    let lease = lease(queue).await;
    assert_eq!(lease.payload, job("same").payload);
    assert_idle(queue).await;
    queue.ack(&lease).await.unwrap();
    assert_empty(queue).await;
}

pub async fn a_second_job_of_a_running_name_is_dropped(queue: &dyn Queue, _clock: &ManualClock) {
    let lease = enqueue_and_lease(queue, "same").await;
    assert_eq!(queue.enqueue(job("same")).await.unwrap(), Enqueued::Duplicate);
    assert_idle(queue).await;
    queue.ack(&lease).await.unwrap();
    assert_empty(queue).await;
}

pub async fn a_name_is_free_once_its_job_is_done(queue: &dyn Queue, _clock: &ManualClock) {
    let first = enqueue_and_lease(queue, "same").await;
    queue.ack(&first).await.unwrap();
    assert_eq!(queue.enqueue(job("same")).await.unwrap(), Enqueued::New);
    assert_eq!(lease(queue).await.attempt, 1);
}

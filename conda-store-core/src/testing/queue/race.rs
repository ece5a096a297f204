//! What holds when many do the same at the same time.

use std::collections::BTreeSet;

use futures::future::join_all;

use super::{LEASE, assert_empty, enqueue_and_lease, job, lease, name};
use crate::{
    ErrorKind,
    queue::{Cancel, Enqueued, JobName, Queue, QueueDepth},
    testing::ManualClock,
};

/// How many do it at the same time.
const MANY: usize = 8;

pub async fn workers_never_share_a_job(queue: &dyn Queue, _clock: &ManualClock) {
    let names: BTreeSet<_> = (0..MANY * 5).map(|number| name(&format!("job/{number}"))).collect();
    for name in &names {
        queue.enqueue(job(&name.0)).await.unwrap();
    }
    let taken = join_all((0..MANY).map(|worker| take_all(queue, worker))).await.concat();
    assert_eq!(taken.len(), names.len(), "no job is given twice");
    assert_eq!(taken.into_iter().collect::<BTreeSet<_>>(), names);
    let leased = names.len() as u64;
    assert_eq!(queue.depth().await.unwrap(), QueueDepth { leased, ..QueueDepth::default() });
}

async fn take_all(queue: &dyn Queue, worker: usize) -> Vec<JobName> {
    let worker = format!("worker/{worker}");
    let mut taken = Vec::new();
    while let Some(lease) = queue.lease(&worker, LEASE).await.unwrap() {
        assert_eq!(lease.worker, worker);
        taken.push(lease.name);
    }
    taken
}

pub async fn one_worker_gets_the_only_job(queue: &dyn Queue, _clock: &ManualClock) {
    queue.enqueue(job("only")).await.unwrap();
    assert_eq!(takers(queue).await, 1);
}

pub async fn one_worker_gets_a_lost_job(queue: &dyn Queue, clock: &ManualClock) {
    enqueue_and_lease(queue, "lost").await;
    clock.advance(LEASE);
    assert_eq!(takers(queue).await, 1);
}

/// How many of many that try to lease at the same time get a job.
async fn takers(queue: &dyn Queue) -> usize {
    let leases = join_all((0..MANY).map(|_| queue.lease("worker", LEASE))).await;
    leases.into_iter().filter_map(Result::unwrap).count()
}

pub async fn one_of_many_duplicates_is_new(queue: &dyn Queue, _clock: &ManualClock) {
    let enqueued = join_all((0..MANY).map(|_| queue.enqueue(job("same")))).await;
    let new = enqueued.into_iter().map(Result::unwrap).filter(|enqueued| *enqueued == Enqueued::New).count();
    assert_eq!(new, 1);
    assert_eq!(queue.depth().await.unwrap().ready, 1);
}

pub async fn one_acknowledgement_counts(queue: &dyn Queue, _clock: &ManualClock) {
    let held = enqueue_and_lease(queue, "job").await;
    let acknowledged = join_all((0..MANY).map(|_| queue.ack(&held))).await;
    let (done, refused): (Vec<_>, Vec<_>) = acknowledged.into_iter().partition(Result::is_ok);
    assert_eq!(done.len(), 1);
    assert!(refused.into_iter().all(|refused| refused.unwrap_err().kind() == ErrorKind::Stale));
    assert_empty(queue).await;
}

pub async fn cancelling_and_leasing_agree(queue: &dyn Queue, _clock: &ManualClock) {
    if !queue.capabilities().cancel_leased {
        return;
    }
    for round in 0..MANY {
        let name = name(&format!("job/{round}"));
        queue.enqueue(job(&name.0)).await.unwrap();
        let (canceled, leased) = tokio::join!(queue.cancel(&name), queue.lease("worker", LEASE));
        match (canceled.unwrap(), leased.unwrap()) {
            (Cancel::Removed, None) => {}
            (Cancel::Requested, Some(held)) => queue.ack(&held).await.unwrap(),
            (canceled, leased) => panic!("{canceled:?}, and yet the worker got {leased:?}"),
        }
        assert_empty(queue).await;
    }
    queue.enqueue(job("after")).await.unwrap();
    assert_eq!(lease(queue).await.name, self::name("after"));
}

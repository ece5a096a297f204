//! What groups have of the workers.

use std::{
    num::NonZeroU32,
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use futures::future::join_all;

use super::{LEASE, MILLISECOND, assert_empty, assert_idle, job, lease, name};
use crate::{
    queue::{Enqueued, Group, JobName, Lease, NewJob, Priority, Queue},
    testing::ManualClock,
};

/// How many jobs somebody hands in who thinks of nobody else.
const A_PILE: usize = 1_000;

/// How many workers ask at the same time.
const WORKERS: usize = 8;

/// A job of `group`, of which `at_once` may be leased at a time.
fn job_of(group: &str, at_once: Option<u32>, name: &str) -> NewJob {
    let at_once = at_once.and_then(NonZeroU32::new);
    NewJob { group: Some(Group { name: group.into(), at_once }), ..job(name) }
}

/// Hands in so many jobs of `group`, named `GROUP/0` and so on.
async fn pile(queue: &dyn Queue, group: &str, at_once: Option<u32>, count: usize) {
    for number in 0..count {
        queue.enqueue(job_of(group, at_once, &format!("{group}/{number}"))).await.unwrap();
    }
}

/// Takes the job that has to be due, a moment later than whatever was before.
async fn next(queue: &dyn Queue, clock: &ManualClock) -> Lease {
    clock.advance(MILLISECOND);
    lease(queue).await
}

/// Does so many jobs one after the other, as a single worker; answers their names.
async fn done_in_turn(queue: &dyn Queue, clock: &ManualClock, count: usize) -> Vec<JobName> {
    let mut done = Vec::new();
    for _ in 0..count {
        let held = next(queue, clock).await;
        queue.ack(&held).await.unwrap();
        done.push(held.name);
    }
    done
}

pub async fn groups_take_turns(queue: &dyn Queue, clock: &ManualClock) {
    pile(queue, "many", None, 4).await;
    clock.advance(MILLISECOND);
    pile(queue, "few", None, 2).await;
    queue.enqueue(job("nobody's")).await.unwrap();
    let expected = ["many/0", "few/0", "nobody's", "many/1", "few/1", "many/2", "many/3"].map(name);
    assert_eq!(done_in_turn(queue, clock, expected.len()).await, expected);
    assert_empty(queue).await;
}

pub async fn a_pile_of_jobs_holds_up_no_other_group(queue: &dyn Queue, clock: &ManualClock) {
    pile(queue, "pile", None, A_PILE).await;
    for _ in 0..4 {
        next(queue, clock).await;
    }
    queue.enqueue(job_of("small", None, "small/0")).await.unwrap();
    assert_eq!(next(queue, clock).await.name, name("small/0"));
    assert!(next(queue, clock).await.name.0.starts_with("pile/"));
}

pub async fn the_group_with_the_fewest_leases_goes_first(queue: &dyn Queue, clock: &ManualClock) {
    pile(queue, "early", None, 6).await;
    let mut held = Vec::new();
    for _ in 0..3 {
        held.push(next(queue, clock).await);
    }
    pile(queue, "late", None, 6).await;
    for expected in ["late/0", "late/1", "late/2"] {
        assert_eq!(next(queue, clock).await.name, name(expected));
    }
    queue.ack(&held[0]).await.unwrap();
    assert_eq!(next(queue, clock).await.name, name("early/3"), "it has two, the other three");
    clock.advance(LEASE);
    assert_eq!(next(queue, clock).await.name, name("late/3"), "expired leases do not count, and it was served earlier");
}

pub async fn urgency_goes_before_turns(queue: &dyn Queue, clock: &ManualClock) {
    let urgent = |number| NewJob { priority: Priority::INTERACTIVE, ..job_of("busy", None, &format!("busy/{number}")) };
    for number in 0..3 {
        queue.enqueue(urgent(number)).await.unwrap();
    }
    queue.enqueue(job_of("idle", None, "idle/0")).await.unwrap();
    for expected in ["busy/0", "busy/1", "busy/2", "idle/0"] {
        assert_eq!(next(queue, clock).await.name, name(expected));
    }
}

pub async fn a_group_has_no_more_leases_than_its_limit(queue: &dyn Queue, clock: &ManualClock) {
    pile(queue, "limited", Some(2), 5).await;
    let (first, second) = (next(queue, clock).await, next(queue, clock).await);
    assert_idle(queue).await;
    pile(queue, "other", None, 1).await;
    let other = next(queue, clock).await;
    assert_eq!(other.name, name("other/0"));
    queue.ack(&other).await.unwrap();
    queue.ack(&first).await.unwrap();
    assert_eq!(next(queue, clock).await.name, name("limited/2"));
    assert_idle(queue).await;
    queue.release(&second).await.unwrap();
    assert_eq!(next(queue, clock).await.name, name("limited/3"));
    assert_idle(queue).await;
    // Lost workers take up no room.
    clock.advance(LEASE);
    for _ in 0..2 {
        next(queue, clock).await;
    }
    assert_idle(queue).await;
}

pub async fn the_latest_job_sets_the_limit(queue: &dyn Queue, clock: &ManualClock) {
    pile(queue, "limited", Some(1), 4).await;
    next(queue, clock).await;
    assert_idle(queue).await;
    let wider = job_of("limited", Some(2), "limited/3");
    assert_eq!(queue.enqueue(wider).await.unwrap(), Enqueued::Duplicate);
    next(queue, clock).await;
    assert_idle(queue).await;
    queue.enqueue(job_of("limited", None, "limited/4")).await.unwrap();
    for _ in 0..3 {
        next(queue, clock).await;
    }
}

pub async fn a_canceled_job_takes_up_room_until_it_is_settled(queue: &dyn Queue, clock: &ManualClock) {
    pile(queue, "limited", Some(1), 2).await;
    let held = next(queue, clock).await;
    queue.cancel(&held.name).await.unwrap();
    assert_idle(queue).await;
    queue.ack(&held).await.unwrap();
    assert_eq!(next(queue, clock).await.name, name("limited/1"));
}

pub async fn a_full_group_wakes_nobody(queue: &dyn Queue, clock: &ManualClock) {
    pile(queue, "limited", Some(1), 2).await;
    next(queue, clock).await;
    let looks = AtomicUsize::new(0);
    let looking = async {
        loop {
            queue.ready(LEASE).await;
            assert_idle(queue).await;
            looks.fetch_add(1, Ordering::Relaxed);
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_millis(300), looking).await.unwrap_err();
    assert!(looks.load(Ordering::Relaxed) < 20, "workers look {looks:?} times in 300 ms at what they cannot have");
}

pub async fn workers_never_exceed_a_limit(queue: &dyn Queue, _clock: &ManualClock) {
    pile(queue, "limited", Some(2), A_PILE / 20).await;
    let taken = join_all((0..WORKERS).map(|_| queue.lease("worker", LEASE))).await;
    assert_eq!(taken.into_iter().filter_map(Result::unwrap).count(), 2);
    assert_idle(queue).await;
}

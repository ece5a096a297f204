//! The worker on a queue in memory.

use std::{sync::atomic::Ordering, time::Instant};

use conda_store_core::{
    job::{Job, Stop},
    queue::{Cancel, Heartbeat, JobName, NewJob, Priority, QueueDepth, RetryPolicy},
    testing::ManualClock,
};

use self::bench::{Bench, EMPTY, Event, LEASE, Scripted, Service, Step, Unsteady, build};
use super::*;

mod bench;

#[tokio::test]
async fn runs_so_many_jobs_at_a_time() {
    let mut bench = Bench::start([Step::Work; 5]);
    for number in 0..5 {
        bench.enqueue(number).await;
    }
    for leased in 1..=5_usize {
        assert_eq!(bench.event().await, Event::Started(1));
        if leased >= 2 {
            bench.handler.allowed.add_permits(1);
        }
    }
    bench.handler.allowed.add_permits(1);
    bench.until(EMPTY).await;
    assert_eq!(bench.handler.peak.load(Ordering::SeqCst), 2);
    bench.stop().await;
}

#[tokio::test]
async fn takes_no_more_than_it_runs() {
    let mut bench = Bench::start([Step::Work; 3]);
    for number in 0..3 {
        bench.enqueue(number).await;
    }
    for _ in 0..2 {
        assert_eq!(bench.event().await, Event::Started(1));
    }
    bench.until(QueueDepth { ready: 1, delayed: 0, leased: 2 }).await;
    bench.stop().await;
}

#[tokio::test]
async fn a_panic_is_a_failed_attempt() {
    let mut bench = Bench::start([Step::Panic, Step::Done]);
    bench.enqueue(1).await;
    assert_eq!(bench.event().await, Event::Started(1));
    assert_eq!(bench.event().await, Event::Started(2));
    bench.until(EMPTY).await;
    bench.stop().await;
}

#[tokio::test]
async fn a_failing_job_is_tried_as_often_as_its_policy_says() {
    let mut bench = Bench::start([Step::Fail; 3]);
    bench.enqueue(1).await;
    for attempt in 1..=3 {
        assert_eq!(bench.event().await, Event::Started(attempt));
    }
    bench.until(EMPTY).await;
    bench.enqueue(2).await;
    assert_eq!(bench.event().await, Event::Started(1));
    bench.stop().await;
}

#[tokio::test]
async fn a_job_handed_back_comes_again_but_not_at_once() {
    let started = Instant::now();
    let mut bench = Bench::start([Step::HandBack, Step::HandBack, Step::HandBack, Step::HandBack]);
    bench.enqueue(1).await;
    for attempt in 1..=5 {
        assert_eq!(bench.event().await, Event::Started(attempt));
    }
    assert!(started.elapsed() >= PULSE * 4);
    bench.until(EMPTY).await;
    bench.stop().await;
}

#[tokio::test]
async fn a_canceled_job_stops_within_a_second() {
    let mut bench = Bench::start([Step::Work]);
    bench.enqueue(1).await;
    assert_eq!(bench.event().await, Event::Started(1));
    let canceled = Instant::now();
    assert_eq!(bench.queue.cancel(&build(1).name()).await.unwrap(), Cancel::Requested);
    assert_eq!(bench.event().await, Event::Stopped(Stop::Canceled));
    assert!(canceled.elapsed() < Duration::from_secs(1));
    bench.until(EMPTY).await;
    bench.stop().await;
}

#[tokio::test]
async fn a_handler_may_stop_its_job() {
    let mut bench = Bench::start([Step::Work]);
    bench.enqueue(1).await;
    assert_eq!(bench.event().await, Event::Started(1));
    *bench.handler.stop.lock().unwrap() = Some(Stop::Canceled);
    assert_eq!(bench.event().await, Event::Stopped(Stop::Canceled));
    bench.until(EMPTY).await;
    bench.stop().await;
}

#[tokio::test]
async fn a_running_job_keeps_its_lease() {
    let mut bench = Bench::start([Step::Work]);
    bench.enqueue(1).await;
    assert_eq!(bench.event().await, Event::Started(1));
    for _ in 0..3 {
        let renewed = bench.queue.renewed.load(Ordering::SeqCst);
        bench.clock.advance(LEASE / 2);
        // Of two heartbeats that end after the clock moved, the second began after it.
        bench.until_count(&bench.queue.renewed, renewed + 2).await;
    }
    bench.handler.allowed.add_permits(1);
    bench.until(EMPTY).await;
    assert!(bench.events.try_recv().is_err(), "nobody stopped it or started it again");
    bench.stop().await;
}

#[tokio::test]
async fn shutdown_lets_a_job_finish() {
    let mut bench = Bench::start([Step::Work]);
    bench.enqueue(1).await;
    assert_eq!(bench.event().await, Event::Started(1));
    bench.shutdown.cancel();
    bench.enqueue(2).await;
    bench.handler.allowed.add_permits(1);
    let queue = Arc::clone(&bench.queue);
    bench.stop().await;
    assert_eq!(queue.depth().await.unwrap(), QueueDepth { ready: 1, ..EMPTY }, "no job is taken any more");
    assert_eq!(queue.lease("another", LEASE).await.unwrap().unwrap().name, build(2).name());
}

#[tokio::test]
async fn shutdown_hands_back_what_does_not_finish() {
    let mut bench = Bench::start([Step::Work]);
    bench.enqueue(1).await;
    assert_eq!(bench.event().await, Event::Started(1));
    bench.shutdown.cancel();
    assert_eq!(bench.event().await, Event::Stopped(Stop::Shutdown));
    let queue = Arc::clone(&bench.queue);
    bench.stop().await;
    let lease = queue.lease("another", LEASE).await.unwrap().expect("the job is due");
    assert_eq!((lease.attempt, lease.attempts), (2, 4));
}

#[tokio::test]
async fn shutdown_cuts_off_what_does_not_stop() {
    let mut bench = Bench::start([Step::Stubborn]);
    bench.enqueue(1).await;
    assert_eq!(bench.event().await, Event::Started(1));
    let (queue, clock) = (Arc::clone(&bench.queue), Arc::clone(&bench.clock));
    bench.stop().await;
    assert_eq!(queue.depth().await.unwrap(), QueueDepth { leased: 1, ..EMPTY });
    clock.advance(LEASE);
    assert_eq!(queue.lease("another", LEASE).await.unwrap().unwrap().attempt, 2);
}

#[tokio::test]
async fn a_job_that_another_worker_has_is_stopped() {
    let mut bench = Bench::start([Step::Work]);
    bench.enqueue(1).await;
    assert_eq!(bench.event().await, Event::Started(1));
    bench.queue.set(Service::Down);
    bench.clock.advance(LEASE);
    let taken = bench.queue.queue.lease("another", LEASE).await.unwrap().unwrap();
    bench.queue.set(Service::Up);
    assert_eq!(bench.event().await, Event::Stopped(Stop::Stale));
    let queue = Arc::clone(&bench.queue);
    bench.stop().await;
    assert_eq!(queue.heartbeat(&taken, LEASE).await.unwrap(), Heartbeat::Held);
}

#[tokio::test]
async fn a_job_whose_lease_cannot_be_renewed_is_stopped_when_it_expires() {
    for service in [Service::Down, Service::Silent] {
        let mut bench = Bench::start([Step::Work]);
        bench.enqueue(1).await;
        assert_eq!(bench.event().await, Event::Started(1));
        bench.queue.set(service);
        bench.clock.advance(LEASE);
        assert_eq!(bench.event().await, Event::Stopped(Stop::Stale), "{service:?}");
        bench.queue.set(Service::Up);
        bench.run.abort();
    }
}

#[tokio::test]
async fn a_job_outlives_an_outage_shorter_than_its_lease() {
    let mut bench = Bench::start([Step::Work]);
    bench.enqueue(1).await;
    assert_eq!(bench.event().await, Event::Started(1));
    bench.queue.set(Service::Down);
    bench.clock.advance(LEASE / 2);
    bench.until_count(&bench.queue.refused, 1).await;
    bench.handler.allowed.add_permits(1);
    while bench.handler.running.load(Ordering::SeqCst) > 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    bench.queue.set(Service::Up);
    bench.until(EMPTY).await;
    bench.stop().await;
}

#[tokio::test]
async fn a_worker_waits_for_its_queue() {
    let mut bench = Bench::start_with([], Service::Down, Vec::new());
    bench.enqueue(1).await;
    bench.until_count(&bench.queue.refused, 3).await;
    bench.queue.set(Service::Up);
    assert_eq!(bench.event().await, Event::Started(1));
    bench.until(EMPTY).await;
    bench.stop().await;
}

#[tokio::test]
async fn shutdown_does_not_wait_for_a_queue_that_is_down() {
    let bench = Bench::start_with([], Service::Down, Vec::new());
    bench.until_count(&bench.queue.refused, 3).await;
    bench.stop().await;
}

#[tokio::test]
async fn a_job_of_an_unknown_kind_is_dropped_after_its_attempts() {
    let mut bench = Bench::start([]);
    let payload = serde_json::json!({ "kind": "from_the_future" });
    let name = JobName("future/1".into());
    let retry = RetryPolicy { attempts: 2, backoff: LEASE, longest: LEASE };
    let (priority, delay, every) = (Priority::FOLLOW_UP, Duration::ZERO, None);
    bench.queue.enqueue(NewJob { name, payload, priority, group: None, delay, retry, every }).await.unwrap();
    bench.until(QueueDepth { delayed: 1, ..EMPTY }).await;
    bench.clock.advance(LEASE);
    // A worker that waits by the machine's clock does not see the manual one move; a new job wakes it.
    bench.enqueue(1).await;
    assert_eq!(bench.event().await, Event::Started(1));
    bench.until(EMPTY).await;
    assert!(bench.events.try_recv().is_err(), "the handler never sees it");
    bench.stop().await;
}

#[tokio::test]
async fn periodic_jobs_come_again_also_to_a_queue_that_forgot_them() {
    let mut bench = Bench::start_with([], Service::Up, vec![Job::Sweep]);
    assert_eq!(bench.event().await, Event::Started(1));
    bench.until(QueueDepth { delayed: 1, ..EMPTY }).await;
    bench.queue.cancel(&Job::Sweep.name()).await.unwrap();
    bench.clock.advance(PERIODIC);
    bench.enqueue(1).await;
    for _ in 0..2 {
        assert_eq!(bench.event().await, Event::Started(1));
    }
    bench.until(QueueDepth { delayed: 1, ..EMPTY }).await;
    assert_eq!(*bench.handler.handed_in.lock().unwrap(), [vec![Job::Sweep], vec![Job::Sweep]]);
    bench.stop().await;
}

#[tokio::test]
async fn workers_have_names_of_their_own() {
    let clock = Arc::new(ManualClock::new());
    let bench = Bench::start([]);
    let names: Vec<_> = (0..2)
        .map(|_| {
            let (handler, queue) = (Arc::<Scripted>::clone(&bench.handler), Arc::<Unsteady>::clone(&bench.queue));
            Worker::builder(handler, queue, Arc::<ManualClock>::clone(&clock)).build().name().to_owned()
        })
        .collect();
    assert_ne!(names[0], names[1]);
    let process = format!(":{}:", std::process::id());
    assert!(names.iter().all(|name| name.contains(&process)), "{names:?}");
    bench.stop().await;
}

#[tokio::test]
async fn an_idle_worker_is_there_from_its_start_to_its_end() {
    let bench = Bench::start([]);
    let handler = Arc::clone(&bench.handler);
    let there = async {
        while handler.present.lock().unwrap().is_none() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(bench::PATIENCE, there).await.expect("it presents itself");
    let worker = handler.present.lock().unwrap().clone().unwrap();
    assert_eq!((worker.process, worker.concurrency), (std::process::id(), 2));
    assert!(worker.name.starts_with(&format!("{}:{}:", worker.host, worker.process)), "{worker:?}");
    bench.stop().await;
    assert_eq!(*handler.present.lock().unwrap(), None);
}

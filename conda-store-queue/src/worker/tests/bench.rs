//! A worker with a queue whose service a test can take away, and a handler that does what a test tells it.

use std::{
    collections::VecDeque,
    num::NonZeroUsize,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use conda_store_core::{
    Error, ErrorKind, Result,
    job::{Attempt, Job, JobHandler, Outcome, Stop, WorkerIdentity},
    model::BuildId,
    queue::{
        Cancel, Enqueued, Heartbeat, JobName, Lease, NewJob, Queue, QueueCapabilities, QueueDepth, Retry, RetryPolicy,
    },
    testing::ManualClock,
};
use tokio::{
    sync::{Semaphore, mpsc},
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;

use super::super::Worker;
use crate::MemoryQueue;

/// Longer than anything here takes.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);

pub(super) const LEASE: Duration = Duration::from_secs(30);

/// What the handler does with one attempt.
#[derive(Clone, Copy, Debug)]
pub(super) enum Step {
    Done,
    HandBack,
    Fail,
    Panic,
    /// Work until the test allows it to be done, or until it is told to stop.
    Work,
    /// Work on whatever anybody says.
    Stubborn,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Event {
    Started(u32),
    Stopped(Stop),
}

#[derive(Debug)]
pub(super) struct Scripted {
    pub(super) steps: Mutex<VecDeque<Step>>,
    pub(super) events: mpsc::UnboundedSender<Event>,
    pub(super) allowed: Semaphore,
    pub(super) stop: Mutex<Option<Stop>>,
    pub(super) periodic: Vec<Job>,
    /// Those that it was told are in the queue, each time.
    pub(super) handed_in: Mutex<Vec<Vec<Job>>>,
    /// Who is there.
    pub(super) present: Mutex<Option<WorkerIdentity>>,
    pub(super) running: AtomicUsize,
    pub(super) peak: AtomicUsize,
}

impl Scripted {
    async fn work(&self, attempt: &Attempt) -> Outcome {
        tokio::select! {
            allowed = self.allowed.acquire() => {
                allowed.unwrap().forget();
                Outcome::Done
            }
            () = attempt.cancellation.cancelled() => {
                let reason = attempt.stop_reason().unwrap();
                self.events.send(Event::Stopped(reason)).unwrap();
                if reason == Stop::Canceled { Outcome::Done } else { Outcome::HandBack }
            }
        }
    }
}

#[async_trait]
impl JobHandler for Scripted {
    async fn handle(&self, _job: &Job, attempt: &Attempt) -> Result<Outcome> {
        let running = self.running.fetch_add(1, Ordering::SeqCst) + 1;
        self.peak.fetch_max(running, Ordering::SeqCst);
        self.events.send(Event::Started(attempt.number)).unwrap();
        let step = self.steps.lock().unwrap().pop_front().unwrap_or(Step::Done);
        let outcome = match step {
            Step::Done => Ok(Outcome::Done),
            Step::HandBack => Ok(Outcome::HandBack),
            Step::Fail => Err(Error::unexpected("run script", "told to fail")),
            Step::Panic => panic!("told to panic"),
            Step::Work => Ok(self.work(attempt).await),
            Step::Stubborn => std::future::pending().await,
        };
        self.running.fetch_sub(1, Ordering::SeqCst);
        outcome
    }

    async fn pulse(&self, _job: &Job, _attempt: &Attempt) -> Result<Option<Stop>> {
        Ok(*self.stop.lock().unwrap())
    }

    fn periodic(&self) -> Vec<Job> {
        self.periodic.clone()
    }

    async fn periodic_handed_in(&self, jobs: &[Job]) -> Result<()> {
        self.handed_in.lock().unwrap().push(jobs.to_vec());
        Err(Error::new(ErrorKind::Unavailable, "record jobs", "the worker goes on all the same"))
    }

    async fn worker_is_there(&self, worker: &WorkerIdentity) -> Result<()> {
        *self.present.lock().unwrap() = Some(worker.clone());
        Ok(())
    }

    async fn worker_is_gone(&self, worker: &WorkerIdentity) -> Result<()> {
        let present = self.present.lock().unwrap().take();
        assert_eq!(present.as_ref(), Some(worker));
        Ok(())
    }
}

/// How the queue's service fares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Service {
    Up,
    Down,
    /// It takes requests and never answers.
    Silent,
}

#[derive(Debug)]
pub(super) struct Unsteady {
    pub(super) queue: MemoryQueue,
    pub(super) service: Mutex<Service>,
    pub(super) refused: AtomicUsize,
    pub(super) renewed: AtomicUsize,
}

impl Unsteady {
    pub(super) fn set(&self, service: Service) {
        *self.service.lock().unwrap() = service;
    }

    async fn reach(&self) -> Result<&MemoryQueue> {
        let service = *self.service.lock().unwrap();
        match service {
            Service::Up => Ok(&self.queue),
            Service::Down => {
                self.refused.fetch_add(1, Ordering::SeqCst);
                Err(Error::new(ErrorKind::Unavailable, "reach queue", "the service is down"))
            }
            Service::Silent => std::future::pending().await,
        }
    }
}

#[async_trait]
impl Queue for Unsteady {
    fn capabilities(&self) -> QueueCapabilities {
        self.queue.capabilities()
    }

    async fn enqueue(&self, job: NewJob) -> Result<Enqueued> {
        self.reach().await?.enqueue(job).await
    }

    async fn lease(&self, worker: &str, duration: Duration) -> Result<Option<Lease>> {
        self.reach().await?.lease(worker, duration).await
    }

    async fn ready(&self, longest: Duration) {
        self.queue.ready(longest).await;
    }

    async fn heartbeat(&self, lease: &Lease, duration: Duration) -> Result<Heartbeat> {
        let heartbeat = self.reach().await?.heartbeat(lease, duration).await?;
        self.renewed.fetch_add(1, Ordering::SeqCst);
        Ok(heartbeat)
    }

    async fn ack(&self, lease: &Lease) -> Result<()> {
        self.reach().await?.ack(lease).await
    }

    async fn retry(&self, lease: &Lease) -> Result<Retry> {
        self.reach().await?.retry(lease).await
    }

    async fn release(&self, lease: &Lease) -> Result<()> {
        self.reach().await?.release(lease).await
    }

    async fn cancel(&self, name: &JobName) -> Result<Cancel> {
        self.reach().await?.cancel(name).await
    }

    async fn depth(&self) -> Result<QueueDepth> {
        self.queue.depth().await
    }
}

/// A worker at work.
pub(super) struct Bench {
    pub(super) handler: Arc<Scripted>,
    pub(super) queue: Arc<Unsteady>,
    pub(super) clock: Arc<ManualClock>,
    pub(super) events: mpsc::UnboundedReceiver<Event>,
    pub(super) shutdown: CancellationToken,
    pub(super) run: JoinHandle<()>,
}

impl Bench {
    /// Starts a worker for at most two jobs at a time, whose handler takes `steps` one after the other.
    pub(super) fn start(steps: impl IntoIterator<Item = Step>) -> Self {
        Self::start_with(steps, Service::Up, Vec::new())
    }

    pub(super) fn start_with(steps: impl IntoIterator<Item = Step>, service: Service, periodic: Vec<Job>) -> Self {
        let (sender, events) = mpsc::unbounded_channel();
        let clock = Arc::new(ManualClock::new());
        let queue = MemoryQueue::new(Arc::<ManualClock>::clone(&clock));
        let (refused, renewed) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let queue = Arc::new(Unsteady { queue, service: Mutex::new(service), refused, renewed });
        let handler = Arc::new(Scripted {
            steps: Mutex::new(steps.into_iter().collect()),
            events: sender,
            allowed: Semaphore::new(0),
            stop: Mutex::new(None),
            periodic,
            handed_in: Mutex::default(),
            present: Mutex::default(),
            running: AtomicUsize::new(0),
            peak: AtomicUsize::new(0),
        });
        let shutdown = CancellationToken::new();
        let worker = Worker::builder(
            Arc::<Scripted>::clone(&handler),
            Arc::<Unsteady>::clone(&queue),
            Arc::<ManualClock>::clone(&clock),
        )
        .concurrency(NonZeroUsize::new(2).unwrap())
        .lease(LEASE)
        .grace(Duration::from_millis(300))
        .build();
        let token = shutdown.clone();
        let run = tokio::spawn(async move { worker.run(token).await });
        Self { handler, queue, clock, events, shutdown, run }
    }

    /// Hands in a job under `number`, whose retries are due at once.
    pub(super) async fn enqueue(&self, number: i32) {
        let retry = RetryPolicy { backoff: Duration::ZERO, ..RetryPolicy::default() };
        let job = NewJob { retry, ..build(number).enqueueable() };
        assert_eq!(self.queue.queue.enqueue(job).await.unwrap(), Enqueued::New);
    }

    pub(super) async fn event(&mut self) -> Event {
        tokio::time::timeout(PATIENCE, self.events.recv()).await.expect("something happens").unwrap()
    }

    /// Waits until the queue holds so many jobs.
    pub(super) async fn until(&self, expected: QueueDepth) {
        let reached = async {
            while self.queue.queue.depth().await.unwrap() != expected {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(PATIENCE, reached).await.expect("the queue gets there");
    }

    /// Waits until something happened so often.
    pub(super) async fn until_count(&self, count: &AtomicUsize, expected: usize) {
        let reached = async {
            while count.load(Ordering::SeqCst) < expected {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(PATIENCE, reached).await.expect("it happens so often");
    }

    pub(super) async fn stop(self) {
        self.shutdown.cancel();
        tokio::time::timeout(PATIENCE, self.run).await.expect("the worker stops").unwrap();
    }
}

pub(super) fn build(number: i32) -> Job {
    Job::Build { build_id: BuildId(number) }
}

pub(super) const EMPTY: QueueDepth = QueueDepth { ready: 0, delayed: 0, leased: 0 };

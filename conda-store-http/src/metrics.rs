//! What is counted and measured, for Prometheus (text format 0.0.4).

use std::{collections::BTreeMap, time::Duration};

use conda_store_core::{
    CondaStore, Error, ErrorKind, Result, clock::Timestamp, install::CacheLookups, model::BuildStatus,
};
use prometheus::{
    HistogramOpts, HistogramVec, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry, TextEncoder, core::Collector,
};
use tokio::sync::Mutex;

use crate::view::WORKER_STATES;

/// The seconds by which requests are told apart.
const REQUEST_SECONDS: [f64; 11] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0];

/// The seconds by which builds are told apart.
const BUILD_SECONDS: [f64; 10] = [1.0, 5.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0];

/// After this long no transaction still writes that a build ended.
const SETTLED: Duration = Duration::from_mins(1);

/// However often somebody asks, the database is asked once in this long.
const FRESH: Duration = Duration::from_secs(1);

/// Everything that is measured.
#[derive(Debug)]
pub(crate) struct Metrics {
    registry: Registry,
    /// Seconds that requests took, by method, route and status.
    pub(crate) requests: HistogramVec,
    build_seconds: HistogramVec,
    builds: BTreeMap<BuildStatus, IntGauge>,
    environments: IntGauge,
    disk_free: IntGauge,
    disk_total: IntGauge,
    disk_usage: IntGauge,
    jobs: IntGaugeVec,
    workers: IntGauge,
    presence: IntGaugeVec,
    abandoned: IntGauge,
    cache: IntCounterVec,
    lists: IntCounterVec,
    progress: Mutex<Option<Progress>>,
}

/// How far the builds have been counted.
#[derive(Debug)]
struct Progress {
    measured: Timestamp,
    /// Up to here, builds that ended are in `counts` and in the histogram.
    settled: Timestamp,
    counts: BTreeMap<BuildStatus, u64>,
    lookups: CacheLookups,
    list_lookups: CacheLookups,
}

impl Metrics {
    /// Everything, with nothing measured so far, as part of `registry`.
    ///
    /// # Errors
    /// [`Conflict`](conda_store_core::ErrorKind::Conflict) where `registry` has a metric of one of the names.
    pub(crate) fn new(registry: Registry) -> Result<Self> {
        let taken = |error| {
            let message = "the registry has metrics of a service already";
            Error::new(ErrorKind::Conflict, "set up metrics", message).with_source(error)
        };
        Self::registered(registry).map_err(taken)
    }

    fn registered(registry: Registry) -> prometheus::Result<Self> {
        let keep = |collector: Box<dyn Collector>| registry.register(collector);
        let gauge = |name: &str, help: &str| {
            let gauge = IntGauge::new(format!("conda_store_{name}"), help)?;
            keep(Box::new(gauge.clone())).map(|()| gauge)
        };
        let histogram = |name: &str, help: &str, buckets: &[f64], labels: &[&str]| {
            let options = HistogramOpts::new(format!("conda_store_{name}"), help).buckets(buckets.to_vec());
            let histogram = HistogramVec::new(options, labels)?;
            keep(Box::new(histogram.clone())).map(|()| histogram)
        };
        let builds = BuildStatus::ALL.map(|status| {
            let name = status.as_str().to_lowercase();
            Ok((status, gauge(&format!("build_{name}"), &format!("Builds that are {name}."))?))
        });
        let jobs = Opts::new("conda_store_queue_jobs", "Jobs in the queue: ready, delayed, or leased by a worker.");
        let jobs = IntGaugeVec::new(jobs, &["state"])?;
        let help = "Packages that builds of this process looked for in the package cache: hit or miss.";
        let cache = IntCounterVec::new(Opts::new("conda_store_package_cache_lookups_total", help), &["result"])?;
        let help =
            "Package lists that solves of this process asked for: hit where they were known and current, or miss.";
        let lists = IntCounterVec::new(Opts::new("conda_store_repodata_cache_lookups_total", help), &["result"])?;
        let presence = Opts::new("conda_store_workers", "Workers: idle, busy, or lost within the last day.");
        let presence = IntGaugeVec::new(presence, &["state"])?;
        keep(Box::new(jobs.clone()))?;
        keep(Box::new(cache.clone()))?;
        keep(Box::new(lists.clone()))?;
        keep(Box::new(presence.clone()))?;
        let labels = ["method", "route", "status"];
        Ok(Self {
            requests: histogram("http_request_duration_seconds", "Requests.", &REQUEST_SECONDS, &labels)?,
            build_seconds: histogram(
                "build_duration_seconds",
                "Builds that ended since this process started, from their first worker to their end.",
                &BUILD_SECONDS,
                &["status"],
            )?,
            builds: builds.into_iter().collect::<prometheus::Result<_>>()?,
            environments: gauge("environments", "Environments that are not deleted.")?,
            disk_free: gauge("disk_free", "Bytes free on the disk of the environments.")?,
            disk_total: gauge("disk_total", "Bytes of the disk of the environments.")?,
            disk_usage: gauge("disk_usage", "Bytes in use on the disk of the environments.")?,
            workers: gauge("workers_building", "Workers that hold a build and showed so lately.")?,
            abandoned: gauge("builds_abandoned", "Builds whose worker was lost and that no other one has taken yet.")?,
            presence,
            jobs,
            cache,
            lists,
            progress: Mutex::new(None),
            registry,
        })
    }

    /// All of it as text, measured anew.
    ///
    /// # Errors
    /// What the catalogue or the queue says.
    pub(crate) async fn text(&self, store: &CondaStore) -> Result<String> {
        self.measure(store).await?;
        let encoded = TextEncoder::new().encode_to_string(&self.registry.gather());
        let text = encoded.map_err(|error| Error::unexpected("write metrics", error.to_string()))?;
        // Dashboards know this gauge by a name that is one of counters; without a type nothing is wrong with it.
        Ok(text.replace("# TYPE conda_store_disk_total gauge\n", "# TYPE conda_store_disk_total untyped\n"))
    }

    async fn measure(&self, store: &CondaStore) -> Result<()> {
        let now = store.clock().now();
        let mut progress = self.progress.lock().await;
        if progress.as_ref().is_some_and(|progress| now.since(progress.measured) < FRESH) {
            return Ok(());
        }
        if progress.is_none() {
            let settled = now.before(SETTLED);
            let counts = store.catalogue().count_ended_builds(settled).await?;
            let (lookups, list_lookups) = Default::default();
            *progress = Some(Progress { measured: settled, settled, counts, lookups, list_lookups });
        }
        let Some(progress) = progress.as_mut() else { return Ok(()) };
        self.measure_builds(store, progress, now).await?;
        self.measure_rest(store).await?;
        count_lookups(&self.cache, &mut progress.lookups, store.package_cache_lookups());
        count_lookups(&self.lists, &mut progress.list_lookups, store.package_list_lookups());
        progress.measured = now;
        Ok(())
    }

    /// Builds that ended are added to those that were counted before: there may be a million.
    async fn measure_builds(&self, store: &CondaStore, progress: &mut Progress, now: Timestamp) -> Result<()> {
        let mut counts = store.catalogue().count_open_builds().await?;
        let settled = now.before(SETTLED);
        for build in store.catalogue().builds_ended_after(progress.settled).await? {
            if build.ended_on > settled {
                *counts.entry(build.status).or_default() += 1;
                continue;
            }
            *progress.counts.entry(build.status).or_default() += 1;
            if let Some(elapsed) = build.elapsed {
                self.build_seconds.with_label_values(&[build.status.as_str()]).observe(elapsed.as_secs_f64());
            }
        }
        progress.settled = progress.settled.max(settled);
        for (status, gauge) in &self.builds {
            let both = [&counts, &progress.counts].map(|counts| counts.get(status).copied().unwrap_or_default());
            gauge.set(signed(both.iter().sum()));
        }
        Ok(())
    }

    async fn measure_rest(&self, store: &CondaStore) -> Result<()> {
        let catalogue = store.catalogue();
        self.environments.set(signed(catalogue.count_environments().await?));
        let disk = catalogue.storage_metrics().await?;
        for (gauge, bytes) in [
            (&self.disk_free, disk.free_storage),
            (&self.disk_total, disk.total_storage),
            (&self.disk_usage, disk.disk_usage),
        ] {
            gauge.set(bytes.unwrap_or_default());
        }
        let claims = catalogue.claims().await?;
        self.workers.set(signed(claims.workers));
        self.abandoned.set(signed(claims.abandoned));
        let there = catalogue.count_workers().await?;
        for (state, workers) in WORKER_STATES.into_iter().zip([there.idle, there.busy, there.lost]) {
            self.presence.with_label_values(&[state]).set(signed(workers));
        }
        let depth = store.queue().depth().await?;
        for (state, jobs) in [("ready", depth.ready), ("delayed", depth.delayed), ("leased", depth.leased)] {
            self.jobs.with_label_values(&[state]).set(signed(jobs));
        }
        Ok(())
    }
}

/// Adds to `counter` what came on top of the lookups `before`.
fn count_lookups(counter: &IntCounterVec, before: &mut CacheLookups, now: CacheLookups) {
    let before = std::mem::replace(before, now);
    counter.with_label_values(&["hit"]).inc_by(now.hits.saturating_sub(before.hits));
    counter.with_label_values(&["miss"]).inc_by(now.misses.saturating_sub(before.misses));
}

fn signed(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

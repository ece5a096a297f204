//! What a build is made of, each step alone and all together, on a channel of its own in a temporary directory:
//!
//!     cargo bench --bench builds

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use conda_store_core::{
    CondaStore,
    catalogue::{Catalogue, Database},
    clock::{Clock, SystemClock},
    conda::{ChannelMirrors, Client, ClientOptions, PackageListOptions, PackageLists, RattlerSolver},
    event::Silent,
    install::{Environment, LinkMethod, PackageStore, PackageStoreSettings, fetch, link},
    model::{BuildStatus, NamespaceName},
    paths::{Layout, LayoutOptions},
    settings::Settings,
    solver::{ChannelPriority, SolveRequest, Solver},
    specification::{Specification, SpecificationLimits},
};
use conda_store_examples::demo::channel::{self, PLACEHOLDER, Package, PackagedFile};
use conda_store_queue::{MemoryQueue, Worker};
use conda_store_storage::MemoryStorage;
use criterion::{BatchSize, Criterion};
use rattler_conda_types::{ChannelUrl, RepoDataRecord, Subdir};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;
use url::Url;

const PACKAGES: usize = 40;
/// Files in each package.
const FILES: usize = 300;
/// The package that needs all others.
const LAST: &str = "bench-39";
/// How often a build is looked after.
const GLANCE: Duration = Duration::from_millis(2);

fn main() -> Result<()> {
    let runtime = Runtime::new()?;
    let workshop = runtime.block_on(Workshop::open())?;
    let mut criterion = Criterion::default().sample_size(10).configure_from_args();
    solve(&mut criterion, &runtime, &workshop)?;
    install(&mut criterion, &runtime, &workshop)?;
    build(&mut criterion, &runtime, &workshop)?;
    criterion.final_summary();
    Ok(())
}

fn solve(criterion: &mut Criterion, runtime: &Runtime, workshop: &Workshop) -> Result<()> {
    criterion.bench_function("solve cold", |bencher| {
        let new = || {
            let cache = tempfile::tempdir().expect("a temporary directory");
            (workshop.solver(cache.path()).expect("a solver"), cache)
        };
        bencher.to_async(runtime).iter_batched(
            new,
            async |(solver, cache)| (workshop.solve(&solver).await.expect("a solution"), cache),
            BatchSize::PerIteration,
        );
    });
    let solver = workshop.solver(&workshop.path("repodata"))?;
    criterion.bench_function("solve warm", |bencher| {
        bencher.to_async(runtime).iter(async || workshop.solve(&solver).await.expect("a solution"));
    });
    Ok(())
}

/// Looks the packages up in a store that has them, and links them.
fn install(criterion: &mut Criterion, runtime: &Runtime, workshop: &Workshop) -> Result<()> {
    let records = runtime.block_on(workshop.solve(&workshop.solver(&workshop.path("repodata"))?))?;
    ensure!(records.len() == PACKAGES, "{} packages were chosen, not {PACKAGES}", records.len());
    let settings = PackageStoreSettings::new(workshop.path("packages"));
    let store = runtime.block_on(PackageStore::open(settings, workshop.client.plain()))?;
    let cancellation = CancellationToken::new();
    runtime.block_on(fetch(&store, &records, &Silent, &cancellation))?;
    criterion.bench_function("install", |bencher| {
        bencher.to_async(runtime).iter_batched(
            || tempfile::tempdir_in(workshop.directory.path()).expect("a directory beside the package store"),
            async |prefix| {
                let packages = fetch(&store, &records, &Silent, &cancellation).await.expect("packages of the store");
                let environment = environment(prefix.path(), records.clone());
                let linked = link(&environment, &packages, &SystemClock, &Silent, &cancellation).await;
                // Given back, and so removed when the time is taken.
                (linked.expect("an environment"), prefix)
            },
            BatchSize::PerIteration,
        );
    });
    Ok(())
}

/// From handing a specification in until its build is completed, with a worker that waits and caches that are filled.
fn build(criterion: &mut Criterion, runtime: &Runtime, workshop: &Workshop) -> Result<()> {
    let store = runtime.block_on(workshop.store())?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let worker = Worker::builder(Arc::new(store.clone()), Arc::clone(store.queue()), clock).build();
    let shutdown = CancellationToken::new();
    let stop = shutdown.clone();
    let working = runtime.spawn(async move { worker.run(stop).await });
    runtime.block_on(workshop.build(&store))?;
    criterion.bench_function("build", |bencher| {
        bencher.to_async(runtime).iter(async || workshop.build(&store).await.expect("a completed build"));
    });
    shutdown.cancel();
    Ok(runtime.block_on(working)?)
}

/// The channel, and where everything is made of it.
struct Workshop {
    directory: TempDir,
    channel: Url,
    client: Client,
}

impl Workshop {
    async fn open() -> Result<Self> {
        let directory = tempfile::tempdir()?;
        let path = directory.path().join("channel");
        Box::pin(channel::write(&path, packages())).await?;
        let channel = Url::from_directory_path(&path).ok().context("the channel has no URL")?;
        Ok(Self { directory, channel, client: Client::new(&ClientOptions::default())? })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn solver(&self, cache: &Path) -> Result<RattlerSolver> {
        let options = PackageListOptions {
            cache: cache.to_owned(),
            mirrors: ChannelMirrors::default(),
            trusted_for: Duration::from_mins(1),
            clock: Arc::new(SystemClock),
        };
        Ok(RattlerSolver::new(PackageLists::new(&self.client, options)?))
    }

    async fn solve(&self, solver: &RattlerSolver) -> Result<Vec<RepoDataRecord>> {
        let request = SolveRequest {
            channels: vec![ChannelUrl::from(self.channel.clone())],
            specs: vec![LAST.to_owned()],
            platforms: vec![platform()],
            variables: BTreeMap::new(),
            channel_priority: ChannelPriority::Strict,
            flags: Vec::new(),
            time_limit: Duration::from_mins(1),
        };
        let lock = solver.solve(&request, &Silent, &CancellationToken::new()).await?;
        Ok(lock.platforms.into_values().flatten().collect())
    }

    async fn store(&self) -> Result<CondaStore> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let catalogue = Catalogue::new(Database::connect("sqlite::memory:").await?, Arc::clone(&clock));
        catalogue.migrate().await?;
        let store = self.path("store");
        std::fs::create_dir_all(&store)?;
        let builder = CondaStore::builder()
            .catalogue(catalogue)
            .storage(MemoryStorage::new(Arc::clone(&clock)))
            .queue(MemoryQueue::new(clock))
            .layout(Layout::new(&LayoutOptions::new(&store), &store)?)
            .client(self.client.clone())
            .settings(Settings { storage_threshold: 0, ..Settings::default() });
        Ok(builder.build().await?)
    }

    /// Hands a specification in and waits until it is built.
    async fn build(&self, store: &CondaStore) -> Result<()> {
        let text = format!("name: bench\nchannels: ['{}']\ndependencies: [{LAST}]\n", self.channel);
        let specification = Specification::from_yaml(&text, &SpecificationLimits::default())?;
        let namespace: NamespaceName = "default".parse()?;
        let build = store.submit(&namespace, specification).await?;
        loop {
            let now = store.catalogue().build(build.id).await?.context("the build is gone")?;
            if now.status == BuildStatus::Completed {
                return Ok(());
            }
            ensure!(!now.status.is_final(), "build is {}: {}", now.status, now.status_info.unwrap_or_default());
            tokio::time::sleep(GLANCE).await;
        }
    }
}

/// Packages of which each needs the one before it, with a program in which the prefix is replaced and files that are not
/// touched.
fn packages() -> Vec<Package> {
    (0..PACKAGES).map(package).collect()
}

fn package(number: usize) -> Package {
    let name = format!("bench-{number}");
    let program = PackagedFile {
        path: format!("bin/{name}"),
        text: format!("#!/bin/sh\necho {PLACEHOLDER}\n"),
        executable: true,
    };
    let data = |file: usize| PackagedFile {
        path: format!("share/{name}/{}/{file}.txt", file % 10),
        text: format!("file {file} of {name}\n").repeat(50),
        executable: false,
    };
    Package {
        version: "1.0".into(),
        depends: number.checked_sub(1).map(|before| format!("bench-{before} >=1.0")).into_iter().collect(),
        summary: "something to install".into(),
        files: std::iter::once(program).chain((1..FILES).map(data)).collect(),
        name,
    }
}

fn platform() -> Subdir {
    Subdir::current().unwrap_or(Subdir::Linux64)
}

fn environment(prefix: &Path, records: Vec<RepoDataRecord>) -> Environment {
    Environment {
        prefix: prefix.to_owned(),
        directory: prefix.to_owned(),
        platform: platform(),
        records,
        specs: vec![LAST.to_owned()],
        variables: BTreeMap::new(),
        link_method: LinkMethod::Auto,
    }
}

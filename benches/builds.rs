//! What a build is made of, each step alone and all together, on a channel of its own in a temporary directory:
//!
//!     cargo bench --bench builds

#[path = "support/install.rs"]
mod install;
#[path = "support/service.rs"]
mod service;
#[path = "support/solve.rs"]
mod solve;

use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use conda_store_core::{
    conda::{Client, ClientOptions},
    install::{PackageStore, PackageStoreSettings},
};
use conda_store_examples::demo::channel::{self, PLACEHOLDER, Package, PackagedFile};
use criterion::{BatchSize, Criterion};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use url::Url;

use self::{
    install::{environment, install},
    service::Service,
    solve::{solve, solver},
};

const PACKAGES: usize = 40;
/// Files in each package.
const FILES: usize = 300;
/// The package that needs all others.
const LAST: &str = "bench-39";

fn main() -> Result<()> {
    let runtime = Runtime::new()?;
    let workshop = runtime.block_on(Workshop::open())?;
    let mut criterion = Criterion::default().sample_size(10).configure_from_args();
    bench_solve(&mut criterion, &runtime, &workshop)?;
    bench_install(&mut criterion, &runtime, &workshop)?;
    bench_build(&mut criterion, &runtime, &workshop)?;
    criterion.final_summary();
    Ok(())
}

fn bench_solve(criterion: &mut Criterion, runtime: &Runtime, workshop: &Workshop) -> Result<()> {
    let (client, channel) = (&workshop.client, &workshop.channel);
    criterion.bench_function("solve cold", |bencher| {
        let new = || {
            let cache = tempfile::tempdir().expect("a temporary directory");
            (solver(client, cache.path()).expect("a solver"), cache)
        };
        bencher.to_async(runtime).iter_batched(
            new,
            async |(solver, cache)| (solve(&solver, channel, &[LAST]).await.expect("a solution"), cache),
            BatchSize::PerIteration,
        );
    });
    let solver = solver(client, &workshop.path("repodata"))?;
    criterion.bench_function("solve warm", |bencher| {
        bencher.to_async(runtime).iter(async || solve(&solver, channel, &[LAST]).await.expect("a solution"));
    });
    Ok(())
}

/// Looks the packages up in a store that has them, and links them.
fn bench_install(criterion: &mut Criterion, runtime: &Runtime, workshop: &Workshop) -> Result<()> {
    let solver = solver(&workshop.client, &workshop.path("repodata"))?;
    let records = runtime.block_on(solve(&solver, &workshop.channel, &[LAST]))?;
    ensure!(records.len() == PACKAGES, "{} packages were chosen, not {PACKAGES}", records.len());
    let settings = PackageStoreSettings::new(workshop.path("packages"));
    let store = runtime.block_on(PackageStore::open(settings, workshop.client.plain()))?;
    runtime.block_on(install(&store, &environment(&workshop.path("first"), records.clone(), &[LAST])))?;
    criterion.bench_function("install", |bencher| {
        bencher.to_async(runtime).iter_batched(
            || tempfile::tempdir_in(workshop.directory.path()).expect("a directory beside the package store"),
            async |prefix| {
                let times = install(&store, &environment(prefix.path(), records.clone(), &[LAST])).await;
                // Given back, and so removed when the time is taken.
                (times.expect("an environment"), prefix)
            },
            BatchSize::PerIteration,
        );
    });
    Ok(())
}

/// From handing a specification in until its build is completed, with a worker that waits and caches that are filled.
fn bench_build(criterion: &mut Criterion, runtime: &Runtime, workshop: &Workshop) -> Result<()> {
    let service = runtime.block_on(Service::start(&workshop.client, &workshop.path("store")))?;
    let build = async || service.build("bench", &workshop.channel, &[LAST]).await;
    runtime.block_on(build())?;
    criterion.bench_function("build", |bencher| {
        bencher.to_async(runtime).iter(async || build().await.expect("a completed build"));
    });
    Ok(())
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

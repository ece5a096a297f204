//! How long linking takes, against `cp -al` of the same tree: python, numpy, pandas and flask from the test channel
//! (`CONDA_STORE_TEST_CHANNEL`), with all packages in the package store. Both are measured in turn, so that a busy machine
//! slows them alike, and each begins with nothing left to write: linking writes the files that name their prefix, and a disk
//! that is behind holds back whoever writes. Fails where the median is more than [`LIMIT`] times that of `cp -al`.
//!
//! Then the same environment is built twice by a whole service. Prints how long each phase took, and fails where the
//! second build, whose packages are cached, did not spend most of its time on linking.
//!
//!     CONDA_STORE_TEST_CHANNEL=DIRECTORY cargo bench --bench link

#![expect(clippy::print_stdout, reason = "a bench prints its figures")]

#[path = "support/install.rs"]
mod install;
#[path = "support/service.rs"]
mod service;
#[path = "support/solve.rs"]
mod solve;

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};
use conda_store_core::{
    conda::{Client, ClientOptions},
    event::Phase,
    install::{PackageStore, PackageStoreSettings},
};
use url::Url;

use self::{
    install::{environment, install},
    service::Service,
    solve::{solve, solver},
};

const SPECS: [&str; 4] = ["python=3.11", "numpy", "pandas", "flask"];
const ROUNDS: usize = 10;
/// How many times as long as `cp -al` linking may take.
const LIMIT: f64 = 2.5;

fn main() -> Result<()> {
    tokio::runtime::Runtime::new()?.block_on(async {
        let Some(channel) = conda_store_core::testing::service("channel").map(PathBuf::from) else { return Ok(()) };
        let channel = Url::from_directory_path(&channel)
            .map_err(|()| anyhow::anyhow!("{} is no absolute path", channel.display()))?;
        let client = Client::new(&ClientOptions::default())?;
        compare(&client, &channel).await?;
        build_twice(&client, &channel).await
    })
}

async fn compare(client: &Client, channel: &Url) -> Result<()> {
    let directory = tempfile::tempdir()?;
    let records = solve(&solver(client, &directory.path().join("repodata"))?, channel, &SPECS).await?;
    let settings = PackageStoreSettings::new(directory.path().join("packages"));
    let store = PackageStore::open(settings, client.plain()).await?;
    let environment = environment(&directory.path().join("environment"), records, &SPECS);
    // Fetches what the rounds only look up, and fills the caches of the file system.
    install(&store, &environment).await?;
    fs::remove_dir_all(&environment.prefix)?;
    let (mut lookups, mut links, mut copies) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        nix::unistd::sync();
        let (lookup, linking) = install(&store, &environment).await?;
        lookups.push(lookup);
        links.push(linking);
        copies.push(copy(&environment.prefix, &directory.path().join("copy"))?);
        fs::remove_dir_all(&environment.prefix)?;
    }
    println!("{} packages, {ROUNDS} rounds", environment.records.len());
    show("look up", &mut lookups);
    let (linking, copying) = (show("link", &mut links), show("cp -al", &mut copies));
    let ratio = linking.as_secs_f64() / copying.as_secs_f64();
    println!("link / cp -al: {ratio:.2} of the medians");
    ensure!(ratio <= LIMIT, "linking takes {ratio:.2} times as long as cp -al, more than {LIMIT}");
    Ok(())
}

/// Builds the environment twice under different names, and shows where the time went.
async fn build_twice(client: &Client, channel: &Url) -> Result<()> {
    let directory = tempfile::tempdir()?;
    let service = Service::start(client, &directory.path().join("store")).await?;
    for (name, cached) in [("first", false), ("second", true)] {
        let build = service.build(name, channel, &SPECS).await?;
        let mut phases = Vec::new();
        // They are written down a moment after the build is completed.
        while phases.is_empty() {
            phases = service.store.catalogue().phases(build.id).await?;
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let all: Duration = phases.iter().map(|time| time.elapsed).sum();
        let shown: Vec<String> =
            phases.iter().map(|time| format!("{} {:.3} s", time.phase, time.elapsed.as_secs_f64())).collect();
        println!("{name} build: {}", shown.join(", "));
        let linking: Duration = phases.iter().filter(|time| time.phase == Phase::Link).map(|time| time.elapsed).sum();
        ensure!(!cached || linking * 2 > all, "linking took {linking:?} of {all:?}, not most of the time");
    }
    Ok(())
}

/// How long `cp -al` took, whose outcome is removed.
fn copy(tree: &Path, target: &Path) -> Result<Duration> {
    nix::unistd::sync();
    let begun = Instant::now();
    let status = Command::new("cp").arg("-al").arg(tree).arg(target).status()?;
    let elapsed = begun.elapsed();
    ensure!(status.success(), "cp -al failed: {status}");
    fs::remove_dir_all(target)?;
    Ok(elapsed)
}

/// Prints the best and the median, and returns the median.
fn show(what: &str, measured: &mut [Duration]) -> Duration {
    measured.sort_unstable();
    let (best, median) = (measured[0], measured[measured.len() / 2]);
    println!("{what:<8} best {best:>8.1?}  median {median:>8.1?}");
    median
}

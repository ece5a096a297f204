//! How long linking takes, against `cp -al` of the same tree: python, numpy, pandas and flask from the test channel
//! (`CONDA_STORE_TEST_CHANNEL`), with all packages in the package store. Both are measured in turn, so that a busy machine
//! slows them alike. Fails where the median is more than [`LIMIT`] times that of `cp -al`.
//!
//!     CONDA_STORE_TEST_CHANNEL=DIRECTORY cargo bench --bench link

#![expect(clippy::print_stdout, reason = "a bench prints its figures")]

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};
use conda_store_core::{
    clock::SystemClock,
    conda::{ChannelMirrors, Client, ClientOptions, PackageListOptions, PackageLists, RattlerSolver},
    event::Silent,
    install::{Environment, LinkMethod, PackageStore, PackageStoreSettings, fetch, link},
    solver::{ChannelPriority, SolveRequest, Solver},
};
use rattler_conda_types::{ChannelUrl, RepoDataRecord, Subdir};
use tokio_util::sync::CancellationToken;
use url::Url;

const SPECS: [&str; 4] = ["python=3.11", "numpy", "pandas", "flask"];
const ROUNDS: usize = 10;
/// How many times as long as `cp -al` linking may take.
const LIMIT: f64 = 2.5;

fn main() -> Result<()> {
    tokio::runtime::Runtime::new()?.block_on(compare())
}

async fn compare() -> Result<()> {
    let Some(channel) = conda_store_core::testing::service("channel").map(PathBuf::from) else { return Ok(()) };
    let directory = tempfile::tempdir()?;
    let client = Client::new(&ClientOptions::default())?;
    let records = solve(&client, &channel, &directory.path().join("repodata")).await?;
    let settings = PackageStoreSettings::new(directory.path().join("packages"));
    let store = PackageStore::open(settings, client.plain()).await?;
    let environment = environment(&directory.path().join("environment"), records);
    // Fetches what the rounds only look up, and fills the caches of the file system.
    install(&store, &environment).await?;
    fs::remove_dir_all(&environment.prefix)?;
    let (mut lookups, mut links, mut copies) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
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

async fn solve(client: &Client, channel: &Path, cache: &Path) -> Result<Vec<RepoDataRecord>> {
    let url =
        Url::from_directory_path(channel).map_err(|()| anyhow::anyhow!("{} is no absolute path", channel.display()))?;
    let options = PackageListOptions {
        cache: cache.to_owned(),
        mirrors: ChannelMirrors::default(),
        trusted_for: Duration::from_mins(1),
        clock: Arc::new(SystemClock),
    };
    let request = SolveRequest {
        channels: vec![ChannelUrl::from(url)],
        specs: SPECS.map(str::to_owned).to_vec(),
        platforms: vec![Subdir::Linux64],
        variables: BTreeMap::new(),
        channel_priority: ChannelPriority::Strict,
        flags: Vec::new(),
        time_limit: Duration::from_mins(5),
    };
    let solver = RattlerSolver::new(PackageLists::new(client, options)?);
    let lock = solver.solve(&request, &Silent, &CancellationToken::new()).await?;
    Ok(lock.platforms.into_values().flatten().collect())
}

fn environment(prefix: &Path, records: Vec<RepoDataRecord>) -> Environment {
    Environment {
        prefix: prefix.to_owned(),
        directory: prefix.to_owned(),
        platform: Subdir::Linux64,
        records,
        specs: SPECS.map(str::to_owned).to_vec(),
        variables: BTreeMap::new(),
        link_method: LinkMethod::Auto,
    }
}

/// How long it took to look the packages up in the store, and to link them.
async fn install(store: &PackageStore, environment: &Environment) -> Result<(Duration, Duration)> {
    let cancellation = CancellationToken::new();
    let begun = Instant::now();
    let packages = fetch(store, &environment.records, &Silent, &cancellation).await?;
    let lookup = begun.elapsed();
    let begun = Instant::now();
    link(environment, &packages, &SystemClock, &Silent, &cancellation).await?;
    Ok((lookup, begun.elapsed()))
}

/// How long `cp -al` took, whose outcome is removed.
fn copy(tree: &Path, target: &Path) -> Result<Duration> {
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

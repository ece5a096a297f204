//! How long making the archive of an environment takes, against conda-pack at the same compression level on the same
//! directory: python, numpy, pandas and flask from the test channel (`CONDA_STORE_TEST_CHANNEL`), and conda-pack 0.9 as
//! `CONDA_STORE_TEST_CONDA_PACK` names it. Both are measured in turn, so that a busy machine slows them alike. Fails where
//! the median of the wall times is more than [`WALL`], or that of the processor times more than [`PROCESSOR`] of
//! conda-pack's, or the archive larger than [`SIZE`] of conda-pack's.
//!
//!     CONDA_STORE_TEST_CHANNEL=DIRECTORY CONDA_STORE_TEST_CONDA_PACK=PROGRAM cargo bench --bench archive

#![expect(clippy::print_stdout, reason = "a bench prints its figures")]

#[path = "support/install.rs"]
mod install;
#[path = "support/solve.rs"]
mod solve;

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use conda_store_core::{
    artifact::{Draft, Request},
    clock::SystemClock,
    conda::{Client, ClientOptions},
    install::{PackageStore, PackageStoreSettings},
    model::{ArchiveFormat, ArtifactType},
    testing,
};
use conda_store_storage::{LocalStorage, LocalStorageConfig};
use url::Url;

use self::{
    install::{environment, install},
    solve::{solve, solver},
};

/// The allocator that the worker has.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

const SPECS: [&str; 4] = ["python=3.11", "numpy", "pandas", "flask"];
const ROUNDS: usize = 5;
/// The level that conda-pack has by default. It is one of zlib: whether ours is the same, the sizes tell.
const LEVEL: &str = "4";
/// How much of conda-pack's wall time ours may take.
const WALL: f64 = 0.25;
/// How much of its processor time.
const PROCESSOR: f64 = 0.5;
/// How large the archive may be: the same level, but not the same implementation of it.
const SIZE: f64 = 1.01;

fn main() -> Result<()> {
    tokio::runtime::Runtime::new()?.block_on(async {
        let Some(channel) = testing::service("channel").map(PathBuf::from) else { return Ok(()) };
        let Some(conda_pack) = testing::service("conda_pack") else { return Ok(()) };
        let channel = Url::from_directory_path(&channel)
            .map_err(|()| anyhow::anyhow!("{} is no absolute path", channel.display()))?;
        compare(&channel, &conda_pack).await
    })
}

async fn compare(channel: &Url, conda_pack: &str) -> Result<()> {
    let directory = tempfile::tempdir()?;
    let client = Client::new(&ClientOptions::default())?;
    let records = solve(&solver(&client, &directory.path().join("repodata"))?, channel, &SPECS).await?;
    let settings = PackageStoreSettings::new(directory.path().join("packages"));
    let store = PackageStore::open(settings, client.plain()).await?;
    let environment = environment(&directory.path().join("environment"), records, &SPECS);
    install(&store, &environment).await?;
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        ours.push(make(&environment.prefix, &directory.path().join("storage")).await?);
        theirs.push(pack(conda_pack, &environment.prefix, &directory.path().join("packed.tar.gz"))?);
    }
    let (our_wall, our_processor) = show("ours", &ours);
    let (their_wall, their_processor) = show("conda-pack", &theirs);
    let (wall, processor) = (our_wall / their_wall, our_processor / their_processor);
    let bytes = |measured: &[Measured]| u32::try_from(measured[0].bytes).map(f64::from);
    let size = bytes(&ours)? / bytes(&theirs)?;
    println!(
        "ours / conda-pack: {wall:.3} of the wall time, {processor:.3} of the processor time, {size:.3} of the size"
    );
    ensure!(wall <= WALL, "ours takes {wall:.3} of conda-pack's wall time, more than {WALL}");
    ensure!(processor <= PROCESSOR, "ours takes {processor:.3} of conda-pack's processor time, more than {PROCESSOR}");
    ensure!(size <= SIZE, "ours has {size:.3} of conda-pack's size, more than {SIZE}");
    Ok(())
}

/// What one round took.
#[derive(Clone, Copy)]
struct Measured {
    wall: Duration,
    /// Seconds.
    processor: f64,
    bytes: u64,
}

async fn make(prefix: &Path, storage: &Path) -> Result<Measured> {
    let config = LocalStorageConfig { storage_path: storage.to_owned(), storage_url: None };
    let storage = LocalStorage::open(config, Arc::new(SystemClock)).await?;
    let request = Request {
        prefix: prefix.to_owned(),
        name: "bench".parse()?,
        build_key: "bench".into(),
        channel_alias: "https://conda.anaconda.org".into(),
        archive_format: ArchiveFormat::TarGz,
        pip: Vec::new(),
    };
    let (begun, before) = (Instant::now(), processor_time(13)?);
    let made = Draft::read(ArtifactType::CondaPack, request).await?.publish(&storage).await?;
    Ok(Measured { wall: begun.elapsed(), processor: processor_time(13)? - before, bytes: made.size })
}

fn pack(conda_pack: &str, prefix: &Path, output: &Path) -> Result<Measured> {
    let mut command = Command::new(conda_pack);
    command.args(["--force", "--quiet", "--format", "tar.gz", "--compress-level", LEVEL]);
    command.arg("--prefix").arg(prefix).arg("--output").arg(output);
    let (begun, before) = (Instant::now(), processor_time(15)?);
    let status = command.status()?;
    ensure!(status.success(), "conda-pack failed: {status}");
    let bytes = fs::metadata(output)?.len();
    Ok(Measured { wall: begun.elapsed(), processor: processor_time(15)? - before, bytes })
}

/// Seconds in user and system mode: at `field` 13 those of this process, at 15 those of the children it has waited for
/// (proc(5), counted from 0).
fn processor_time(field: usize) -> Result<f64> {
    /// What `/proc` counts in, on every architecture of Linux that matters here.
    const TICKS_PER_SECOND: f64 = 100.0;
    let text = fs::read_to_string("/proc/self/stat")?;
    // The name of the program, in parentheses, may have blanks in it.
    let (_, fields) = text.rsplit_once(')').context("/proc/self/stat has no name")?;
    let ticks = fields.split_whitespace().skip(field - 2).take(2).map(str::parse::<f64>);
    Ok(ticks.sum::<Result<f64, _>>()? / TICKS_PER_SECOND)
}

/// Prints the medians, and returns them in seconds.
fn show(what: &str, measured: &[Measured]) -> (f64, f64) {
    let median = |value: fn(&Measured) -> f64| {
        let mut values: Vec<f64> = measured.iter().map(value).collect();
        values.sort_unstable_by(f64::total_cmp);
        values[values.len() / 2]
    };
    let (wall, processor) = (median(|one| one.wall.as_secs_f64()), median(|one| one.processor));
    println!("{what:<10} wall {wall:>6.2} s  processor {processor:>6.2} s  {} bytes", measured[0].bytes);
    (wall, processor)
}

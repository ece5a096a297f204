//! Time and memory on a channel of conda-forge's size, where `CONDA_STORE_TEST_SCALE` names its directory.
//!
//! The memory limit holds for a process that does nothing else: run each test by itself, by its name and with
//! `--ignored`.

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use super::{Lists, RattlerSolver, Server, request, solve};
use crate::{solver::SolveRequest, testing::service};

const SHARDS: &str = "repodata_shards.msgpack.zst";

const SPECS: [&str; 6] = ["python=3.11", "numpy", "pandas", "scipy", "scikit-learn", "matplotlib"];

#[tokio::test]
#[ignore = "counts the memory of the whole process: run it by name"]
async fn a_large_sharded_channel_is_solved_in_bounds() {
    measure("shards", &[], 500).await;
}

#[tokio::test]
#[ignore = "counts the memory of the whole process: run it by name"]
async fn a_large_compressed_channel_is_solved_in_bounds() {
    measure("zst", &[SHARDS], 700).await;
}

#[tokio::test]
#[ignore = "counts the memory of the whole process: run it by name"]
async fn a_large_plain_channel_is_solved_in_bounds() {
    measure("json", &[SHARDS, "repodata.json.zst"], 700).await;
}

/// Solves with only the lists that are not `hidden`, with at most `limit` MiB of memory.
async fn measure(form: &str, hidden: &[&'static str], limit: u64) {
    let Some(directory) = service("scale").map(PathBuf::from) else { return };
    let server = Server::start(&directory, hidden).await;
    let lists = Lists::new();
    let (solver, mut request) = (lists.solver(), request(&[&server.url], &SPECS));
    request.variables.insert("CONDA_OVERRIDE_ARCHSPEC".to_owned(), "x86_64".to_owned());
    let (first, cold) = timed(&solver, &request).await;
    let (second, warm) = timed(&solver, &request).await;
    assert_eq!(first, second);
    request.specs.truncate(1);
    let (small, short) = timed(&solver, &request).await;
    let peak = peak_mebibytes();
    println!("{form}: {first} packages in {cold:?}, again in {warm:?}; {small} in {short:?}; peak {peak} MiB");
    assert!(short < Duration::from_millis(300), "{form}: {short:?}");
    assert!(peak < limit, "{form}: {peak} MiB");
}

/// How many packages were chosen, and in what time.
async fn timed(solver: &RattlerSolver, request: &SolveRequest) -> (usize, Duration) {
    let started = Instant::now();
    let chosen = solve(solver, request).await.unwrap();
    (chosen.len(), started.elapsed())
}

/// The most memory that this process has had resident, in MiB.
fn peak_mebibytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() / 1024
}

//! Solves on a channel of conda-forge's size (`CONDA_STORE_TEST_SCALE`, half a million records): cold, warm and with
//! nothing changed, and the most memory that the process needed, for each form in which a channel gives its package
//! list. A process of its own measures each line twice: with an empty cache (cold), and again as a worker that was
//! started anew (warm); so nothing of one line is counted for another. The last line of a form solves all
//! specifications one after another, as a worker does that lives long.
//!
//!     CONDA_STORE_TEST_SCALE=DIRECTORY cargo bench --bench scale

#![expect(clippy::print_stdout, reason = "a bench prints its figures")]

#[path = "support/solve.rs"]
mod solve;

use std::{
    path::{Path, PathBuf},
    time::Instant,
};

use anyhow::{Context, Result, ensure};
use axum::{Router, extract::Request, http::StatusCode, middleware::Next, response::IntoResponse};
use conda_store_core::conda::{Client, ClientOptions};
use serde::{Deserialize, Serialize};
use tower_http::services::ServeDir;
use url::Url;

use self::solve::{solve, solver};

/// The forms, what each leaves out, and how many megabytes a worker may need for it.
const FORMS: [(&str, &[&str], u64); 3] = [
    ("shards", &[], 500),
    ("zst", &["repodata_shards.msgpack.zst"], 700),
    ("json", &["repodata_shards.msgpack.zst", "repodata.json.zst"], 700),
];

const SPECIFICATIONS: [&str; 4] =
    ["python=3.11", "python=3.11 numpy pandas scipy scikit-learn matplotlib", "jupyterlab", "geopandas rasterio"];

/// What stands between specifications that are solved in one process.
const BREAK: &str = "; ";

/// How many seconds a solve may take for which nothing changed.
const UNCHANGED: f64 = 0.3;

/// The argument that makes this program the measured process.
const MEASURE: &str = "--measure";

/// That of the two programs.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> Result<()> {
    let runtime = tokio::runtime::Runtime::new()?;
    let arguments: Vec<String> = std::env::args().collect();
    match arguments.iter().position(|argument| argument == MEASURE) {
        Some(at) => runtime.block_on(measure(&arguments[at + 1], Path::new(&arguments[at + 2]), &arguments[at + 3])),
        None => runtime.block_on(compare()),
    }
}

async fn compare() -> Result<()> {
    let Some(channel) = conda_store_core::testing::service("scale").map(PathBuf::from) else { return Ok(()) };
    ensure!(channel.join("noarch/repodata.json").try_exists()?, "{} holds no channel", channel.display());
    println!(
        "{:<8} {:<56} {:>8} {:>8} {:>10} {:>8} {:>10}",
        "form", "specification", "cold", "warm", "unchanged", "packages", "peak"
    );
    let mut broken = Vec::new();
    for (form, hidden, limit) in FORMS {
        let url = serve(&channel, hidden).await?;
        let all = SPECIFICATIONS.join(BREAK);
        for specifications in SPECIFICATIONS.into_iter().chain([all.as_str()]) {
            let cache = tempfile::tempdir()?;
            let cold = run(&url, cache.path(), specifications).await?;
            let warm = run(&url, cache.path(), specifications).await?;
            let (unchanged, peak) = (cold.unchanged.max(warm.unchanged), cold.peak.max(warm.peak));
            let name = if specifications == all { "all of them" } else { specifications };
            println!(
                "{form:<8} {name:<56} {:>6.2} s {:>6.2} s {unchanged:>8.3} s {:>8} {peak:>7} MB",
                cold.first, warm.first, warm.packages
            );
            if unchanged >= UNCHANGED {
                broken.push(format!(
                    "{form}, {name}: the solve with nothing changed took {unchanged} s, not below {UNCHANGED} s"
                ));
            }
            if peak >= limit {
                broken.push(format!("{form}, {name}: {peak} MB, not below {limit} MB"));
            }
        }
    }
    ensure!(broken.is_empty(), "{}", broken.join("\n"));
    Ok(())
}

/// Serves `channel` without the files that are `hidden`.
async fn serve(channel: &Path, hidden: &'static [&'static str]) -> Result<String> {
    let hide = move |mut request: Request, next: Next| async move {
        if hidden.iter().any(|name| request.uri().path().ends_with(name)) {
            return StatusCode::NOT_FOUND.into_response();
        }
        // A client that is answered 304 for the sharded index takes it for an error.
        if request.uri().path().ends_with(FORMS[1].1[0]) {
            request.headers_mut().remove("if-modified-since");
            request.headers_mut().remove("if-none-match");
        }
        next.run(request).await
    };
    let router = Router::new().fallback_service(ServeDir::new(channel)).layer(axum::middleware::from_fn(hide));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}", listener.local_addr()?);
    tokio::spawn(async move { axum::serve(listener, router).await });
    Ok(url)
}

/// What one process measured.
#[derive(Serialize, Deserialize)]
struct Figures {
    /// Seconds that the first solves took together.
    first: f64,
    /// Seconds that the last of them took when it was asked for again.
    unchanged: f64,
    /// How many packages that one has.
    packages: usize,
    /// The most megabytes in use.
    peak: u64,
}

/// Measures in a process of its own.
async fn run(url: &str, cache: &Path, specifications: &str) -> Result<Figures> {
    let mut command = tokio::process::Command::new(std::env::current_exe()?);
    let output = command.arg(MEASURE).arg(url).arg(cache).arg(specifications).output().await?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(serde_json::from_slice(&output.stdout)?)
}

/// Solves one specification after another, and the last of them again, and prints the figures.
async fn measure(url: &str, cache: &Path, specifications: &str) -> Result<()> {
    let solver = solver(&Client::new(&ClientOptions::default())?, cache)?;
    let url = Url::parse(url)?;
    let timed = async |specification: &str| {
        let specs: Vec<&str> = specification.split(' ').collect();
        let begun = Instant::now();
        let records = solve(&solver, &url, &specs).await?;
        anyhow::Ok((begun.elapsed().as_secs_f64(), records.len()))
    };
    let (mut first, mut last) = (0.0, "");
    for specification in specifications.split(BREAK) {
        first += timed(specification).await?.0;
        last = specification;
    }
    let (unchanged, packages) = timed(last).await?;
    println!("{}", serde_json::to_string(&Figures { first, unchanged, packages, peak: peak_megabytes()? })?);
    Ok(())
}

/// The most memory that this process had in use, as the kernel counts it (`VmHWM`).
fn peak_megabytes() -> Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("the kernel tells no VmHWM")?;
    let kilobytes: u64 = line.trim().trim_end_matches(" kB").parse()?;
    Ok(kilobytes / 1_000)
}

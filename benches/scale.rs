//! Solves on a channel of conda-forge's size (`CONDA_STORE_TEST_SCALE`, half a million records): cold, warm and with
//! nothing changed, and the most memory that the process needed, for each form in which a channel gives its package
//! list. One process per form and specification, so that nothing of one is counted for another.
//!
//!     CONDA_STORE_TEST_SCALE=DIRECTORY cargo bench --bench scale

#![expect(clippy::print_stdout, reason = "a bench prints its figures")]

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use axum::{Router, extract::Request, http::StatusCode, middleware::Next, response::IntoResponse};
use conda_store_core::{
    clock::SystemClock,
    conda::{ChannelMirrors, Client, ClientOptions, PackageListOptions, PackageLists, RattlerSolver},
    event::Silent,
    solver::{ChannelPriority, SolveRequest, Solver},
};
use rattler_conda_types::Subdir;
use tokio_util::sync::CancellationToken;
use tower_http::services::ServeDir;
use url::Url;

/// The forms, what each leaves out, and how many megabytes a worker may need for it.
const FORMS: [(&str, &[&str], u64); 3] = [
    ("shards", &[], 500),
    ("zst", &["repodata_shards.msgpack.zst"], 700),
    ("json", &["repodata_shards.msgpack.zst", "repodata.json.zst"], 700),
];

const SPECIFICATIONS: [&str; 4] =
    ["python=3.11", "python=3.11 numpy pandas scipy scikit-learn matplotlib", "jupyterlab", "geopandas rasterio"];

/// The argument that makes this program the measured process.
const MEASURE: &str = "--measure";

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
        for specification in SPECIFICATIONS {
            let cache = tempfile::tempdir()?;
            let program = std::env::current_exe()?;
            let (url, cache) = (url.clone(), cache.path().to_owned());
            let output = tokio::task::spawn_blocking(move || {
                Command::new(program).arg(MEASURE).arg(url).arg(cache).arg(specification).output()
            });
            let output = output.await??;
            ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            let line = String::from_utf8(output.stdout)?;
            print!("{form:<8} {specification:<56} {line}");
            let figure = |index: usize| {
                line.split_whitespace().nth(index).and_then(|text| text.parse::<f64>().ok()).context("a figure")
            };
            let (unchanged, peak) = (figure(4)?, figure(8)?);
            if unchanged >= 0.3 {
                broken.push(format!(
                    "{form}, {specification}: the solve with nothing changed took {unchanged} s, not below 0.3 s"
                ));
            }
            #[expect(clippy::cast_precision_loss, reason = "megabytes")]
            if peak >= limit as f64 {
                broken.push(format!("{form}, {specification}: {peak} MB, not below {limit} MB"));
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

/// Solves three times and prints the figures: with an empty cache, in a new solver on the filled cache, and again in it.
async fn measure(url: &str, cache: &Path, specification: &str) -> Result<()> {
    let (cold, _) = timed(&solver(cache)?, url, specification).await?;
    let solver = solver(cache)?;
    let (warm, _) = timed(&solver, url, specification).await?;
    let (unchanged, packages) = timed(&solver, url, specification).await?;
    println!("{cold:>6.2} s {warm:>6.2} s {unchanged:>8.3} s {packages:>8} packages {:>6} MB", peak_megabytes()?);
    Ok(())
}

fn solver(cache: &Path) -> Result<RattlerSolver> {
    let client = Client::new(&ClientOptions::default())?;
    let options = PackageListOptions {
        cache: cache.to_owned(),
        mirrors: ChannelMirrors::default(),
        trusted_for: Duration::from_mins(1),
        clock: Arc::new(SystemClock),
    };
    Ok(RattlerSolver::new(PackageLists::new(&client, options)))
}

async fn timed(solver: &RattlerSolver, url: &str, specification: &str) -> Result<(f64, usize)> {
    let request = SolveRequest {
        channels: vec![Url::parse(url)?.into()],
        specs: specification.split(' ').map(str::to_owned).collect(),
        platforms: vec![Subdir::Linux64],
        variables: BTreeMap::new(),
        channel_priority: ChannelPriority::Strict,
        flags: Vec::new(),
        time_limit: Duration::from_mins(5),
    };
    let begun = Instant::now();
    let lock = solver.solve(&request, &Silent, &CancellationToken::new()).await?;
    Ok((begun.elapsed().as_secs_f64(), lock.platforms.values().map(Vec::len).sum()))
}

/// The most memory that this process had in use, as the kernel counts it (`VmHWM`).
fn peak_megabytes() -> Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("the kernel tells no VmHWM")?;
    let kilobytes: u64 = line.trim().trim_end_matches(" kB").parse()?;
    Ok(kilobytes / 1_000)
}

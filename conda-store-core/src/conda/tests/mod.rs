//! The solvers and the package lists on a real channel: from its directory, and served over HTTP.

mod command;
mod http;
mod memory;
mod solve;

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Router,
    extract::{Request, State},
    http::StatusCode,
    middleware::{Next, from_fn_with_state},
    response::{IntoResponse as _, Response},
};
use rattler_conda_types::{ChannelUrl, RepoDataRecord, Subdir};
use tokio_util::sync::CancellationToken;
use tower_http::services::ServeDir;
use url::Url;

use super::{ChannelMirrors, Client, ClientOptions, PackageListOptions, PackageLists, RattlerSolver};
use crate::{
    Result,
    clock::{Clock, SystemClock},
    event::Silent,
    solver::{ChannelPriority, SolveRequest, Solver},
    testing::service,
};

/// The directory of the real channel, where it is at hand.
fn channel_directory() -> Option<PathBuf> {
    service("channel").map(|directory| Path::new(&directory).canonicalize().unwrap())
}

fn directory_url(directory: &Path) -> Url {
    Url::from_directory_path(directory).unwrap()
}

fn request(channels: &[&Url], specs: &[&str]) -> SolveRequest {
    SolveRequest {
        channels: channels.iter().map(|url| ChannelUrl::from((*url).clone())).collect(),
        specs: specs.iter().map(|spec| (*spec).to_owned()).collect(),
        platforms: vec![Subdir::Linux64],
        variables: [("CONDA_OVERRIDE_GLIBC", "2.36"), ("CONDA_OVERRIDE_CUDA", "")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into(),
        channel_priority: ChannelPriority::Strict,
        flags: Vec::new(),
        time_limit: Duration::from_mins(2),
    }
}

/// Package lists with a cache of their own.
struct Lists {
    cache: tempfile::TempDir,
    mirrors: ChannelMirrors,
    clock: Arc<dyn Clock>,
}

impl Lists {
    fn new() -> Self {
        Self { cache: tempfile::tempdir().unwrap(), mirrors: ChannelMirrors::default(), clock: Arc::new(SystemClock) }
    }

    fn mirrored(mirrors: ChannelMirrors) -> Self {
        Self { mirrors, ..Self::new() }
    }

    /// As a process that just started would have them.
    fn open(&self) -> PackageLists {
        let client = Client::new(&ClientOptions { retries: 1, ..ClientOptions::default() }).unwrap();
        let options = PackageListOptions {
            cache: self.cache.path().to_owned(),
            mirrors: self.mirrors.clone(),
            trusted_for: Duration::from_mins(1),
            clock: Arc::clone(&self.clock),
        };
        PackageLists::new(&client, options).unwrap()
    }

    fn solver(&self) -> RattlerSolver {
        RattlerSolver::new(self.open())
    }
}

/// Solves for linux-64.
async fn solve(solver: &impl Solver, request: &SolveRequest) -> Result<Vec<RepoDataRecord>> {
    let mut lock = solver.solve(request, &Silent, &CancellationToken::new()).await?;
    Ok(lock.platforms.remove(&Subdir::Linux64).unwrap_or_default())
}

/// `name version build` of each.
fn shown(records: &[RepoDataRecord]) -> Vec<String> {
    let shown = |record: &RepoDataRecord| {
        let package = &record.package_record;
        format!("{} {} {}", package.name.as_normalized(), package.version, package.build)
    };
    records.iter().map(shown).collect()
}

/// A web server over a directory that notes what it is asked for.
struct Server {
    url: Url,
    state: Arc<ServerState>,
    task: tokio::task::JoinHandle<()>,
}

#[derive(Default)]
struct ServerState {
    requests: Mutex<Vec<String>>,
    hidden: Vec<&'static str>,
    hangs: bool,
}

impl Server {
    /// Serves `directory` except for files whose names end in one of `hidden`.
    async fn start(directory: &Path, hidden: &[&'static str]) -> Self {
        Self::with(directory, ServerState { hidden: hidden.to_vec(), ..ServerState::default() }).await
    }

    /// Accepts requests and never answers.
    async fn hanging() -> Self {
        Self::with(Path::new("."), ServerState { hangs: true, ..ServerState::default() }).await
    }

    async fn with(directory: &Path, state: ServerState) -> Self {
        let state = Arc::new(state);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/channel/", listener.local_addr().unwrap()).parse().unwrap();
        let files = Router::new().nest_service("/channel", ServeDir::new(directory));
        let application = files.layer(from_fn_with_state(Arc::clone(&state), note));
        let task = tokio::spawn(async move { axum::serve(listener, application).await.unwrap() });
        Self { url, state, task }
    }

    /// Method, path below the channel, and status of the requests since the last call.
    fn requests(&self) -> Vec<String> {
        std::mem::take(&mut *self.state.requests.lock().unwrap())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn note(State(state): State<Arc<ServerState>>, request: Request, next: Next) -> Response {
    let shown = format!("{} {}", request.method(), request.uri().path().trim_start_matches("/channel/"));
    if state.hangs {
        state.requests.lock().unwrap().push(shown);
        return std::future::pending().await;
    }
    let response = if state.hidden.iter().any(|hidden| shown.ends_with(hidden)) {
        StatusCode::NOT_FOUND.into_response()
    } else {
        next.run(request).await
    };
    state.requests.lock().unwrap().push(format!("{shown} {}", response.status().as_u16()));
    response
}

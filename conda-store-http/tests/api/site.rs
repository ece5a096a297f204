//! A service with something in it, and somebody to ask it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use axum::{Router, body::Body, response::Response};
use conda_store_auth::{
    DummyAuthenticator, DummyConfig, LoginConfig, RoleAuthorizer, RolesConfig, Tokens, TokensConfig,
};
use conda_store_core::{
    CondaStore, Error, ErrorKind, Result,
    auth::Entity,
    catalogue::{BuildResult, Catalogue, Claim, Database},
    clock::Clock,
    event::Reporter,
    job::{Attempt, Job, JobHandler, Outcome, Stop, WorkerIdentity},
    model::{ArtifactType, Build, BuildId},
    paths::{Layout, LayoutOptions},
    settings::Settings,
    solver::{Lock, SolveRequest, Solver},
    specification::{Specification, SpecificationLimits},
    storage::StorageKey,
    testing::ManualClock,
};
use conda_store_http::{HttpOptions, router};
use conda_store_queue::{MemoryQueue, Worker};
use conda_store_storage::MemoryStorage;
use http::{Method, Request};
use http_body_util::BodyExt;
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

/// Takes every match spec for a package, except those that stand for what can go wrong.
#[derive(Debug, Default)]
struct StubSolver {
    solving: Arc<AtomicUsize>,
}

/// Counts down when a solve ends, however it does.
struct Counted<'a>(&'a AtomicUsize);

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

#[async_trait]
impl Solver for StubSolver {
    async fn solve(&self, request: &SolveRequest, _: &dyn Reporter, _: &CancellationToken) -> Result<Lock> {
        self.solving.fetch_add(1, Ordering::SeqCst);
        let _counted = Counted(&self.solving);
        let refused = |kind, message| Err(Error::new(kind, "solve environment", message));
        match request.specs[0].as_str() {
            "endless" => std::future::pending().await,
            "absent" => return refused(ErrorKind::Unsatisfiable, "no package is named absent"),
            "elsewhere" => return refused(ErrorKind::NotFound, "there is no such channel"),
            _ => {}
        }
        let records = || request.specs.iter().map(|spec| serde_json::from_value(package(spec)).unwrap()).collect();
        Ok(Lock { platforms: request.platforms.iter().map(|platform| (*platform, records())).collect() })
    }
}

/// Does solves, and lets all other jobs be, so that builds stay as a test has put them.
#[derive(Debug)]
struct SolvesAlone(CondaStore);

#[async_trait]
impl JobHandler for SolvesAlone {
    async fn handle(&self, job: &Job, attempt: &Attempt) -> Result<Outcome> {
        match job {
            Job::Solve { .. } => self.0.handle(job, attempt).await,
            _ => Ok(Outcome::Done),
        }
    }

    async fn pulse(&self, job: &Job, attempt: &Attempt) -> Result<Option<Stop>> {
        self.0.pulse(job, attempt).await
    }

    fn periodic(&self) -> Vec<Job> {
        Vec::new()
    }
}

/// Who asks.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Who {
    /// Somebody who is not logged in: views the namespace `default`.
    Nobody,
    /// Views the namespace `secret` too.
    Viewer,
    /// Builds in the namespace `secret`.
    Developer,
    /// May do everything.
    Admin,
    /// May do everything in the namespace `other`.
    Stranger,
}

impl Who {
    /// Those who have something to do with the namespace `secret`, and nobody.
    pub(crate) const ALL: [Self; 4] = [Self::Nobody, Self::Viewer, Self::Developer, Self::Admin];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Nobody => "nobody",
            Self::Viewer => "viewer",
            Self::Developer => "developer",
            Self::Admin => "admin",
            Self::Stranger => "stranger",
        }
    }

    fn entity(self) -> Option<Entity> {
        let role_bindings = match self {
            Self::Nobody => return None,
            Self::Viewer => json!({"secret/*": ["viewer"]}),
            Self::Developer => json!({"secret/*": ["developer"]}),
            Self::Admin => json!({"*/*": ["admin"]}),
            Self::Stranger => json!({"other/*": ["admin"]}),
        };
        let role_bindings = serde_json::from_value(role_bindings).unwrap();
        let primary_namespace = if matches!(self, Self::Stranger) { "other" } else { "secret" }.into();
        Some(Entity { primary_namespace, role_bindings, expires: None })
    }
}

/// The lockfile of a build: conda-lock's, with one package.
pub(crate) const LOCKFILE: &str = r#"{"version": 1, "metadata": {"content_hash":
{"linux-64": "c7afdeffbe2bda7d16ca69beecc8bebeb29280a95d4f3ed92849e4047710923b"},
"channels": [{"url": "https://conda.example.org/main", "used_env_vars": []}], "platforms": ["linux-64"], "sources": []},
"package": [{"name": "tzdata", "version": "2026f", "manager": "conda", "platform": "linux-64", "dependencies": {},
"url": "https://conda.example.org/main/noarch/tzdata-2026f-h2a47a6a_0.conda",
"hash": {"md5": "0d9c715c88745798350e40f29e7ee6e3"}, "category": "main", "optional": false}]}"#;

/// The service.
pub(crate) struct Site {
    pub(crate) store: CondaStore,
    pub(crate) clock: Arc<ManualClock>,
    /// How many solves run.
    pub(crate) solving: Arc<AtomicUsize>,
    tokens: Arc<Tokens>,
    router: Router,
    _directory: TempDir,
}

impl Site {
    /// An empty service.
    pub(crate) async fn empty(options: HttpOptions) -> Self {
        let clock = Arc::new(ManualClock::new());
        let shared = || Arc::<ManualClock>::clone(&clock) as Arc<dyn Clock>;
        let catalogue = Catalogue::new(Database::connect("sqlite::memory:").await.unwrap(), shared());
        catalogue.migrate().await.unwrap();
        let tokens = Arc::new(Tokens::new(TokensConfig::default(), catalogue.clone(), shared()).unwrap());
        let authenticator =
            DummyAuthenticator::new(Arc::clone(&tokens), LoginConfig::default(), &DummyConfig::default());
        let roles = RoleAuthorizer::new(RolesConfig::default(), catalogue.clone(), shared());
        let directory = tempfile::tempdir().unwrap();
        let layout = LayoutOptions::new(directory.path());
        let solving = Arc::<AtomicUsize>::default();
        let store = CondaStore::builder()
            .catalogue(catalogue)
            .storage(MemoryStorage::new(shared()))
            .queue(MemoryQueue::new(shared()))
            .layout(Layout::new(&layout, directory.path()).unwrap())
            .settings(Settings { storage_threshold: 0, ..Settings::default() })
            .solver(StubSolver { solving: Arc::clone(&solving) })
            .authenticator(authenticator)
            .authorizer(roles)
            .clock(shared())
            .build()
            .await
            .unwrap();
        let router = router(store.clone(), options).unwrap();
        Self { store, clock, solving, tokens, router, _directory: directory }
    }

    /// A service with `default/web` (build 1), and `secret/lab` (build 2, and build 3, which waits).
    pub(crate) async fn new() -> Self {
        let site = Self::empty(HttpOptions::default()).await;
        for (namespace, name) in [("default", "web"), ("secret", "lab")] {
            let build = site.submit(namespace, name).await;
            site.complete(&build).await;
        }
        site.submit("secret", "lab").await;
        site
    }

    /// Begins to solve what is asked for, until the test ends.
    pub(crate) fn start_solving(&self) {
        let handler = Arc::new(SolvesAlone(self.store.clone()));
        let worker = Worker::builder(handler, Arc::clone(self.store.queue()), Arc::clone(self.store.clock()));
        // No longer than the test's clock may be put forward.
        let worker = worker.lease(Duration::from_hours(1_000)).build();
        tokio::spawn(async move { worker.run(CancellationToken::new()).await });
    }

    /// A build that waits.
    pub(crate) async fn submit(&self, namespace: &str, name: &str) -> Build {
        self.clock.advance(Duration::from_mins(1));
        let text = format!("name: {name}\nchannels: [conda-forge]\ndependencies: [python]\n");
        let specification = Specification::from_yaml(&text, &SpecificationLimits::default());
        self.store.submit(&namespace.parse().unwrap(), specification.unwrap()).await.unwrap()
    }

    /// Completes a build: with two packages, a log and a lockfile.
    pub(crate) async fn complete(&self, build: &Build) {
        let catalogue = self.store.catalogue();
        let Claim::Started { attempt, .. } =
            catalogue.claim_build(build.id, "worker", Duration::from_mins(1)).await.unwrap()
        else {
            unreachable!("nobody else has the build")
        };
        self.clock.advance(Duration::from_secs(1));
        let packages: Vec<_> =
            ["numpy", "python"].map(package).map(|json| serde_json::from_value(json).unwrap()).into();
        let result = BuildResult { size: 4096, packages: &packages, make_current: true, artifacts: &[] };
        catalogue.complete_build(build.id, attempt, result).await.unwrap();
        let key = self.store.build_key(build).unwrap();
        self.keep(build, ArtifactType::Logs, &format!("logs/{key}.log"), "solved <b>everything</b>\n").await;
        self.keep(build, ArtifactType::Lockfile, &format!("lockfile/{key}.yml"), LOCKFILE).await;
    }

    /// A worker's sign of life.
    pub(crate) async fn see_worker(&self, name: &str) {
        self.store.worker_is_there(&self.worker(name)).await.unwrap();
    }

    /// A worker that begins now.
    pub(crate) fn worker(&self, name: &str) -> WorkerIdentity {
        let started_on = self.clock.now();
        WorkerIdentity { name: name.into(), host: "host".into(), process: 42, concurrency: 4, started_on }
    }

    /// A build as it is now.
    pub(crate) async fn build(&self, id: i32) -> Build {
        self.store.catalogue().build(BuildId(id)).await.unwrap().unwrap()
    }

    /// Keeps an artifact of a build.
    pub(crate) async fn keep(&self, build: &Build, artifact_type: ArtifactType, key: &str, text: &str) {
        let blob: StorageKey = key.parse().unwrap();
        self.store.storage().put(&blob, text.to_owned().into()).await.unwrap();
        self.store.catalogue().add_artifact(build.id, artifact_type, key).await.unwrap();
    }

    /// The token of `who`, where they have one.
    pub(crate) fn token(&self, who: Who) -> Option<String> {
        who.entity().map(|entity| self.token_of(entity))
    }

    /// The token of a login.
    pub(crate) fn token_of(&self, entity: Entity) -> String {
        self.tokens.login(entity).unwrap().token.expose_secret().to_owned()
    }

    /// The answer to a request as it is.
    pub(crate) async fn send(&self, request: Request<Body>) -> Response {
        self.router.clone().oneshot(request).await.unwrap()
    }

    /// The answer to a request of `who`.
    pub(crate) async fn ask(&self, who: Who, method: Method, path: &str, body: Option<&Value>) -> Response {
        let mut request = Request::builder().method(method).uri(path).header("host", "localhost:8080");
        if let Some(token) = self.token(who) {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let body = body.map_or_else(Body::empty, |body| Body::from(body.to_string()));
        self.send(request.body(body).unwrap()).await
    }

    /// Status and body of the answer to a GET of `who`.
    pub(crate) async fn get(&self, who: Who, path: &str) -> Value {
        shown(self.ask(who, Method::GET, path, None).await).await
    }

    /// Status and body of the answer to a request of `who`.
    pub(crate) async fn tell(&self, who: Who, method: Method, path: &str, body: &Value) -> Value {
        shown(self.ask(who, method, path, Some(body)).await).await
    }

    /// The answer to a GET with this token.
    pub(crate) async fn bear(&self, token: &str, path: &str) -> Value {
        let request = Request::builder().uri(path).header("authorization", format!("Bearer {token}"));
        shown(self.send(request.body(Body::empty()).unwrap()).await).await
    }

    /// What everybody gets at `path`; equal answers are shown once.
    pub(crate) async fn get_as_everybody(&self, path: &str) -> Value {
        self.as_everybody(&Method::GET, path, None).await
    }

    /// What everybody gets, one after the other, the most powerful last.
    pub(crate) async fn as_everybody(&self, method: &Method, path: &str, body: Option<&Value>) -> Value {
        let mut answers: Vec<(String, Value)> = Vec::new();
        for who in Who::ALL {
            let answer = shown(self.ask(who, method.clone(), path, body).await).await;
            match answers.last_mut() {
                Some((names, last)) if *last == answer => *names = format!("{names}, {}", who.name()),
                _ => answers.push((who.name().to_owned(), answer)),
            }
        }
        answers.into_iter().map(|(names, answer)| json!({ "who": names, "answer": answer })).collect()
    }
}

/// The first attempt at a job.
pub(crate) fn attempt(worker: &str) -> Attempt {
    Attempt {
        worker: worker.into(),
        number: 1,
        limit: 3,
        lease: Duration::from_mins(1),
        cancellation: CancellationToken::new(),
        stop: Arc::default(),
    }
}

/// Status and body, as JSON where it is.
pub(crate) async fn shown(response: Response) -> Value {
    let status = response.status().as_u16();
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    let text = String::from_utf8(bytes.to_vec()).unwrap();
    let body = serde_json::from_str(&text).unwrap_or(Value::String(text));
    json!({ "status": status, "body": body })
}

fn package(name: &str) -> Value {
    let file = format!("{name}-1.0-0.conda");
    json!({
        "name": name, "version": "1.0", "build": "0", "build_number": 0, "subdir": "noarch", "depends": [],
        "license": "MIT", "sha256": "aa".repeat(32), "md5": "bb".repeat(16), "size": 10, "fn": file,
        "url": format!("https://conda.anaconda.org/conda-forge/noarch/{file}"),
        "channel": "https://conda.anaconda.org/conda-forge/",
    })
}

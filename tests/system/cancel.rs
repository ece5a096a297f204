//! A build is canceled within a second wherever it is, and no process and no file of it stays.

use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use conda_store_examples::demo::channel::{self as demo, Package, PackagedFile};
use serde_json::Value;

use crate::support::{Api, ChannelServer, Program, Site, channel, file_url, processes_of, specification};

/// Longer than anything here takes to begin.
const PATIENCE: Duration = Duration::from_mins(3);

/// Within this time a canceled build is gone.
const SOON: Duration = Duration::from_secs(1);

/// Enough files that linking them takes longer than a worker needs to notice anything.
const FILES: usize = 40_000;

/// A server, and a worker in a process of its own.
struct Setting {
    site: Site,
    api: Api,
    _programs: [Program; 2],
}

impl Setting {
    async fn new() -> Self {
        let site = Site::new(None, "  build_artifacts: []\n").unwrap();
        let (server, api) = site.server(&[]).await.unwrap();
        let worker = site.worker("worker").unwrap();
        Self { site, api, _programs: [server, worker] }
    }

    /// Has `specification` built, cancels that once it is `underway`, and answers the log after everything is gone.
    async fn cancel(&self, specification: &str, underway: impl AsyncFn(i64) -> bool) -> String {
        let id = self.api.submit("default", specification).await.unwrap();
        until(async || underway(id).await, &self.site).await;
        let (status, body) = self.api.put(&format!("/api/v1/build/{id}/cancel/")).await.unwrap();
        let canceled = Instant::now();
        assert_eq!((status, &body["message"]), (200, &format!("build {id} canceled").into()));
        self.gone(canceled).await;
        assert_eq!(self.api.build(id).await.unwrap()["status"], "CANCELED");
        let log = async || self.api.text(&format!("/api/v1/build/{id}/logs/")).await.unwrap_or_default();
        until(async || log().await.lines().last().is_some_and(|line| line.contains("canceled (")), &self.site).await;
        log().await
    }

    /// Waits until nothing is left of builds, which must not take long after `canceled`.
    async fn gone(&self, canceled: Instant) {
        loop {
            let left = self.left();
            let elapsed = canceled.elapsed();
            if left.is_empty() {
                assert!(elapsed < SOON, "everything is gone only after {elapsed:?}");
                return;
            }
            assert!(elapsed < SOON * 20, "left after {elapsed:?}: {left:?}\n{}", self.site.output("worker"));
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// The files and processes of builds that are neither finished nor gone.
    fn left(&self) -> Vec<String> {
        let state = self.site.state();
        let builds = entries(&state.join("default"))
            .into_iter()
            .filter(|path| !path.ends_with("envs") && !path.ends_with("!staging") && !path.join("kept").is_file());
        let files = builds
            .chain(entries(&state.join("default/!staging")))
            .chain(entries(&state.join("!cache/packages/partial")))
            .chain(self.uploads())
            .chain(entries(&self.site.temporary()));
        let processes = processes_of(&state).into_iter().map(|process| format!("process {process}"));
        files.map(|path| path.display().to_string()).chain(processes).collect()
    }

    /// Artifacts on their way into storage.
    fn uploads(&self) -> Vec<PathBuf> {
        entries(&self.site.path().join("storage/.conda-store-uploads"))
    }

    /// The directories that builds have.
    fn prefixes(&self) -> Vec<PathBuf> {
        entries(&self.site.state().join("default"))
            .into_iter()
            .filter(|path| path.join("conda-meta").is_dir())
            .collect()
    }
}

fn entries(directory: &Path) -> Vec<PathBuf> {
    fs::read_dir(directory).into_iter().flatten().map(|entry| entry.unwrap().path()).collect()
}

async fn until(mut condition: impl AsyncFnMut() -> bool, site: &Site) {
    let begun = Instant::now();
    while !condition().await {
        assert!(begun.elapsed() < PATIENCE, "it does not come so far: {}", site.output("worker"));
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

fn file(path: &str, text: &str) -> PackagedFile {
    PackagedFile { path: path.into(), text: text.into(), executable: false }
}

/// A channel with one package, `slow`.
async fn slow_package(directory: &Path, files: Vec<PackagedFile>) {
    let package = Package {
        name: "slow".into(),
        version: "1.0".into(),
        depends: Vec::new(),
        summary: "takes its time".into(),
        files,
    };
    Box::pin(demo::write(directory, vec![package])).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn while_it_waits() {
    let site = Site::new(None, "").unwrap();
    let (_server, api) = site.server(&[]).await.unwrap();
    let directory = tempfile::tempdir().unwrap();
    slow_package(directory.path(), vec![file("share/slow", "here")]).await;
    let text = |name| specification(name, &file_url(directory.path()), &["slow"]);
    let id = api.submit("default", &text("canceled")).await.unwrap();
    let (status, _) = api.put(&format!("/api/v1/build/{id}/cancel/")).await.unwrap();
    assert_eq!((status, &api.build(id).await.unwrap()["status"]), (200, &"CANCELED".into()));

    let _worker = site.worker("worker").unwrap();
    let after = api.submit("default", &text("after")).await.unwrap();
    api.completed(after, PATIENCE).await.unwrap();
    assert_eq!(api.build(id).await.unwrap()["started_on"], Value::Null);
    assert!(!site.output("worker").contains(&format!("build/{id} ")), "{}", site.output("worker"));
}

#[tokio::test(flavor = "multi_thread")]
async fn while_it_is_solved() {
    let setting = Setting::new().await;
    let directory = tempfile::tempdir().unwrap();
    slow_package(directory.path(), vec![file("share/slow", "here")]).await;
    let server = ChannelServer::holding(directory.path(), Some("/repodata")).await;
    let log = setting
        .cancel(&specification("web", &server.url, &["slow"]), async |_| server.was_asked_for("/repodata"))
        .await;
    assert!(log.contains("solve started") && !log.contains("solve took"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn while_it_is_solved_without_a_build_and_its_client_goes_away() {
    let setting = Setting::new().await;
    let directory = tempfile::tempdir().unwrap();
    slow_package(directory.path(), vec![file("share/slow", "here")]).await;
    let server = ChannelServer::holding(directory.path(), Some("/repodata")).await;
    let path = format!("/api/v1/specification/?channel={}&conda=slow", server.url);
    tokio::select! {
        answer = setting.api.get(&path) => panic!("{answer:?}"),
        () = until(async || server.was_asked_for("/repodata"), &setting.site) => {}
    }
    let canceled = Instant::now();
    let shows_a_solve = async |path: &str| {
        let (status, body) = setting.api.get(path).await.unwrap();
        assert_eq!(status, 200, "{body}");
        body.to_string().contains("\"solve\"")
    };
    until(async || !shows_a_solve("/api/v2/job/").await && !shows_a_solve("/api/v2/worker/").await, &setting.site)
        .await;
    setting.gone(canceled).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_a_package_is_downloaded() {
    let setting = Setting::new().await;
    let directory = tempfile::tempdir().unwrap();
    slow_package(directory.path(), vec![file("share/slow", "here")]).await;
    let server = ChannelServer::holding(directory.path(), Some("/slow-1.0-0.conda")).await;
    let partial = setting.site.state().join("!cache/packages/partial");
    let log = setting
        .cancel(&specification("web", &server.url, &["slow"]), async |_| {
            server.was_asked_for("/slow-1.0-0.conda") && !entries(&partial).is_empty()
        })
        .await;
    assert!(log.contains("fetch started") && !log.contains("fetch took"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn while_packages_are_linked() {
    let setting = Setting::new().await;
    let directory = tempfile::tempdir().unwrap();
    let files = (0..FILES).map(|number| file(&format!("share/slow/{number}"), "")).collect();
    slow_package(directory.path(), files).await;
    let text = specification("web", &file_url(directory.path()), &["slow"]);
    let staging = setting.site.state().join("default/!staging");
    let linking = async |id| entries(&staging.join(format!("{id}-1/share/slow"))).len() > 10;
    let log = setting.cancel(&text, linking).await;
    assert!(log.contains("link started") && !log.contains("link took"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn while_a_link_script_runs() {
    let setting = Setting::new().await;
    let directory = tempfile::tempdir().unwrap();
    let script = "sleep 600 &\nmktemp\ntouch $PREFIX/started\nsleep 600\n";
    slow_package(directory.path(), vec![file("bin/.slow-post-link.sh", script)]).await;
    let log = setting
        .cancel(&specification("web", &file_url(directory.path()), &["slow"]), async |_| {
            setting.prefixes().iter().any(|prefix| prefix.join("started").is_file())
        })
        .await;
    assert!(log.contains("running the post-link script of slow"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn while_pip_installs() {
    let Some(channel) = channel() else { return };
    let setting = Setting::new().await;
    let directory = tempfile::tempdir().unwrap();
    let project = directory.path();
    // It brings what builds it, so that nothing has to be fetched.
    let description = "[build-system]\nrequires = []\nbackend-path = [\".\"]\nbuild-backend = \"slow\"\n\
                       [project]\nname = \"slow\"\nversion = \"1.0\"\n";
    fs::write(project.join("pyproject.toml"), description).unwrap();
    let started = project.join("started");
    let backend = format!(
        "import subprocess\ndef build_wheel(*arguments):\n    child = subprocess.Popen(['sleep', '600'])\n    \
         open({started:?}, 'w').close()\n    child.wait()\n"
    );
    fs::write(project.join("slow.py"), backend).unwrap();
    let text = specification("web", &file_url(&channel), &["python=3.13", "pip"])
        + &format!("  - pip:\n    - slow @ file://{}\n", project.display());
    let log = setting.cancel(&text, async |_| started.is_file()).await;
    assert!(log.contains("pip started") && !log.contains("pip took"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn while_an_artifact_is_made() {
    let setting = Setting::new().await;
    let directory = tempfile::tempdir().unwrap();
    slow_package(directory.path(), vec![file("kept", "here")]).await;
    let text = specification("web", &file_url(directory.path()), &["slow"]);
    let id = setting.api.submit("default", &text).await.unwrap();
    setting.api.completed(id, PATIENCE).await.unwrap();
    let prefix = &setting.prefixes()[0];
    // It takes a while to read, and no room.
    fs::File::create(prefix.join("vast")).unwrap().set_len(64 << 30).unwrap();

    let (status, body) = setting.api.put(&format!("/api/v2/build/{id}/artifact/CONDA_PACK/")).await.unwrap();
    assert_eq!(status, 200, "{body}");
    until(async || !setting.uploads().is_empty(), &setting.site).await;
    let (status, body) = setting.api.put(&format!("/api/v1/build/{id}/cancel/")).await.unwrap();
    let canceled = Instant::now();
    assert_eq!((status, &body["message"]), (200, &format!("build {id} canceled").into()));
    setting.gone(canceled).await;

    let build = setting.api.build(id).await.unwrap();
    assert_eq!(
        (&build["status"], &build["status_info"]),
        (&"COMPLETED".into(), &"CONDA_PACK could not be made: it was canceled".into())
    );
    let (again, body) = setting.api.put(&format!("/api/v1/build/{id}/cancel/")).await.unwrap();
    assert_eq!(again, 400, "there is nothing left to cancel: {body}");
    assert!(prefix.join("kept").is_file(), "the environment stays");
}

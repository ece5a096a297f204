//! The two programs as they are run: started, looked at from outside, and stopped.

use std::{
    fs,
    net::TcpListener,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
    time::Duration,
};

use conda_store_core::{
    auth::Scope,
    catalogue::{BuildQuery, Catalogue, Database, JobQuery, Order, PageRequest},
    clock::SystemClock,
    job::JobKind,
};
use nix::sys::signal::Signal;
use serde_json::Value;

use crate::support::{Program, example};

/// How long anything here may take.
const PATIENCE: Duration = Duration::from_secs(90);

/// How often a condition is looked at.
const GLANCE: Duration = Duration::from_millis(100);

fn command(name: &str, data: &Path) -> Command {
    let mut command = Command::new(example(name).unwrap());
    command
        .env("XDG_DATA_HOME", data)
        .env("CONDA_STORE__CONDASTORE__STORAGE_THRESHOLD", "0")
        .env("CONDA_STORE__CONDASTORESERVER__ADDRESS", "127.0.0.1")
        .env("CONDA_STORE__CONDASTORESERVER__PORT", "0");
    command
}

/// Whether the program ends well when it is told to stop.
fn stops(program: &mut Program) -> bool {
    program.signal(Signal::SIGTERM);
    program.succeeded(PATIENCE).unwrap()
}

async fn until<T>(what: &str, mut condition: impl AsyncFnMut() -> Option<T>) -> T {
    let mut glances = tokio::time::interval(GLANCE);
    let waiting = async {
        loop {
            glances.tick().await;
            if let Some(found) = condition().await {
                return found;
            }
        }
    };
    tokio::time::timeout(PATIENCE, waiting).await.unwrap_or_else(|_| panic!("{what} did not happen"))
}

async fn text(url: &str) -> Option<String> {
    reqwest::get(url).await.ok()?.error_for_status().ok()?.text().await.ok()
}

async fn get(url: &str) -> Option<Value> {
    serde_json::from_str(&text(url).await?).ok()
}

/// How many blobs a process has put into its storage, as it says at `url`.
async fn puts(url: &str) -> u64 {
    let metrics = text(&format!("{url}metrics")).await.unwrap();
    let series = "conda_store_storage_operations_total{operation=\"put\",outcome=\"ok\"} ";
    metrics.lines().find_map(|line| line.strip_prefix(series)).map_or(0, |count| count.parse().unwrap())
}

#[tokio::test]
async fn a_standalone_server_builds_the_demonstration_and_stops_when_told() {
    let data = tempfile::tempdir().unwrap();
    let mut command = command("conda-store-server", data.path());
    let (mut server, url) = Program::saying(command.args(["--standalone", "--demo"]), "conda-store is at ").unwrap();
    let environment = format!("{url}api/v1/environment/default/conda-store-demo/");
    let build = until("the first build", async || get(&environment).await?["data"]["current_build_id"].as_i64()).await;
    let build = get(&format!("{url}api/v1/build/{build}/")).await.unwrap();
    assert_eq!(build["data"]["status"], "COMPLETED", "{build}");
    assert!(puts(&url).await > 0, "at least the log was written");

    let home = data.path().join("conda-store");
    let prefix = home.join("state/default/envs/conda-store-demo");
    let hello = Command::new(prefix.join("bin/conda-store-demo-hello")).output().unwrap();
    let said = String::from_utf8(hello.stdout).unwrap();
    assert!(said.starts_with("Hello from an environment that conda-store built.\nIt is in /"), "{said}");
    assert!(said.contains(home.to_str().unwrap()), "{said}");
    assert_eq!(fs::metadata(home.join("secret")).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(stops(&mut server));
}

/// A worker that watches files, and what it makes of them.
struct Watching {
    data: tempfile::TempDir,
    channel: PathBuf,
    worker: Program,
    /// Where it tells how it is.
    url: String,
}

impl Watching {
    /// Watches a directory with a broken file in it, and a file by itself that is a link to another place.
    async fn start() -> Self {
        let data = tempfile::tempdir().unwrap();
        let channel = data.path().join("channel");
        Box::pin(conda_store_examples::demo::channel::write(&channel, conda_store_examples::demo::packages()))
            .await
            .unwrap();
        for directory in ["environments", "elsewhere"] {
            fs::create_dir(data.path().join(directory)).unwrap();
        }
        std::os::unix::fs::symlink("elsewhere/linked.yaml", data.path().join("linked.yaml")).unwrap();
        fs::write(data.path().join("environments/broken.yaml"), "name: [").unwrap();
        let (worker, url) = watcher(data.path(), "log");
        Self { data, channel, worker, url }
    }

    fn write(&self, file: &str, name: &str, package: &str) {
        let text =
            format!("name: {name}\nchannels: ['file://{}']\ndependencies: [{package}]\n", self.channel.display());
        fs::write(self.data.path().join(file), text).unwrap();
    }

    /// Waits until the environment has this file.
    async fn built(&self, name: &str, file: &str) {
        let path = self.data.path().join("conda-store/state/from-files/envs").join(name).join(file);
        until(&format!("{name} with {file}"), async || path.is_file().then_some(())).await;
    }

    /// What the workers have written down.
    async fn catalogue(&self) -> Catalogue {
        let database = self.data.path().join("conda-store/conda-store.sqlite");
        let database = Database::connect(&format!("sqlite:{}", database.display())).await.unwrap();
        Catalogue::new(database, Arc::new(SystemClock))
    }

    /// How often an environment was built.
    fn builds(&self, name: &str) -> usize {
        let directories = fs::read_dir(self.data.path().join("conda-store/state/from-files")).unwrap();
        let names = directories.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.filter(|directory| directory.ends_with(&format!("-{name}"))).count()
    }
}

/// A worker that watches what is in `data`, writes what it has to say to the file `log`, and tells how it is at a URL.
fn watcher(data: &Path, log: &str) -> (Program, String) {
    let log = fs::File::create(data.join(log)).unwrap();
    let paths = format!("[{0}/environments, {0}/linked.yaml]", data.display());
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let worker = Program::start(
        command("conda-store-worker", data)
            .env("CONDA_STORE__CONDASTOREWORKER__ADDRESS", "127.0.0.1")
            .env("CONDA_STORE__CONDASTOREWORKER__PORT", port.to_string())
            .env("CONDA_STORE__CONDASTORE__FILESYSTEM_NAMESPACE", "from-files")
            .env("CONDA_STORE__CONDASTOREWORKER__WATCH_PATHS", paths)
            .stdout(log.try_clone().unwrap())
            .stderr(log),
    );
    (worker.unwrap(), format!("http://127.0.0.1:{port}/"))
}

const HELLO: [&str; 2] = ["conda-store-demo-hello", "bin/conda-store-demo-hello"];
const GREETING: [&str; 2] = ["conda-store-demo-greeting", "share/conda-store-demo/greeting.txt"];

#[tokio::test]
async fn a_worker_builds_watched_files_as_they_come_and_change_and_survives_broken_ones() {
    let mut watching = Watching::start().await;
    watching.write("environments/first.yaml", "first", HELLO[0]);
    watching.built("first", HELLO[1]).await;
    watching.write("environments/second.yaml", "second", GREETING[0]);
    watching.built("second", GREETING[1]).await;
    watching.write("environments/second.yaml", "second", HELLO[0]);
    watching.built("second", HELLO[1]).await;
    let log = fs::read_to_string(watching.data.path().join("log")).unwrap();
    let reports = log.lines().filter(|line| line.contains("cannot be built") && line.contains("broken.yaml"));
    assert_eq!(reports.count(), 1, "{log}");

    // Written anew with the same content, and looked at again: the third is built after that.
    watching.write("environments/first.yaml", "first", HELLO[0]);
    watching.write("environments/broken.yaml", "third", HELLO[0]);
    watching.built("third", HELLO[1]).await;
    assert_eq!(["first", "second", "third"].map(|name| watching.builds(name)), [1, 2, 1]);
    for probe in ["health/live", "health/ready"] {
        assert!(text(&format!("{}{probe}", watching.url)).await.is_some(), "{probe}");
    }
    assert!(puts(&watching.url).await > 0, "at least the logs were written");
    assert!(stops(&mut watching.worker));
}

#[tokio::test]
async fn a_worker_finds_changes_that_nobody_tells_of() {
    let mut watching = Watching::start().await;
    // What a link leads to changes without a word from the directory that is watched, as with network file systems.
    watching.write("elsewhere/linked.yaml", "linked", GREETING[0]);
    watching.built("linked", GREETING[1]).await;
    watching.write("elsewhere/linked.yaml", "linked", HELLO[0]);
    watching.built("linked", HELLO[1]).await;
    assert_eq!(watching.builds("linked"), 2);
    assert!(stops(&mut watching.worker));
}

#[tokio::test]
async fn two_workers_build_what_both_watch_once() {
    let mut watching = Watching::start().await;
    // The first one makes the tables.
    until("the first worker", async || text(&format!("{}health/ready", watching.url)).await).await;
    let (mut other, url) = watcher(watching.data.path(), "other.log");
    until("the other worker", async || text(&format!("{url}health/ready")).await).await;
    let names: Vec<String> = (0..5).map(|number| format!("env-{number}")).collect();
    for name in &names {
        watching.write(&format!("environments/{name}.yaml"), name, HELLO[0]);
        watching.built(name, HELLO[1]).await;
    }
    let (catalogue, everything) = (watching.catalogue().await, Scope::everything());
    let builds = catalogue.builds(&BuildQuery::new(&everything, 100)).await.unwrap().items;
    assert_eq!(builds.into_iter().map(|build| build.environment.to_string()).collect::<Vec<_>>(), names);
    let looks = JobQuery {
        kind: Some(JobKind::WatchPaths),
        state: None,
        order: Order::Ascending,
        page: PageRequest::first(10),
    };
    let jobs = catalogue.jobs(&looks).await.unwrap().items;
    assert_eq!(jobs.len(), 1, "{jobs:?}");
    let error = jobs[0].attempt.as_ref().unwrap().error.as_ref().unwrap();
    assert!(error.contains("broken.yaml: "), "{error}");
    assert!(stops(&mut watching.worker) && stops(&mut other));
}

#[test]
fn a_wrong_configuration_stops_both_programs_with_an_explanation() {
    let data = tempfile::tempdir().unwrap();
    let file = data.path().join("conda-store.yaml");
    fs::write(&file, "CondaStore:\n  databse_url: x\n").unwrap();
    for name in ["conda-store-server", "conda-store-worker"] {
        let output = command(name, data.path()).arg("--config").arg(&file).arg("--check").output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        let expected = format!("{}:2: CondaStore.databse_url: unknown key; did you mean database_url?", file.display());
        assert!(said.contains(&expected), "{said}");
        assert!(!output.status.success());
    }
    fs::write(&file, "CondaStore:\n  upgrade_db: true\n").unwrap();
    let output = command("conda-store-server", data.path()).arg("--config").arg(&file).arg("--check").output().unwrap();
    assert!(output.status.success());
}

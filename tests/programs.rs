//! The two programs as they are run: started, looked at from outside, and stopped.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use std::{
    fs,
    io::{BufRead, BufReader},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::Value;

/// How long anything here may take.
const PATIENCE: Duration = Duration::from_secs(90);

/// How often a condition is looked at.
const GLANCE: Duration = Duration::from_millis(100);

/// The path of an example. `cargo test` builds the examples first, `cargo test --test programs` does not.
fn program(name: &str) -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let profile = test.parent().and_then(Path::parent).unwrap();
    let program = profile.join("examples").join(name);
    assert!(program.is_file(), "{} is not built: run cargo build --examples", program.display());
    program
}

fn command(name: &str, data: &Path) -> Command {
    let mut command = Command::new(program(name));
    command
        .env("XDG_DATA_HOME", data)
        .env("CONDA_STORE__CONDASTORE__STORAGE_THRESHOLD", "0")
        .env("CONDA_STORE__CONDASTORESERVER__ADDRESS", "127.0.0.1")
        .env("CONDA_STORE__CONDASTORESERVER__PORT", "0")
        .stdout(Stdio::piped());
    command
}

/// A running program; it does not outlive the test.
struct Running(Child);

impl Running {
    fn start(command: &mut Command) -> Self {
        Self(command.spawn().unwrap())
    }

    /// The first line of its output that starts with `prefix`, without it.
    fn line(&mut self, prefix: &str) -> String {
        let output = BufReader::new(self.0.stdout.take().unwrap());
        let mut lines = output.lines().map_while(Result::ok);
        lines.find_map(|line| line.strip_prefix(prefix).map(ToOwned::to_owned)).unwrap()
    }

    fn terminate(mut self) -> ExitStatus {
        kill(Pid::from_raw(i32::try_from(self.0.id()).unwrap()), Signal::SIGTERM).unwrap();
        let start = Instant::now();
        loop {
            if let Some(status) = self.0.try_wait().unwrap() {
                return status;
            }
            assert!(start.elapsed() < PATIENCE, "the program does not stop");
            std::thread::sleep(GLANCE);
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _gone = self.0.kill();
        let _gone = self.0.wait();
    }
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

async fn get(url: &str) -> Option<Value> {
    let answer = reqwest::get(url).await.ok()?;
    serde_json::from_str(&answer.text().await.ok()?).ok()
}

#[tokio::test]
async fn a_standalone_server_builds_the_demonstration_and_stops_when_told() {
    let data = tempfile::tempdir().unwrap();
    let mut server = Running::start(command("conda-store-server", data.path()).args(["--standalone", "--demo"]));
    let url = server.line("conda-store is at ");
    let environment = format!("{url}api/v1/environment/default/conda-store-demo/");
    let build = until("the first build", async || get(&environment).await?["data"]["current_build_id"].as_i64()).await;
    let build = get(&format!("{url}api/v1/build/{build}/")).await.unwrap();
    assert_eq!(build["data"]["status"], "COMPLETED", "{build}");

    let home = data.path().join("conda-store");
    let prefix = home.join("state/default/envs/conda-store-demo");
    let hello = Command::new(prefix.join("bin/conda-store-demo-hello")).output().unwrap();
    let said = String::from_utf8(hello.stdout).unwrap();
    assert!(said.starts_with("Hello from an environment that conda-store built.\nIt is in /"), "{said}");
    assert!(said.contains(home.to_str().unwrap()), "{said}");
    assert_eq!(fs::metadata(home.join("secret")).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(server.terminate().code(), Some(0));
}

#[tokio::test]
async fn a_worker_builds_watched_files_as_they_come_and_survives_broken_ones() {
    let data = tempfile::tempdir().unwrap();
    let channel = data.path().join("channel");
    Box::pin(conda_store_examples::demo::channel::write(&channel, conda_store_examples::demo::packages()))
        .await
        .unwrap();
    let watched = data.path().join("environments");
    fs::create_dir(&watched).unwrap();
    let environment = |name: &str| {
        let text = format!(
            "name: {name}\nchannels: ['file://{}']\ndependencies: [conda-store-demo-hello]\n",
            channel.display()
        );
        fs::write(watched.join(format!("{name}.yaml")), text).unwrap();
    };
    environment("first");
    fs::write(watched.join("broken.yaml"), "name: [").unwrap();
    let worker = Running::start(
        command("conda-store-worker", data.path())
            .env("CONDA_STORE__CONDASTOREWORKER__WATCH_PATHS", format!("[{}]", watched.display())),
    );
    let environments = data.path().join("conda-store/state/filesystem/envs");
    let built = async |name: &str| {
        let program = environments.join(name).join("bin/conda-store-demo-hello");
        until(name, async || program.is_file().then_some(())).await;
    };
    built("first").await;
    environment("second");
    built("second").await;
    assert_eq!(worker.terminate().code(), Some(0));
    // One build each: a file that stays as it is is not built again.
    let directories = fs::read_dir(data.path().join("conda-store/state/filesystem")).unwrap();
    let names: Vec<_> = directories.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    for environment in ["-first", "-second"] {
        assert_eq!(names.iter().filter(|name| name.ends_with(environment)).count(), 1, "{names:?}");
    }
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

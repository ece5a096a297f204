//! The two programs as they are run: started, looked at from outside, and stopped.

use std::{fs, net::TcpListener, os::unix::fs::PermissionsExt, path::Path, process::Command, time::Duration};

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
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut worker = Program::start(
        command("conda-store-worker", data.path())
            .env("CONDA_STORE__CONDASTOREWORKER__ADDRESS", "127.0.0.1")
            .env("CONDA_STORE__CONDASTOREWORKER__PORT", port.to_string())
            .env("CONDA_STORE__CONDASTOREWORKER__WATCH_PATHS", format!("[{}]", watched.display())),
    )
    .unwrap();
    let environments = data.path().join("conda-store/state/filesystem/envs");
    let built = async |name: &str| {
        let program = environments.join(name).join("bin/conda-store-demo-hello");
        until(name, async || program.is_file().then_some(())).await;
    };
    built("first").await;
    environment("second");
    built("second").await;
    let url = format!("http://127.0.0.1:{port}/");
    for probe in ["health/live", "health/ready"] {
        assert!(text(&format!("{url}{probe}")).await.is_some(), "{probe}");
    }
    assert!(puts(&url).await > 0, "at least the logs were written");
    assert!(stops(&mut worker));
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

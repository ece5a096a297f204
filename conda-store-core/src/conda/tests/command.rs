//! External solvers, played by small scripts that print the answers of real ones.

use std::{
    fmt::Write as _,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use rattler_conda_types::Subdir;
use tokio_util::sync::CancellationToken;
use url::Url;

use super::{ChannelMirrors, Lists, channel_directory, directory_url, request, shown, solve};
use crate::{
    ErrorKind, Result,
    conda::CommandSolver,
    event::{BuildEvent, Reporter, Silent},
    solver::{ChannelPriority, Lock, SolveRequest, Solver as _},
};

/// A directory with an executable script of these lines.
struct Script {
    directory: tempfile::TempDir,
    lists: Lists,
}

impl Script {
    fn new(lines: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("conda");
        std::fs::write(&path, format!("#!/bin/sh\nhere=$(dirname \"$0\")\n{lines}\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        Self { directory, lists: Lists::new() }
    }

    /// Prints `answer` and exits with `status`.
    fn printing(answer: &str, status: u8) -> Self {
        let script = Self::new(&format!("cat \"$here/answer\"; exit {status}"));
        std::fs::write(script.path("answer"), answer).unwrap();
        script
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn solver(&self) -> CommandSolver {
        CommandSolver::new(self.path("conda"), self.lists.open())
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap_or_default()
    }
}

fn data(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/external").join(name);
    std::fs::read_to_string(path).unwrap()
}

fn example() -> Url {
    "https://conda.example.org/real/".parse().unwrap()
}

#[derive(Debug, Default)]
struct Log(std::sync::Mutex<Vec<String>>);

impl Reporter for Log {
    fn report(&self, event: BuildEvent) {
        if let BuildEvent::Message { text } = event {
            self.0.lock().unwrap().push(text);
        }
    }
}

#[tokio::test]
async fn answers_of_conda_and_of_mamba_become_a_lock() {
    for file in ["conda-create.json", "mamba-create.json", "micromamba-create.json"] {
        let script = Script::printing(&data(file), 0);
        let records = solve(&script.solver(), &request(&[&example()], &["click"])).await.unwrap();
        assert_eq!(shown(&records), ["python 3.11.2 h1_0_cpython", "click 8.1.7 pyh2_0"], "{file}");
        let click = &records[1];
        assert_eq!(click.url, example().join("noarch/click-8.1.7-pyh2_0.conda").unwrap());
        assert_eq!(click.channel.as_deref(), Some(example().as_str()));
        assert_eq!(click.package_record.depends, ["python >=3.8"]);
        assert!(click.package_record.noarch.is_python());
        assert_eq!(hex::encode(click.package_record.sha256.unwrap()), "ab".repeat(32));
        assert_eq!(click.package_record.size, Some(84_437));
    }
}

#[tokio::test]
async fn the_command_gets_the_request_and_nothing_of_this_machine() {
    let script = Script::new(
        "printf '%s\\n' \"$@\" > \"$here/arguments\"; env > \"$here/environment\"\necho '{\"success\": true}'",
    );
    let mut request = request(&[&example()], &["python=3.11", "numpy >=1.2"]);
    request.platforms = vec![Subdir::OsxArm64];
    request.channel_priority = ChannelPriority::Disabled;
    request.flags = vec!["--no-pin".to_owned()];
    request.variables.insert("OTHER".to_owned(), "not for the solver".to_owned());
    let lock = script.solver().solve(&request, &Silent, &CancellationToken::new()).await.unwrap();
    assert_eq!(lock, Lock { platforms: [(Subdir::OsxArm64, Vec::new())].into() });
    let arguments = script.read("arguments");
    let arguments: Vec<&str> = arguments.lines().collect();
    let prefix = PathBuf::from(arguments[6]);
    assert_eq!(arguments[..6], ["create", "--dry-run", "--json", "--yes", "--override-channels", "--prefix"]);
    let rest = ["--channel", example().as_str(), "--no-channel-priority", "--no-pin", "python=3.11", "numpy >=1.2"]
        .map(str::to_owned);
    assert_eq!(arguments[7..], rest);
    let environment = script.read("environment");
    for variable in ["CONDA_SUBDIR=osx-arm64", "CONDA_OVERRIDE_GLIBC=2.36", "CONDA_OVERRIDE_CUDA="] {
        assert!(environment.lines().any(|line| line == variable), "{variable} is missing in\n{environment}");
    }
    assert!(!environment.contains("not for the solver"));
    let home = prefix.parent().unwrap();
    assert!(environment.lines().any(|line| line == format!("HOME={}", home.display())));
    assert!(!home.try_exists().unwrap(), "{} was left behind", home.display());
}

#[tokio::test]
async fn an_answer_without_checksums_is_completed_from_the_channel() {
    let Some(directory) = channel_directory() else { return };
    let channel = directory_url(&directory);
    let link = ["duel-left-1.0-0", "duel-core-1.0-0"].map(|package| {
        let [name, version, build] = *package.rsplitn(3, '-').collect::<Vec<_>>().into_iter().rev().collect::<Vec<_>>()
        else {
            unreachable!("name, version and build")
        };
        serde_json::json!({"base_url": channel, "build_number": 0, "build_string": build, "channel": "channel",
            "dist_name": package, "name": name, "platform": "linux-64", "version": version})
    });
    let answer = serde_json::json!({"actions": {"LINK": link, "PREFIX": "/x"}, "dry_run": true, "success": true});
    let script = Script::printing(&format!("a warning\n{answer}\n"), 0);
    let records = solve(&script.solver(), &request(&[&channel], &["duel-left"])).await.unwrap();
    assert_eq!(shown(&records), ["duel-core 1.0 0", "duel-left 1.0 0"]);
    assert!(records.iter().all(|record| record.package_record.sha256.is_some()));
    assert!(records.iter().all(|record| record.url.as_str().starts_with(channel.as_str())));
}

#[tokio::test]
async fn a_mirror_is_named_to_the_command_and_the_channel_in_the_lock() {
    let mut script = Script::new("printf '%s\\n' \"$@\" > \"$here/arguments\"; cat \"$here/answer\"");
    std::fs::write(script.path("answer"), data("conda-create.json").replace("conda.example.org/real", "mirror.test/m"))
        .unwrap();
    let mirror: Url = "https://mirror.test/m/".parse().unwrap();
    script.lists.mirrors = ChannelMirrors::new([(example(), vec![mirror.clone()])]);
    let records = solve(&script.solver(), &request(&[&example()], &["click"])).await.unwrap();
    assert!(script.read("arguments").lines().any(|line| line == mirror.as_str()));
    assert!(records.iter().all(|record| record.url.as_str().starts_with(example().as_str())));
}

#[tokio::test]
async fn failures_keep_the_words_of_the_command() {
    let problems = serde_json::json!({"success": false, "solver_problems": ["nothing provides x needed by y-1-0"]});
    let http = serde_json::json!({"exception_name": "CondaHTTPError", "message": "HTTP 000 for https://u:pw@h/x"});
    let cases: [(String, u8, ErrorKind, &str); 7] = [
        (data("conda-unsatisfiable.json"), 1, ErrorKind::Unsatisfiable, "left -> core[version='<2']"),
        (data("conda-packages-not-found.json"), 1, ErrorKind::Unsatisfiable, "- no-such-package"),
        (problems.to_string(), 1, ErrorKind::Unsatisfiable, "nothing provides x needed by y-1-0"),
        (http.to_string(), 1, ErrorKind::Unavailable, "HTTP 000 for https://h/x"),
        ("Traceback: no JSON here".to_owned(), 1, ErrorKind::Unexpected, "exit status: 1"),
        (String::new(), 0, ErrorKind::Unexpected, "no answer"),
        ("{\"success\": false}".to_owned(), 3, ErrorKind::Unexpected, "failed"),
    ];
    for (answer, status, kind, words) in cases {
        let script = Script::printing(&answer, status);
        let error = solve(&script.solver(), &request(&[&example()], &["tool"])).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{answer}: {error:?}");
        assert!(error.message().contains(words), "{words} is missing in {error}");
        assert!(!error.report().contains("pw"), "{error:?}");
    }
}

#[tokio::test]
async fn messages_and_garbage_reach_the_log() {
    let script = Script::new("echo reading https://u:pw@host/x >&2; echo nonsense; exit 2");
    let log = Log::default();
    let error = script.solver().solve(&request(&[&example()], &["tool"]), &log, &CancellationToken::new()).await;
    assert!(error.unwrap_err().message().contains("reading https://host/x"));
    assert_eq!(*log.0.lock().unwrap(), ["reading https://host/x", "nonsense"]);
}

#[tokio::test]
async fn a_command_that_is_not_there_is_named() {
    let solver = CommandSolver::new("/nowhere/micromamba", Lists::new().open());
    let error = solve(&solver, &request(&[&example()], &["tool"])).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(error.to_string().contains("/nowhere/micromamba") && error.message().contains("conda_command"), "{error}");
}

/// A script that notes its process and a grandchild's, and then waits for ever.
const SLEEPER: &str = "( sleep 1000 & echo $! > \"$here/grandchild\"; wait ) &\necho $$ > \"$here/child\"\nwait";

/// Waits until the script runs, then calls `and_then`.
async fn once_running(script: &Script, and_then: impl FnOnce()) -> Instant {
    while script.read("child").is_empty() || script.read("grandchild").is_empty() {
        tokio::task::yield_now().await;
    }
    and_then();
    Instant::now()
}

/// Whether the processes that the script noted are gone, or only wait for their parent to notice.
fn is_over(script: &Script) -> bool {
    ["child", "grandchild"].into_iter().all(|name| {
        let status = std::fs::read_to_string(format!("/proc/{}/stat", script.read(name).trim())).unwrap_or_default();
        status.rsplit(')').next().is_none_or(|rest| rest.trim_start().starts_with('Z') || rest.trim().is_empty())
    })
}

async fn run(script: &Script, request: &SolveRequest, cancellation: &CancellationToken) -> Result<Lock> {
    script.solver().solve(request, &Silent, cancellation).await
}

#[tokio::test]
async fn cancellation_ends_the_command_and_all_that_it_started() {
    let script = Script::new(SLEEPER);
    let cancellation = CancellationToken::new();
    let request = request(&[&example()], &["tool"]);
    let (outcome, canceled) =
        tokio::join!(run(&script, &request, &cancellation), once_running(&script, || cancellation.cancel()));
    assert_eq!(outcome.unwrap_err().kind(), ErrorKind::Cancelled);
    await_end(&script, canceled).await;
}

#[tokio::test]
async fn the_time_limit_ends_the_command_and_all_that_it_started() {
    let script = Script::new(SLEEPER);
    let mut request = request(&[&example()], &["tool"]);
    request.time_limit = Duration::from_secs(2);
    let started = Instant::now();
    let error = run(&script, &request, &CancellationToken::new()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout, "{error:?}");
    assert!(!script.read("grandchild").is_empty(), "the script had not started");
    await_end(&script, started + request.time_limit).await;
}

/// Fails where something still runs a second after `stopped`.
async fn await_end(script: &Script, stopped: Instant) {
    while !is_over(script) {
        assert!(stopped.elapsed() < Duration::from_secs(1), "{} still runs", running(script));
        tokio::task::yield_now().await;
    }
}

fn running(script: &Script) -> String {
    let mut shown = String::new();
    for name in ["child", "grandchild"] {
        let _ = write!(shown, "{name} {} ", script.read(name).trim());
    }
    shown
}

#[tokio::test]
async fn a_grandchild_that_keeps_the_pipes_does_not_hold_up_the_answer() {
    let script = Script::new(
        "sleep 1000 &\necho $! > \"$here/grandchild\"; echo $$ > \"$here/child\"\necho '{\"success\": true}'",
    );
    let started = Instant::now();
    run(&script, &request(&[&example()], &["tool"]), &CancellationToken::new()).await.unwrap();
    await_end(&script, started.max(Instant::now())).await;
}

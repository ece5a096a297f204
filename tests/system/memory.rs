//! What a build says whose worker, or whose program, the kernel killed for lack of memory; in a real memory cgroup.

use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use conda_store_examples::demo::channel::{self as demo, Package, PackagedFile};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use sqlx::{Connection, SqliteConnection};

use crate::support::{Program, Site, file_url, specification};

const LIMIT: Duration = Duration::from_mins(3);

/// More than a worker needs, and soon used up by a program that wants all.
const MEBIBYTES: u64 = 512;

/// A memory cgroup of a test's own, gone when the test is over.
struct Cgroup(PathBuf);

impl Cgroup {
    fn new(name: &str) -> Option<Self> {
        let root = conda_store_core::testing::service("memory_cgroup")?;
        let directory = Path::new(&root).join(format!("conda-store-{name}-{}", std::process::id()));
        fs::create_dir(&directory).unwrap();
        let group = Self(directory);
        // Version 2 has the one, version 1 the other.
        let limits = ["memory.max", "memory.limit_in_bytes"].map(|name| group.0.join(name));
        let limit = limits.iter().find(|path| path.is_file()).expect("the directory is one of memory cgroups");
        fs::write(limit, (MEBIBYTES << 20).to_string()).unwrap();
        Some(group)
    }

    fn enter(&self, program: &Program) {
        fs::write(self.0.join("cgroup.procs"), program.id().to_string()).unwrap();
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        let begun = Instant::now();
        // Processes that were just killed take a moment to leave it.
        while fs::remove_dir(&self.0).is_err() && begun.elapsed() < Duration::from_secs(10) {
            for process in fs::read_to_string(self.0.join("cgroup.procs")).unwrap_or_default().lines() {
                let _gone = kill(Pid::from_raw(process.parse().unwrap()), Signal::SIGKILL);
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// A channel with a package whose link script is `script`.
async fn channel(directory: &Path, script: &str) -> String {
    let script = PackagedFile { path: "bin/.greedy-post-link.sh".into(), text: script.into(), executable: false };
    let package = Package {
        name: "greedy".into(),
        version: "1.0".into(),
        depends: Vec::new(),
        summary: "wants all memory".into(),
        files: vec![script],
    };
    Box::pin(demo::write(directory, vec![package])).await.unwrap();
    file_url(directory)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_that_the_kernel_kills_fails_with_words_about_memory() {
    let Some(group) = Cgroup::new("program") else { return };
    let directory = tempfile::tempdir().unwrap();
    // Before the worker, which must not be the largest.
    let channel = channel(directory.path(), "echo 900 > /proc/self/oom_score_adj\ntail /dev/zero\n").await;
    let site = Site::new(None, "").unwrap();
    let (_server, api) = site.server(&[]).await.unwrap();
    let worker = site.worker("worker").unwrap();
    group.enter(&worker);

    let id = api.submit("default", &specification("greedy", &channel, &["greedy"])).await.unwrap();
    let build = api.wait_for(id, &["FAILED"], LIMIT).await.unwrap();
    let info = build["status_info"].as_str().unwrap();
    let expected =
        format!("for lack of memory in the memory cgroup {}, which may use {MEBIBYTES} MiB", group.0.display());
    assert!(info.contains("link script of greedy failed") && info.contains(&expected), "{info}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_build_whose_workers_the_kernel_kills_is_given_up_with_words_about_memory() {
    let Some(group) = Cgroup::new("worker") else { return };
    let directory = tempfile::tempdir().unwrap();
    // The worker goes first, then the script.
    let script = "echo 1000 > /proc/$PPID/oom_score_adj\necho -900 > /proc/self/oom_score_adj\ntail /dev/zero\n";
    let channel = channel(directory.path(), script).await;
    let site = Site::new(None, "").unwrap();
    let (_server, api) = site.server(&[]).await.unwrap();
    let id = api.submit("default", &specification("greedy", &channel, &["greedy"])).await.unwrap();

    for _ in 0..3 {
        let mut worker = site.worker("worker").unwrap();
        group.enter(&worker);
        assert!(!worker.succeeded(LIMIT).unwrap(), "the worker is killed: {}", site.output("worker"));
        end_leases(&site).await;
    }
    let worker = site.worker("worker").unwrap();
    group.enter(&worker);
    let build = api.wait_for(id, &["FAILED"], LIMIT).await.unwrap();
    let info = build["status_info"].as_str().unwrap();
    assert!(info.contains("given up after 3 workers were lost"), "{info}");
    assert!(info.contains(&group.0.display().to_string()), "{info}");
    let expected = "the worker of the attempt before was lost: since it took the build the kernel killed";
    let begun = Instant::now();
    // The log follows a moment later.
    while !api.text(&format!("/api/v1/build/{id}/logs/")).await.unwrap().contains(expected) {
        assert!(begun.elapsed() < Duration::from_secs(20), "the log does not say what happened");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Has the leases of a lost worker end now instead of after half a minute.
async fn end_leases(site: &Site) {
    let database = format!("sqlite:{}", site.path().join("conda-store.db").display());
    let mut connection = SqliteConnection::connect(&database).await.unwrap();
    for statement in [
        "update cs_build_run set lease_expires = '2000-01-01 00:00:00' where lease_expires is not null",
        "update cs_queue_job set due = '2000-01-01 00:00:00' where token is not null",
    ] {
        sqlx::query(statement).execute(&mut connection).await.unwrap();
    }
}

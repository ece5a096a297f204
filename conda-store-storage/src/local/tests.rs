//! The conformance suite, and what only files can get wrong.

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use conda_store_core::{
    ErrorKind,
    clock::{Clock, SystemClock},
    storage::{Body, Link, LinkOptions, Storage, StorageExt, StorageKey},
    testing::ManualClock,
};
use futures::{StreamExt, stream};
use tempfile::TempDir;

use super::{LocalStorage, LocalStorageConfig};
use crate::leftovers::UPLOADS;

async fn empty() -> Option<(Arc<dyn Storage>, TempDir)> {
    let (storage, directory) = new().await;
    Some((Arc::new(storage), directory))
}

async fn redirecting() -> Option<(Arc<dyn Storage>, TempDir)> {
    let directory = tempfile::tempdir().unwrap();
    let config = config(directory.path(), Some("https://files.example.org/conda/"));
    let storage = LocalStorage::open(config, Arc::new(ManualClock::new())).await.unwrap();
    Some((Arc::new(storage), directory))
}

conda_store_core::storage_suite!(empty);

mod with_a_server_of_static_files {
    conda_store_core::storage_suite!(super::redirecting);
}

fn config(path: &Path, url: Option<&str>) -> LocalStorageConfig {
    let storage_url = url.map(|url| url.parse().unwrap());
    LocalStorageConfig { storage_path: path.join("storage"), storage_url }
}

async fn new() -> (LocalStorage, TempDir) {
    let directory = tempfile::tempdir().unwrap();
    let storage = LocalStorage::open(config(directory.path(), None), Arc::new(ManualClock::new())).await.unwrap();
    (storage, directory)
}

fn key(text: &str) -> StorageKey {
    text.parse().unwrap()
}

fn text(text: &str) -> Body {
    Body::from(text.to_owned())
}

fn uploads(directory: &TempDir) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory.path().join("storage").join(UPLOADS)).unwrap();
    entries.map(|entry| entry.unwrap().path()).collect()
}

#[tokio::test]
async fn a_blob_is_a_file_of_its_key() {
    let (storage, directory) = new().await;
    storage.put(&key("logs/1.log"), text("line")).await.unwrap();
    assert_eq!(fs::read_to_string(directory.path().join("storage/logs/1.log")).unwrap(), "line");
    assert!(uploads(&directory).is_empty());
}

#[tokio::test]
async fn planted_links_lead_nowhere() {
    let (storage, directory) = new().await;
    let (root, outside) = (directory.path().join("storage"), directory.path().join("outside"));
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("secret"), "secret").unwrap();
    storage.put(&key("inside/blob"), text("blob")).await.unwrap();
    symlink(&outside, root.join("directory")).unwrap();
    symlink(outside.join("secret"), root.join("file")).unwrap();
    symlink(root.join("inside"), root.join("loop")).unwrap();
    for name in ["directory/secret", "file", "loop/blob"] {
        assert_eq!(storage.get(&key(name), None).await.unwrap_err().kind(), ErrorKind::NotFound, "{name}");
        assert_eq!(storage.head(&key(name)).await.unwrap(), None, "{name}");
        storage.delete(&key(name)).await.unwrap();
    }
    for name in ["directory/secret", "directory/new"] {
        let error = storage.put(&key(name), text("overwritten")).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Conflict, "{error:?}");
    }
    assert_eq!(storage.keys("").await.unwrap(), [key("inside/blob")]);
    assert!(storage.keys("directory/").await.unwrap().is_empty());

    // A put takes the link's place and leaves what it led to as it was.
    storage.put(&key("file"), text("blob")).await.unwrap();
    assert_eq!(fs::read_to_string(outside.join("secret")).unwrap(), "secret");
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 1);
    assert_eq!(storage.read(&key("file"), 10).await.unwrap(), "blob");
}

#[tokio::test]
async fn a_planted_pipe_holds_up_nobody() {
    let (storage, directory) = new().await;
    let pipe = directory.path().join("storage/pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    assert_eq!(storage.get(&key("pipe"), None).await.unwrap_err().kind(), ErrorKind::NotFound);
    assert!(storage.keys("").await.unwrap().is_empty());
}

#[tokio::test]
async fn unfinished_uploads_are_invisible_and_their_keys_reserved() {
    let (storage, directory) = new().await;
    storage.put(&key("a"), text("x")).await.unwrap();
    fs::write(directory.path().join("storage").join(UPLOADS).join("part"), "half").unwrap();
    let part = key(&format!("{UPLOADS}/part"));
    assert_eq!(storage.get(&part, None).await.unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(storage.put(&part, text("x")).await.unwrap_err().kind(), ErrorKind::Invalid);
    storage.delete(&part).await.unwrap();
    for prefix in ["", ".", UPLOADS, &format!("{UPLOADS}/")] {
        let expected = if prefix.is_empty() { vec![key("a")] } else { Vec::new() };
        assert_eq!(storage.keys(prefix).await.unwrap(), expected, "{prefix:?}");
    }
    assert_eq!(uploads(&directory).len(), 1);
}

#[tokio::test]
async fn a_failed_put_leaves_no_temporary_file() {
    let (storage, directory) = new().await;
    let error = conda_store_core::Error::unexpected("produce", "no more");
    let failing = Body::Stream(stream::iter([Ok("half".into()), Err(error)]).boxed());
    storage.put(&key("a"), failing).await.unwrap_err();
    assert!(uploads(&directory).is_empty());
}

/// Leads the process that the next test kills to its directory.
const VICTIM: &str = "CONDA_STORE_TEST_VICTIM_IN";

/// What that process does: it puts without an end.
#[tokio::test]
async fn victim() {
    let Some(directory) = std::env::var_os(VICTIM) else { return };
    let config = config(Path::new(&directory), None);
    let storage = LocalStorage::open(config, Arc::new(SystemClock)).await.unwrap();
    let endless = stream::iter([Ok("half".into())]).chain(stream::pending());
    storage.put(&key("a"), Body::Stream(endless.boxed())).await.unwrap();
}

#[tokio::test]
async fn what_a_killed_process_leaves_is_invisible_and_removed_after_a_day() {
    let (storage, directory) = new().await;
    storage.put(&key("a"), text("old")).await.unwrap();
    let mut victim = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "local::tests::victim"])
        .env(VICTIM, directory.path())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let begun = Instant::now();
    while !uploads(&directory).iter().any(|upload| fs::read(upload).unwrap() == b"half") {
        assert!(begun.elapsed() < Duration::from_mins(1), "no upload begins");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    victim.kill().unwrap();
    victim.wait().unwrap();

    assert_eq!(storage.read(&key("a"), 10).await.unwrap(), "old");
    assert_eq!(storage.keys("").await.unwrap(), [key("a")]);
    for (hours, left) in [(23, 1), (25, 0)] {
        let clock = ManualClock::new();
        clock.advance(SystemClock.now().since(clock.now()) + Duration::from_hours(hours));
        LocalStorage::open(config(directory.path(), None), Arc::new(clock)).await.unwrap();
        assert_eq!(uploads(&directory).len(), left, "after {hours} hours");
    }
}

#[tokio::test]
async fn stale_uploads_are_removed_at_the_start_and_every_hour() {
    let directory = tempfile::tempdir().unwrap();
    let place = directory.path().join("storage").join(UPLOADS);
    fs::create_dir_all(&place).unwrap();
    let clock = Arc::new(ManualClock::new());
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(clock.now().unix_seconds().unsigned_abs());
    for (name, hours) in [("stale", 25), ("nearly", 23), ("fresh", 1)] {
        let file = fs::File::create(place.join(name)).unwrap();
        file.set_modified(now - Duration::from_hours(hours)).unwrap();
    }
    let storage = LocalStorage::open(config(directory.path(), None), Arc::<ManualClock>::clone(&clock)).await.unwrap();
    assert_eq!(uploads(&directory).len(), 2);
    clock.advance(Duration::from_hours(2));
    storage.put(&key("a"), text("x")).await.unwrap();
    assert_eq!(uploads(&directory), [place.join("fresh")]);
}

#[tokio::test]
async fn links_lead_to_the_server_of_static_files() {
    let options = LinkOptions { expires_in: Duration::from_mins(1), file_name: None, content_type: None };
    let (storage, _directory) = redirecting().await.unwrap();
    storage.put(&key("docker/blobs/%2e%2e?#ü"), text("x")).await.unwrap();
    let link = storage.link(&key("docker/blobs/%2e%2e?#ü"), &options).await.unwrap();
    let expected = "https://files.example.org/conda/docker/blobs/%252e%252e%3F%23%C3%BC";
    assert_eq!(link, Link::Redirect(expected.parse().unwrap()));
    let directory = tempfile::tempdir().unwrap();
    let wrong = config(directory.path(), Some("mailto:a@example.org"));
    let error = LocalStorage::open(wrong, Arc::new(ManualClock::new())).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
}

#[tokio::test]
async fn a_part_too_long_for_the_file_system_is_invalid() {
    let (storage, _directory) = new().await;
    for name in ["x".repeat(300), format!("{}/a", "x".repeat(300))] {
        assert_eq!(storage.put(&key(&name), text("x")).await.unwrap_err().kind(), ErrorKind::Invalid, "{name}");
        assert_eq!(storage.head(&key(&name)).await.unwrap(), None);
    }
}

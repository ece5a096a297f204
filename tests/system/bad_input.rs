//! What happens to input that cannot be built: each case a clear answer, and a service that goes on.

use std::time::Duration;

use crate::support::{Site, channel, file_url, specification};

const LIMIT: Duration = Duration::from_mins(2);

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_specification_is_refused_with_a_reason() {
    let site = Site::new(None, "").unwrap();
    let (_server, api) = site.server(&["--standalone"]).await.unwrap();
    let bomb = "a: &a [x, x, x, x, x, x, x, x, x]\nb: &b [*a, *a, *a, *a, *a, *a, *a, *a, *a]\nc: &c [*b, *b, *b, *b, *b, *b, *b, *b, *b]\n\
                d: &d [*c, *c, *c, *c, *c, *c, *c, *c, *c]\ne: &e [*d, *d, *d, *d, *d, *d, *d, *d, *d]\nname: x\ndependencies: [*e, *e, *e, *e, *e, *e, *e]\n";
    let huge = format!("name: x\ndescription: {}\n", "x".repeat(10 * 1024 * 1024));
    for (text, reason) in [
        ("just words", "mapping"),
        ("- a\n- b\n", "mapping"),
        ("name: [1, 2", "line"),
        (bomb, "alias"),
        (&huge, "bytes"),
        ("name: ..\ndependencies: []\n", "directory"),
        ("name: a/b\ndependencies: []\n", "'/'"),
        ("name: x\ndependancies: []\n", "dependencies"),
        ("name: x\ndependencies: [1.5]\n", "dependencies[0]"),
        ("dependencies: []\n", "name"),
    ] {
        let (status, body) = api.post("default", text).await.unwrap();
        let message = body["message"].as_str().unwrap_or_default();
        assert!(matches!(status, 400 | 413), "{status}: {body}");
        assert!(message.contains(reason), "{reason} is not in {message}");
    }
    let (status, _) = api.post("..", "name: x\ndependencies: []\n").await.unwrap();
    assert_eq!(status, 400);
    assert_eq!(api.get("/api/v1/").await.unwrap().0, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_solved_fails_with_words_for_a_person() {
    let Some(channel) = channel() else { return };
    let site = Site::new(None, "").unwrap();
    let (_server, api) = site.server(&["--standalone"]).await.unwrap();
    let channel = file_url(&channel);
    for (channel, packages, words) in [
        (channel.as_str(), ["duel-left", "duel-right"], ["duel-core", "duel-left"]),
        (&channel, ["no-such-package", "python"], ["no-such-package", ""]),
        (&channel, ["missing-dependency", "python"], ["missing-dependency", ""]),
        ("file:///no/such/channel", ["python", "pip"], ["file:///no/such/channel", ""]),
    ] {
        let id = api.submit("default", &specification("x", channel, &packages)).await.unwrap();
        let build = api.wait_for(id, &["FAILED"], LIMIT).await.unwrap();
        let info = build["status_info"].as_str().unwrap();
        assert!(words.iter().all(|word| info.contains(word)), "{info}");
        let log = api.text(&format!("/api/v1/build/{id}/logs/")).await.unwrap();
        assert!(log.contains(info.lines().next().unwrap()), "{log}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_package_that_is_not_what_its_channel_says_fails_its_build_alone() {
    let Some(channel) = channel() else { return };
    let broken = broken_channel(&channel);
    let site = Site::new(None, "").unwrap();
    let (_server, api) = site.server(&["--standalone"]).await.unwrap();

    let id = api.submit("default", &specification("broken", &file_url(broken.path()), &["only-bz2"])).await.unwrap();
    let build = api.wait_for(id, &["FAILED"], LIMIT).await.unwrap();
    let info = build["status_info"].as_str().unwrap();
    assert!(info.contains("sha256") && info.contains("only-bz2"), "{info}");

    let id = api.submit("default", &specification("whole", &file_url(&channel), &["only-bz2"])).await.unwrap();
    api.completed(id, LIMIT).await.unwrap();
}

/// A copy of the channel's index with one package of which one byte is another.
fn broken_channel(channel: &std::path::Path) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    for subdir in ["linux-64", "noarch"] {
        std::fs::create_dir(directory.path().join(subdir)).unwrap();
        std::fs::copy(channel.join(subdir).join("repodata.json"), directory.path().join(subdir).join("repodata.json"))
            .unwrap();
    }
    let package = "linux-64/only-bz2-1.0-0.tar.bz2";
    let mut content = std::fs::read(channel.join(package)).unwrap();
    *content.last_mut().unwrap() ^= 1;
    std::fs::write(directory.path().join(package), content).unwrap();
    directory
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_fails_the_build_and_says_so() {
    let Some(channel) = channel() else { return };
    let Some(disk) = SmallDisk::mount() else { return };
    let store = format!("  storage_threshold: 0\n  build_directory: {}/{{namespace}}\n", disk.0.display());
    let site = Site::new(None, &store).unwrap();
    let (_server, api) = site.server(&["--standalone"]).await.unwrap();

    let id = api.submit("default", &specification("large", &file_url(&channel), &["large-file"])).await.unwrap();
    let build = api.wait_for(id, &["FAILED"], LIMIT).await.unwrap();
    let info = build["status_info"].as_str().unwrap();
    assert!(info.contains("space"), "{info}");
    let id = api.submit("default", &specification("small", &file_url(&channel), &["prefix-text"])).await.unwrap();
    api.completed(id, LIMIT).await.unwrap();
}

/// A file system of 16 MiB, unmounted when it is dropped.
struct SmallDisk(std::path::PathBuf);

impl SmallDisk {
    fn mount() -> Option<Self> {
        let path = std::env::temp_dir().join(format!("conda-store-small-disk-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        let mounted =
            std::process::Command::new("mount").args(["-t", "tmpfs", "-o", "size=16m", "tmpfs"]).arg(&path).status();
        if mounted.is_ok_and(|status| status.success()) {
            return Some(Self(path));
        }
        eprintln!("skipped: mounting a small file system needs root");
        None
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _status = std::process::Command::new("umount").arg("-l").arg(&self.0).status();
        let _result = std::fs::remove_dir(&self.0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_down_at_start_is_named() {
    let site = Site::new(Some("postgresql://conda:secret@127.0.0.1:1/conda-store"), "").unwrap();
    let error = site.server(&[]).await.unwrap_err().to_string();
    assert!(error.contains("127.0.0.1:1") && error.contains("conda-store"), "{error}");
    assert!(!error.contains("secret"), "{error}");
}

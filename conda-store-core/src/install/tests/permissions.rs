//! Owners, modes and sizes.

use std::{
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
    process::Command,
};

use tar::EntryType;

use super::{fixture::Workshop, package::Draft};
use crate::install::{Permissions, disk_usage};

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().permissions().mode() & 0o7777
}

fn draft() -> Draft {
    Draft::new("good").file("share/good", "good").file("share/other", "other").entry(
        EntryType::Symlink,
        "out",
        "/etc/passwd",
    )
}

#[tokio::test]
async fn the_store_gives_packages_the_mode_that_environments_share() {
    let permissions = Permissions { mode: Some(0o775), ..Permissions::default() };
    let workshop = Workshop::with(|settings| settings.permissions = permissions).await;
    let record = draft().write(workshop.directory.path());
    let environment = workshop.environment("environment", vec![record.clone()]);
    workshop.install(&environment).await.unwrap();
    let file = environment.prefix.join("share/good");
    assert_eq!(mode(&file), 0o775);
    let before = fs::metadata(&file).unwrap().ino();
    permissions.apply(&environment.prefix, &workshop.cancellation).unwrap();
    assert_eq!(fs::metadata(&file).unwrap().ino(), before, "it had the mode already and is still shared");
    assert_eq!(mode(&environment.prefix), 0o775);
    assert_eq!(mode(&environment.prefix.join("conda-meta/history")), 0o775);

    let own = Permissions { mode: Some(0o750), ..Permissions::default() };
    let other = workshop.environment("other", vec![record]);
    workshop.install(&other).await.unwrap();
    own.apply(&other.prefix, &workshop.cancellation).unwrap();
    assert_eq!(mode(&other.prefix.join("share/good")), 0o750);
    assert_eq!(mode(&file), 0o775, "the first environment keeps its own");
    assert_eq!(fs::metadata(&file).unwrap().ino(), before);
    assert_eq!(fs::read_to_string(other.prefix.join("share/good")).unwrap(), "good");
}

#[tokio::test]
async fn another_owner_gets_a_copy_and_links_are_not_followed() {
    if !nix::unistd::geteuid().is_root() {
        eprintln!("skipped: only root can give files away");
        return;
    }
    let workshop = Workshop::open().await;
    let record = draft().write(workshop.directory.path());
    let environment = workshop.environment("environment", vec![record]);
    let records = workshop.install(&environment).await.unwrap();
    let stored = |path: &str| records[0].extracted_package_dir.as_ref().unwrap().join(path);
    let inode = |path: &Path| fs::symlink_metadata(path).unwrap().ino();
    assert_eq!(inode(&environment.prefix.join("out")), inode(&stored("out")), "links are shared like files");
    let given = Permissions { uid: Some(12_345), gid: Some(54_321), mode: None };
    given.apply(&environment.prefix, &workshop.cancellation).unwrap();
    let owner = |path: &Path| fs::symlink_metadata(path).map(|found| (found.uid(), found.gid())).unwrap();
    for path in ["", "share", "share/good", "out", "conda-meta/history"] {
        assert_eq!(owner(&environment.prefix.join(path)), (12_345, 54_321), "{path}");
    }
    let link = |path: &Path| fs::read_link(path).unwrap();
    assert_eq!(link(&environment.prefix.join("out")), link(&stored("out")));
    for path in [stored("share/good"), stored("out"), PathBuf::from("/etc/passwd")] {
        assert_eq!(owner(&path), (0, 0), "{}", path.display());
    }
    let modified = |path: &Path| fs::metadata(path).unwrap().modified().unwrap();
    assert_eq!(modified(&stored("share/good")), modified(&environment.prefix.join("share/good")));
}

#[tokio::test]
async fn size_is_what_du_says() {
    let workshop = Workshop::open().await;
    let record = draft().file("share/large", &"x".repeat(100_000)).write(workshop.directory.path());
    let environment = workshop.environment("environment", vec![record]);
    workshop.install(&environment).await.unwrap();
    fs::hard_link(environment.prefix.join("share/large"), environment.prefix.join("share/again")).unwrap();
    let du = Command::new("du").args(["-s", "-B1"]).arg(&environment.prefix).output().unwrap();
    let du = String::from_utf8(du.stdout).unwrap();
    let expected: u64 = du.split_whitespace().next().unwrap().parse().unwrap();
    assert_eq!(disk_usage(&environment.prefix).unwrap(), expected);
}

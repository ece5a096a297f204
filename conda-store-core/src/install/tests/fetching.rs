//! Downloads that fail, race, stall and are given up.

use std::{path::PathBuf, process::Command, sync::Arc, time::Duration};

use rattler_conda_types::RepoDataRecord;
use tokio_util::sync::CancellationToken;

use super::{
    fixture::{Workshop, client, entries},
    package::Draft,
    server::{Answer, Server},
};
use crate::{
    ErrorKind,
    conda::ChannelMirrors,
    install::{PackageStore, PackageStoreSettings, blocking},
};

const NOTHING: Vec<PathBuf> = Vec::new();
/// Canceled work has to be over within a second; twice that for a machine that does much else.
const SOON: Duration = Duration::from_secs(2);

/// A package and its archive.
fn package() -> (RepoDataRecord, Vec<u8>) {
    let directory = tempfile::tempdir().unwrap();
    let record = Draft::new("good").file("share/good", &"good ".repeat(10_000)).write(directory.path());
    let bytes = std::fs::read(record.url.to_file_path().unwrap()).unwrap();
    (record, bytes)
}

fn at(server: &Server, record: &RepoDataRecord) -> RepoDataRecord {
    let mut record = record.clone();
    record.url = server.url.join("noarch/good-1.0-0.tar.bz2").unwrap();
    record
}

#[tokio::test(flavor = "multi_thread")]
async fn a_package_is_fetched_once_however_many_ask() {
    let (record, bytes) = package();
    let server = Server::start(vec![Answer::File(bytes)]).await;
    let record = at(&server, &record);
    let directory = tempfile::tempdir().unwrap();
    let (mut tasks, mut stores) = (Vec::new(), Vec::new());
    // Each store is on its own, as in a process of its own: all that they share is the directory.
    for _ in 0..4 {
        let store = PackageStore::open(PackageStoreSettings::new(directory.path()), client()).await.unwrap();
        let store = Arc::new(store);
        stores.push(Arc::clone(&store));
        for _ in 0..2 {
            let (store, record) = (Arc::clone(&store), record.clone());
            tasks.push(tokio::spawn(async move { store.get(&record, &CancellationToken::new()).await.unwrap() }));
        }
    }
    for task in tasks {
        assert!(task.await.unwrap().directory.join("share/good").try_exists().unwrap());
    }
    assert_eq!(server.requests(), 1);
    let lookups = stores.iter().map(|store| store.lookups());
    assert_eq!(lookups.fold((0, 0), |(hits, misses), found| (hits + found.hits, misses + found.misses)), (7, 1));
}

#[tokio::test]
async fn a_process_that_was_suspended_over_a_package_does_not_hold_up_others() {
    let (record, bytes) = package();
    let server = Server::start(vec![Answer::File(bytes)]).await;
    let record = at(&server, &record);
    let shop = Workshop::open().await;
    let name = format!("sha256-{}", hex::encode(record.package_record.sha256.unwrap()));
    let locks = shop.directory.path().join("store/locks");
    let held = std::fs::File::create(locks.join(&name)).unwrap();
    held.lock().unwrap();

    let package = shop.store.get(&record, &shop.cancellation).await.unwrap();

    assert!(package.directory.join("share/good").try_exists().unwrap());
    assert_eq!(shop.stored("partial"), NOTHING);
    drop(held);
}

#[tokio::test]
async fn what_may_pass_is_tried_again() {
    let (record, bytes) = package();
    let answers = vec![Answer::Status(503), Answer::Half(bytes.clone()), Answer::Status(429), Answer::File(bytes)];
    let server = Server::start(answers).await;
    let workshop = Workshop::open().await;
    workshop.store.get(&at(&server, &record), &workshop.cancellation).await.unwrap();
    assert_eq!(server.requests(), 4);
}

#[tokio::test]
async fn what_will_not_pass_is_not_tried_again() {
    let (record, _) = package();
    for (status, kind) in [(404, ErrorKind::NotFound), (403, ErrorKind::Forbidden), (500, ErrorKind::Unavailable)] {
        let server = Server::start(vec![Answer::Status(status)]).await;
        let workshop = Workshop::open().await;
        let error = workshop.store.get(&at(&server, &record), &workshop.cancellation).await.unwrap_err();
        assert_eq!(error.kind(), kind);
        assert_eq!(server.requests(), if kind == ErrorKind::Unavailable { 4 } else { 1 });
        assert_eq!(workshop.stored("partial"), NOTHING);
    }
}

#[tokio::test]
async fn mirrors_are_tried_in_their_order_and_the_public_address_never() {
    let (record, bytes) = package();
    let mut altered = bytes.clone();
    altered[100] ^= 1;
    let missing = Server::start(vec![Answer::Status(404)]).await;
    let wrong = Server::start(vec![Answer::File(altered)]).await;
    let good = Server::start(vec![Answer::File(bytes)]).await;
    let public = Server::start(vec![Answer::Status(500)]).await;
    let mirrors = [&missing, &wrong, &good].map(|server| server.url.clone()).to_vec();
    let mirrors = ChannelMirrors::new([(public.url.clone(), mirrors)]);
    let workshop = Workshop::with(|settings| settings.mirrors = mirrors).await;
    workshop.store.get(&at(&public, &record), &workshop.cancellation).await.unwrap();
    assert_eq!([&missing, &wrong, &good, &public].map(Server::requests), [1, 1, 1, 0]);
}

#[tokio::test]
async fn errors_name_the_address_without_its_password() {
    let (record, _) = package();
    let server = Server::start(vec![Answer::Status(404)]).await;
    let workshop = Workshop::open().await;
    let mut record = at(&server, &record);
    record.url.set_username("user").unwrap();
    record.url.set_password(Some("hunter2")).unwrap();
    let error = workshop.store.get(&record, &workshop.cancellation).await.unwrap_err();
    assert!(error.report().contains("noarch/good-1.0-0.tar.bz2"), "{error:?}");
    assert!(!error.report().contains("hunter2"), "{error:?}");
}

#[tokio::test]
async fn a_canceled_download_leaves_nothing_and_whoever_waits_goes_on() {
    let (record, bytes) = package();
    let server = Server::start(vec![Answer::Stall(bytes.clone()), Answer::File(bytes)]).await;
    let record = at(&server, &record);
    let workshop = Workshop::open().await;
    let first = workshop.store.get(&record, &workshop.cancellation);
    let (given_up, waits) = (CancellationToken::new(), CancellationToken::new());
    let others = async {
        // Not before: whoever comes first has the download that stalls.
        while server.requests() == 0 || workshop.stored("partial").is_empty() {
            tokio::task::yield_now().await;
        }
        let impatient = workshop.store.get(&record, &given_up);
        let patient = workshop.store.get(&record, &waits);
        let cancel = async {
            given_up.cancel();
            workshop.cancellation.cancel();
        };
        tokio::join!(impatient, patient, cancel)
    };
    let all = async { tokio::join!(first, others) };
    let (first, (impatient, patient, ())) = tokio::time::timeout(SOON, Box::pin(all)).await.unwrap();
    assert_eq!(first.unwrap_err().kind(), ErrorKind::Cancelled);
    assert_eq!(impatient.unwrap_err().kind(), ErrorKind::Cancelled);
    patient.unwrap();
    assert_eq!(workshop.stored("partial"), NOTHING);
    assert_eq!(server.requests(), 2);
}

#[tokio::test]
async fn a_dropped_download_leaves_nothing() {
    let (record, bytes) = package();
    let server = Server::start(vec![Answer::Stall(bytes)]).await;
    let record = at(&server, &record);
    let workshop = Workshop::open().await;
    let under_way = async {
        while workshop.stored("partial").is_empty() {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        _ = workshop.store.get(&record, &workshop.cancellation) => panic!("the server sends half"),
        () = under_way => {}
    }
    assert_eq!(workshop.stored("partial"), NOTHING);
    assert_eq!(workshop.stored("packages"), NOTHING);
}

#[tokio::test]
async fn what_a_killed_process_left_is_removed() {
    let directory = tempfile::tempdir().unwrap();
    let left = directory.path().join("partial/sha256-00/content/package");
    std::fs::create_dir_all(left).unwrap();
    PackageStore::open(PackageStoreSettings::new(directory.path()), client()).await.unwrap();
    assert_eq!(entries(&directory.path().join("partial")), NOTHING);
}

#[tokio::test]
async fn a_full_disk_is_named_and_nothing_stays() {
    let directory = tempfile::tempdir().unwrap();
    let mount = Command::new("mount").args(["-t", "tmpfs", "-o", "size=1m", "tmpfs"]).arg(directory.path()).output();
    if !mount.is_ok_and(|mount| mount.status.success()) {
        eprintln!("skipped: only root can mount a small file system");
        return;
    }
    let archives = tempfile::tempdir().unwrap();
    let record = Draft::new("large").file("share/large", &"0123456789abcdef".repeat(256 * 1024)).write(archives.path());
    let store = PackageStore::open(PackageStoreSettings::new(directory.path()), client()).await.unwrap();
    let error = store.get(&record, &CancellationToken::new()).await.unwrap_err();
    let left = entries(&directory.path().join("partial"));
    assert!(Command::new("umount").arg(directory.path()).status().unwrap().success());
    assert_eq!(error.kind(), ErrorKind::Full, "{error:?}");
    assert!(error.to_string().contains(directory.path().to_str().unwrap()), "{error}");
    assert_eq!(left, NOTHING);
}

#[tokio::test]
async fn a_defect_fails_its_own_work_alone() {
    let error = blocking::<()>("link package", || panic!("on purpose")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unexpected);
    assert!(error.report().contains("on purpose"), "{}", error.report());
}

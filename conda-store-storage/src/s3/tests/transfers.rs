//! Transfers that are slow, cut, spoiled, or whose process is killed.

use std::{
    process::{Command, Stdio},
    time::Instant,
};

use conda_store_core::{ErrorKind, storage::StorageExt};
use futures::TryStreamExt;

use super::{
    connection::{Connection, Fault},
    *,
};

const MEBIBYTE: u64 = 1 << 20;

/// Leads a process that is to be killed to the service.
const VICTIM: &str = "CONDA_STORE_TEST_VICTIM_OF";

/// A storage behind a connection with faults, and what has to live as long.
async fn behind(faults: impl IntoIterator<Item = Fault>) -> (S3Storage, Server, Connection) {
    let server = Server::start().await;
    let connection = Connection::to(&server.address, faults).await;
    let config = S3StorageConfig { stall_limit: Duration::from_secs(1), ..config_at(&connection.address) };
    (open(config).await, server, connection)
}

async fn until(what: &str, condition: impl Fn() -> bool) {
    let begun = Instant::now();
    while !condition() {
        assert!(begun.elapsed() < Duration::from_mins(1), "{what} did not happen");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn an_upload_that_is_cut_or_stalls_is_tried_again() {
    let at = 3 * MEBIBYTE;
    let faults = [Fault::CutUpload(at), Fault::StallUpload(at), Fault::CutUpload(at), Fault::StallUpload(0)];
    let (storage, server, _connection) = behind(faults).await;
    storage.put(&key("large"), mebibytes(20)).await.unwrap();
    let objects = server.objects();
    assert!(objects.blobs["large"].bytes == expected(20));
    assert!(objects.uploads.is_empty());
}

#[tokio::test]
async fn a_download_that_is_cut_or_stalls_goes_on_where_it_was() {
    let at = 3 * MEBIBYTE;
    let faults = [Fault::CutDownload(at), Fault::StallDownload(at), Fault::CutDownload(at)];
    let (storage, server, _connection) = behind(faults).await;
    open(server.config()).await.put(&key("large"), mebibytes(20)).await.unwrap();
    assert!(storage.read(&key("large"), u64::MAX).await.unwrap() == expected(20));
    assert_eq!(server.objects().requests["get"], 4);
}

#[tokio::test]
async fn a_download_that_is_cut_gives_no_mixture_of_two_blobs() {
    let (storage, server, _connection) = behind([Fault::CutDownload(3 * MEBIBYTE)]).await;
    let direct = open(server.config()).await;
    direct.put(&key("large"), mebibytes(20)).await.unwrap();
    let blob = storage.get(&key("large"), None).await.unwrap();
    direct.put(&key("large"), mebibytes(21)).await.unwrap();
    let error = blob.stream.try_collect::<Vec<_>>().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict, "{error:?}");
}

#[tokio::test]
async fn a_connection_that_is_always_cut_is_an_error_that_changes_nothing() {
    let server = Server::start().await;
    open(server.config()).await.put(&key("large"), Body::from("old".to_owned())).await.unwrap();
    let connection = Connection::to(&server.address, [Fault::CutUpload(MEBIBYTE); 100]).await;
    let error = open(config_at(&connection.address)).await.put(&key("large"), mebibytes(20)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
    assert_eq!(server.objects().blobs["large"].bytes, "old");
}

#[tokio::test]
async fn bytes_that_were_spoiled_in_the_bucket_are_noticed() {
    let server = Server::start().await;
    let storage = open(server.config()).await;
    storage.put(&key("small"), Body::from("content".to_owned())).await.unwrap();
    server.objects().blobs.get_mut("small").unwrap().bytes = "kontent".into();
    let error = storage.read(&key("small"), 100).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt, "{error:?}");
}

#[tokio::test]
async fn a_failed_or_dropped_upload_is_taken_back() {
    let server = Server::start().await;
    let storage = open(server.config()).await;
    let failing = conda_store_core::Error::unexpected("produce", "no more");
    let twenty = || stream::iter(0..20).map(|index| Ok(mebibyte(index)));
    let body = Body::Stream(twenty().chain(stream::iter([Err(failing)])).boxed());
    storage.put(&key("failed"), body).await.unwrap_err();
    assert!(server.objects().uploads.is_empty());

    let endless = Body::Stream(twenty().chain(stream::pending()).boxed());
    let dropped = key("dropped");
    let put = storage.put(&dropped, endless);
    let begun = until("an upload", || server.objects().uploads.values().any(|upload| !upload.parts.is_empty()));
    tokio::select! { _ = put => panic!("the upload ended"), () = begun => {} }
    until("the removal of the upload", || server.objects().uploads.is_empty()).await;
    assert!(server.objects().blobs.is_empty());
}

/// What the process does that the next test kills.
#[tokio::test]
async fn victim() {
    let Some(address) = std::env::var_os(VICTIM) else { return };
    let storage = open(config_at(address.to_str().unwrap())).await;
    let parts = stream::iter(0..20).map(|index| Ok(mebibyte(index))).chain(stream::pending());
    storage.put(&key("large"), Body::Stream(parts.boxed())).await.unwrap();
}

#[tokio::test]
async fn what_a_killed_process_leaves_is_invisible_and_removed_after_a_day() {
    let server = Server::start().await;
    let storage = open(server.config()).await;
    storage.put(&key("large"), Body::from("old".to_owned())).await.unwrap();
    let mut victim = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "s3::tests::transfers::victim"])
        .env(VICTIM, &server.address)
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    until("an upload", || server.objects().uploads.values().any(|upload| upload.parts.len() == 2)).await;
    victim.kill().unwrap();
    victim.wait().unwrap();

    assert_eq!(storage.read(&key("large"), 10).await.unwrap(), "old");
    assert_eq!(storage.keys("").await.unwrap(), [key("large")]);
    for (hours, left) in [(23, 1), (25, 0)] {
        let clock = ManualClock::new();
        clock.advance(SystemClock.now().since(clock.now()) + Duration::from_hours(hours));
        S3Storage::open(server.config(), Arc::new(clock)).await.unwrap();
        assert_eq!(server.objects().uploads.len(), left, "after {hours} hours");
    }
}

#[tokio::test]
async fn stale_uploads_are_looked_for_once_an_hour() {
    let server = Server::start().await;
    let clock = Arc::new(ManualClock::new());
    let storage = S3Storage::open(server.config(), Arc::<ManualClock>::clone(&clock)).await.unwrap();
    for (hours, searches) in [(0, 1), (0, 1), (2, 2)] {
        clock.advance(Duration::from_hours(hours));
        storage.put(&key("a"), Body::from("x".to_owned())).await.unwrap();
        assert_eq!(server.objects().requests["uploads"], searches);
    }
}

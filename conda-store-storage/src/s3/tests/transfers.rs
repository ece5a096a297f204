//! Transfers that are slow, cut or spoiled.

use conda_store_core::{
    ErrorKind,
    storage::{ARTIFACT_PREFIXES, StorageExt},
};
use futures::TryStreamExt;

use super::{
    connection::{Connection, Fault},
    *,
};

const MEBIBYTE: u64 = 1 << 20;

/// A storage behind a connection with faults, and what has to live as long.
async fn behind(faults: impl IntoIterator<Item = Fault>) -> (S3Storage, Server, Connection) {
    let server = Server::start().await;
    let connection = Connection::to(&server.address, faults).await;
    let config = S3StorageConfig { stall_limit: Duration::from_secs(1), ..config_at(&connection.address) };
    (open(config).await, server, connection)
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
async fn a_slow_connection_is_waited_for() {
    // Six megabytes take longer than a stall would be waited for.
    let (storage, server, _connection) = behind([Fault::Slow; 9]).await;
    storage.put(&key("large"), mebibytes(6)).await.unwrap();
    assert!(storage.read(&key("large"), u64::MAX).await.unwrap() == expected(6));
    let requests = server.objects().requests.clone();
    assert_eq!((requests["put"], requests["get"]), (1, 1));
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
    let begun = until("an upload", async || server.objects().uploads.values().any(|upload| !upload.parts.is_empty()));
    tokio::select! { _ = put => panic!("the upload ended"), () = begun => {} }
    until("the removal of the upload", async || server.objects().uploads.is_empty()).await;
    assert!(server.objects().blobs.is_empty());
}

#[tokio::test]
async fn stale_uploads_are_looked_for_once_an_hour() {
    let server = Server::start().await;
    let clock = Arc::new(ManualClock::new());
    let storage = S3Storage::open(server.config(), Arc::<ManualClock>::clone(&clock)).await.unwrap();
    for (hours, searches) in [(0, 1), (0, 1), (2, 2)] {
        clock.advance(Duration::from_hours(hours));
        storage.put(&key("a"), Body::from("x".to_owned())).await.unwrap();
        let requests = searches * u32::try_from(ARTIFACT_PREFIXES.len()).unwrap();
        assert_eq!(server.objects().requests["uploads"], requests);
    }
}

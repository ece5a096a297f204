//! What is said of a service that does not let us in.

use conda_store_core::{Error, ErrorKind};
use secrecy::SecretString;

use super::{server::credentials, *};
use crate::S3Credentials;

pub(super) async fn refusal(config: S3StorageConfig) -> Error {
    S3Storage::open(config, Arc::new(SystemClock)).await.unwrap_err()
}

#[tokio::test]
async fn wrong_keys_and_a_missing_bucket_are_named_at_the_start() {
    let server = Server::start().await;
    let with = |credentials| S3StorageConfig { credentials, ..server.config() };
    let missing = S3StorageConfig { bucket_name: "elsewhere".into(), ..server.config() };
    for (config, kind, said) in [
        (with(credentials("nobody", "secret", None)), ErrorKind::Forbidden, "the access key is not known there"),
        (with(credentials("access", "wrong", None)), ErrorKind::Forbidden, "the secret key does not belong to"),
        (with(credentials("access", "secret", Some("expired"))), ErrorKind::Forbidden, "the credentials have expired"),
        (missing, ErrorKind::Unexpected, "the bucket does not exist"),
    ] {
        let bucket = config.bucket_name.clone();
        let error = refusal(config).await;
        let shown = error.to_string();
        assert_eq!(error.kind(), kind, "{error:?}");
        assert!(shown.starts_with(said), "{shown}");
        assert!(shown.ends_with(&format!("(bucket: {bucket}, endpoint: http://{})", server.address)), "{shown}");
        assert!(!error.report().contains("secret\""), "{error:?}");
    }
}

#[tokio::test]
async fn credentials_that_expire_later_are_forbidden_from_then_on() {
    let server = Server::start().await;
    let storage = open(server.config()).await;
    let expired = open_unchecked(&server, credentials("access", "secret", Some("expired")));
    storage.put(&key("a"), Body::from("x".to_owned())).await.unwrap();
    for error in [
        expired.put(&key("a"), Body::from("y".to_owned())).await.unwrap_err(),
        expired.put(&key("a"), mebibytes(9)).await.unwrap_err(),
        expired.get(&key("a"), None).await.unwrap_err(),
        expired.head(&key("a")).await.unwrap_err(),
        expired.delete(&key("a")).await.unwrap_err(),
        expired.list("").next().await.unwrap().unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::Forbidden, "{error:?}");
    }
    assert_eq!(server.objects().blobs["a"].bytes, "x");
}

/// A storage as it is once its credentials have expired.
fn open_unchecked(server: &Server, credentials: S3Credentials) -> S3Storage {
    S3Storage::connect(S3StorageConfig { credentials, ..server.config() }, Arc::new(SystemClock)).unwrap()
}

#[tokio::test]
async fn a_service_that_is_not_there_is_unavailable() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    drop(listener);
    let error = refusal(config_at(&address)).await;
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
    assert_eq!(error.to_string(), format!("the service cannot be reached (bucket: conda, endpoint: http://{address})"));
}

#[tokio::test]
async fn a_name_that_no_bucket_has_is_invalid() {
    let server = Server::start().await;
    for bucket_name in ["", "a/b", "ab", "../x"] {
        let error = refusal(S3StorageConfig { bucket_name: bucket_name.into(), ..server.config() }).await;
        assert_eq!(error.kind(), ErrorKind::Invalid, "{error:?}");
    }
}

#[test]
fn nothing_shows_a_secret() {
    let secret = || SecretString::from("hunter2");
    let credentials =
        S3Credentials::Static { access_key: secret(), secret_key: secret(), session_token: Some(secret()) };
    let config = S3StorageConfig::new(S3Endpoint::new("minio", true).unwrap(), "conda", credentials);
    assert!(!format!("{config:?}").contains("hunter2"));
}

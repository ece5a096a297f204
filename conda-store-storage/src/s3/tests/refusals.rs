//! What is said of a service that does not let us in.

use conda_store_core::{Error, ErrorKind};
use secrecy::SecretString;

use super::{server::credentials, *};
use crate::{S3Credentials, WebIdentity};

async fn refusal(config: S3StorageConfig) -> Error {
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

#[tokio::test]
async fn a_profile_gives_the_credentials() {
    let server = Server::start().await;
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("credentials");
    std::fs::write(&file, "[conda]\naws_access_key_id = access\naws_secret_access_key = secret\n").unwrap();
    let profile = |name: &str| S3Credentials::Profile { name: Some(name.into()), file: Some(file.clone()) };
    open(S3StorageConfig { credentials: profile("conda"), ..server.config() }).await;
    let error = refusal(S3StorageConfig { credentials: profile("other"), ..server.config() }).await;
    assert_eq!(error.kind(), ErrorKind::Forbidden, "{error:?}");
    assert!(error.to_string().starts_with("there are no credentials (bucket: conda"), "{error}");
}

#[tokio::test]
async fn a_token_that_is_not_there_is_said() {
    let server = Server::start().await;
    let identity = WebIdentity {
        token_file: "/nowhere/token".into(),
        role_arn: "arn:aws:iam::123456789012:role/conda".into(),
        session_name: "conda-store".into(),
    };
    let credentials = S3Credentials::WebIdentity(Some(identity));
    let error = refusal(S3StorageConfig { credentials, ..server.config() }).await;
    assert_eq!(error.kind(), ErrorKind::Forbidden, "{error:?}");
    assert!(error.report().contains("/nowhere/token") || error.report().contains("No such file"), "{error:?}");
}

#[tokio::test]
async fn the_machine_gives_the_credentials() {
    use axum::{
        Router,
        routing::{get, put},
    };
    let server = Server::start().await;
    let given = r#"{"Code": "Success", "Type": "AWS-HMAC", "AccessKeyId": "access", "SecretAccessKey": "secret",
        "Token": "session", "LastUpdated": "2024-05-01T00:00:00Z", "Expiration": "2034-05-01T00:00:00Z"}"#;
    let token = || async { ([("x-aws-ec2-metadata-token-ttl-seconds", "21600")], "token") };
    let metadata = Router::new()
        .route("/latest/api/token", put(token))
        .route("/latest/meta-data/iam/security-credentials/", get(|| async { "conda" }))
        .route("/latest/meta-data/iam/security-credentials-extended/", get(|| async { "conda" }))
        .route("/latest/meta-data/iam/security-credentials/conda", get(move || async move { given }))
        .route("/latest/meta-data/iam/security-credentials-extended/conda", get(move || async move { given }));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}/", listener.local_addr().unwrap()).parse().unwrap();
    tokio::spawn(async move { axum::serve(listener, metadata).await });
    let credentials = S3Credentials::InstanceMetadata { endpoint: Some(endpoint) };
    let storage = open(S3StorageConfig { credentials, ..server.config() }).await;
    storage.put(&key("a"), Body::from("x".to_owned())).await.unwrap();
}

#[test]
fn nothing_shows_a_secret() {
    let secret = || SecretString::from("hunter2");
    let credentials =
        S3Credentials::Static { access_key: secret(), secret_key: secret(), session_token: Some(secret()) };
    let config = S3StorageConfig::new(S3Endpoint::new("minio", true).unwrap(), "conda", credentials);
    assert!(!format!("{config:?}").contains("hunter2"));
}

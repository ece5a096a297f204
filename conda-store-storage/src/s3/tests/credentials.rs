//! Every source of credentials, each with a stand-in on this machine for what gives them.
//!
//! What a source finds in environment variables, a process of its own is given: those of a process that runs cannot be set
//! without danger.

use std::{path::Path, process::Output};

use axum::{
    Router,
    http::StatusCode,
    routing::{get, post, put},
};
use conda_store_core::ErrorKind;
use tokio::{net::TcpListener, process::Command};

use super::{refusals::refusal, *};
use crate::{S3Credentials, WebIdentity};

/// Names the source that the other process is to use, and where its service is.
const SOURCE: &str = "CONDA_STORE_TEST_SOURCE_OF_CREDENTIALS";
const SERVICE: &str = "CONDA_STORE_TEST_SERVICE_OF_SOURCE";

/// What the other process does: it puts a blob.
#[tokio::test]
async fn other_process() {
    let Some(source) = std::env::var_os(SOURCE) else { return };
    let credentials = match source.to_str().unwrap() {
        "environment" => S3Credentials::Environment,
        "web identity" => S3Credentials::WebIdentity(None),
        "role" => S3Credentials::InstanceMetadata { endpoint: None },
        "profile" => S3Credentials::Profile { name: None, file: None },
        source => panic!("{source}"),
    };
    let service = std::env::var_os(SERVICE).unwrap();
    let storage = open(S3StorageConfig { credentials, ..config_at(service.to_str().unwrap()) }).await;
    storage.put(&key("a"), Body::from("x".to_owned())).await.unwrap();
}

/// Has the other process put its blob by means of `source`, with nothing of AWS in its environment but `variables`.
async fn put_by(source: &str, variables: &[(&str, &str)]) -> (Server, Output) {
    let server = Server::start().await;
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "s3::tests::credentials::other_process"]);
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("AWS_")) {
        command.env_remove(name);
    }
    command.env(SOURCE, source).env(SERVICE, &server.address).envs(variables.iter().copied());
    let output = command.kill_on_drop(true).output().await.unwrap();
    (server, output)
}

/// Has the blob put, and holds that it arrived.
async fn puts_by(source: &str, variables: &[(&str, &str)]) {
    let (server, output) = put_by(source, variables).await;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    assert_eq!(server.objects().blobs["a"].bytes, "x");
}

/// A service on a port of this machine.
async fn serve(router: Router) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

fn write(directory: &Path, name: &str, content: &str) -> String {
    let path = directory.join(name);
    std::fs::write(&path, content).unwrap();
    path.to_str().unwrap().to_owned()
}

const PROFILES: &str = "[conda]\naws_access_key_id = access\naws_secret_access_key = secret\n";

#[tokio::test]
async fn the_environment_gives_them() {
    puts_by("environment", &[("AWS_ACCESS_KEY_ID", "access"), ("AWS_SECRET_ACCESS_KEY", "secret")]).await;
    let expired =
        [("AWS_ACCESS_KEY_ID", "access"), ("AWS_SECRET_ACCESS_KEY", "secret"), ("AWS_SESSION_TOKEN", "expired")];
    for (variables, said) in [(&expired[..], "the credentials have expired"), (&[], "there are no credentials")] {
        let (_server, output) = put_by("environment", variables).await;
        let output = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.contains(said), "{output}");
    }
}

#[tokio::test]
async fn a_profile_gives_them() {
    let server = Server::start().await;
    let directory = tempfile::tempdir().unwrap();
    let file = write(directory.path(), "credentials", PROFILES);
    let profile = |name: &str| S3Credentials::Profile { name: Some(name.into()), file: Some(file.clone().into()) };
    open(S3StorageConfig { credentials: profile("conda"), ..server.config() }).await;
    let error = refusal(S3StorageConfig { credentials: profile("other"), ..server.config() }).await;
    assert_eq!(error.kind(), ErrorKind::Forbidden, "{error:?}");
    assert!(error.to_string().starts_with("there are no credentials (bucket: conda"), "{error}");
    puts_by("profile", &[("AWS_PROFILE", "conda"), ("AWS_SHARED_CREDENTIALS_FILE", &file)]).await;
}

/// What a service of tokens answers (AWS STS, `AssumeRoleWithWebIdentity`) to the token and the role of the tests.
async fn exchange(form: String) -> (StatusCode, &'static str) {
    let expected = [
        "Action=AssumeRoleWithWebIdentity",
        "WebIdentityToken=token-of-the-account",
        "RoleArn=arn%3Aaws%3Aiam%3A%3A123456789012%3Arole%2Fconda",
    ];
    if !expected.iter().all(|part| form.split('&').any(|given| given == *part)) {
        return (StatusCode::BAD_REQUEST, "");
    }
    let answer = "<AssumeRoleWithWebIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">\
        <AssumeRoleWithWebIdentityResult><AssumedRoleUser><Arn>arn:aws:sts::123456789012:assumed-role/conda/x</Arn>\
        <AssumedRoleId>AROA:x</AssumedRoleId></AssumedRoleUser><Credentials><AccessKeyId>access</AccessKeyId>\
        <SecretAccessKey>secret</SecretAccessKey><SessionToken>session</SessionToken>\
        <Expiration>2034-05-01T00:00:00Z</Expiration></Credentials></AssumeRoleWithWebIdentityResult>\
        </AssumeRoleWithWebIdentityResponse>";
    (StatusCode::OK, answer)
}

#[tokio::test]
async fn a_token_is_exchanged_for_them() {
    let exchange = serve(Router::new().route("/", post(exchange))).await;
    let directory = tempfile::tempdir().unwrap();
    for (token, succeeds) in [("token-of-the-account", true), ("token-of-another", false)] {
        let file = write(directory.path(), "token", token);
        let variables = [
            ("AWS_ENDPOINT_URL_STS", exchange.as_str()),
            ("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/conda"),
            ("AWS_WEB_IDENTITY_TOKEN_FILE", &file),
        ];
        let (server, output) = put_by("web identity", &variables).await;
        assert_eq!(output.status.success(), succeeds, "{}", String::from_utf8_lossy(&output.stdout));
        assert_eq!(server.objects().blobs.contains_key("a"), succeeds);
    }
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

const OF_A_ROLE: &str = r#"{"Code": "Success", "Type": "AWS-HMAC", "AccessKeyId": "access", "SecretAccessKey": "secret",
    "Token": "session", "LastUpdated": "2024-05-01T00:00:00Z", "Expiration": "2034-05-01T00:00:00Z"}"#;

#[tokio::test]
async fn the_role_of_the_machine_gives_them() {
    let server = Server::start().await;
    let token = || async { ([("x-aws-ec2-metadata-token-ttl-seconds", "21600")], "token") };
    let metadata = Router::new()
        .route("/latest/api/token", put(token))
        .route("/latest/meta-data/iam/security-credentials/", get(|| async { "conda" }))
        .route("/latest/meta-data/iam/security-credentials-extended/", get(|| async { "conda" }))
        .route("/latest/meta-data/iam/security-credentials/conda", get(|| async { OF_A_ROLE }))
        .route("/latest/meta-data/iam/security-credentials-extended/conda", get(|| async { OF_A_ROLE }));
    let endpoint = Some(serve(metadata).await.parse().unwrap());
    let credentials = S3Credentials::InstanceMetadata { endpoint };
    let storage = open(S3StorageConfig { credentials, ..server.config() }).await;
    storage.put(&key("a"), Body::from("x".to_owned())).await.unwrap();
}

#[tokio::test]
async fn the_role_of_the_container_gives_them() {
    let agent = serve(Router::new().route("/conda", get(|| async { OF_A_ROLE }))).await;
    puts_by("role", &[("AWS_CONTAINER_CREDENTIALS_FULL_URI", &format!("{agent}/conda"))]).await;
}

//! What the sections of storages come to.

#![cfg(all(feature = "s3", feature = "opendal"))]

use std::fs;

use conda_store_storage::S3Credentials;
use secrecy::ExposeSecret;

use super::*;

fn load(text: &str) -> Configuration {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("conda-store.yaml");
    fs::write(&path, text).unwrap();
    Configuration::load(Some(&path), []).unwrap()
}

fn s3(options: &str) -> Configuration {
    load(&format!("CondaStore: {{storage_class: S3Storage}}\nS3Storage:\n  {options}"))
}

#[test]
fn every_option_of_s3_arrives() {
    let configuration =
        s3("{internal_endpoint: 'minio:9000', internal_secure: false, external_endpoint: s3.example.org, \
                            region: eu-central-1, bucket_name: artifacts, access_key: a, secret_key: b}");
    let config = super::s3::config(&configuration).unwrap();
    assert_eq!(config.internal_endpoint.to_string(), "http://minio:9000");
    assert_eq!(config.external_endpoint.to_string(), "https://s3.example.org");
    assert_eq!((config.region.as_str(), config.bucket_name.as_str()), ("eu-central-1", "artifacts"));
    let S3Credentials::Static { access_key, secret_key, session_token } = config.credentials else { panic!() };
    assert_eq!((access_key.expose_secret(), secret_key.expose_secret(), session_token.is_none()), ("a", "b", true));
}

#[test]
fn every_source_of_credentials_takes_its_arguments() {
    let credentials = |options: &str| super::s3::config(&s3(options)).unwrap().credentials;
    let given = credentials("{credentials_args: [a], credentials_kwargs: {secret_key: b, session_token: c}}");
    let S3Credentials::Static { access_key, session_token, .. } = given else { panic!() };
    assert_eq!((access_key.expose_secret(), session_token.unwrap().expose_secret()), ("a", "c"));
    assert!(matches!(credentials("{credentials: environment}"), S3Credentials::Environment));
    let given = credentials("{credentials: iam, credentials_kwargs: {custom_endpoint: 'http://169.254.169.254/'}}");
    assert!(matches!(given, S3Credentials::InstanceMetadata { endpoint: Some(_) }));
    assert!(matches!(credentials("{credentials: web_identity}"), S3Credentials::WebIdentity(None)));
    let given = credentials("{credentials: web_identity, credentials_args: [/token, 'arn:aws:iam::1:role/x']}");
    let S3Credentials::WebIdentity(Some(identity)) = given else { panic!() };
    assert_eq!((identity.role_arn.as_str(), identity.session_name.as_str()), ("arn:aws:iam::1:role/x", "conda-store"));
    let given = credentials("{credentials: profile, credentials_kwargs: {profile: conda}}");
    assert!(matches!(given, S3Credentials::Profile { name: Some(name), file: None } if name == "conda"));
}

#[test]
fn what_s3_cannot_do_with_is_said_with_its_place() {
    for (options, key, said) in [
        ("{}", "access_key", "is missing"),
        ("{access_key: a}", "secret_key", "is missing"),
        ("{internal_endpoint: 'http://minio:9000'}", "internal_endpoint", "HOST or HOST:PORT is taken"),
        ("{external_endpoint: minio/x}", "external_endpoint", "HOST or HOST:PORT is taken"),
        ("{credentials: environment, credentials_args: [hunter2]}", "credentials_args", "has 1 values"),
        (
            "{credentials_kwargs: {user: hunter2}}",
            "credentials_kwargs",
            "user is not known; this source of credentials takes",
        ),
        ("{credentials_kwargs: {access_key: 5}}", "credentials_kwargs", "access_key takes text"),
        (
            "{credentials_args: [hunter2], credentials_kwargs: {access_key: b}}",
            "credentials_kwargs",
            "is in credentials_args",
        ),
        ("{credentials: iam, credentials_args: [hunter2]}", "credentials_kwargs", "custom_endpoint takes a URL"),
        (
            "{credentials: web_identity, credentials_args: [hunter2]}",
            "credentials_kwargs",
            "takes token_file and role_arn",
        ),
    ] {
        let problem = problem(&s3(options)).unwrap().to_string();
        assert!(problem.contains(&format!("S3Storage.{key}: ")) && problem.contains(said), "{problem}");
        assert!(!problem.contains("hunter2"), "{problem}");
    }
}

#[test]
fn options_of_opendal_are_texts() {
    let opendal =
        |options: &str| load(&format!("CondaStore: {{storage_class: OpendalStorage}}\nOpendalStorage: {options}"));
    let config =
        super::opendal::config(&opendal("{scheme: gcs, options: {bucket: b, allow_anonymous: true}}")).unwrap();
    let expected =
        [("allow_anonymous", "true"), ("bucket", "b")].map(|(name, value)| (name.to_owned(), value.to_owned()));
    assert_eq!((config.scheme.as_str(), config.options), ("gcs", expected.into()));
    for (options, said) in
        [("{}", "OpendalStorage.scheme: is missing"), ("{scheme: fs, options: {root: [x]}}", "root is neither")]
    {
        let problem = problem(&opendal(options)).unwrap().to_string();
        assert!(problem.contains(said), "{problem}");
    }
}

#[tokio::test]
async fn the_class_decides_what_is_opened() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path().join("storage");
    let opendal = format!(
        "CondaStore: {{storage_class: OpendalStorage}}\nOpendalStorage: {{scheme: fs, options: {{root: {}}}}}",
        root.display()
    );
    let local = format!("LocalStorage: {{storage_path: {}}}", root.display());
    for (text, class) in [(opendal, "OpendalStorage"), (local, "LocalStorage")] {
        let data = DataDirectory::at(directory.path().to_owned());
        let storage = open(&load(&text), &data, Arc::new(conda_store_core::clock::SystemClock)).await.unwrap();
        assert!(format!("{storage:?}").starts_with(class), "{storage:?}");
    }
}

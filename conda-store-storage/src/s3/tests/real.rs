//! The conformance suite on a service that others wrote: `CONDA_STORE_TEST_S3_URL`, `http://ACCESS:SECRET@HOST:PORT`.

use aws_sdk_s3::Client;
use conda_store_core::{ErrorKind, storage::StorageExt, testing::service};
use url::Url;
use uuid::Uuid;

use super::{server::credentials, *};
use crate::s3::client::{self, Common};

/// A bucket of a test's own, which is removed with all that is in it.
pub(super) struct OwnBucket {
    client: Client,
    name: String,
    config: S3StorageConfig,
}

impl Drop for OwnBucket {
    fn drop(&mut self) {
        // The runtime of the test stands still here, and so do the connections of its client: another one has its own.
        self.client = client_of(&self.config);
        std::thread::scope(|scope| {
            scope.spawn(|| tokio::runtime::Runtime::new().unwrap().block_on(self.remove()));
        });
    }
}

impl OwnBucket {
    /// The keys of the uploads that are not complete.
    pub(super) async fn uploads(&self) -> Vec<String> {
        let listed = self.client.list_multipart_uploads().bucket(&self.name).send().await.unwrap();
        listed.uploads().iter().map(|upload| upload.key().unwrap().to_owned()).collect()
    }

    async fn remove(&self) {
        let listed = self.client.list_objects_v2().bucket(&self.name).send().await.unwrap();
        for object in listed.contents() {
            self.client.delete_object().bucket(&self.name).key(object.key().unwrap()).send().await.unwrap();
        }
        let uploads = self.client.list_multipart_uploads().bucket(&self.name).send().await.unwrap();
        for upload in uploads.uploads() {
            let abort = self.client.abort_multipart_upload().bucket(&self.name).key(upload.key().unwrap());
            abort.upload_id(upload.upload_id().unwrap()).send().await.unwrap();
        }
        self.client.delete_bucket().bucket(&self.name).send().await.unwrap();
    }
}

/// What leads to the bucket at `http://ACCESS:SECRET@HOST:PORT/BUCKET`.
pub(super) fn config_of(place: &Url) -> S3StorageConfig {
    let host = format!("{}:{}", place.host_str().unwrap(), place.port_or_known_default().unwrap());
    let endpoint = S3Endpoint::new(&host, place.scheme() == "https").unwrap();
    let credentials = credentials(place.username(), place.password().unwrap(), None);
    S3StorageConfig::new(endpoint, place.path().trim_matches('/'), credentials)
}

/// A new bucket, and where it is.
pub(super) async fn bucket() -> Option<(OwnBucket, Url)> {
    let service: Url = service("s3")?.parse().unwrap();
    let name = format!("conda-store-{}", Uuid::new_v4());
    let place = service.join(&name).unwrap();
    let config = config_of(&place);
    let client = client_of(&config);
    client.create_bucket().bucket(&name).send().await.unwrap();
    Some((OwnBucket { client, name, config }, place))
}

fn client_of(config: &S3StorageConfig) -> Client {
    let region = aws_sdk_s3::config::Region::new(config.region.clone());
    let credentials = config.credentials.provider(&region).unwrap();
    let common = Common { region, credentials, stall_limit: config.stall_limit };
    client::internal(&config.internal_endpoint, &common)
}

async fn empty() -> Option<(Arc<dyn Storage>, OwnBucket)> {
    let (bucket, place) = bucket().await?;
    Some((Arc::new(open(config_of(&place)).await), bucket))
}

conda_store_core::storage_suite!(empty);

#[tokio::test]
async fn a_link_answers_with_name_and_type() {
    let Some((storage, _bucket)) = empty().await else { return };
    storage.put(&key("logs/a b.log"), Body::from("line".to_owned())).await.unwrap();
    let link = storage.link(&key("logs/a b.log"), &options(Duration::from_mins(1))).await.unwrap();
    let Link::Redirect(url) = link else { panic!("no redirect") };
    let answer = reqwest::get(url).await.unwrap();
    assert_eq!(answer.headers()["content-type"], "text/plain; charset=utf-8");
    assert!(answer.headers()["content-disposition"].to_str().unwrap().contains("filename*=UTF-8''w%C3%BCb"));
    assert_eq!(answer.text().await.unwrap(), "line");
}

#[tokio::test]
async fn what_is_wrong_is_named() {
    let Some((_bucket, place)) = bucket().await else { return };
    let config = config_of(&place);
    let with = |access: &str, secret: &str| S3StorageConfig {
        credentials: credentials(access, secret, None),
        ..config.clone()
    };
    let missing = S3StorageConfig { bucket_name: format!("{}-not", config.bucket_name), ..config.clone() };
    let (access, secret) = (place.username(), place.password().unwrap());
    for (config, kind, said) in [
        (with("nobody", secret), ErrorKind::Forbidden, "the access key is not known there"),
        (with(access, "wrong"), ErrorKind::Forbidden, "the secret key does not belong to the access key"),
        (missing, ErrorKind::Unexpected, "the bucket does not exist"),
    ] {
        let error = S3Storage::open(config, Arc::new(SystemClock)).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{error:?}");
        assert!(error.to_string().starts_with(said), "{error}");
    }
}

#[tokio::test]
async fn a_large_blob_goes_up_in_parts_and_comes_down_whole() {
    let Some((_bucket, place)) = bucket().await else { return };
    let storage = open(config_of(&place)).await;
    let put = storage.put(&key("archive/large"), mebibytes(20)).await.unwrap();
    assert_eq!(storage.head(&key("archive/large")).await.unwrap(), Some(put));
    assert!(storage.read(&key("archive/large"), u64::MAX).await.unwrap() == expected(20));
}

//! The conformance suite on a service that others wrote: `CONDA_STORE_TEST_S3_URL`, `http://ACCESS:SECRET@HOST:PORT`.

use aws_sdk_s3::Client;
use conda_store_core::testing::service;
use url::Url;
use uuid::Uuid;

use super::{server::credentials, *};
use crate::s3::client::{self, Common};

/// A bucket of a test's own, which is removed with all that is in it.
struct OwnBucket {
    client: Client,
    name: String,
}

impl Drop for OwnBucket {
    fn drop(&mut self) {
        // The runtime of the test is about to end.
        std::thread::scope(|scope| {
            scope.spawn(|| tokio::runtime::Runtime::new().unwrap().block_on(self.remove()));
        });
    }
}

impl OwnBucket {
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

async fn empty() -> Option<(Arc<dyn Storage>, OwnBucket)> {
    let url: Url = service("s3")?.parse().unwrap();
    let place = format!("{}:{}", url.host_str().unwrap(), url.port_or_known_default().unwrap());
    let endpoint = S3Endpoint::new(&place, url.scheme() == "https").unwrap();
    let name = format!("conda-store-{}", Uuid::new_v4());
    let credentials = credentials(url.username(), url.password().unwrap(), None);
    let config = S3StorageConfig::new(endpoint.clone(), name.clone(), credentials);
    let region = aws_sdk_s3::config::Region::new(config.region.clone());
    let credentials = config.credentials.provider(&region).unwrap();
    let client = client::internal(&endpoint, &Common { region, credentials, stall_limit: config.stall_limit });
    client.create_bucket().bucket(&name).send().await.unwrap();
    let bucket = OwnBucket { client, name };
    Some((Arc::new(open(config).await), bucket))
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

//! A bucket to measure on.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result};
use axum::{Router, error_handling::HandleError, http::StatusCode};
use conda_store_core::clock::SystemClock;
use conda_store_storage::{S3Credentials, S3Endpoint, S3Storage, S3StorageConfig};
use s3s::{auth::SimpleAuth, service::S3ServiceBuilder};
use s3s_fs::FileSystem;
use url::Url;

const BUCKET: &str = "conda-store-bench";

/// A service with a bucket.
pub(crate) struct Service {
    pub(crate) endpoint: String,
    pub(crate) bucket: String,
    pub(crate) access_key: String,
    pub(crate) secret_key: String,
    /// All of it in one address, for [`open`].
    pub(crate) place: String,
}

impl Service {
    /// The service at `CONDA_STORE_TEST_S3_URL`, with a bucket `conda-store-bench` that exists, else one of our own that
    /// keeps objects in `directory`.
    pub(crate) async fn start(directory: &Path) -> Result<Self> {
        let url = match conda_store_core::testing::service("s3") {
            Some(url) => url,
            None => own(directory).await?,
        };
        let url: Url = url.parse()?;
        let endpoint = format!("{}://{}", url.scheme(), place(&url)?);
        Ok(Self {
            endpoint,
            bucket: BUCKET.into(),
            access_key: url.username().into(),
            secret_key: url.password().context("an address without a secret key")?.into(),
            place: url.join(BUCKET)?.into(),
        })
    }
}

fn place(url: &Url) -> Result<String> {
    let (host, port) = (url.host_str().context("no host")?, url.port_or_known_default().context("no port")?);
    Ok(format!("{host}:{port}"))
}

async fn own(directory: &Path) -> Result<String> {
    std::fs::create_dir_all(directory.join(BUCKET))?;
    let files = FileSystem::new(directory).map_err(|error| anyhow::anyhow!("{error:?}"))?;
    let mut service = S3ServiceBuilder::new(files);
    service.set_auth(SimpleAuth::from_single("access", "secret"));
    let broken = async |error: s3s::HttpError| (StatusCode::INTERNAL_SERVER_ERROR, format!("{error:?}"));
    let router = Router::new().fallback_service(HandleError::new(service.build(), broken));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move { axum::serve(listener, router).await });
    Ok(format!("http://access:secret@{address}"))
}

/// The storage in the bucket at `place`.
pub(crate) async fn open(address: &str) -> Result<S3Storage> {
    let url: Url = address.parse()?;
    let credentials = S3Credentials::Static {
        access_key: url.username().into(),
        secret_key: url.password().context("an address without a secret key")?.into(),
        session_token: None,
    };
    let endpoint = S3Endpoint::new(&place(&url)?, url.scheme() == "https")?;
    let config = S3StorageConfig::new(endpoint, url.path().trim_matches('/'), credentials);
    Ok(S3Storage::open(config, Arc::new(SystemClock)).await?)
}

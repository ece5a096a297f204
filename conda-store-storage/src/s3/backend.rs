//! The implementation of [`Storage`].

use std::{
    fmt,
    ops::Range,
    sync::Arc,
    time::{Duration, SystemTime},
};

use async_trait::async_trait;
use aws_sdk_s3::{
    Client,
    config::Region,
    presigning::PresigningConfig,
    primitives::{ByteStream as Payload, DateTime},
    types::Object,
};
use chrono::Utc;
use conda_store_core::{
    Error, ErrorKind, Result,
    clock::{Clock, Timestamp},
    storage::{Blob, BlobInfo, Body, Link, LinkOptions, Storage, StorageCapabilities, StorageKey, clip},
};
use futures::{
    StreamExt, TryStreamExt,
    stream::{self, BoxStream},
};
use tracing::warn;

use super::{
    S3StorageConfig,
    client::{self, Common},
    download,
    error::failed,
    leftovers,
    upload::Target,
};
use crate::leftovers::Sweeps;

/// The longest that a signature can be valid (Signature Version 4).
const LONGEST_LINK: Duration = Duration::from_hours(7 * 24);

/// Keeps each blob as an object of one bucket, under its key.
///
/// Large blobs go up in parts, of which nobody sees anything before the last one is there; what a killed process leaves of
/// them is removed after a day. Requests that fail for a reason which may pass are sent again, with growing waits; a download
/// that breaks off goes on where it broke off. The service checks what it gets against checksums, and so do we.
#[derive(Clone)]
pub struct S3Storage {
    client: Client,
    links: Client,
    bucket: String,
    swept_prefixes: Arc<[String]>,
    clock: Arc<dyn Clock>,
    sweeps: Sweeps,
}

impl S3Storage {
    /// Opens the bucket and removes stale uploads.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] for a bucket name that is none; [`ErrorKind::Forbidden`] for credentials that do not open it,
    /// [`ErrorKind::Unavailable`] for a service that is not there, [`ErrorKind::Unexpected`] for a bucket that is not: each
    /// names bucket and endpoint.
    pub async fn open(config: S3StorageConfig, clock: Arc<dyn Clock>) -> Result<Self> {
        let (endpoint, bucket) = (config.internal_endpoint.clone(), config.bucket_name.clone());
        let storage = Self::connect(config, clock)?;
        let tried = storage.try_out().await;
        tried.map_err(|error| error.with("bucket", bucket).with("endpoint", endpoint))?;
        storage.sweep_when_due().await;
        Ok(storage)
    }

    /// A storage that nobody has tried yet.
    pub(super) fn connect(config: S3StorageConfig, clock: Arc<dyn Clock>) -> Result<Self> {
        check_name(&config.bucket_name)?;
        let region = Region::new(config.region);
        let common =
            Common { credentials: config.credentials.provider(&region)?, region, stall_limit: config.stall_limit };
        Ok(Self {
            client: client::internal(&config.internal_endpoint, &common),
            links: client::external(&config.external_endpoint, &common),
            bucket: config.bucket_name,
            swept_prefixes: config.swept_prefixes.into(),
            clock,
            sweeps: Sweeps::default(),
        })
    }

    /// Lists a little: unlike a HEAD of the bucket its answer says what is wrong.
    async fn try_out(&self) -> Result<()> {
        let request = self.client.list_objects_v2().bucket(&self.bucket).max_keys(1);
        request.send().await.map(|_| ()).map_err(|error| failed("open storage", error))
    }

    /// Removes stale uploads, if nobody did within the last hour. Failing at it fails nothing else.
    async fn sweep_when_due(&self) {
        let now = self.clock.now();
        if !self.sweeps.begin(now) {
            return;
        }
        for prefix in &*self.swept_prefixes {
            if let Err(error) = leftovers::sweep(&self.client, &self.bucket, prefix, now).await {
                warn!(error = error.report(), storage.bucket = self.bucket, "could not remove stale uploads");
                return;
            }
        }
    }

    /// What is known about the blob, which must be there.
    async fn found(&self, key: &StorageKey) -> Result<BlobInfo> {
        let missing = || Error::not_found("read blob", "there is no such blob").with("key", key);
        self.head(key).await?.ok_or_else(missing)
    }

    /// The blob without bytes, for a range that no request can ask for.
    async fn get_nothing(&self, key: &StorageKey, range: Range<u64>) -> Result<Blob> {
        let info = self.found(key).await?;
        let range = clip(Some(range), info.size).map_err(|error| error.with("key", key))?;
        Ok(Blob { info, range: range.start..range.start, stream: stream::empty().boxed() })
    }
}

impl fmt::Debug for S3Storage {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("S3Storage").field("bucket", &self.bucket).finish_non_exhaustive()
    }
}

/// The characters that any service takes in the name of a bucket.
fn check_name(bucket: &str) -> Result<()> {
    let allowed = |character: char| character.is_ascii_alphanumeric() || matches!(character, '-' | '.' | '_');
    if (3..=63).contains(&bucket.len()) && bucket.chars().all(allowed) {
        return Ok(());
    }
    let message = format!("{bucket:?} is no name of a bucket; letters, digits, - and . are taken, 3 to 63 of them");
    Err(Error::invalid("open storage", message))
}

/// A time that the service gave, in whole seconds: it gives no more everywhere.
pub(super) fn timestamp(moment: DateTime) -> Result<Timestamp> {
    let read = chrono::DateTime::<Utc>::from_timestamp(moment.secs(), 0);
    read.map(Timestamp::from).ok_or_else(|| Error::unexpected("read blob", "the service gave a time out of range"))
}

/// A tag that the service gave, without its quotes.
pub(super) fn etag(operation: &'static str, tag: Option<&str>) -> Result<String> {
    let missing = || Error::unexpected(operation, "the service gave no tag of the blob");
    tag.map(|tag| tag.trim_matches('"').to_owned()).filter(|tag| !tag.is_empty()).ok_or_else(missing)
}

/// What an answer says about a blob.
fn info(key: StorageKey, size: Option<i64>, modified: Option<&DateTime>, tag: Option<&str>) -> Result<BlobInfo> {
    let missing = |what: &str| Error::unexpected("read blob", format!("the service gave no {what} of the blob"));
    Ok(BlobInfo {
        size: size.and_then(|size| u64::try_from(size).ok()).ok_or_else(|| missing("size"))?,
        modified: timestamp(*modified.ok_or_else(|| missing("time"))?)?,
        etag: etag("read blob", tag)?,
        key,
    })
}

/// The blob that a line of a listing stands for, where its name is one of ours.
fn listed(object: &Object) -> Option<Result<BlobInfo>> {
    let key = object.key()?.parse().ok()?;
    Some(info(key, object.size(), object.last_modified(), object.e_tag()))
}

#[async_trait]
impl Storage for S3Storage {
    fn capabilities(&self) -> StorageCapabilities {
        StorageCapabilities { redirect: true }
    }

    async fn put(&self, key: &StorageKey, body: Body) -> Result<BlobInfo> {
        self.sweep_when_due().await;
        let target = Target { client: self.client.clone(), bucket: self.bucket.clone(), key: key.to_string() };
        let uploaded = target.upload(body).await.map_err(|error| error.with("key", key))?;
        // The answer to a put has no time.
        let modified = self.head(key).await?.map_or_else(|| self.clock.now(), |info| info.modified);
        Ok(BlobInfo { key: key.clone(), size: uploaded.size, modified, etag: uploaded.etag })
    }

    async fn get(&self, key: &StorageKey, range: Option<Range<u64>>) -> Result<Blob> {
        if let Some(range) = range.clone().filter(|range| !download::can_be_asked(range)) {
            return self.get_nothing(key, range).await;
        }
        let request = self.client.get_object().bucket(&self.bucket).key(key.as_str());
        let answer = request.set_range(range.as_ref().map(download::header)).send().await;
        let mut answer = match (answer, range) {
            (Ok(answer), _) => answer,
            (Err(error), Some(range)) if error.raw_response().is_some_and(|raw| raw.status().as_u16() == 416) => {
                return self.get_nothing(key, range).await;
            }
            (Err(error), _) => return Err(failed("read blob", error).with("key", key)),
        };
        let (range, size) = download::extent(&answer)?;
        let mut info = info(key.clone(), answer.content_length(), answer.last_modified(), answer.e_tag())?;
        info.size = size;
        let body = std::mem::replace(&mut answer.body, Payload::from_static(b""));
        let stream = download::stream(self.client.clone(), self.bucket.clone(), &info, range.clone(), body);
        Ok(Blob { info, range, stream })
    }

    async fn head(&self, key: &StorageKey) -> Result<Option<BlobInfo>> {
        let request = self.client.head_object().bucket(&self.bucket).key(key.as_str());
        match request.send().await {
            Ok(answer) => info(key.clone(), answer.content_length(), answer.last_modified(), answer.e_tag()).map(Some),
            Err(error) => match failed("look at blob", error) {
                error if error.kind() == ErrorKind::NotFound => Ok(None),
                // An answer to HEAD has no body that says why; that to another request has.
                error => Err(self.try_out().await.err().unwrap_or(error).with("key", key)),
            },
        }
    }

    async fn link(&self, key: &StorageKey, options: &LinkOptions) -> Result<Link> {
        self.found(key).await?;
        let failure = |message| Error::unexpected("sign link", message).with("key", key);
        let signed_at = SystemTime::from(self.clock.now().naive().and_utc());
        let validity =
            PresigningConfig::builder().start_time(signed_at).expires_in(options.expires_in.min(LONGEST_LINK));
        let validity = validity.build().map_err(|error| failure("the link has no valid time").with_source(error))?;
        let request = self.links.get_object().bucket(&self.bucket).key(key.as_str());
        let request = request.set_response_content_type(options.content_type.clone());
        let request = request.set_response_content_disposition(options.content_disposition());
        let signed = request.presigned(validity).await.map_err(|error| failed("sign link", error).with("key", key))?;
        let url = signed.uri().parse();
        url.map(Link::Redirect).map_err(|error| failure("the link is no URL").with_source(error))
    }

    async fn delete(&self, key: &StorageKey) -> Result<()> {
        let request = self.client.delete_object().bucket(&self.bucket).key(key.as_str());
        match request.send().await.map_err(|error| failed("delete blob", error)) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error.with("key", key)),
            _ => Ok(()),
        }
    }

    fn list(&self, prefix: &str) -> BoxStream<'_, Result<BlobInfo>> {
        let pages = self.client.list_objects_v2().bucket(&self.bucket).prefix(prefix).into_paginator().send();
        stream::try_unfold(pages, |mut pages| async move {
            let Some(page) = pages.next().await else { return Ok(None) };
            let page = page.map_err(|error| failed("list blobs", error))?;
            let blobs: Vec<_> = page.contents().iter().filter_map(listed).collect();
            Ok(Some((stream::iter(blobs), pages)))
        })
        .try_flatten()
        .boxed()
    }
}

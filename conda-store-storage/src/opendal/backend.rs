//! The implementation of [`Storage`].

use std::{
    fmt,
    ops::Range,
    sync::Arc,
    time::{Duration, SystemTime},
};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use conda_store_core::{
    Error, ErrorKind, Result,
    clock::{Clock, Timestamp},
    storage::{Blob, BlobInfo, Body, ByteStream, Link, LinkOptions, Storage, StorageCapabilities, StorageKey, clip},
};
use futures::{
    StreamExt, TryStreamExt,
    stream::{self, BoxStream},
};
use opendal::{
    Entry, Metadata, Operator, Writer,
    layers::{RetryLayer, TimeoutLayer},
};
use sha2::{Digest, Sha256};
use tracing::{debug, info, warn};
use url::Url;

use super::{
    OpendalStorageConfig,
    error::{failed, is_missing},
    names,
};
use crate::leftovers::{STALE, Sweeps, UPLOADS, reserved};

/// What is done when a storage is opened, for errors.
const OPEN: &str = "open storage";

/// Bytes of a part of an upload.
const PART: usize = 8 << 20;

/// Parts that are on their way at the same time.
const IN_FLIGHT: usize = 4;

/// How often an operation is tried again that fails for a reason which may pass, and the first and longest wait before it.
const RETRIES: usize = 5;
const FIRST_WAIT: Duration = Duration::from_millis(100);
const LONGEST_WAIT: Duration = Duration::from_secs(10);

/// Services whose links carry the token that opens all blobs, for as long as it lives, to whoever gets one.
const TOKENS_FOR_LINKS: [&str; 3] = ["azblob", "azdls", "azfile"];

/// The time that a file system's clock may stand still between two ticks.
const TICK: Duration = Duration::from_millis(10);

/// Keeps each blob in a service that opendal speaks to, under its key.
///
/// What the service can do decides what this can: links redirect where it signs them, and readers go through this server
/// where it does not. Of the service `fs` uploads are written to `.conda-store-uploads` below its root first, unless
/// `atomic_write_dir` says where; what a killed process leaves there is removed after a day. What it leaves at other services
/// is theirs to remove, by a rule for unfinished uploads.
#[derive(Clone)]
pub struct OpendalStorage {
    operator: Operator,
    clock: Arc<dyn Clock>,
    /// What counts as the time of blobs for which the service keeps none.
    opened: Timestamp,
    /// Whether there are unfinished uploads that we have to look after.
    has_uploads: bool,
    sweeps: Sweeps,
}

impl OpendalStorage {
    /// Opens the service and tries it.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] for a service that was not compiled in, with those that were;
    /// [`ErrorKind::Invalid`] for wrong options, [`ErrorKind::Forbidden`] for wrong credentials,
    /// [`ErrorKind::Unavailable`] for a service that is not there.
    pub async fn open(config: OpendalStorageConfig, clock: Arc<dyn Clock>) -> Result<Self> {
        let storage = Self::connect(config, clock)?;
        let wrong = |error| failed(OPEN, error).with("scheme", storage.operator.info().scheme());
        storage.operator.check().await.map_err(wrong)?;
        storage.sweep_when_due().await;
        Ok(storage)
    }

    /// A storage that nobody has tried yet.
    pub(super) fn connect(config: OpendalStorageConfig, clock: Arc<dyn Clock>) -> Result<Self> {
        let OpendalStorageConfig { scheme, mut options } = config;
        opendal::install_default();
        let known = opendal::OperatorRegistry::get().schemes();
        if !known.contains(&scheme.to_ascii_lowercase()) {
            let mut known: Vec<_> = known.into_iter().collect();
            known.sort();
            let message =
                format!("{scheme:?} is no service that this program was built with; those are {}", known.join(", "));
            return Err(Error::new(ErrorKind::Unsupported, OPEN, message));
        }
        let has_uploads = scheme == "fs" && !options.contains_key("atomic_write_dir");
        if let Some(root) = options.get("root").filter(|_| has_uploads) {
            let uploads = format!("{root}/{UPLOADS}");
            options.insert("atomic_write_dir".into(), uploads);
        }
        let wrong = |error| failed(OPEN, error).with("scheme", &scheme);
        let retries = RetryLayer::new().with_max_times(RETRIES).with_min_delay(FIRST_WAIT).with_max_delay(LONGEST_WAIT);
        let operator = Operator::via_iter(&scheme, options).map_err(wrong)?;
        let operator = operator.layer(TimeoutLayer::new()).layer(retries.with_jitter());
        Ok(Self { operator, opened: clock.now(), clock, has_uploads, sweeps: Sweeps::default() })
    }

    /// Whether the service signs links, each for one blob and some time.
    fn can_sign(&self) -> bool {
        let info = self.operator.info();
        info.capability().presign_read && !TOKENS_FOR_LINKS.contains(&info.scheme())
    }

    /// A link to the blob at `path`, which the service is not asked about; none where it signs none, or none that can be
    /// trusted.
    pub(super) async fn sign(&self, path: &str, options: &LinkOptions) -> Result<Option<Url>> {
        if !self.can_sign() || !names::is_plain(path) {
            return Ok(None);
        }
        let can = self.operator.info().capability();
        let mut request = self.operator.presign_read_with(path, options.expires_in);
        if let Some(disposition) = options.content_disposition().filter(|_| can.read_with_override_content_disposition)
        {
            request = request.override_content_disposition(&disposition);
        }
        if let Some(content_type) = options.content_type.as_deref().filter(|_| can.read_with_override_content_type) {
            request = request.override_content_type(content_type);
        }
        match request.await {
            Ok(signed) => {
                let wrong = |error| Error::unexpected("sign link", "the link is no URL").with_source(error);
                signed.uri().to_string().parse().map(Some).map_err(wrong)
            }
            // Some services sign with some kinds of credentials only.
            Err(error) => {
                debug!(blob.path = path, error = %error, "the service signs no link, the blob goes through this server");
                Ok(None)
            }
        }
    }

    /// Whether `path` is that of an unfinished upload.
    fn is_upload(&self, path: &str) -> bool {
        self.has_uploads && path.split('/').next() == Some(UPLOADS)
    }

    /// Removes stale uploads, if nobody did within the last hour. Failing at it fails nothing else.
    async fn sweep_when_due(&self) {
        if !self.has_uploads || !self.sweeps.begin(self.clock.now()) {
            return;
        }
        if let Err(error) = self.sweep().await {
            warn!(error = %error, "could not remove stale uploads");
        }
    }

    async fn sweep(&self) -> opendal::Result<()> {
        let mut uploads = self.operator.lister(&format!("{UPLOADS}/")).await?;
        while let Some(entry) = uploads.try_next().await? {
            let old = time(entry.metadata()).is_some_and(|modified| self.clock.now().since(modified) >= STALE);
            if entry.metadata().is_file() && old {
                self.operator.delete(entry.path()).await?;
                info!(upload.path = entry.path(), "removed a stale upload");
            }
        }
        Ok(())
    }

    async fn stat(&self, path: &str) -> Result<Option<Metadata>> {
        if self.is_upload(path) {
            return Ok(None);
        }
        match self.operator.stat(path).await {
            Ok(metadata) => Ok(metadata.is_file().then_some(metadata)),
            Err(error) if is_missing(&error) => Ok(None),
            Err(error) => Err(failed("look at blob", error)),
        }
    }

    /// What is known about a blob, of which the service says `metadata`.
    async fn info(&self, key: StorageKey, metadata: &Metadata) -> Result<BlobInfo> {
        let (size, modified) = (metadata.content_length(), time(metadata));
        let etag = match (metadata.etag(), modified) {
            (Some(tag), _) => tag.trim_start_matches("W/").trim_matches('"').to_owned(),
            (None, Some(_)) => format!("{:x}-{size:x}", nanoseconds(metadata)),
            (None, None) => self.digest(&key).await?,
        };
        Ok(BlobInfo { key, size, modified: modified.unwrap_or(self.opened), etag })
    }

    /// The SHA-256 of a blob, for services that keep nothing from which to tell two contents apart.
    async fn digest(&self, key: &StorageKey) -> Result<String> {
        let failed = |error| failed("read blob", error).with("key", key);
        let content = self.operator.read(&names::path(key.as_str())).await.map_err(failed)?;
        let digest = Iterator::fold(content, Sha256::new(), Digest::chain_update);
        Ok(hex::encode(digest.finalize()))
    }

    /// What a line of a listing says; services that say little there are asked again.
    async fn listed(&self, entry: Entry) -> Result<Option<BlobInfo>> {
        let (path, metadata) = entry.into_parts();
        let Some(key) = names::key(&path).filter(|_| metadata.is_file() && !self.is_upload(&path)) else {
            return Ok(None);
        };
        if metadata.etag().is_some() && metadata.last_modified().is_some() {
            return self.info(key, &metadata).await.map(Some);
        }
        match self.stat(&path).await? {
            Some(metadata) => self.info(key, &metadata).await.map(Some),
            None => Ok(None),
        }
    }

    /// The bytes `range` of a blob. The first of them are there already, so that a put that follows changes nothing of it.
    async fn read(
        &self,
        path: &str,
        info: &BlobInfo,
        metadata: &Metadata,
        range: Range<u64>,
    ) -> opendal::Result<ByteStream> {
        let reader = self.operator.reader_with(path);
        // Where the service looks at tags, a read that is taken up again cannot go on in another blob.
        let checks = self.operator.info().capability().read_with_if_match;
        let reader = match metadata.etag().filter(|_| checks) {
            Some(tag) => reader.if_match(tag).await?,
            None => reader.await?,
        };
        let mut parts = reader.into_stream(range).await?;
        let first = parts.try_next().await?;
        let key = info.key.clone();
        let parts = stream::iter(first.map(Ok)).chain(parts);
        let parts = parts.map_err(move |error| failed("read blob", error).with("key", &key));
        Ok(parts.map_ok(|part| stream::iter(Iterator::map(part, Ok))).try_flatten().boxed())
    }
}

impl fmt::Debug for OpendalStorage {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let info = self.operator.info();
        formatter.debug_struct("OpendalStorage").field("scheme", &info.scheme()).finish_non_exhaustive()
    }
}

/// When a blob was last written, where the service keeps that.
fn time(metadata: &Metadata) -> Option<Timestamp> {
    metadata.last_modified().map(|moment| DateTime::<Utc>::from(SystemTime::from(moment)).into())
}

/// The same, as exact as the service keeps it.
fn nanoseconds(metadata: &Metadata) -> u128 {
    let since = metadata.last_modified().map(|moment| SystemTime::from(moment).duration_since(SystemTime::UNIX_EPOCH));
    since.and_then(Result::ok).unwrap_or_default().as_nanos()
}

fn missing(key: &StorageKey) -> Error {
    Error::not_found("read blob", "there is no such blob").with("key", key)
}

/// A writer that takes back what it wrote where it is dropped before its end.
struct Upload(Option<Writer>);

impl Upload {
    /// Writes all of `parts` and makes them a blob.
    async fn write(mut self, mut parts: ByteStream) -> Result<()> {
        let Some(writer) = self.0.as_mut() else { return Ok(()) };
        while let Some(part) = parts.try_next().await? {
            writer.write(part).await.map_err(|error| failed("write blob", error))?;
        }
        writer.close().await.map_err(|error| failed("write blob", error))?;
        self.0 = None;
        Ok(())
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        let (Some(mut writer), Ok(runtime)) = (self.0.take(), tokio::runtime::Handle::try_current()) else { return };
        runtime.spawn(async move {
            if let Err(error) = writer.abort().await {
                warn!(error = %error, "could not remove an unfinished upload");
            }
        });
    }
}

#[async_trait]
impl Storage for OpendalStorage {
    fn capabilities(&self) -> StorageCapabilities {
        StorageCapabilities { redirect: self.can_sign() }
    }

    async fn put(&self, key: &StorageKey, body: Body) -> Result<BlobInfo> {
        let path = names::path(key.as_str());
        if self.is_upload(&path) {
            return Err(reserved(key));
        }
        self.sweep_when_due().await;
        let parts = body.into_stream().await.map_err(|error| error.with("key", key))?;
        let writer = self.operator.writer_with(&path).chunk(PART).concurrent(IN_FLIGHT).await;
        let upload = Upload(Some(writer.map_err(|error| failed("write blob", error).with("key", key))?));
        upload.write(parts).await.map_err(|error| error.with("key", key))?;
        let metadata = self.stat(&path).await?.ok_or_else(|| missing(key))?;
        if metadata.etag().is_none() {
            // The time of the blob is its tag: the next one that is put shall have another.
            tokio::time::sleep(TICK).await;
        }
        self.info(key.clone(), &metadata).await
    }

    async fn get(&self, key: &StorageKey, range: Option<Range<u64>>) -> Result<Blob> {
        let path = names::path(key.as_str());
        let metadata = self.stat(&path).await?.ok_or_else(|| missing(key))?;
        let info = self.info(key.clone(), &metadata).await?;
        let range = clip(range, info.size).map_err(|error| error.with("key", key))?;
        let stream = if range.is_empty() {
            stream::empty().boxed()
        } else {
            let read = self.read(&path, &info, &metadata, range.clone()).await;
            read.map_err(
                |error| if is_missing(&error) { missing(key) } else { failed("read blob", error).with("key", key) },
            )?
        };
        Ok(Blob { info, range, stream })
    }

    async fn head(&self, key: &StorageKey) -> Result<Option<BlobInfo>> {
        match self.stat(&names::path(key.as_str())).await? {
            Some(metadata) => self.info(key.clone(), &metadata).await.map(Some),
            None => Ok(None),
        }
    }

    async fn link(&self, key: &StorageKey, options: &LinkOptions) -> Result<Link> {
        let path = names::path(key.as_str());
        self.stat(&path).await?.ok_or_else(|| missing(key))?;
        Ok(self.sign(&path, options).await?.map_or(Link::Stream, Link::Redirect))
    }

    async fn delete(&self, key: &StorageKey) -> Result<()> {
        let path = names::path(key.as_str());
        // A directory of this name stays.
        if self.stat(&path).await?.is_none() {
            return Ok(());
        }
        self.operator.delete(&path).await.map_err(|error| failed("delete blob", error).with("key", key))
    }

    fn list(&self, prefix: &str) -> BoxStream<'_, Result<BlobInfo>> {
        let directory = prefix.rsplit_once('/').map(|(directory, _)| directory);
        if directory.is_some_and(|directory| directory.parse::<StorageKey>().is_err()) {
            return stream::empty().boxed();
        }
        let (prefix, directory) = (prefix.to_owned(), directory.map_or("/".to_owned(), |path| names::path(path) + "/"));
        let entries = async move {
            let entries = self.operator.lister_with(&directory).recursive(true).await;
            entries
                .map(|entries| entries.map_err(|error| failed("list blobs", error)))
                .map_err(|error| failed("list blobs", error))
        };
        let blobs = stream::once(entries).try_flatten().try_filter_map(|entry| self.listed(entry));
        blobs.try_filter(move |blob| std::future::ready(blob.key.as_str().starts_with(&prefix))).boxed()
    }
}

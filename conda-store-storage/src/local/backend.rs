//! The implementation of [`Storage`].

use std::{
    fmt,
    io::{Read, SeekFrom},
    ops::Range,
    path::{Path, PathBuf},
    sync::Arc,
};

use async_trait::async_trait;
use cap_std::fs::Dir;
use conda_store_core::{
    Error, ErrorKind, Result,
    clock::Clock,
    storage::{Blob, BlobInfo, Body, ByteStream, Link, LinkOptions, Storage, StorageCapabilities, StorageKey, clip},
};
use futures::{
    StreamExt, TryStreamExt,
    stream::{self, BoxStream},
};
use tokio::{
    fs::File,
    io::{AsyncReadExt, AsyncSeekExt, AsyncWriteExt},
};
use tokio_util::io::ReaderStream;
use tracing::warn;
use url::Url;

use super::{
    LocalStorageConfig, directory,
    upload::{Upload, sweep},
    writeback::Writeback,
};
use crate::leftovers::{Sweeps, UPLOADS, reserved};

/// Bytes read from a file at a time.
const CHUNK: usize = 128 << 10;

/// Bytes copied from a file to another in one step.
const COPIED_AT_ONCE: u64 = 64 << 20;

/// Keeps each blob in a file below one directory, under its key.
///
/// A put writes a temporary file, and renames it once it is whole and on the disk, so that it survives a loss of power.
/// Nothing outside the directory is read or written, also not through symbolic links below it, which count as absent.
/// Keys below `.conda-store-uploads/` are refused, since unfinished uploads lie there; what a killed process leaves there
/// is removed after a day.
#[derive(Clone)]
pub struct LocalStorage {
    path: PathBuf,
    root: Arc<Dir>,
    storage_url: Option<Url>,
    clock: Arc<dyn Clock>,
    sweeps: Sweeps,
}

impl LocalStorage {
    /// Opens the directory, makes it where it is missing, and removes stale uploads.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] for a `storage_url` that is no base address; otherwise what the file system says.
    pub async fn open(config: LocalStorageConfig, clock: Arc<dyn Clock>) -> Result<Self> {
        let LocalStorageConfig { storage_path: path, storage_url } = config;
        if let Some(url) = storage_url.as_ref().filter(|url| url.cannot_be_a_base()) {
            let message = format!("storage_url {url} is no base address such as https://files.example.org/");
            return Err(Error::invalid("open storage", message));
        }
        let root = {
            let path = path.clone();
            let located = path.display().to_string();
            let open = move || directory::open_root(&path).map_err(|error| Error::io("open storage", error));
            blocking(open).await.map_err(|error| error.with("storage_path", located))?
        };
        let storage = Self { path, root: Arc::new(root), storage_url, clock, sweeps: Sweeps::default() };
        storage.sweep_when_due().await;
        Ok(storage)
    }

    /// Runs `work` with the directory where blocking does no harm.
    async fn run<T, W>(&self, operation: &'static str, work: W) -> Result<T>
    where
        T: Send + 'static,
        W: FnOnce(&Dir) -> std::io::Result<T> + Send + 'static,
    {
        let root = Arc::clone(&self.root);
        blocking(move || work(&root).map_err(|error| Error::io(operation, error))).await
    }

    /// Removes stale uploads, if nobody did within the last hour. Failing at it fails nothing else.
    async fn sweep_when_due(&self) {
        let now = self.clock.now();
        if !self.sweeps.begin(now) {
            return;
        }
        if let Err(error) = self.run("remove stale uploads", move |root| sweep(root, now)).await {
            warn!(error = error.report(), storage.path = %self.path.display(), "could not remove stale uploads");
        }
    }
}

impl fmt::Debug for LocalStorage {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("LocalStorage").field("path", &self.path).finish_non_exhaustive()
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    let joined = tokio::task::spawn_blocking(work).await;
    joined.map_err(|error| Error::unexpected("use storage", "file access was aborted").with_source(error))?
}

fn missing(key: &StorageKey) -> Error {
    Error::new(ErrorKind::NotFound, "read blob", "there is no such blob").with("key", key)
}

/// Writes all of `body` to `file`, and the file to the disk.
async fn write(file: &mut File, body: Body) -> Result<()> {
    let failed = |error| Error::io("write blob", error);
    match body {
        Body::Bytes(bytes) => file.write_all(&bytes).await.map_err(failed)?,
        Body::File(path) => copy(&path, file).await?,
        Body::Stream(mut parts) => {
            let mut writeback = Writeback::default();
            while let Some(part) = parts.try_next().await? {
                file.write_all(&part).await.map_err(failed)?;
                writeback.wrote(file, part.len()).await.map_err(failed)?;
            }
            writeback.end().await.map_err(failed)?;
        }
    }
    file.flush().await.map_err(failed)?;
    file.sync_all().await.map_err(failed)
}

/// Copies a file, by the kernel alone where the file system can; in steps, so that an upload that is given up ends soon.
async fn copy(path: &Path, target: &File) -> Result<()> {
    let unreadable = |error| Error::io("read upload", error).with("path", path.display());
    let source = File::open(path).await.map_err(unreadable)?.into_std().await;
    let target = target.try_clone().await.map_err(|error| Error::io("write blob", error))?.into_std().await;
    let files = Arc::new((source, target));
    loop {
        let files = Arc::clone(&files);
        let step = move || {
            let (source, mut target) = (&files.0, &files.1);
            std::io::copy(&mut source.take(COPIED_AT_ONCE), &mut target).map_err(|error| Error::io("write blob", error))
        };
        if blocking(step).await? < COPIED_AT_ONCE {
            return Ok(());
        }
    }
}

async fn read(mut file: File, range: Range<u64>) -> Result<ByteStream> {
    let failed = |error| Error::io("read blob", error);
    file.seek(SeekFrom::Start(range.start)).await.map_err(failed)?;
    let part = file.take(range.end - range.start);
    Ok(ReaderStream::with_capacity(part, CHUNK).map_err(failed).boxed())
}

#[async_trait]
impl Storage for LocalStorage {
    fn capabilities(&self) -> StorageCapabilities {
        StorageCapabilities { redirect: self.storage_url.is_some() }
    }

    async fn put(&self, key: &StorageKey, body: Body) -> Result<BlobInfo> {
        if directory::place(key).is_none() {
            return Err(reserved(key));
        }
        self.sweep_when_due().await;
        let (upload, file) = self.run("begin upload", Upload::begin).await?;
        let mut file = File::from_std(file.into_std());
        write(&mut file, body).await.map_err(|error| error.with("key", key))?;
        let file = cap_std::fs::File::from_std(file.into_std().await);
        let (root, key) = (Arc::clone(&self.root), key.clone());
        blocking(move || {
            let metadata = file.metadata().map_err(|error| Error::io("write blob", error))?;
            let info = directory::info(key.clone(), &metadata).map_err(|error| Error::io("write blob", error))?;
            upload.publish(&root, &key).map(|()| info)
        })
        .await
    }

    async fn get(&self, key: &StorageKey, range: Option<Range<u64>>) -> Result<Blob> {
        let wanted = key.clone();
        let opened = self.run("read blob", move |root| directory::open(root, &wanted)).await?;
        let (info, file) = opened.ok_or_else(|| missing(key))?;
        let range = clip(range, info.size).map_err(|error| error.with("key", key))?;
        let stream = read(File::from_std(file.into_std()), range.clone()).await?;
        Ok(Blob { info, range, stream })
    }

    async fn head(&self, key: &StorageKey) -> Result<Option<BlobInfo>> {
        let key = key.clone();
        self.run("look at blob", move |root| directory::head(root, &key)).await
    }

    async fn link(&self, key: &StorageKey, _options: &LinkOptions) -> Result<Link> {
        if self.head(key).await?.is_none() {
            return Err(missing(key));
        }
        let Some(mut url) = self.storage_url.clone() else { return Ok(Link::Stream) };
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(key.as_str().split('/'));
        }
        Ok(Link::Redirect(url))
    }

    async fn delete(&self, key: &StorageKey) -> Result<()> {
        let key = key.clone();
        self.run("delete blob", move |root| directory::remove(root, &key)).await
    }

    fn list(&self, prefix: &str) -> BoxStream<'_, Result<BlobInfo>> {
        let prefix = prefix.to_owned();
        let start = prefix.rsplit_once('/').map_or(String::new(), |(directory, _)| directory.to_owned());
        if (prefix.contains('/') && start.parse::<StorageKey>().is_err()) || start == UPLOADS {
            return stream::empty().boxed();
        }
        let directories = stream::try_unfold(vec![start], move |mut pending| {
            let prefix = prefix.clone();
            async move {
                let Some(next) = pending.pop() else { return Ok(None) };
                let mut listing = self.run("list blobs", move |root| directory::list(root, &next)).await?;
                listing.blobs.retain(|blob| blob.key.as_str().starts_with(&prefix));
                listing.directories.retain(|path| format!("{path}/").starts_with(&prefix));
                pending.append(&mut listing.directories);
                Ok(Some((stream::iter(listing.blobs.into_iter().map(Ok)), pending)))
            }
        });
        directories.try_flatten().boxed()
    }
}

//! The shared cache of unpacked packages.
//!
//! Packages are kept by the digest of their archive, so that files of one name from two channels never meet; rattler's
//! own cache keys by name, version and build, gives no place for a check between unpacking and use, and verifies no
//! checksum of a file channel, which is why there is a store of its own here. Its directory holds
//!
//! - `packages/KEY/package`: the unpacked archive, and `packages/KEY/manifest.json`: that it was checked, and what it
//!   holds. `packages/KEY` comes to be by one rename, so it is complete as soon as it is there;
//! - `partial/KEY`: one that is being made, by whoever holds
//! - `locks/KEY`: a lock between tasks and processes. Whoever waits for it finds the package made afterwards. The files
//!   stay: a lock on a removed file locks nobody out. A holder that was suspended is waited for only a while; then
//!   another makes the package beside it, as `partial/KEY.ID`, and the first that is complete counts.

use std::{
    fs, io,
    num::NonZeroUsize,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use rattler_conda_types::{
    RepoDataRecord,
    package::{CondaArchiveType, DistArchiveType},
};
use reqwest_middleware::ClientWithMiddleware;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use super::{
    archive, blocking, cancelled, check,
    download::{Downloader, Expected, Retry},
    manifest::Manifest,
    permissions::Permissions,
};
use crate::{
    Error, ErrorKind, Result,
    conda::ChannelMirrors,
    file_lock::{FileLock, lock, try_lock},
};

const OPERATION: &str = "fetch package";

/// How a [`PackageStore`] works.
#[derive(Clone, Debug)]
pub struct PackageStoreSettings {
    /// Where packages are kept; hard links need environments on the same file system.
    pub directory: PathBuf,
    /// How many packages are downloaded at the same time.
    pub parallel_downloads: NonZeroUsize,
    /// Where channels are fetched from in place of their public addresses.
    pub mirrors: ChannelMirrors,
    /// When a failed download is tried again.
    pub retry: Retry,
    /// Owner and mode of the files of packages, and so of environments that hard-link them.
    pub permissions: Permissions,
}

impl PackageStoreSettings {
    /// The defaults for a store in `directory`.
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        Self {
            directory: directory.into(),
            parallel_downloads: NonZeroUsize::MIN.saturating_add(7),
            mirrors: ChannelMirrors::default(),
            retry: Retry::default(),
            permissions: Permissions::default(),
        }
    }
}

/// A package of the store: complete, verified and checked.
#[derive(Clone, Debug)]
pub struct StoredPackage {
    /// The unpacked archive.
    pub directory: PathBuf,
    /// What it holds.
    pub manifest: Arc<Manifest>,
}

/// Keeps unpacked packages for all environments; several processes may share one.
#[derive(Debug)]
pub struct PackageStore {
    directory: PathBuf,
    permissions: Permissions,
    downloader: Downloader,
    downloads: Semaphore,
    unpacking: Arc<Semaphore>,
    hits: AtomicU64,
    misses: AtomicU64,
}

/// How often something was looked for in a cache by this process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CacheLookups {
    /// It was there.
    pub hits: u64,
    /// It had to be fetched.
    pub misses: u64,
}

impl PackageStore {
    /// Opens the store, creating its directories, and removes what an interrupted process left unfinished.
    ///
    /// # Errors
    /// What the file system says, with the path.
    pub async fn open(settings: PackageStoreSettings, client: ClientWithMiddleware) -> Result<Self> {
        let PackageStoreSettings { directory, parallel_downloads, mirrors, retry, permissions } = settings;
        let prepared = directory.clone();
        blocking(OPERATION, move || prepare(&prepared)).await?;
        Ok(Self {
            directory,
            permissions,
            downloader: Downloader { client, mirrors, retry },
            downloads: Semaphore::new(parallel_downloads.get()),
            unpacking: Arc::new(Semaphore::new(parallelism())),
            hits: AtomicU64::new(0),
            misses: AtomicU64::new(0),
        })
    }

    /// How often packages were here and how often they were not, since the store was opened.
    pub fn lookups(&self) -> CacheLookups {
        CacheLookups { hits: self.hits.load(Ordering::Relaxed), misses: self.misses.load(Ordering::Relaxed) }
    }

    /// The package of `record`, fetched unless it is here.
    ///
    /// It is fetched once however many tasks and processes ask at the same time; when it fails or is canceled, nothing
    /// of it stays.
    ///
    /// # Errors
    /// [`ErrorKind::Corrupt`] for bytes that are not those of the record, an unsafe archive, or another package in it;
    /// [`ErrorKind::NotFound`], [`ErrorKind::Forbidden`], [`ErrorKind::Unavailable`] and [`ErrorKind::Timeout`] from
    /// the channel; [`ErrorKind::Full`]; [`ErrorKind::Cancelled`]. Each names the package.
    pub async fn get(&self, record: &RepoDataRecord, cancellation: &CancellationToken) -> Result<StoredPackage> {
        let found = self.find_or_make(record, cancellation).await;
        found.map_err(|error| error.with("package", &record.identifier))
    }

    async fn find_or_make(&self, record: &RepoDataRecord, cancellation: &CancellationToken) -> Result<StoredPackage> {
        let expected = Expected::of(record)?;
        let key = expected.key();
        let home = self.directory.join("packages").join(&key);
        if let Some(package) = find(&home, record).await? {
            self.hits.fetch_add(1, Ordering::Relaxed);
            return Ok(package);
        }
        let lock = lock(OPERATION, &self.directory.join("locks"), &key, cancellation).await?;
        if let Some(package) = find(&home, record).await? {
            self.hits.fetch_add(1, Ordering::Relaxed);
            return Ok(package);
        }
        self.misses.fetch_add(1, Ordering::Relaxed);
        let partial = Partial::create(&self.directory.join("partial"), lock)?;
        self.make(record, expected, partial, &home, cancellation).await?;
        find(&home, record).await?.ok_or_else(|| Error::unexpected(OPERATION, "package has vanished from the store"))
    }

    async fn make(
        &self,
        record: &RepoDataRecord,
        expected: Expected,
        partial: Partial,
        home: &Path,
        cancellation: &CancellationToken,
    ) -> Result<()> {
        let kind = archive_type(record)?;
        let archive = {
            let _permit = permit(&self.downloads, cancellation).await?;
            self.downloader.get(record, expected, &partial.path.join("archive"), cancellation).await?
        };
        let _permit = permit(&self.unpacking, cancellation).await?;
        let (home, permissions) = (home.to_owned(), self.permissions);
        // Dropping this future must stop the thread; `partial`, and with it the lock, lives as long as that works.
        let cancellation = cancellation.child_token();
        let _guard = cancellation.clone().drop_guard();
        let record = record.package_record.clone();
        blocking(OPERATION, move || {
            let content = partial.path.join("content");
            let package = content.join("package");
            fs::create_dir_all(&package).map_err(|error| disk(&package, error))?;
            archive::unpack(&archive, kind, &package, &cancellation).map_err(|error| {
                if error.kind() == ErrorKind::Full { error.with("path", package.display()) } else { error }
            })?;
            let manifest = check::check(&package, &cancellation)?;
            manifest.confirm(&record)?;
            permissions.apply(&package, &cancellation)?;
            manifest.write(&content.join("manifest.json"))?;
            place(&content, &home)
        })
        .await
    }
}

fn archive_type(record: &RepoDataRecord) -> Result<CondaArchiveType> {
    match record.identifier.archive_type {
        DistArchiveType::Conda(kind) => Ok(kind),
        DistArchiveType::Wheel(_) => {
            Err(Error::new(ErrorKind::Unsupported, OPERATION, "wheels are no conda packages; list them under pip"))
        }
    }
}

/// The package at `home`, where it is and is the one of `record`.
async fn find(home: &Path, record: &RepoDataRecord) -> Result<Option<StoredPackage>> {
    let (home, record) = (home.to_owned(), record.package_record.clone());
    blocking(OPERATION, move || match Manifest::read(&home.join("manifest.json")) {
        Ok(manifest) => {
            manifest.confirm(&record)?;
            Ok(Some(StoredPackage { directory: home.join("package"), manifest: Arc::new(manifest) }))
        }
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    })
    .await
}

async fn permit<'a>(
    semaphore: &'a Semaphore,
    cancellation: &CancellationToken,
) -> Result<tokio::sync::SemaphorePermit<'a>> {
    match cancellation.run_until_cancelled(semaphore.acquire()).await {
        None => Err(cancelled(OPERATION)),
        Some(Ok(permit)) => Ok(permit),
        Some(Err(closed)) => Err(Error::unexpected(OPERATION, "the store was closed").with_source(closed)),
    }
}

/// Moves a complete package to its home, unless somebody else was faster.
fn place(content: &Path, home: &Path) -> Result<()> {
    match fs::rename(content, home) {
        Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => Ok(()),
        moved => moved.map_err(|error| disk(home, error)),
    }
}

/// A package in the making. Dropping it removes what is unfinished, then releases the lock.
struct Partial {
    path: PathBuf,
    _lock: FileLock,
}

impl Partial {
    fn create(directory: &Path, lock: FileLock) -> Result<Self> {
        let path = directory.join(lock.name());
        remove_if_there(&path)?;
        fs::create_dir(&path).map_err(|error| disk(&path, error))?;
        Ok(Self { path, _lock: lock })
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        if let Err(error) = remove_if_there(&self.path) {
            tracing::warn!(error = %error, "unfinished package cannot be removed");
        }
    }
}

fn prepare(directory: &Path) -> Result<()> {
    for name in ["packages", "partial", "locks"] {
        let path = directory.join(name);
        fs::create_dir_all(&path).map_err(|error| disk(&path, error))?;
    }
    let partial = directory.join("partial");
    for entry in fs::read_dir(&partial).map_err(|error| disk(&partial, error))? {
        let entry = entry.map_err(|error| disk(&partial, error))?;
        if let Some(_lock) = try_lock(OPERATION, &directory.join("locks").join(entry.file_name()))? {
            remove_if_there(&entry.path())?;
        }
    }
    Ok(())
}

fn remove_if_there(path: &Path) -> Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(disk(path, error)),
        _ => Ok(()),
    }
}

fn disk(path: &Path, error: io::Error) -> Error {
    Error::io(OPERATION, error).with("path", path.display())
}

/// As many threads as there are cores.
pub(crate) fn parallelism() -> usize {
    std::thread::available_parallelism().map_or(1, NonZeroUsize::get)
}

//! Environments described by files: built as the files come and change (`watch_paths`).

use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::OsStr,
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime},
};

use anyhow::Context;
use conda_store_core::{
    CondaStore,
    auth::Scope,
    catalogue::{BuildQuery, Order},
    model::{Build, EnvironmentName, NamespaceName},
    specification::{Specification, SpecificationLimits},
};
use notify::{RecursiveMode, Watcher};
use tokio::{fs, sync::Notify};
use tokio_util::sync::CancellationToken;

/// How often the files are looked at where nothing tells of changes, as on network file systems.
const POLL: Duration = Duration::from_secs(10);

/// How long after a change the files are looked at, so that whoever writes one can finish.
const SETTLE: Duration = Duration::from_millis(200);

/// Builds the environments of files, in one namespace.
///
/// A file is read again when its time or size changes, and built when its specification is not that of the
/// environment's newest build. A file that cannot be built is reported, and holds up no other.
#[derive(Debug)]
pub struct Watch {
    store: CondaStore,
    namespace: NamespaceName,
    paths: Vec<PathBuf>,
    seen: BTreeMap<PathBuf, Seen>,
    reported: BTreeMap<PathBuf, String>,
}

/// What a file was like when it was last dealt with.
#[derive(Debug)]
struct Seen {
    /// When it was last changed, and its size in bytes.
    stamp: (SystemTime, u64),
    /// The environment that it describes; none where it is broken.
    environment: Option<EnvironmentName>,
}

impl Watch {
    /// Watches `paths`, files or directories of `.yaml` and `.yml` files, for `namespace`.
    #[must_use]
    pub fn new(store: CondaStore, namespace: NamespaceName, paths: Vec<PathBuf>) -> Self {
        Self { store, namespace, paths, seen: BTreeMap::new(), reported: BTreeMap::new() }
    }

    /// Watches until `shutdown` fires.
    pub async fn run(mut self, shutdown: CancellationToken) {
        if self.paths.is_empty() {
            return;
        }
        let changed = Arc::new(Notify::new());
        // It stops to tell when it is dropped.
        let _teller = self.tell(&changed);
        while !shutdown.is_cancelled() {
            self.look().await;
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = changed.notified() => tokio::time::sleep(SETTLE).await,
                () = tokio::time::sleep(POLL) => {}
            }
        }
    }

    /// Has the operating system tell of changes, as far as it can.
    fn tell(&self, changed: &Arc<Notify>) -> Option<notify::RecommendedWatcher> {
        let told = Arc::clone(changed);
        let mut watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            if event.is_ok_and(|event| !event.kind.is_access()) {
                told.notify_one();
            }
        })
        .inspect_err(|error| tracing::warn!(%error, "changes of watched files are noticed late"))
        .ok()?;
        for path in &self.paths {
            // Editors put a new file in the place of an old one: only its directory tells of that.
            let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
            let directory = if path.is_dir() { path.as_path() } else { parent.unwrap_or(Path::new(".")) };
            if let Err(error) = watcher.watch(directory, RecursiveMode::NonRecursive) {
                tracing::warn!(watch.path = %path.display(), %error, "changes of a watched path are noticed late");
            }
        }
        Some(watcher)
    }

    /// Looks at all files once and builds what is new. Where several files describe one environment, the first in order
    /// counts.
    pub async fn look(&mut self) {
        let mut taken = BTreeSet::new();
        for path in self.files().await {
            match self.file(&path, &mut taken).await {
                Ok(()) => drop(self.reported.remove(&path)),
                Err(error) => self.report(&path, &error),
            }
        }
    }

    /// The files of all paths, in order.
    async fn files(&mut self) -> BTreeSet<PathBuf> {
        let mut files = BTreeSet::new();
        for path in self.paths.clone() {
            match files_of(&path).await {
                Ok(found) => {
                    self.reported.remove(&path);
                    files.extend(found);
                }
                Err(error) => self.report(&path, &error.into()),
            }
        }
        files
    }

    /// Reports what is wrong with a path, once.
    fn report(&mut self, path: &Path, error: &anyhow::Error) {
        let message = format!("{error:#}");
        if self.reported.get(path) != Some(&message) {
            tracing::error!(watch.path = %path.display(), "a watched path cannot be built: {message}");
            self.reported.insert(path.to_owned(), message);
        }
    }

    async fn file(&mut self, path: &Path, taken: &mut BTreeSet<EnvironmentName>) -> anyhow::Result<()> {
        let metadata = fs::metadata(path).await?;
        let stamp = (metadata.modified()?, metadata.len());
        if let Some(seen) = self.seen.get(path).filter(|seen| seen.stamp == stamp) {
            taken.extend(seen.environment.clone());
            return Ok(());
        }
        let specification = match read(path, stamp.1).await {
            Ok(specification) => specification,
            Err(error) => {
                self.seen.insert(path.to_owned(), Seen { stamp, environment: None });
                return Err(error);
            }
        };
        let environment = specification.name().clone();
        anyhow::ensure!(taken.insert(environment.clone()), "another watched file describes {environment} too");
        self.build(specification).await?;
        self.seen.insert(path.to_owned(), Seen { stamp, environment: Some(environment) });
        Ok(())
    }

    /// Has `specification` built, unless the environment's newest build is of it.
    async fn build(&self, specification: Specification) -> anyhow::Result<()> {
        let specification = self.store.complete(&self.namespace, specification).await?;
        let newest = self.newest(specification.name()).await?;
        if newest.is_some_and(|build| build.specification_sha256 == specification.sha256()) {
            return Ok(());
        }
        let build = self.store.submit(&self.namespace, specification).await?;
        tracing::info!(build.id = %build.id, environment.name = %build.environment, "a watched file is to be built");
        Ok(())
    }

    async fn newest(&self, environment: &EnvironmentName) -> anyhow::Result<Option<Build>> {
        let everything = Scope::everything();
        let query = BuildQuery {
            namespace: Some(&self.namespace),
            name: Some(environment),
            order: Order::Descending,
            ..BuildQuery::new(&everything, 1)
        };
        Ok(self.store.catalogue().builds(&query).await?.items.into_iter().next())
    }
}

/// `path` itself, or the YAML files in it where it is a directory.
async fn files_of(path: &Path) -> io::Result<Vec<PathBuf>> {
    if !fs::metadata(path).await?.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut entries = fs::read_dir(path).await?;
    let mut files = Vec::new();
    while let Some(entry) = entries.next_entry().await? {
        let file = entry.path();
        let extension = file.extension().and_then(OsStr::to_str);
        if matches!(extension, Some("yaml" | "yml")) && fs::metadata(&file).await.is_ok_and(|entry| entry.is_file()) {
            files.push(file);
        }
    }
    Ok(files)
}

/// The specification in a file of `size` bytes.
async fn read(path: &Path, size: u64) -> anyhow::Result<Specification> {
    let limits = SpecificationLimits::default();
    anyhow::ensure!(size <= limits.bytes as u64, "it has {size} bytes, at most {} are taken", limits.bytes);
    let text = fs::read_to_string(path).await.context("it cannot be read")?;
    Ok(Specification::from_yaml(&text, &limits)?)
}

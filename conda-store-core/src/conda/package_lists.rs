//! The package lists (repodata) of channels: fetched once, kept on the disk and in memory, checked for changes.
//!
//! Sharded, compressed and plain lists are all read, and of each only the packages that are asked for: the largest
//! channels list half a million.

use std::{
    collections::{HashMap, HashSet},
    fmt,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use rattler_conda_types::{Channel, ChannelUrl, MatchSpec, PackageName, RepoDataRecord, Subdir};
use rattler_repodata_gateway::{
    CacheClearMode, ChannelRelationsMode, Gateway, GatewayError, RepoData, Reporter as GatewayReporter, SubdirSelection,
};
use reqwest_middleware::ClientWithMiddleware;
use url::Url;

use super::{
    ChannelMirrors, Client,
    freshness::{FetchedLists, Freshness, ListFiles, ListWatcher},
    list_directory::ListDirectory,
    list_errors::{explained, is_corrupt},
    mirrored::stand_in,
    public_url,
};
use crate::{
    Error, Result,
    clock::{Clock, Timestamp},
    install::CacheLookups,
};

/// How many records of packages stay in memory from one query to the next (about 2 KiB each).
const RECORDS_KEPT: usize = 50_000;

/// How many requests for package lists run at the same time.
const PARALLEL_REQUESTS: usize = 50;

/// Where package lists come from and how long they are good for.
#[derive(Clone, Debug)]
pub struct PackageListOptions {
    /// Directory in which lists are kept; several processes may share it, each with lists of its own.
    pub cache: PathBuf,
    /// Where channels are really fetched from.
    pub mirrors: ChannelMirrors,
    /// How long a list in memory is used before its channel is asked whether it changed. A channel in a directory is
    /// looked at every time.
    pub trusted_for: Duration,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
}

/// A state of all package lists; another one means that some list may have changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Revision(u64);

/// The package lists of all channels that were asked for. Clones share them.
#[derive(Clone)]
pub struct PackageLists(Arc<Inner>);

struct Inner {
    gateway: Gateway,
    client: ClientWithMiddleware,
    fetched: Arc<FetchedLists>,
    files: ListFiles,
    checked: Mutex<HashMap<Url, Timestamp>>,
    held: Mutex<Held>,
    lookups: Mutex<CacheLookups>,
    revision: AtomicU64,
    directory: ListDirectory,
    options: PackageListOptions,
}

/// What the gateway holds in memory.
#[derive(Default)]
struct Held {
    names: HashSet<(String, PackageName)>,
    records: usize,
    channels: Vec<Channel>,
}

impl fmt::Debug for PackageLists {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("PackageLists").field("options", &self.0.options).finish_non_exhaustive()
    }
}

impl PackageLists {
    /// Package lists that are fetched with `client`.
    ///
    /// # Errors
    /// What the file system says about the directory of the lists.
    pub fn new(client: &Client, options: PackageListOptions) -> Result<Self> {
        let directory = ListDirectory::take(&options.cache)?;
        let fetched = Arc::new(FetchedLists::default());
        let client = client.watched(ListWatcher(Arc::clone(&fetched)), options.mirrors.clone());
        let gateway = Gateway::builder()
            .with_client(client.clone())
            .with_cache_dir(directory.path())
            .with_max_concurrent_requests(PARALLEL_REQUESTS)
            .with_max_concurrent_io(PARALLEL_REQUESTS)
            .finish();
        let (files, checked, held, lookups, revision) = Default::default();
        let inner = Inner { gateway, client, fetched, files, checked, held, lookups, revision, directory, options };
        Ok(Self(Arc::new(inner)))
    }

    /// How often a list was known and still current when a solve asked for it, and how often it was not.
    #[must_use]
    pub fn lookups(&self) -> CacheLookups {
        *self.0.lookups.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where lists are kept on the disk.
    pub(super) fn cache(&self) -> &Path {
        self.0.directory.path()
    }

    /// Where channels are really fetched from.
    pub(super) fn mirrors(&self) -> &ChannelMirrors {
        &self.0.options.mirrors
    }

    /// The channel behind `url`, as package lists are asked for it.
    pub(super) fn channel(&self, url: &ChannelUrl) -> Channel {
        let url: Url = url.clone().into();
        let mirrored = self.0.options.mirrors.candidates(&url).first() != Some(&url);
        let stand_in = if url.scheme() == "file" && mirrored { stand_in(&url) } else { None };
        Channel::from_url(stand_in.unwrap_or(url))
    }

    /// The records that match `specs` in these subdirectories and, if `recursive`, everything that they may need; one
    /// list per channel and subdirectory, in the order of the channels.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`](crate::ErrorKind::NotFound) for a channel that does not exist, [`ErrorKind::Corrupt`](crate::ErrorKind::Corrupt) for a list that is not what it
    /// should be, [`ErrorKind::Unavailable`](crate::ErrorKind::Unavailable) for a host that does not answer.
    pub(super) async fn query(
        &self,
        channels: &[Channel],
        subdirs: &[Subdir],
        specs: Vec<MatchSpec>,
        reporter: impl GatewayReporter + 'static,
    ) -> Result<Vec<RepoData>> {
        self.make_room()?;
        self.refresh(channels, subdirs).await?;
        let query = self.0.gateway.query(channels.to_vec(), subdirs.to_vec(), specs).recursive(true);
        let query = query.channel_relations(ChannelRelationsMode::Disabled).with_reporter(reporter);
        match query.execute().await {
            Ok(answer) => {
                self.account(channels, &answer.repodata);
                Ok(answer.repodata)
            }
            Err(error) => Err(self.explain(error, channels, subdirs).await),
        }
    }

    /// All records of these packages.
    ///
    /// # Errors
    /// As [`names`](Self::names).
    pub(super) async fn records(
        &self,
        channels: &[ChannelUrl],
        subdirs: &[Subdir],
        names: Vec<PackageName>,
    ) -> Result<Vec<RepoDataRecord>> {
        let channels: Vec<Channel> = channels.iter().map(|url| self.channel(url)).collect();
        self.count(self.refresh(&channels, subdirs).await?);
        let query = self.0.gateway.query(channels.clone(), subdirs.to_vec(), names);
        match query.channel_relations(ChannelRelationsMode::Disabled).execute().await {
            Ok(answer) => Ok(answer.repodata.iter().flat_map(RepoData::iter).cloned().collect()),
            Err(error) => Err(self.explain(error, &channels, subdirs).await),
        }
    }

    /// Every package name in these subdirectories, in alphabetical order.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`](crate::ErrorKind::NotFound) for a channel that does not exist, [`ErrorKind::Corrupt`](crate::ErrorKind::Corrupt) for a list that is not what it
    /// should be, [`ErrorKind::Unavailable`](crate::ErrorKind::Unavailable) for a host that does not answer.
    pub async fn names(&self, channels: &[ChannelUrl], subdirs: &[Subdir]) -> Result<Vec<PackageName>> {
        let channels: Vec<Channel> = channels.iter().map(|url| self.channel(url)).collect();
        self.refresh(&channels, subdirs).await?;
        match self.try_names(&channels, subdirs).await {
            Ok(mut names) => {
                names.sort();
                Ok(names)
            }
            Err(error) => Err(self.explain(error, &channels, subdirs).await),
        }
    }

    async fn try_names(&self, channels: &[Channel], subdirs: &[Subdir]) -> Result<Vec<PackageName>, GatewayError> {
        let query = self.0.gateway.names(channels.to_vec(), subdirs.to_vec());
        Ok(query.channel_relations(ChannelRelationsMode::Disabled).execute().await?.names)
    }

    /// The state of the lists, after those of these channels were looked at as [`query`](Self::query) does.
    ///
    /// # Errors
    /// What the file system says about the directory of the lists.
    pub(super) async fn revision(&self, channels: &[Channel], subdirs: &[Subdir]) -> Result<Revision> {
        self.count(self.refresh(channels, subdirs).await?);
        Ok(Revision(self.0.revision.load(Ordering::SeqCst)))
    }

    /// Lets go of lists in memory that are, or may be, no longer those of their channel, and says how many there were of
    /// each kind.
    async fn refresh(&self, channels: &[Channel], subdirs: &[Subdir]) -> Result<CacheLookups> {
        let mut found = CacheLookups::default();
        for channel in channels {
            for &subdir in subdirs {
                let directory = channel.platform_url(subdir);
                let freshness = match directory.scheme() {
                    "file" => self.0.files.freshness(&directory).await,
                    _ => self.remote_freshness(&directory).await,
                };
                match freshness {
                    Freshness::Unchanged => found.hits += 1,
                    _ => found.misses += 1,
                }
                match freshness {
                    Freshness::Unchanged | Freshness::New => {}
                    Freshness::Changed => self.clear(channel, subdir, CacheClearMode::InMemoryAndDisk)?,
                    Freshness::Unknown => self.clear(channel, subdir, CacheClearMode::InMemoryOnly)?,
                }
            }
        }
        Ok(found)
    }

    /// Counts the lists that a solve begins with.
    fn count(&self, found: CacheLookups) {
        let mut lookups = self.0.lookups.lock().unwrap_or_else(PoisonError::into_inner);
        lookups.hits += found.hits;
        lookups.misses += found.misses;
    }

    async fn remote_freshness(&self, directory: &Url) -> Freshness {
        match self.trust(directory) {
            Some(freshness) => freshness,
            None => self.0.fetched.freshness(&self.0.client, directory).await,
        }
    }

    /// What can be said of the list below `directory` without asking its host: whether it is read for the first time, or was
    /// checked a short while ago. It counts as checked now unless it was.
    fn trust(&self, directory: &Url) -> Option<Freshness> {
        let now = self.0.options.clock.now();
        let mut checked = self.0.checked.lock().unwrap_or_else(PoisonError::into_inner);
        let before = checked.get(directory).copied();
        if before.is_some_and(|then| now.since(then) < self.0.options.trusted_for) {
            return Some(Freshness::Unchanged);
        }
        checked.insert(directory.clone(), now);
        before.is_none().then_some(Freshness::New)
    }

    fn clear(&self, channel: &Channel, subdir: Subdir, mode: CacheClearMode) -> Result<()> {
        let directory = channel.platform_url(subdir);
        tracing::debug!(url = %public_url(&directory), ?mode, "package list is read again");
        self.0.fetched.forget(&directory);
        self.0.revision.fetch_add(1, Ordering::SeqCst);
        let subdirs = SubdirSelection::Some(HashSet::from([subdir.to_string()]));
        self.0
            .gateway
            .clear_repodata_cache(channel, subdirs, mode)
            .map_err(|error| Error::io("clear package lists", error).with("path", self.cache().display()))
    }

    /// Notes what a query left in memory.
    fn account(&self, channels: &[Channel], lists: &[RepoData]) {
        let mut held = self.0.held.lock().unwrap_or_else(PoisonError::into_inner);
        for list in lists {
            // The records of one name follow one another.
            let mut before: Option<(&PackageName, bool)> = None;
            for record in list {
                let package = &record.package_record;
                let new = match before {
                    Some((same, new)) if *same == package.name => new,
                    _ => {
                        let list = format!("{} {}", record.channel.as_deref().unwrap_or_default(), package.subdir);
                        held.names.insert((list, package.name.clone()))
                    }
                };
                held.records += usize::from(new);
                before = Some((&package.name, new));
            }
        }
        for channel in channels {
            if !held.channels.contains(channel) {
                held.channels.push(channel.clone());
            }
        }
    }

    /// Lets go of everything where too much has come together: a worker lives long and sees many specifications.
    fn make_room(&self) -> Result<()> {
        let held = {
            let mut held = self.0.held.lock().unwrap_or_else(PoisonError::into_inner);
            if held.records < RECORDS_KEPT {
                return Ok(());
            }
            std::mem::take(&mut *held)
        };
        for channel in &held.channels {
            let cleared =
                self.0.gateway.clear_repodata_cache(channel, SubdirSelection::All, CacheClearMode::InMemoryOnly);
            cleared.map_err(|error| Error::io("clear package lists", error))?;
        }
        Ok(())
    }

    /// What `error` means, and for which list.
    async fn explain(&self, error: GatewayError, channels: &[Channel], subdirs: &[Subdir]) -> Error {
        if !is_corrupt(&error) {
            return explained(error, None);
        }
        // The error does not name the list: the first that cannot be read by itself is the one.
        for channel in channels {
            for &subdir in subdirs {
                if let Err(error) = self.try_names(std::slice::from_ref(channel), &[subdir]).await {
                    // What is kept on the disk must not outlive the repair of the channel.
                    let cleared = self.clear(channel, subdir, CacheClearMode::InMemoryAndDisk);
                    tracing::debug!(cleared = cleared.is_ok(), "broken package list was dropped");
                    return explained(error, Some(&channel.platform_url(subdir)));
                }
            }
        }
        explained(error, None)
    }
}

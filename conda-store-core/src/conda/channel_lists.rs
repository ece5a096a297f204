//! Whole package lists of channels, for the index: fetched where they changed, and read a name at a time.

use std::path::{Path, PathBuf};

use http::{HeaderMap, HeaderValue, StatusCode, header};
use rattler_conda_types::{Channel, ChannelUrl, PackageName, RepoDataRecord, Subdir};
use rattler_repodata_gateway::{
    GatewayError,
    fetch::{CacheAction, CachedRepoData, FetchRepoDataError, FetchRepoDataOptions, fetch_repo_data},
    sparse::{PackageFormatSelection, SparseRepoData},
};
use reqwest_middleware::ClientWithMiddleware;
use tempfile::TempDir;
use url::Url;

use super::{ChannelMirrors, Client, list_errors::explained, mirrored::stand_in, public_url};
use crate::{Error, ErrorKind, Result, catalogue::ListVersion, install::blocking};

const OPERATION: &str = "read package list";

/// Fetches whole package lists.
#[derive(Clone)]
pub(crate) struct ChannelLists {
    client: ClientWithMiddleware,
    directory: PathBuf,
}

impl std::fmt::Debug for ChannelLists {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("ChannelLists").field("directory", &self.directory).finish_non_exhaustive()
    }
}

/// What came of asking for a list.
pub(crate) enum Answer {
    /// It is the one that is known.
    Unchanged,
    /// The channel has no such subdirectory.
    Missing,
    /// It is this one.
    Changed(ListVersion, Box<WholeList>),
}

impl ChannelLists {
    /// Lists that are fetched with `client`, and for the time that they are read kept in a new directory below
    /// `directory`.
    pub(crate) fn new(client: &Client, mirrors: ChannelMirrors, directory: PathBuf) -> Self {
        Self { client: client.mirrored(mirrors), directory }
    }

    /// The list of a channel's subdirectory, unless it is the `known` one, which one conditional request tells.
    ///
    /// # Errors
    /// [`ErrorKind::Unavailable`] for a host that does not answer, [`ErrorKind::Corrupt`] for a list that is not what it
    /// should be; what the file system says about the directory.
    pub(crate) async fn read(
        &self,
        channel: &ChannelUrl,
        subdir: Subdir,
        known: Option<&ListVersion>,
    ) -> Result<Answer> {
        if let Some(known) = known
            && self.is_unchanged(known).await
        {
            return Ok(Answer::Unchanged);
        }
        let public: Url = channel.clone().into();
        let asked = Channel::from_url(stand_in_for(&public));
        let place = asked.platform_url(subdir);
        let directory = self.scratch().await?;
        let fetched = match self.fetch(place.clone(), directory.path()).await {
            Ok(fetched) => fetched,
            Err(FetchRepoDataError::NotFound(_)) => return Ok(Answer::Missing),
            Err(error) => return Err(explained(GatewayError::FetchRepoDataError(error), Some(&place))),
        };
        let headers = fetched.cache_state.cache_headers.clone();
        let url = public_url(&fetched.cache_state.url).to_string();
        let version = ListVersion { url, etag: headers.etag, last_modified: headers.last_modified };
        let list = blocking(OPERATION, move || WholeList::open(Channel::from_url(public), subdir, &fetched, directory));
        Ok(Answer::Changed(version, Box::new(list.await?)))
    }

    /// Whether the host says that its list is still this one.
    async fn is_unchanged(&self, known: &ListVersion) -> bool {
        let conditions = conditions(known);
        if conditions.is_empty() {
            return false;
        }
        // Whoever has no answer to this has none to the request that follows either.
        let asked = self.client.head(&known.url).headers(conditions).send().await;
        asked.is_ok_and(|response| response.status() == StatusCode::NOT_MODIFIED)
    }

    async fn scratch(&self) -> Result<TempDir> {
        let parent = self.directory.clone();
        let make = move || std::fs::create_dir_all(&parent).and_then(|()| TempDir::new_in(&parent));
        blocking(OPERATION, move || make().map_err(|error| Error::io(OPERATION, error))).await
    }

    async fn fetch(&self, place: Url, directory: &Path) -> Result<CachedRepoData, FetchRepoDataError> {
        let options = FetchRepoDataOptions { cache_action: CacheAction::NoCache, ..FetchRepoDataOptions::default() };
        fetch_repo_data(place, self.client.clone().into(), directory.to_owned(), options, None).await
    }
}

/// An HTTP address also for a directory, so that it is asked for in the same way.
fn stand_in_for(url: &Url) -> Url {
    let stand_in = if url.scheme() == "file" { stand_in(url) } else { None };
    stand_in.unwrap_or_else(|| url.clone())
}

fn conditions(known: &ListVersion) -> HeaderMap {
    let value = |text: &Option<String>| text.as_deref().and_then(|text| HeaderValue::from_str(text).ok());
    let tag = value(&known.etag).map(|tag| (header::IF_NONE_MATCH, tag));
    let modified = value(&known.last_modified).map(|modified| (header::IF_MODIFIED_SINCE, modified));
    tag.into_iter().chain(modified).collect()
}

/// A package list on the disk, of which little is in memory.
pub(crate) struct WholeList {
    list: SparseRepoData,
    place: Url,
    _directory: TempDir,
}

impl WholeList {
    fn open(channel: Channel, subdir: Subdir, fetched: &CachedRepoData, directory: TempDir) -> Result<Self> {
        let place = channel.platform_url(subdir);
        let list = SparseRepoData::from_file(channel, subdir.to_string(), &fetched.repo_data_json_path, None)
            .map_err(|error| damaged(&place).with_source(error))?;
        Ok(Self { list, place, _directory: directory })
    }

    /// The names of all packages in it, each once.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.list.package_names(PackageFormatSelection::Both)
    }

    /// Every record of a name, of both formats.
    ///
    /// # Errors
    /// [`ErrorKind::Corrupt`] for a record that is none.
    pub(crate) fn records(&self, name: &str) -> Result<Vec<RepoDataRecord>> {
        let damaged = || damaged(&self.place).with("package", name);
        let name = PackageName::try_from(name).map_err(|error| damaged().with_source(error))?;
        self.list.load_records(&name, PackageFormatSelection::Both).map_err(|error| damaged().with_source(error))
    }
}

fn damaged(place: &Url) -> Error {
    Error::new(ErrorKind::Corrupt, OPERATION, "the package list of a channel is damaged").with("url", public_url(place))
}

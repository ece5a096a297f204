//! Whether package lists that are held in memory are still those that the channel has.
//!
//! Dropping and reading again the lists of a large channel takes seconds. So the validators of each list are remembered
//! as it is fetched, and a conditional request (RFC 9110 section 13) tells later whether anything changed. A channel in
//! a directory shows it by size and modification time of the list.

use std::{
    collections::HashMap,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::SystemTime,
};

use async_trait::async_trait;
use http::{Extensions, HeaderMap, HeaderValue, Method, StatusCode, header};
use reqwest::{Request, Response};
use reqwest_middleware::{ClientWithMiddleware, Middleware, Next};
use url::Url;

/// File names of package lists, in the order of what is said of them
/// (<https://github.com/conda/ceps/blob/main/cep-0016.md> for the sharded one).
const LISTS: [&str; 4] = ["repodata_shards.msgpack.zst", "repodata.json.zst", "repodata.json.bz2", "repodata.json"];

/// What a list in memory is, compared with that of the channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Freshness {
    /// The same.
    Unchanged,
    /// Another one: what is kept on the disk is of no use either.
    Changed,
    /// Nobody can tell.
    Unknown,
    /// There was none: it is read for the first time.
    New,
}

/// Which version of a list was fetched.
#[derive(Clone, Debug, Default)]
struct Validators {
    tag: Option<HeaderValue>,
    modified: Option<HeaderValue>,
}

impl Validators {
    fn of(headers: &HeaderMap) -> Self {
        Self { tag: headers.get(header::ETAG).cloned(), modified: headers.get(header::LAST_MODIFIED).cloned() }
    }

    fn conditions(&self) -> HeaderMap {
        let tag = self.tag.clone().map(|value| (header::IF_NONE_MATCH, value));
        let modified = self.modified.clone().map(|value| (header::IF_MODIFIED_SINCE, value));
        tag.into_iter().chain(modified).collect()
    }
}

/// The lists that were fetched, by URL.
#[derive(Debug, Default)]
pub(super) struct FetchedLists(Mutex<HashMap<Url, Validators>>);

impl FetchedLists {
    /// Asks for the lists below `directory` (the URL of a channel's subdirectory) whether they changed.
    pub(super) async fn freshness(&self, client: &ClientWithMiddleware, directory: &Url) -> Freshness {
        let known = self.below(directory);
        if known.is_empty() {
            return Freshness::Unknown;
        }
        for (url, validators) in known {
            let conditions = validators.conditions();
            if conditions.is_empty() {
                return Freshness::Unknown;
            }
            match client.get(url).headers(conditions).send().await.map(|response| response.status()) {
                Ok(StatusCode::NOT_MODIFIED) => {}
                Ok(_) => return Freshness::Changed,
                Err(_) => return Freshness::Unknown,
            }
        }
        Freshness::Unchanged
    }

    /// Forgets the lists below `directory`.
    pub(super) fn forget(&self, directory: &Url) {
        self.lock().retain(|url, _| !url.as_str().starts_with(directory.as_str()));
    }

    fn below(&self, directory: &Url) -> Vec<(Url, Validators)> {
        let known = self.lock();
        LISTS
            .iter()
            .filter_map(|list| directory.join(list).ok())
            .filter_map(|url| known.get(&url).map(|validators| (url.clone(), validators.clone())))
            .collect()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<Url, Validators>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Notes the validators of every list that passes.
#[derive(Debug)]
pub(super) struct ListWatcher(pub(super) Arc<FetchedLists>);

#[async_trait]
impl Middleware for ListWatcher {
    async fn handle(
        &self,
        request: Request,
        extensions: &mut Extensions,
        next: Next<'_>,
    ) -> reqwest_middleware::Result<Response> {
        let list = (request.method() == Method::GET && is_list(request.url())).then(|| request.url().clone());
        let response = next.run(request, extensions).await?;
        if let Some(url) = list
            && matches!(response.status(), StatusCode::OK | StatusCode::NOT_MODIFIED)
        {
            self.0.lock().insert(url, Validators::of(response.headers()));
        }
        Ok(response)
    }
}

fn is_list(url: &Url) -> bool {
    url.path_segments().and_then(|mut segments| segments.next_back()).is_some_and(|name| LISTS.contains(&name))
}

/// Size and time of the lists in directories, as they were when they were read.
#[derive(Debug, Default)]
pub(super) struct ListFiles(Mutex<HashMap<Url, Option<(u64, SystemTime)>>>);

impl ListFiles {
    /// Whether the list below `directory` (a `file://` URL) is still the one of the last call.
    pub(super) async fn freshness(&self, directory: &Url) -> Freshness {
        let path = directory.to_file_path().unwrap_or_default();
        let now = stamp(&path.join("repodata.json")).await;
        let before = self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(directory.clone(), now);
        match before {
            None => Freshness::New,
            Some(before) if before == now => Freshness::Unchanged,
            Some(_) => Freshness::Changed,
        }
    }
}

async fn stamp(path: &Path) -> Option<(u64, SystemTime)> {
    let metadata = tokio::fs::metadata(path).await.ok()?;
    Some((metadata.len(), metadata.modified().ok()?))
}

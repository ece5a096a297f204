//! Requests for public addresses, answered by mirrors, directories on this machine included.
//!
//! Whoever asks sees the public address all along: package lists and what is kept of them stay named by it, and a
//! change of mirrors needs nothing to be renamed.

use std::{io, path::Path, time::SystemTime};

use async_trait::async_trait;
use http::{Extensions, HeaderMap, HeaderValue, Method, StatusCode, header};
use reqwest::{Body, Request, Response, ResponseBuilderExt as _};
use reqwest_middleware::{Error, Middleware, Next, Result};
use tokio_util::io::ReaderStream;
use url::Url;

use super::ChannelMirrors;

/// Host of the addresses that [`stand_in`] makes; `.invalid` never resolves (RFC 6761).
const STAND_IN_HOST: &str = "file.invalid";

/// An HTTP address for a mirrored `file://` channel: what reads package lists takes a shortcut to the disk for
/// `file://`, past every mirror.
pub(super) fn stand_in(url: &Url) -> Option<Url> {
    format!("http://{STAND_IN_HOST}{}", url.path()).parse().ok()
}

/// The `file://` URL that [`stand_in`] replaced, or `url` itself.
pub(super) fn behind_stand_in(url: &Url) -> Url {
    if url.host_str() != Some(STAND_IN_HOST) {
        return url.clone();
    }
    format!("file://{}", url.path()).parse().unwrap_or_else(|_| url.clone())
}

/// Sends each request to the mirrors of its URL, in their order, until one has an answer.
#[derive(Debug)]
pub(super) struct MirrorMiddleware(ChannelMirrors);

impl MirrorMiddleware {
    pub(super) fn new(mirrors: ChannelMirrors) -> Self {
        Self(mirrors)
    }
}

#[async_trait]
impl Middleware for MirrorMiddleware {
    async fn handle(&self, request: Request, extensions: &mut Extensions, next: Next<'_>) -> Result<Response> {
        let public = behind_stand_in(request.url());
        let candidates = self.0.candidates(&public);
        let mut worst = None;
        for candidate in candidates {
            let attempt = request_to(&request, &candidate)?;
            let outcome = match candidate.scheme() {
                "file" => answer_from_disk(&attempt).await,
                _ => next.clone().run(attempt, extensions).await,
            };
            match outcome {
                Ok(response) if !response.status().is_client_error() && !response.status().is_server_error() => {
                    return Ok(with_validators(response, request.headers()));
                }
                outcome => worst = Some(worse(worst, outcome)),
            }
        }
        worst.unwrap_or_else(|| Err(Error::Middleware(io::Error::other(format!("no mirror for {public}")).into())))
    }
}

/// Of two failures the one to tell of: "not found" means something only where every mirror said so.
fn worse(first: Option<Result<Response>>, second: Result<Response>) -> Result<Response> {
    match first {
        Some(first) if matches!(&second, Ok(response) if response.status() == StatusCode::NOT_FOUND) => first,
        _ => second,
    }
}

fn request_to(request: &Request, url: &Url) -> Result<Request> {
    let mut attempt = request
        .try_clone()
        .ok_or_else(|| Error::Middleware(io::Error::other("a streamed body cannot go to a mirror").into()))?;
    *attempt.url_mut() = url.clone();
    Ok(attempt)
}

/// Gives "304 Not Modified" the validators back that the request had where the server left them out, against RFC 9110
/// section 15.4.5: without them a cache takes the answer for another representation.
fn with_validators(mut response: Response, request: &HeaderMap) -> Response {
    let pairs = [(header::IF_NONE_MATCH, header::ETAG), (header::IF_MODIFIED_SINCE, header::LAST_MODIFIED)];
    if response.status() == StatusCode::NOT_MODIFIED
        && !pairs.iter().any(|(_, has)| response.headers().contains_key(has))
    {
        for (asked, answered) in pairs {
            if let Some(value) = request.get(asked) {
                response.headers_mut().insert(answered, value.clone());
            }
        }
    }
    response
}

/// Answers a GET or HEAD for a `file://` URL, as a web server would.
async fn answer_from_disk(request: &Request) -> Result<Response> {
    let path = request.url().to_file_path().unwrap_or_default();
    match read(request, &path).await {
        Ok(response) => Ok(response),
        Err(error) if missing(&error) => respond(request, StatusCode::NOT_FOUND, None, Body::default()),
        Err(error) => {
            let error = io::Error::new(error.kind(), format!("cannot read {}: {error}", path.display()));
            Err(Error::Middleware(error.into()))
        }
    }
}

fn missing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory | io::ErrorKind::IsADirectory)
}

async fn read(request: &Request, path: &Path) -> io::Result<Response> {
    let file = tokio::fs::File::open(path).await?;
    let metadata = file.metadata().await?;
    if metadata.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    let modified = metadata.modified()?.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let tag = format!("\"{:x}-{:x}\"", modified.as_nanos(), metadata.len());
    let known = request.headers().get(header::IF_NONE_MATCH).is_some_and(|known| known.as_bytes() == tag.as_bytes());
    let (status, body) = match known {
        true => (StatusCode::NOT_MODIFIED, Body::default()),
        false if request.method() == Method::HEAD => (StatusCode::OK, Body::default()),
        false => (StatusCode::OK, Body::wrap_stream(ReaderStream::with_capacity(file, 1 << 16))),
    };
    respond(request, status, HeaderValue::from_str(&tag).ok(), body).map_err(io::Error::other)
}

fn respond(request: &Request, status: StatusCode, tag: Option<HeaderValue>, body: Body) -> Result<Response> {
    let mut response = http::Response::builder().status(status).url(request.url().clone());
    if let Some(tag) = tag {
        response = response.header(header::ETAG, tag);
    }
    response.body(body).map(Response::from).map_err(|error| Error::Middleware(error.into()))
}

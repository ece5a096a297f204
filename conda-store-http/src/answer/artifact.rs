//! Artifacts: a redirect to where storage links to, or the bytes themselves.

use std::{ops::Range, time::Duration};

use axum::{
    body::Body,
    response::{IntoResponse, Redirect, Response},
};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use conda_store_core::{
    Error, ErrorKind, Result,
    lockfile::Lockfile,
    model::{ArtifactType, Build},
    storage::{Blob, BlobInfo, Link, LinkOptions, StorageKey},
};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};

use crate::{
    error::{Answer, Failure},
    face::Face,
    request::{Conditions, Part, modified, tag_of},
};

/// The header with the hash of the whole artifact ([RFC 9530](https://www.rfc-editor.org/rfc/rfc9530)), whatever part of it
/// is sent.
pub(crate) const REPR_DIGEST: HeaderName = HeaderName::from_static("repr-digest");

/// How long a link to an artifact answers.
const LINK_LIFETIME: Duration = Duration::from_mins(10);

/// The artifact of a build, for somebody who may read it.
pub(crate) async fn artifact(
    face: &Face,
    build: &Build,
    artifact_type: ArtifactType,
    wanted: &Conditions,
) -> Answer<Response> {
    let (key, sha256) = require_artifact(face, build, artifact_type).await?;
    let options = LinkOptions {
        expires_in: LINK_LIFETIME,
        file_name: Some(file_name(&key)),
        content_type: Some(kind(&key).0.to_owned()),
    };
    match face.store().storage().link(&key, &options).await {
        Ok(Link::Redirect(url)) => Ok(Redirect::temporary(url.as_str()).into_response()),
        Ok(Link::Stream) => blob(face, &key, sha256.as_deref(), wanted).await,
        Err(error) if error.kind() == ErrorKind::NotFound => Err(absent(face, build, artifact_type).await?),
        Err(error) => Err(error.into()),
    }
}

/// Where the artifact is and its SHA-256 where that is known, or why there is none.
pub(crate) async fn require_artifact(
    face: &Face,
    build: &Build,
    artifact_type: ArtifactType,
) -> Answer<(StorageKey, Option<String>)> {
    match key(face, build, artifact_type).await? {
        Some(found) => Ok(found),
        None => Err(absent(face, build, artifact_type).await?),
    }
}

/// The lockfile of the build, or why there is none.
pub(crate) async fn require_lockfile(face: &Face, build: &Build) -> Answer<Lockfile> {
    match face.store().lockfile(build).await {
        Ok(Some(lockfile)) => Ok(lockfile),
        Ok(None) => Err(absent(face, build, ArtifactType::Lockfile).await?),
        Err(error) if error.kind() == ErrorKind::NotFound => Err(absent(face, build, ArtifactType::Lockfile).await?),
        Err(error) => Err(error.into()),
    }
}

/// A text that was made for the request, and the name of the file that it becomes where somebody keeps it.
pub(crate) fn text(text: String, file: &'static str) -> Response {
    let disposition = format!("inline; filename=\"{file}\"");
    let headers = [
        (header::CONTENT_TYPE, TEXT),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::CACHE_CONTROL, "private, no-cache"),
    ];
    (headers, [(header::CONTENT_DISPOSITION, disposition)], text).into_response()
}

/// That the build does not have `what`, where `failure` says that there is none: clients know this by its status.
pub(crate) fn unavailable(failure: Failure, build: &Build, what: &str) -> Failure {
    match failure {
        Failure::Core(error) if error.kind() == ErrorKind::NotFound => {
            let message = format!("Build {} doesn't have {what}", build.id);
            Error::invalid("find artifact", message).with_source(error).into()
        }
        other => other,
    }
}

/// Where the artifact is; a running build's log is there before it is recorded.
async fn key(face: &Face, build: &Build, artifact_type: ArtifactType) -> Result<Option<(StorageKey, Option<String>)>> {
    let artifacts = face.store().catalogue().artifacts(build.id).await?;
    if let Some(artifact) = artifacts.into_iter().rfind(|artifact| artifact.artifact_type == artifact_type) {
        return Ok(Some((artifact.key.parse()?, artifact.sha256)));
    }
    if artifact_type != ArtifactType::Logs {
        return Ok(None);
    }
    Ok(Some((format!("logs/{}.log", face.store().build_key(build)?).parse()?, None)))
}

/// Why there is no such artifact.
async fn absent(face: &Face, build: &Build, artifact_type: ArtifactType) -> Result<Failure> {
    use conda_store_core::catalogue::ArtifactState;
    let states = face.store().catalogue().artifact_states(build.id).await?;
    let progress = states.into_iter().find(|progress| progress.artifact_type == artifact_type);
    let named = format!("{artifact_type} of build {}", build.id);
    let underway = || Failure::NotYet(format!("{named} is not there yet, it is still being made"));
    Ok(match progress {
        Some(progress) if progress.state == ArtifactState::Pending => underway(),
        Some(progress) if progress.state == ArtifactState::Failed => {
            let reason = progress.message.unwrap_or_else(|| "the log tells more".into());
            Failure::missing(format!("{named} could not be made: {reason}"))
        }
        _ if !build.status.is_final() => underway(),
        _ => Failure::missing(format!("there is no {named}")),
    })
}

/// The bytes of a blob, or the part of them that is wanted; nothing where whoever asks has them already. `sha256` is that of
/// the whole in hexadecimal, where it is known.
pub(crate) async fn blob(face: &Face, key: &StorageKey, sha256: Option<&str>, wanted: &Conditions) -> Answer<Response> {
    let storage = face.store().storage();
    let mut part = Part::Whole;
    if !wanted.is_empty()
        && let Some(info) = storage.head(key).await?
    {
        if wanted.has(&info) {
            return Ok((StatusCode::NOT_MODIFIED, described(&info, sha256)).into_response());
        }
        part = wanted.part(&info);
        if part == Part::Beyond {
            return Ok((StatusCode::RANGE_NOT_SATISFIABLE, content_range(None, info.size)).into_response());
        }
    }
    let range = if let Part::Bytes(range) = part { Some(range) } else { None };
    let partial = range.is_some();
    let Blob { info, range, stream } = storage.get(key, range).await?;
    let length = [(header::CONTENT_LENGTH, range.end - range.start)];
    let mut response = (described(&info, sha256), length, Body::from_stream(stream)).into_response();
    if partial {
        *response.status_mut() = StatusCode::PARTIAL_CONTENT;
        response.headers_mut().extend(content_range(Some(range), info.size));
    }
    Ok(response)
}

/// What the headers say about a blob.
fn described(info: &BlobInfo, sha256: Option<&str>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let mut insert = |name: HeaderName, value: &str| {
        // What fits no header is left out: all of these are optional.
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(name, value);
        }
    };
    let (media_type, disposition) = kind(&info.key);
    insert(header::CONTENT_TYPE, media_type);
    // What a build printed is shown as text, whatever it looks like.
    insert(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    insert(header::CONTENT_DISPOSITION, &format!("{disposition}; filename=\"{}\"", file_name(&info.key)));
    insert(header::ACCEPT_RANGES, "bytes");
    insert(header::ETAG, &tag_of(info));
    if let Some(bytes) = sha256.and_then(|digits| hex::decode(digits).ok()) {
        insert(REPR_DIGEST, &format!("sha-256=:{}:", BASE64_STANDARD.encode(bytes)));
    }
    insert(header::LAST_MODIFIED, &httpdate::fmt_http_date(modified(info)));
    // The log of a running build grows, and who may read an artifact can change.
    insert(header::CACHE_CONTROL, "private, no-cache");
    headers
}

fn content_range(range: Option<Range<u64>>, size: u64) -> HeaderMap {
    let part = range.map_or_else(|| "*".to_owned(), |range| format!("{}-{}", range.start, range.end.saturating_sub(1)));
    let value = HeaderValue::try_from(format!("bytes {part}/{size}"));
    value.map(|value| HeaderMap::from_iter([(header::CONTENT_RANGE, value)])).unwrap_or_default()
}

/// The name of the downloaded file, with nothing in it that a quoted string would need to escape.
fn file_name(key: &StorageKey) -> String {
    let name = key.as_str().rsplit('/').next().unwrap_or_default();
    name.chars()
        .map(|character| if character.is_ascii_graphic() && character != '"' { character } else { '_' })
        .collect()
}

const TEXT: &str = "text/plain; charset=utf-8";
const JSON: &str = "application/spdx+json";
const GZIP: &str = "application/gzip";
const ZSTANDARD: &str = "application/zstd";
const SCRIPT: &str = "application/x-sh";
const BYTES: &str = "application/octet-stream";

/// The media types that artifacts have.
pub(crate) const MEDIA_TYPES: [&str; 6] = [TEXT, JSON, GZIP, ZSTANDARD, SCRIPT, BYTES];

/// The media type, and whether a browser shows the artifact or keeps it as a file.
fn kind(key: &StorageKey) -> (&'static str, &'static str) {
    match key.as_str().rsplit_once('.').map(|(_, extension)| extension) {
        Some("log" | "yml" | "yaml") => (TEXT, "inline"),
        Some("json") => (JSON, "inline"),
        Some("gz") => (GZIP, "attachment"),
        Some("zst") => (ZSTANDARD, "attachment"),
        Some("sh") => (SCRIPT, "attachment"),
        _ => (BYTES, "attachment"),
    }
}

//! Artifacts: a redirect to where storage links to, or the bytes themselves.

use std::time::Duration;

use axum::{
    body::Body,
    response::{IntoResponse, Redirect, Response},
};
use conda_store_core::{
    ErrorKind, Result,
    model::{ArtifactType, Build},
    storage::{Blob, Link, LinkOptions, StorageKey},
};
use http::{HeaderValue, header};

use crate::{
    error::{Answer, Failure},
    face::Face,
};

/// How long a link to an artifact answers.
const LINK_LIFETIME: Duration = Duration::from_mins(10);

/// The artifact of a build, for somebody who may read it.
pub(crate) async fn artifact(face: &Face, build: &Build, artifact_type: ArtifactType) -> Answer<Response> {
    let Some(key) = key(face, build, artifact_type).await? else {
        return Err(absent(face, build, artifact_type).await?);
    };
    let options = LinkOptions {
        expires_in: LINK_LIFETIME,
        file_name: key.as_str().rsplit('/').next().map(str::to_owned),
        content_type: Some(content_type(&key).to_owned()),
    };
    match face.store().storage().link(&key, &options).await {
        Ok(Link::Redirect(url)) => Ok(Redirect::temporary(url.as_str()).into_response()),
        Ok(Link::Stream) => blob(face, &key).await,
        Err(error) if error.kind() == ErrorKind::NotFound => Err(absent(face, build, artifact_type).await?),
        Err(error) => Err(error.into()),
    }
}

/// Where the artifact is; a running build's log is there before it is recorded.
async fn key(face: &Face, build: &Build, artifact_type: ArtifactType) -> Result<Option<StorageKey>> {
    let artifacts = face.store().catalogue().artifacts(build.id).await?;
    if let Some(artifact) = artifacts.into_iter().rfind(|artifact| artifact.artifact_type == artifact_type) {
        return artifact.key.parse().map(Some);
    }
    if artifact_type != ArtifactType::Logs {
        return Ok(None);
    }
    format!("logs/{}.log", face.store().build_key(build)?).parse().map(Some)
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

/// The bytes of a blob.
pub(crate) async fn blob(face: &Face, key: &StorageKey) -> Answer<Response> {
    let Blob { info, stream, .. } = face.store().storage().get(key, None).await?;
    let mut response = Body::from_stream(stream).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_LENGTH, info.size.into());
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type(key)));
    // What a build printed is shown as text, whatever it looks like.
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if let Ok(etag) = HeaderValue::try_from(format!("\"{}\"", info.etag)) {
        headers.insert(header::ETAG, etag);
    }
    Ok(response)
}

/// The media types that artifacts have.
pub(crate) const MEDIA_TYPES: [&str; 3] = ["text/plain; charset=utf-8", "application/gzip", "application/octet-stream"];

fn content_type(key: &StorageKey) -> &'static str {
    let [text, archive, bytes] = MEDIA_TYPES;
    match key.as_str().rsplit_once('.').map(|(_, extension)| extension) {
        Some("log" | "yml" | "yaml") => text,
        Some("gz") => archive,
        _ => bytes,
    }
}

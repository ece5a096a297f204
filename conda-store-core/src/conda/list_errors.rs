//! What failures of fetching and reading package lists mean to whoever asked.

use std::{error::Error as StdError, io};

use http::StatusCode;
use rattler_repodata_gateway::{GatewayError, fetch::FetchRepoDataError};
use reqwest_retry::RetryError;
use url::Url;

use super::{mirrored::behind_stand_in, public_url};
use crate::{Error, ErrorKind};

const OPERATION: &str = "read package list";

/// Whether a list was there, but is not what its format or checksum says.
pub(super) fn is_corrupt(error: &GatewayError) -> bool {
    match error {
        GatewayError::ShardHashMismatch(_) => true,
        GatewayError::IoError(_, cause) => is_malformed(cause),
        GatewayError::FetchRepoDataError(
            FetchRepoDataError::IoError(cause) | FetchRepoDataError::FailedToDownload(_, cause),
        ) => is_malformed(cause) && request_error(cause).is_none(),
        _ => false,
    }
}

fn is_malformed(cause: &io::Error) -> bool {
    let parser = matches!(cause.get_ref(), Some(inner) if inner.is::<serde_json::Error>());
    parser || matches!(cause.kind(), io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof | io::ErrorKind::Other)
}

/// The error for `error`, which `list` (the URL of a channel's subdirectory) gave, where that is known.
pub(super) fn explained(error: GatewayError, list: Option<&Url>) -> Error {
    let explained = match &error {
        GatewayError::SubdirNotFoundError(missing) => {
            return Error::not_found(
                OPERATION,
                format!("there is no channel: it has no list {}/repodata.json", missing.subdir),
            )
            .with("url", shown(missing.channel.base_url.url()));
        }
        GatewayError::UnsupportedUrl(reason) => {
            Error::invalid(OPERATION, format!("not the URL of a channel: {reason}"))
        }
        _ if is_corrupt(&error) => {
            Error::new(ErrorKind::Corrupt, OPERATION, "the package list of a channel is damaged")
        }
        _ => unreachable_list(&error),
    };
    let explained = match list {
        Some(list) => explained.with("url", shown(list)),
        None => explained,
    };
    explained.with_source(error)
}

/// An error of the network, or one that nobody thought of.
fn unreachable_list(error: &GatewayError) -> Error {
    let Some(request) = request_error(error) else {
        return Error::unexpected(OPERATION, "the package list of a channel cannot be read");
    };
    let explained = match request.status() {
        Some(status @ (StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN)) => {
            let message = format!("the channel wants other credentials: its host answers {status}");
            Error::new(ErrorKind::Forbidden, OPERATION, message)
        }
        Some(status) => {
            Error::new(ErrorKind::Unavailable, OPERATION, format!("the host of a channel answers {status}"))
        }
        None => Error::new(ErrorKind::Unavailable, OPERATION, "the host of a channel does not answer"),
    };
    match request.url() {
        Some(url) => explained.with("url", shown(url)),
        None => explained,
    }
}

/// The failed request among the causes of `error`.
fn request_error<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a reqwest::Error> {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(request) = as_request_error(error) {
            return Some(request);
        }
        cause = error.source();
    }
    None
}

/// Wrappers are looked into one by one, as transparent ones leave themselves out of the chain of causes.
fn as_request_error<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a reqwest::Error> {
    if let Some(GatewayError::ReqwestError(request)) = error.downcast_ref() {
        return Some(request);
    }
    let wrapped = match error.downcast_ref::<RetryError>() {
        Some(RetryError::Error(inner) | RetryError::WithRetries { err: inner, .. }) => Some(inner),
        None => error.downcast_ref(),
    };
    match wrapped {
        Some(reqwest_middleware::Error::Reqwest(request)) => Some(request),
        _ => error.downcast_ref(),
    }
}

fn shown(url: &Url) -> Url {
    public_url(&behind_stand_in(url))
}

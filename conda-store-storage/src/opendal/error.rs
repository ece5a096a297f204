//! What opendal's errors mean.

use std::{error::Error as StdError, io};

use conda_store_core::{Error, ErrorKind};

/// The error of an operation.
pub(super) fn failed(operation: &'static str, error: opendal::Error) -> Error {
    let (kind, message) = meaning(&error);
    Error::new(kind, operation, message).with_source(error)
}

/// Whether the error says that there is no such blob. A part of its key that is a blob itself, or longer than any name,
/// says so too.
pub(super) fn is_missing(error: &opendal::Error) -> bool {
    error.kind() == opendal::ErrorKind::NotFound
        || matches!(cause(error), Some(io::ErrorKind::NotADirectory | io::ErrorKind::InvalidFilename))
}

/// What the file system said, if it was asked.
fn cause(error: &opendal::Error) -> Option<io::ErrorKind> {
    error.source().and_then(|source| source.downcast_ref::<io::Error>()).map(io::Error::kind)
}

fn meaning(error: &opendal::Error) -> (ErrorKind, &'static str) {
    use opendal::ErrorKind as Kind;
    let from_files = cause(error).and_then(|kind| match kind {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Some((ErrorKind::Full, "the disk is full")),
        io::ErrorKind::NotADirectory | io::ErrorKind::AlreadyExists => {
            Some((ErrorKind::Conflict, "a part of the key is no directory"))
        }
        io::ErrorKind::IsADirectory | io::ErrorKind::DirectoryNotEmpty => {
            Some((ErrorKind::Conflict, "there is a directory of this name"))
        }
        io::ErrorKind::InvalidFilename => {
            Some((ErrorKind::Invalid, "the file system takes no name as long as a part of the key"))
        }
        _ => None,
    });
    if let Some(meaning) = from_files {
        return meaning;
    }
    match error.kind() {
        Kind::NotFound => (ErrorKind::NotFound, "there is no such blob"),
        Kind::PermissionDenied => (ErrorKind::Forbidden, "the credentials do not allow it"),
        Kind::ConfigInvalid => (ErrorKind::Invalid, "the options of the service are not complete or not right"),
        Kind::Unsupported => (ErrorKind::Unsupported, "the service cannot do it"),
        Kind::RangeNotSatisfied => (ErrorKind::Invalid, "the range is beyond the end of the blob"),
        Kind::ConditionNotMatch => (ErrorKind::Conflict, "the blob was replaced meanwhile"),
        Kind::IsADirectory | Kind::NotADirectory | Kind::AlreadyExists | Kind::Conflict => {
            (ErrorKind::Conflict, "something else has this name")
        }
        Kind::RateLimited => (ErrorKind::Unavailable, "the service is overloaded"),
        _ if !error.is_permanent() => (ErrorKind::Unavailable, "the service cannot be reached or is out of order"),
        _ => (ErrorKind::Unexpected, "the service refused"),
    }
}

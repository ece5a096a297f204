//! The one error type of the crates: what kind of failure, doing what, with which particulars, because of what.

use std::{error::Error as StdError, fmt};

use serde::{Deserialize, Serialize};

/// What the caller can do about an [`Error`]; HTTP status codes and retries are decided by it alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ErrorKind {
    /// The thing named does not exist.
    NotFound,
    /// It exists already, or is in a state that forbids the operation.
    Conflict,
    /// What was handed in is wrong; the message says what would be right.
    Invalid,
    /// Nobody is logged in, and somebody has to be.
    Unauthenticated,
    /// Whoever asks may not do this.
    Forbidden,
    /// This implementation cannot do this; its capabilities say so.
    Unsupported,
    /// No set of packages meets the specification.
    Unsatisfiable,
    /// The time limit was reached.
    Timeout,
    /// It was canceled on request.
    Cancelled,
    /// The lease was lost: somebody else does this work now.
    Stale,
    /// No room: a disk or a quota is full, or there is too little memory.
    Full,
    /// Data is not what its checksum, size or format says.
    Corrupt,
    /// A service could not be reached; trying again may help.
    Unavailable,
    /// None of the above: a defect, or an environment that nobody thought of.
    #[serde(other)]
    Unexpected,
}

/// Any failure of conda-store.
///
/// [`fmt::Display`] gives one sentence with its particulars and without its cause, fit for a user;
/// [`Error::report`] joins the causes to it, fit for a log.
pub struct Error(Box<Inner>);

struct Inner {
    kind: ErrorKind,
    operation: &'static str,
    message: String,
    context: Vec<(&'static str, String)>,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

/// The result of nearly every function of conda-store.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// An error of `kind` met during `operation` (a verb phrase such as `"read specification"`).
    ///
    /// `message` is lowercase and without a full stop.
    pub fn new(kind: ErrorKind, operation: &'static str, message: impl Into<String>) -> Self {
        Self(Box::new(Inner { kind, operation, message: message.into(), context: Vec::new(), source: None }))
    }

    /// Shorthand for [`ErrorKind::Invalid`].
    pub fn invalid(operation: &'static str, message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Invalid, operation, message)
    }

    /// Shorthand for [`ErrorKind::NotFound`].
    pub fn not_found(operation: &'static str, message: impl Into<String>) -> Self {
        Self::new(ErrorKind::NotFound, operation, message)
    }

    /// Shorthand for [`ErrorKind::Unexpected`].
    pub fn unexpected(operation: &'static str, message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Unexpected, operation, message)
    }

    /// An input/output error, with the kind that its [`std::io::ErrorKind`] suggests.
    #[must_use]
    pub fn io(operation: &'static str, error: std::io::Error) -> Self {
        let kind = match error.kind() {
            std::io::ErrorKind::NotFound => ErrorKind::NotFound,
            std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => ErrorKind::Full,
            std::io::ErrorKind::TimedOut => ErrorKind::Timeout,
            _ => ErrorKind::Unexpected,
        };
        let message = error.to_string();
        Self::new(kind, operation, message).with_source(error)
    }

    /// Adds one particular, such as `("package", "numpy")`.
    #[must_use]
    pub fn with(mut self, key: &'static str, value: impl fmt::Display) -> Self {
        self.0.context.push((key, value.to_string()));
        self
    }

    /// Adds the cause.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// What kind of failure this is.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// What was being done.
    #[must_use]
    pub fn operation(&self) -> &'static str {
        self.0.operation
    }

    /// The sentence alone, without particulars.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// The particulars, in the order they were added.
    pub fn context(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.0.context.iter().map(|(key, value)| (*key, value.as_str()))
    }

    /// Whether trying the same again may succeed.
    #[must_use]
    pub fn is_temporary(&self) -> bool {
        matches!(self.0.kind, ErrorKind::Unavailable | ErrorKind::Timeout)
    }

    /// The sentence, its particulars and every cause that adds something, joined by `: `.
    #[must_use]
    pub fn report(&self) -> String {
        let mut text = self.to_string();
        let mut cause = self.source();
        while let Some(error) = cause {
            let sentence = error.to_string();
            if !text.contains(&sentence) {
                text.push_str(": ");
                text.push_str(&sentence);
            }
            cause = error.source();
        }
        text
    }
}

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0.message)?;
        for (index, (key, value)) in self.0.context.iter().enumerate() {
            let opening = if index == 0 { " (" } else { ", " };
            write!(formatter, "{opening}{key}: {value}")?;
        }
        if self.0.context.is_empty() { Ok(()) } else { formatter.write_str(")") }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:?} while trying to {}: {}", self.0.kind, self.0.operation, self.report())
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_deref().map(|source| source as _)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_the_sentence_and_reports_the_cause_once() {
        let error =
            Error::io("link package", std::io::Error::from(std::io::ErrorKind::StorageFull)).with("package", "numpy");
        assert_eq!(error.kind(), ErrorKind::Full);
        assert_eq!(error.to_string(), "no storage space (package: numpy)");
        assert_eq!(error.report(), error.to_string());
    }
}

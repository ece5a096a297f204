//! Errors that another process reads.

use serde::{Deserialize, Serialize};

use crate::{Error, ErrorKind};

/// What is kept of an error: its kind, which decides what becomes of it, and all its words.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct KeptError {
    kind: ErrorKind,
    /// The sentence for people.
    message: String,
    /// The whole story for a log.
    report: String,
}

impl From<&Error> for KeptError {
    fn from(error: &Error) -> Self {
        Self { kind: error.kind(), message: error.to_string(), report: error.report() }
    }
}

impl KeptError {
    /// The error again, as one met during `operation`.
    pub(crate) fn into_error(self, operation: &'static str) -> Error {
        let Self { kind, message, report } = self;
        let story = report.strip_prefix(&message).unwrap_or(&report).trim_start_matches(": ").to_owned();
        let error = Error::new(kind, operation, message);
        if story.is_empty() { error } else { error.with_source(story) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_again_what_it_said() {
        let error = Error::not_found("fetch", "no such channel").with("channel", "forge").with_source("404 of a proxy");
        let text = serde_json::to_string(&KeptError::from(&error)).unwrap();
        let again = serde_json::from_str::<KeptError>(&text).unwrap().into_error("solve");
        assert_eq!((again.kind(), again.operation()), (ErrorKind::NotFound, "solve"));
        assert_eq!((again.to_string(), again.report()), (error.to_string(), error.report()));
    }

    #[test]
    fn a_kind_of_a_newer_version_is_unexpected() {
        let text = r#"{"kind": "bewitched", "message": "no", "report": "no"}"#;
        let error = serde_json::from_str::<KeptError>(text).unwrap().into_error("solve");
        assert_eq!((error.kind(), error.report().as_str()), (ErrorKind::Unexpected, "no"));
    }
}

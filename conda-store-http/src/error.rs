//! What is answered where something went wrong: the one place that maps errors to status codes.

use axum::{
    Json,
    response::{IntoResponse, Response},
};
use conda_store_core::{Error, ErrorKind};
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;
use utoipa::ToSchema;

/// Seconds after which an artifact that is being made is worth asking for again.
const RETRY_AFTER: HeaderValue = HeaderValue::from_static("5");

/// One thing wrong with the input's types, in the form that the original gives it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct Problem {
    /// Where: `query`, `path` or `body`, and then the name.
    pub(crate) loc: Vec<String>,
    /// What is wrong.
    pub(crate) msg: String,
    /// What kind of thing is wrong, for programs.
    #[serde(rename = "type")]
    pub(crate) kind: &'static str,
}

/// What is answered where the input fails type validation.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct WrongInput {
    /// Everything that is wrong.
    detail: Vec<Problem>,
}

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum RefusalStatus {
    Error,
}

/// What is answered wherever else something went wrong.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Refusal {
    status: RefusalStatus,
    /// What is wrong, in a sentence for people.
    message: String,
}

/// Any answer that is no success.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Something failed; its kind says with which status.
    Core(Error),
    /// The input fails type validation.
    Types(Vec<Problem>),
    /// The body is larger than this many bytes.
    TooLarge(usize),
    /// The thing asked for is being made.
    NotYet(String),
}

/// What a handler gives.
pub(crate) type Answer<T> = Result<T, Failure>;

impl Failure {
    /// That the caller may not do this, or that what they ask for does not exist and they may not know.
    pub(crate) fn forbidden() -> Self {
        Self::Core(Error::new(ErrorKind::Forbidden, "authorize request", "request not authorized"))
    }

    /// That only somebody who is logged in may do this.
    pub(crate) fn unauthenticated() -> Self {
        Self::Core(Error::new(ErrorKind::Unauthenticated, "authorize request", "request not authenticated"))
    }

    /// That something does not exist.
    pub(crate) fn missing(message: impl Into<String>) -> Self {
        Self::Core(Error::not_found("answer request", message))
    }

    /// That one value of the input has the wrong type.
    pub(crate) fn type_of(place: &str, name: &str, message: impl Into<String>, kind: &'static str) -> Self {
        Self::Types(vec![Problem { loc: vec![place.into(), name.into()], msg: message.into(), kind }])
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Core(error)
    }
}

/// `error`, as what a body asks for and cannot be had: the thing named in the path exists, so that it is neither missing
/// nor in conflict.
pub(crate) fn unacceptable(error: Error) -> Failure {
    match error.kind() {
        ErrorKind::NotFound | ErrorKind::Conflict => {
            Error::invalid("answer request", error.message()).with_source(error).into()
        }
        _ => error.into(),
    }
}

/// The status that answers an error of `kind`.
fn status(kind: ErrorKind) -> StatusCode {
    match kind {
        ErrorKind::NotFound => StatusCode::NOT_FOUND,
        ErrorKind::Conflict | ErrorKind::Cancelled | ErrorKind::Stale => StatusCode::CONFLICT,
        ErrorKind::Invalid | ErrorKind::Unsatisfiable => StatusCode::BAD_REQUEST,
        ErrorKind::Unauthenticated => StatusCode::UNAUTHORIZED,
        ErrorKind::Forbidden => StatusCode::FORBIDDEN,
        ErrorKind::Unsupported => StatusCode::NOT_IMPLEMENTED,
        ErrorKind::Timeout => StatusCode::GATEWAY_TIMEOUT,
        ErrorKind::Full => StatusCode::INSUFFICIENT_STORAGE,
        ErrorKind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        // Corrupt and Unexpected, and whatever kinds will be added: nothing that a caller could mend.
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// What the caller is told; failures of the service itself go to the log alone, since they may speak of its insides.
fn sentence(error: &Error, status: StatusCode) -> String {
    match status {
        StatusCode::SERVICE_UNAVAILABLE => "a service that this one needs cannot be reached, try again later".into(),
        StatusCode::INTERNAL_SERVER_ERROR => {
            "internal error; the server's log tells more under this request's id".into()
        }
        _ => error.to_string(),
    }
}

fn refusal(status: StatusCode, message: impl Into<String>) -> Response {
    (status, Json(Refusal { status: RefusalStatus::Error, message: message.into() })).into_response()
}

/// The answer to a path that leads nowhere.
pub(crate) async fn no_such_path() -> Response {
    refusal(StatusCode::NOT_FOUND, "there is nothing at this path")
}

/// The answer to a method that a path does not take.
pub(crate) async fn no_such_method() -> Response {
    refusal(StatusCode::METHOD_NOT_ALLOWED, "this path does not take this method")
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        match self {
            Self::Core(error) => {
                let status = status(error.kind());
                if status.is_server_error() {
                    tracing::error!(error = error.report(), error.operation = error.operation(), "request failed");
                }
                refusal(status, sentence(&error, status))
            }
            Self::Types(detail) => (StatusCode::UNPROCESSABLE_ENTITY, Json(WrongInput { detail })).into_response(),
            Self::TooLarge(limit) => {
                let message = format!("the body of a request has at most {limit} bytes");
                refusal(StatusCode::PAYLOAD_TOO_LARGE, message)
            }
            Self::NotYet(message) => {
                let mut response = refusal(StatusCode::NOT_FOUND, message);
                response.headers_mut().insert(header::RETRY_AFTER, RETRY_AFTER);
                response
            }
        }
    }
}

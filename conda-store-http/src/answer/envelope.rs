//! JSON envelopes: `{"status": "ok", …}`.

use axum::{
    Json,
    response::{IntoResponse, Response},
};
use http::{HeaderName, HeaderValue};
use serde::Serialize;

/// When deprecated routes may disappear (RFC 8594).
const SUNSET: HeaderValue = HeaderValue::from_static("Fri, 31 Dec 2027 23:59:59 GMT");

/// The header that says that a route is deprecated, in the form of the original (`True`), which clients compare with.
const DEPRECATION: HeaderName = HeaderName::from_static("deprecation");

#[derive(Serialize)]
#[serde(rename_all = "lowercase")]
enum Status {
    Ok,
}

/// One thing.
pub(crate) struct Data<T>(pub(crate) T);

impl<T: Serialize> IntoResponse for Data<T> {
    fn into_response(self) -> Response {
        #[derive(Serialize)]
        struct Envelope<T> {
            status: Status,
            data: T,
            message: Option<String>,
        }
        Json(Envelope { status: Status::Ok, data: self.0, message: None }).into_response()
    }
}

/// That something was done.
pub(crate) struct Acknowledgement(pub(crate) Option<String>);

impl IntoResponse for Acknowledgement {
    fn into_response(self) -> Response {
        #[derive(Serialize)]
        struct Envelope {
            status: Status,
            message: Option<String>,
        }
        Json(Envelope { status: Status::Ok, message: self.0 }).into_response()
    }
}

/// A page of a list, by its number.
#[derive(Serialize)]
pub(crate) struct Listing<T> {
    pub(crate) data: Vec<T>,
    pub(crate) page: u64,
    pub(crate) size: u32,
    pub(crate) count: u64,
}

impl<T: Serialize> IntoResponse for Listing<T> {
    fn into_response(self) -> Response {
        #[derive(Serialize)]
        struct Envelope<T: Serialize> {
            status: Status,
            message: Option<String>,
            #[serde(flatten)]
            listing: Listing<T>,
        }
        Json(Envelope { status: Status::Ok, message: None, listing: self }).into_response()
    }
}

/// A piece of a list, with the cursor that the next one begins after.
#[derive(Serialize)]
pub(crate) struct Piece<T> {
    pub(crate) data: Vec<T>,
    pub(crate) cursor: Option<String>,
    pub(crate) count: u64,
}

impl<T: Serialize> IntoResponse for Piece<T> {
    fn into_response(self) -> Response {
        #[derive(Serialize)]
        struct Envelope<T: Serialize> {
            status: Status,
            message: Option<String>,
            #[serde(flatten)]
            piece: Piece<T>,
        }
        Json(Envelope { status: Status::Ok, message: None, piece: self }).into_response()
    }
}

/// An answer of a route that will disappear.
pub(crate) struct Deprecated<T>(pub(crate) T);

impl<T: IntoResponse> IntoResponse for Deprecated<T> {
    fn into_response(self) -> Response {
        let mut response = self.0.into_response();
        response.headers_mut().insert(DEPRECATION, HeaderValue::from_static("True"));
        response.headers_mut().insert(HeaderName::from_static("sunset"), SUNSET);
        response
    }
}

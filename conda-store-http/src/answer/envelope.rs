//! JSON envelopes: `{"status": "ok", …}`.

use axum::{
    Json,
    response::{IntoResponse, Response},
};
use serde::Serialize;
use utoipa::ToSchema;

#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum Success {
    Ok,
}

/// One thing.
pub(crate) struct Data<T>(pub(crate) T);

/// One thing, as it is answered.
#[derive(Serialize, ToSchema)]
pub(crate) struct Envelope<T> {
    status: Success,
    data: T,
    message: Option<String>,
}

impl<T: Serialize> IntoResponse for Data<T> {
    fn into_response(self) -> Response {
        Json(Envelope { status: Success::Ok, data: self.0, message: None }).into_response()
    }
}

/// One thing, and what was done.
pub(crate) struct DataWithMessage<T>(pub(crate) T, pub(crate) &'static str);

impl<T: Serialize> IntoResponse for DataWithMessage<T> {
    fn into_response(self) -> Response {
        Json(Envelope { status: Success::Ok, data: self.0, message: Some(self.1.to_owned()) }).into_response()
    }
}

/// The packages that a solver chose, under a name of their own.
#[derive(Serialize, ToSchema)]
pub(crate) struct Solved<T> {
    status: Success,
    message: Option<String>,
    solve: Vec<T>,
}

impl<T> Solved<T> {
    /// The packages.
    pub(crate) fn new(solve: Vec<T>) -> Self {
        Self { status: Success::Ok, message: None, solve }
    }
}

impl<T: Serialize> IntoResponse for Solved<T> {
    fn into_response(self) -> Response {
        Json(self).into_response()
    }
}

/// That something was done.
pub(crate) struct Acknowledgement(pub(crate) Option<String>);

/// That something was done, as it is answered.
#[derive(Serialize, ToSchema)]
pub(crate) struct Acknowledged {
    status: Success,
    message: Option<String>,
}

impl IntoResponse for Acknowledgement {
    fn into_response(self) -> Response {
        Json(Acknowledged { status: Success::Ok, message: self.0 }).into_response()
    }
}

/// A page of a list, by its number.
#[derive(Serialize, ToSchema)]
pub(crate) struct Listing<T> {
    status: Success,
    message: Option<String>,
    data: Vec<T>,
    /// The number of the page, from 1.
    page: u64,
    /// How many items a page has at most.
    size: u32,
    /// How many items the whole list has.
    count: u64,
}

impl<T> Listing<T> {
    /// The page with these items of `count`.
    pub(crate) fn new(data: Vec<T>, page: u64, size: u32, count: u64) -> Self {
        Self { status: Success::Ok, message: None, data, page, size, count }
    }
}

impl<T: Serialize> IntoResponse for Listing<T> {
    fn into_response(self) -> Response {
        Json(self).into_response()
    }
}

/// A piece of a list, with the cursor that the next one begins after.
#[derive(Serialize, ToSchema)]
pub(crate) struct Piece<T> {
    status: Success,
    message: Option<String>,
    data: Vec<T>,
    /// Where the next piece begins; null where there is none.
    cursor: Option<String>,
    /// How many items the whole list has.
    count: u64,
}

impl<T> Piece<T> {
    /// The piece with these items of `count`.
    pub(crate) fn new(data: Vec<T>, cursor: Option<String>, count: u64) -> Self {
        Self { status: Success::Ok, message: None, data, cursor, count }
    }
}

impl<T: Serialize> IntoResponse for Piece<T> {
    fn into_response(self) -> Response {
        Json(self).into_response()
    }
}

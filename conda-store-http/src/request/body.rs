//! A JSON body, whatever media type it says it has.

use axum::extract::{FromRequest, Request, rejection::BytesRejection};
use bytes::Bytes;
use http::StatusCode;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::{
    error::{Answer, Failure, Problem},
    face::Face,
};

/// The body of a request, a JSON object.
#[derive(Debug)]
pub(crate) struct JsonBody<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequest<Face> for JsonBody<T> {
    type Rejection = Failure;

    async fn from_request(request: Request, face: &Face) -> Answer<Self> {
        let bytes = Bytes::from_request(request, face).await.map_err(|error| unreadable(&error, face))?;
        let object: Map<String, Value> = serde_json::from_slice(&bytes).map_err(|error| malformed(&error))?;
        serde_path_to_error::deserialize(Value::Object(object)).map(Self).map_err(|error| wrong(&error))
    }
}

fn unreadable(error: &BytesRejection, face: &Face) -> Failure {
    if error.status() == StatusCode::PAYLOAD_TOO_LARGE {
        return Failure::TooLarge(face.options().body_limit);
    }
    problem(Vec::new(), "the body ended before it was complete".into(), "json_invalid")
}

fn malformed(error: &serde_json::Error) -> Failure {
    problem(Vec::new(), format!("must be a JSON object: {error}"), "json_invalid")
}

fn wrong(error: &serde_path_to_error::Error<serde_json::Error>) -> Failure {
    let place: Vec<String> = error.path().iter().map(ToString::to_string).collect();
    problem(place, error.inner().to_string(), "type_error")
}

fn problem(place: Vec<String>, message: String, kind: &'static str) -> Failure {
    let loc = std::iter::once("body".to_owned()).chain(place).collect();
    Failure::Types(vec![Problem { loc, msg: message, kind }])
}

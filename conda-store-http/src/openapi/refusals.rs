//! Answers that are no success, for the lists of responses in the annotations of handlers.

use std::collections::BTreeMap;

use utoipa::{
    IntoResponses, ToSchema,
    openapi::{
        Content, Ref, RefOr,
        path::{Operation, ParameterIn},
        response::{Response, ResponseBuilder},
    },
};

use crate::error::{Refusal, WrongInput};

macro_rules! refusals {
    ($($(#[doc = $text:literal])* $name:ident = $status:literal: $body:ty),* $(,)?) => {$(
        $(#[doc = $text])*
        #[derive(Debug)]
        pub(crate) enum $name {}

        impl IntoResponses for $name {
            fn responses() -> BTreeMap<String, RefOr<Response>> {
                [($status.to_owned(), Ref::from_response_name(stringify!($name)).into())].into()
            }
        }
    )*

    /// What the operations refer to.
    pub(super) fn components() -> impl Iterator<Item = (&'static str, Response)> {
        let described = |text: &str, body| {
            let content = Content::new(Some(Ref::from_schema_name(body)));
            ResponseBuilder::new().description(text.trim()).content("application/json", content).build()
        };
        [$((stringify!($name), described(concat!($($text),*), <$body as ToSchema>::name()))),*].into_iter()
    }};
}

refusals! {
    /// The input is well-formed and cannot be followed; the message says why.
    BadInput = "400": Refusal,
    /// Nobody is logged in.
    Unauthenticated = "401": Refusal,
    /// The caller may not do this, or may not know whether it exists.
    Forbidden = "403": Refusal,
    /// It does not exist.
    Missing = "404": Refusal,
    /// It exists already.
    Conflict = "409": Refusal,
    /// The body of the request is too large.
    TooLarge = "413": Refusal,
    /// The input has the wrong types.
    WrongTypes = "422": WrongInput,
    /// Something went wrong in the service.
    Broken = "500": Refusal,
    /// A service that this one needs cannot be reached.
    Unavailable = "503": Refusal,
    /// There is no room left on the disk.
    Full = "507": Refusal,
}

/// Adds the refusals that follow from what the operation takes, and those that every one has.
pub(super) fn add_common(operation: &mut Operation) {
    let typed = operation.parameters.iter().flatten().any(|parameter| match parameter {
        RefOr::T(parameter) => {
            parameter.parameter_in == ParameterIn::Query || matches!(parameter.name.as_str(), "build_id" | "token_id")
        }
        RefOr::Ref(_) => false,
    });
    let mut responses = Broken::responses();
    responses.extend(Unavailable::responses());
    if operation.request_body.is_some() {
        responses.extend(TooLarge::responses());
    }
    if typed || operation.request_body.is_some() {
        responses.extend(WrongTypes::responses());
    }
    for (status, response) in responses {
        operation.responses.responses.entry(status).or_insert(response);
    }
}

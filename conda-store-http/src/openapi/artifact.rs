//! What answers where the bytes of an artifact are asked for.

use std::collections::BTreeMap;

use utoipa::{
    IntoResponses,
    openapi::{
        Content, Header, KnownFormat, RefOr, SchemaFormat,
        response::{Response, ResponseBuilder},
    },
};

use super::schema::string;
use crate::answer::MEDIA_TYPES;

/// The bytes of an artifact, or where they are.
#[derive(Debug)]
pub(crate) enum Artifact {}

impl IntoResponses for Artifact {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        let bytes = |description| {
            let schema = || string().format(Some(SchemaFormat::KnownFormat(KnownFormat::Binary)));
            let response = ResponseBuilder::new().description(description);
            MEDIA_TYPES
                .iter()
                .fold(response, |response, media_type| response.content(*media_type, Content::new(Some(schema()))))
        };
        let location = Header::new(string());
        [
            ("200", bytes("the artifact")),
            ("206", bytes("the part of it that is wanted")),
            ("304", ResponseBuilder::new().description("it is the one that the caller has")),
            ("416", ResponseBuilder::new().description("it has no such part")),
            ("307", ResponseBuilder::new().description("where the artifact is").header("location", location)),
        ]
        .map(|(status, response)| (status.to_owned(), response.build().into()))
        .into()
    }
}

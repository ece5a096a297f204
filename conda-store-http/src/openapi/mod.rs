//! The `OpenAPI` document: what the annotations of the handlers say, completed with what holds for all of them.

mod artifact;
mod parameter;
mod refusals;
pub(crate) mod schema;

use utoipa::{
    OpenApi as _,
    openapi::{
        Info, OpenApi, PathItem, RefOr, Server,
        path::Operation,
        response::Response,
        security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme},
    },
};

pub(crate) use self::{
    artifact::Artifact,
    parameter::{path, query, repeatable, required_query},
    refusals::{BadInput, Conflict, Forbidden, Full, Missing, Unauthenticated, WrongTypes},
};
use crate::{
    error::{Refusal, WrongInput},
    face::Face,
};

/// What the document says apart from the routes.
#[derive(utoipa::OpenApi)]
#[openapi(
    components(schemas(Refusal, WrongInput)),
    tags(
        (name = "build", description = "attempts to turn a specification into an environment, and what was made of them"),
        (name = "environment", description = "named environments and their current builds"),
        (name = "namespace", description = "groups of environments with one access control"),
        (name = "package", description = "conda packages and the channels they come from"),
        (name = "service", description = "the service itself: its version, health and measures"),
        (name = "session", description = "who asks, and what they may do"),
        (name = "setting", description = "what an installation, a namespace and an environment allow"),
        (name = "specification", description = "what is to be built"),
        (name = "token", description = "what programs show instead of a login"),
        (name = "work", description = "what there is to do, and the workers that do it"),
    )
)]
struct Base;

/// The document that routes are collected in.
pub(crate) fn base() -> OpenApi {
    Base::openapi()
}

/// The document with everything that is the same for every route.
pub(crate) fn completed(mut document: OpenApi, face: &Face) -> OpenApi {
    document.info = Info::new("conda-store", env!("CARGO_PKG_VERSION"));
    document.info.description = Some("Builds, keeps and delivers conda environments for many users.".to_owned());
    let prefix = if face.prefix().is_empty() { "/" } else { face.prefix() };
    document.servers = Some(vec![Server::new(prefix)]);
    // A segment that takes slashes has a star in axum alone.
    let paths = std::mem::take(&mut document.paths.paths).into_iter();
    document.paths.paths = paths.map(|(path, item)| (path.replace("{*", "{"), item)).collect();
    let components = document.components.get_or_insert_default();
    components.responses.extend(refusals::components().map(|(name, response)| (name.to_owned(), response.into())));
    secure(&mut document, face.authenticator().cookie_name());
    for (path, item) in &mut document.paths.paths {
        for (method, operation) in operations(item) {
            operation.operation_id = Some(operation_id(method, path));
            refusals::add_common(operation);
            operation.responses.responses.values_mut().for_each(describe);
        }
    }
    document
}

/// A caller shows a token, in any of the three places, or none.
fn secure(document: &mut OpenApi, cookie: &str) {
    let http = |scheme, text: &str| {
        SecurityScheme::Http(HttpBuilder::new().scheme(scheme).description(Some(text.to_owned())).build())
    };
    let schemes = [
        ("bearer", http(HttpAuthScheme::Bearer, "a token")),
        ("basic", http(HttpAuthScheme::Basic, "a token as password, with any user name")),
        ("cookie", SecurityScheme::ApiKey(ApiKey::Cookie(ApiKeyValue::new(cookie)))),
    ];
    let names = schemes.each_ref().map(|(name, _)| *name);
    let anonymous = std::iter::once(SecurityRequirement::default());
    let required = names.map(|name| SecurityRequirement::new(name, [] as [&str; 0]));
    document.security = Some(anonymous.chain(required).collect());
    document.components.get_or_insert_default().add_security_schemes_from_iter(schemes);
}

/// The operations of a path with their methods.
pub(crate) fn operations(item: &mut PathItem) -> impl Iterator<Item = (&'static str, &mut Operation)> {
    let methods = [
        ("get", &mut item.get),
        ("head", &mut item.head),
        ("post", &mut item.post),
        ("put", &mut item.put),
        ("patch", &mut item.patch),
        ("delete", &mut item.delete),
    ];
    methods.into_iter().filter_map(|(method, operation)| operation.as_mut().map(|operation| (method, operation)))
}

/// A name that no other operation has: `get_api_v1_build_build_id` for `GET /api/v1/build/{build_id}`.
fn operation_id(method: &str, path: &str) -> String {
    let words = path.split(|character: char| !character.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    std::iter::once(method).chain(words).collect::<Vec<_>>().join("_")
}

fn describe(response: &mut RefOr<Response>) {
    if let RefOr::T(response) = response
        && response.description.is_empty()
    {
        "what was asked for".clone_into(&mut response.description);
    }
}

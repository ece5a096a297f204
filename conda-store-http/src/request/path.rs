//! What the path names.

use axum::extract::{FromRequestParts, Path};
use conda_store_core::{
    Error,
    model::{ArtifactType, BuildId, EnvironmentName, NamespaceName, TokenId},
    storage::StorageKey,
};
use http::request::Parts;
use utoipa::{
    IntoParams, PartialSchema as _,
    openapi::path::{Parameter, ParameterIn},
};

use crate::{
    caller::{NO_SUCH_BUILD, NO_SUCH_TOKEN},
    error::{Answer, Failure},
    face::Face,
    openapi::{path, schema},
};

/// The segments of the path that the route leaves open; text that is no UTF-8 names nothing.
async fn segments<T>(parts: &mut Parts, face: &Face, absent: &str) -> Answer<T>
where
    T: serde::de::DeserializeOwned + Send,
{
    let path = Path::<T>::from_request_parts(parts, face).await;
    path.map(|Path(segments)| segments).map_err(|_| Failure::missing(absent))
}

/// The id that the segment `name` has: an integer; `None` for one that no row can have.
fn read_id(name: &str, text: &str) -> Answer<Option<i32>> {
    match text.parse::<i64>() {
        Ok(id) => Ok(i32::try_from(id).ok()),
        Err(_) => Err(Failure::type_of("path", name, "must be an integer of at most 64 bits", "int_parsing")),
    }
}

/// `/{build_id}`: an integer; `None` for one that no build can have.
#[derive(Debug)]
pub(crate) struct BuildPath(pub(crate) Option<BuildId>);

impl FromRequestParts<Face> for BuildPath {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, face: &Face) -> Answer<Self> {
        let text: String = segments(parts, face, NO_SUCH_BUILD).await?;
        Ok(Self(read_id("build_id", &text)?.map(BuildId)))
    }
}

impl IntoParams for BuildPath {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        vec![path("build_id", "the id of the build", schema::integer(1))]
    }
}

/// `/{build_id}/artifact/{artifact_type}`.
#[derive(Debug)]
pub(crate) struct BuildArtifactPath {
    /// As in [`BuildPath`].
    pub(crate) build_id: Option<BuildId>,
    pub(crate) artifact_type: ArtifactType,
}

impl FromRequestParts<Face> for BuildArtifactPath {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, face: &Face) -> Answer<Self> {
        let (build_id, artifact_type): (String, String) = segments(parts, face, NO_SUCH_BUILD).await?;
        let artifact_type = artifact_type
            .parse()
            .map_err(|error: Error| Failure::type_of("path", "artifact_type", error.message(), "enum"))?;
        Ok(Self { build_id: read_id("build_id", &build_id)?.map(BuildId), artifact_type })
    }
}

impl IntoParams for BuildArtifactPath {
    fn into_params(location: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let artifact_type = path("artifact_type", "what is to be made", schema::ArtifactType::schema());
        BuildPath::into_params(location).into_iter().chain([artifact_type]).collect()
    }
}

/// `/{build_id}/…/{other_id}`, both as in [`BuildPath`].
#[derive(Debug)]
pub(crate) struct TwoBuildsPath {
    pub(crate) build: Option<BuildId>,
    pub(crate) other: Option<BuildId>,
}

impl FromRequestParts<Face> for TwoBuildsPath {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, face: &Face) -> Answer<Self> {
        let (build, other): (String, String) = segments(parts, face, NO_SUCH_BUILD).await?;
        Ok(Self { build: read_id("build_id", &build)?.map(BuildId), other: read_id("other_id", &other)?.map(BuildId) })
    }
}

impl IntoParams for TwoBuildsPath {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        vec![
            path("build_id", "the id of the build", schema::integer(1)),
            path("other_id", "the id of the build that it is compared with", schema::integer(1)),
        ]
    }
}

/// `/{namespace}`. A name against the rules is one that nothing has.
#[derive(Debug)]
pub(crate) struct NamespacePath(pub(crate) NamespaceName);

impl FromRequestParts<Face> for NamespacePath {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, face: &Face) -> Answer<Self> {
        let absent = "namespace does not exist";
        let text: String = segments(parts, face, absent).await?;
        text.parse().map(Self).map_err(|_| Failure::missing(absent))
    }
}

impl IntoParams for NamespacePath {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        vec![path("namespace", "the name of the namespace", schema::Name::schema())]
    }
}

/// `/{namespace}` that is to be made, so that a name against the rules is wrong.
#[derive(Debug)]
pub(crate) struct NewNamespacePath(pub(crate) NamespaceName);

impl FromRequestParts<Face> for NewNamespacePath {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, face: &Face) -> Answer<Self> {
        let text: String = segments(parts, face, "the name of the namespace is no UTF-8").await?;
        Ok(Self(text.parse()?))
    }
}

impl IntoParams for NewNamespacePath {
    fn into_params(place: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        NamespacePath::into_params(place)
    }
}

/// `/{token_id}`: an integer; `None` for one that no token can have.
#[derive(Debug)]
pub(crate) struct TokenPath(pub(crate) Option<TokenId>);

impl FromRequestParts<Face> for TokenPath {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, face: &Face) -> Answer<Self> {
        let text: String = segments(parts, face, NO_SUCH_TOKEN).await?;
        Ok(Self(read_id("token_id", &text)?.map(TokenId)))
    }
}

impl IntoParams for TokenPath {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        vec![path("token_id", "the id of the token", schema::integer(1))]
    }
}

/// `/{namespace}/{name}`. A name against the rules is one that nothing has.
#[derive(Debug)]
pub(crate) struct EnvironmentPath {
    pub(crate) namespace: NamespaceName,
    pub(crate) name: EnvironmentName,
}

impl FromRequestParts<Face> for EnvironmentPath {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, face: &Face) -> Answer<Self> {
        let absent = || Failure::missing("environment does not exist");
        let (namespace, name): (String, String) = segments(parts, face, "environment does not exist").await?;
        let namespace = namespace.parse().map_err(|_| absent())?;
        Ok(Self { namespace, name: name.parse().map_err(|_| absent())? })
    }
}

impl IntoParams for EnvironmentPath {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        vec![
            path("namespace", "the namespace of the environment", schema::Name::schema()),
            path("name", "the name of the environment", schema::Name::schema()),
        ]
    }
}

/// `/{key}`, slashes and all. A key against the rules is one that nothing has.
#[derive(Debug)]
pub(crate) struct StoragePath(pub(crate) StorageKey);

impl FromRequestParts<Face> for StoragePath {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, face: &Face) -> Answer<Self> {
        let absent = "there is no such artifact";
        let text: String = segments(parts, face, absent).await?;
        text.parse().map(Self).map_err(|_| Failure::missing(absent))
    }
}

impl IntoParams for StoragePath {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        vec![path("key", "where the artifact is, slashes and all", schema::string())]
    }
}

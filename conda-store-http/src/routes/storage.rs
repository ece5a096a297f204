//! `GET /storage/{key}`: the bytes of an artifact, for those who may read its environment.

use axum::response::Response;
use conda_store_core::auth::Permission;

use crate::{
    answer,
    caller::Caller,
    error::Answer,
    openapi::{Artifact, Forbidden, Missing},
    request::{Conditions, StoragePath},
};

/// The bytes of an artifact, for those who may read its environment.
#[utoipa::path(
    get,
    path = "/storage/{*key}",
    tag = "build",
    params(StoragePath),
    responses(Artifact, Forbidden, Missing)
)]
pub(crate) async fn handle(caller: Caller, StoragePath(key): StoragePath, wanted: Conditions) -> Answer<Response> {
    let Some(artifact) = caller.face.store().catalogue().artifact_by_key(key.as_str()).await? else {
        return Err(caller.missing("there is no such artifact").await?);
    };
    caller.build(Some(artifact.build_id), Permission::EnvironmentRead).await?;
    answer::blob(&caller.face, &key, artifact.sha256.as_deref(), &wanted).await
}

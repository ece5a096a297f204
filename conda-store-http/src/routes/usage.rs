//! `GET /api/v1/usage/`: what the namespaces that the caller may read have.

use std::collections::BTreeMap;

use conda_store_core::{auth::Permission, model::NamespaceName};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    answer::{Data, Envelope},
    caller::Caller,
    error::Answer,
};

/// What a namespace has; what is deleted does not count.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Usage {
    num_environments: u64,
    num_builds: u64,
    /// Bytes on disk.
    storage: u64,
}

/// What the namespaces that the caller may read have, by name.
#[utoipa::path(
    get,
    path = "/usage",
    tag = "namespace",
    responses((status = OK, body = Envelope<BTreeMap<String, Usage>>)),
)]
pub(crate) async fn handle(caller: Caller) -> Answer<Data<BTreeMap<NamespaceName, Usage>>> {
    let scope = caller.scope(Permission::NamespaceRead).await?;
    let namespaces = caller.face.store().catalogue().usage(&scope).await?.into_iter();
    let usage = namespaces.map(|found| {
        let usage = Usage { num_environments: found.environments, num_builds: found.builds, storage: found.bytes };
        (found.namespace, usage)
    });
    Ok(Data(usage.collect()))
}

//! `GET /api/v1/permission/`: who asks, and what they may do.

use std::collections::BTreeMap;

use conda_store_core::{
    auth::{ArnPattern, RoleBindings},
    clock::Timestamp,
};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    answer::{Data, Envelope},
    caller::Caller,
    error::Answer,
    openapi::schema,
};

/// What somebody may do.
#[derive(Serialize, ToSchema)]
pub(crate) struct Rights {
    authenticated: bool,
    primary_namespace: String,
    #[schema(value_type = BTreeMap<String, Vec<schema::Permission>>)]
    entity_permissions: BTreeMap<ArnPattern, Vec<&'static str>>,
    #[schema(value_type = BTreeMap<String, Vec<String>>)]
    entity_roles: RoleBindings,
    #[schema(value_type = Option<schema::Moment>)]
    expiration: Option<Timestamp>,
}

/// Who asks, and what they may do.
#[utoipa::path(
    get,
    path = "/permission",
    tag = "session",
    responses((status = OK, body = Envelope<Rights>)),
)]
pub(crate) async fn handle(caller: Caller) -> Answer<Data<Rights>> {
    let authorizer = caller.face.authorizer();
    let primary_namespace = match &caller.entity {
        Some(entity) => entity.primary_namespace.clone(),
        None => caller.face.default_namespace().await?.into(),
    };
    let bindings = authorizer.bindings(caller.entity.as_ref()).await?;
    let granted = authorizer.permissions(&bindings).into_iter();
    Ok(Data(Rights {
        authenticated: caller.entity.is_some(),
        primary_namespace,
        entity_permissions: granted.map(|(pattern, permissions)| (pattern, names(&permissions))).collect(),
        entity_roles: bindings,
        expiration: caller.entity.and_then(|entity| entity.expires),
    }))
}

/// The names of `permissions`, sorted as text.
fn names<'a>(permissions: impl IntoIterator<Item = &'a conda_store_core::auth::Permission>) -> Vec<&'static str> {
    let mut names: Vec<_> = permissions.into_iter().map(|permission| permission.as_str()).collect();
    names.sort_unstable();
    names
}

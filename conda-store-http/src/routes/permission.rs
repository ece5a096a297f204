//! `GET /api/v1/permission/`: who asks, and what they may do.

use std::collections::BTreeMap;

use conda_store_core::{
    auth::{ArnPattern, RoleBindings},
    clock::Timestamp,
};
use serde::Serialize;

use crate::{answer::Data, caller::Caller, error::Answer};

/// What somebody may do.
#[derive(Serialize)]
pub(crate) struct Rights {
    authenticated: bool,
    primary_namespace: String,
    entity_permissions: BTreeMap<ArnPattern, Vec<&'static str>>,
    entity_roles: RoleBindings,
    expiration: Option<Timestamp>,
}

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

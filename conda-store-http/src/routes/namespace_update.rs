//! `PUT /api/v1/namespace/{namespace}/`: other words about a namespace, other roles of those whose own it is.

use std::collections::{BTreeMap, BTreeSet};

use conda_store_core::{
    auth::{Permission, RoleBindings},
    catalogue::RoleMapping,
};
use serde::Deserialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::{
    answer::{Acknowledged, Acknowledgement},
    caller::Caller,
    error::Answer,
    openapi::{BadInput, Forbidden, Missing, schema},
    request::{JsonBody, NamespacePath, role_bindings},
};

/// What is to be changed.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default)]
pub(crate) struct Change {
    /// Words about the namespace, in place of those that it has.
    #[schema(value_type = Option<schema::Metadata>)]
    metadata: Option<Map<String, Value>>,
    /// Where those have which roles whose own namespace it is, in place of all that they have: roles by `NAMESPACE/NAME`
    /// patterns.
    #[schema(value_type = Option<BTreeMap<String, Vec<String>>>)]
    role_mappings: Option<BTreeMap<String, BTreeSet<String>>>,
}

const PERMISSIONS: [Permission; 3] =
    [Permission::NamespaceUpdate, Permission::RoleMappingCreate, Permission::RoleMappingDelete];

/// Changes what is written down about a namespace, and the roles that it gives.
#[utoipa::path(
    put,
    path = "/namespace/{namespace}",
    tag = "namespace",
    params(NamespacePath),
    request_body = Change,
    responses((status = OK, body = Acknowledged), BadInput, Forbidden, Missing),
)]
pub(crate) async fn handle(
    caller: Caller,
    NamespacePath(name): NamespacePath,
    JsonBody(change): JsonBody<Change>,
) -> Answer<Acknowledgement> {
    let namespace = caller.namespace(&name, &PERMISSIONS).await?;
    let catalogue = caller.face.store().catalogue();
    let wanted = change.role_mappings.as_ref().map(role_bindings).transpose()?;
    if let Some(wanted) = &wanted {
        let there = catalogue.role_mappings(&[namespace.id]).await?.remove(&namespace.id).unwrap_or_default();
        caller.require_to_hand_on(&added(wanted, &there)).await?;
    }
    catalogue.update_namespace(&name, change.metadata.as_ref(), wanted.as_ref()).await?;
    Ok(Acknowledgement(None))
}

/// What is `wanted` and not there: what somebody else gave may stay.
fn added(wanted: &RoleBindings, there: &[RoleMapping]) -> RoleBindings {
    let mut added = wanted.clone();
    for mapping in there {
        if let Some(roles) = added.get_mut(&mapping.entity) {
            roles.remove(&mapping.role);
        }
    }
    added
}

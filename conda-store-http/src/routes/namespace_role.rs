//! `GET /api/v1/namespace/{namespace}/role?other_namespace=`: the role that another namespace has in a namespace.

use conda_store_core::{auth::Permission, model::NamespaceName};
use utoipa::{
    IntoParams, PartialSchema as _,
    openapi::path::{Parameter, ParameterIn},
};

use crate::{
    answer::{Data, Envelope},
    caller::Caller,
    error::{Answer, Failure},
    openapi::{Forbidden, Missing, required_query, schema},
    request::{NamespacePath, Parameters},
    view::NamespaceRoleView,
};

const OTHER: &str = "other_namespace";

/// Whose role is asked for.
pub(crate) enum Other {}

impl IntoParams for Other {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        vec![required_query(OTHER, "the namespace that has the role", schema::Name::schema())]
    }
}

/// The role that those have in a namespace whose own another one is.
#[utoipa::path(
    get,
    path = "/namespace/{namespace}/role",
    tag = "namespace",
    params(NamespacePath, Other),
    responses((status = OK, body = Envelope<NamespaceRoleView>), Forbidden, Missing),
)]
pub(crate) async fn handle(
    caller: Caller,
    NamespacePath(name): NamespacePath,
    parameters: Parameters,
) -> Answer<Data<NamespaceRoleView>> {
    let other: NamespaceName = parameters.required(OTHER)?;
    caller.namespace(&name, &[Permission::RoleMappingRead]).await?;
    let role = caller.face.store().catalogue().namespace_role(&name, &other).await?;
    role.map(|role| Data(role.into())).ok_or_else(|| Failure::missing("failed to find role"))
}

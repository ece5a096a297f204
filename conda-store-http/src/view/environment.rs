//! An environment.

use conda_store_core::{
    catalogue::Environment,
    model::{BuildId, EnvironmentId, EnvironmentName},
};
use serde::Serialize;
use utoipa::ToSchema;

use super::NamespaceView;
use crate::openapi::schema;

/// An environment as the API shows it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct EnvironmentView {
    #[schema(value_type = i32)]
    id: EnvironmentId,
    namespace: NamespaceView,
    #[schema(value_type = schema::Name)]
    name: EnvironmentName,
    #[schema(value_type = Option<i32>)]
    current_build_id: Option<BuildId>,
    description: Option<String>,
}

impl From<Environment> for EnvironmentView {
    fn from(environment: Environment) -> Self {
        Self {
            id: environment.id,
            namespace: environment.namespace.into(),
            name: environment.name,
            current_build_id: environment.current_build_id,
            description: environment.description,
        }
    }
}

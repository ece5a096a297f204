//! An environment.

use conda_store_core::{
    catalogue::Environment,
    model::{BuildId, EnvironmentId, EnvironmentName},
};
use serde::Serialize;

use super::NamespaceView;

/// An environment as the API shows it.
#[derive(Debug, Serialize)]
pub(crate) struct EnvironmentView {
    id: EnvironmentId,
    namespace: NamespaceView,
    name: EnvironmentName,
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

//! A build.

use conda_store_core::{
    clock::Timestamp,
    model::{Artifact, ArtifactId, ArtifactType, Build, BuildId, BuildStatus, EnvironmentId},
};
use serde::Serialize;
use utoipa::ToSchema;

use super::SpecificationView;
use crate::openapi::schema;

/// An artifact as the API shows it.
#[derive(Debug, Serialize, ToSchema)]
struct ArtifactView {
    #[schema(value_type = i32)]
    id: ArtifactId,
    #[schema(value_type = schema::ArtifactType)]
    artifact_type: ArtifactType,
    /// Where it is: a storage key, or a path for a directory.
    key: String,
    /// SHA-256 of it in hexadecimal, where it is known.
    sha256: Option<String>,
    /// Its bytes, where they are known.
    size: Option<i64>,
}

impl From<Artifact> for ArtifactView {
    fn from(artifact: Artifact) -> Self {
        let Artifact { id, build_id: _, artifact_type, key, sha256, size } = artifact;
        Self { id, artifact_type, key, sha256, size }
    }
}

/// A build as lists show it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct BuildView {
    #[schema(value_type = i32)]
    id: BuildId,
    #[schema(value_type = i32)]
    environment_id: EnvironmentId,
    #[schema(value_type = schema::BuildStatus)]
    status: BuildStatus,
    /// Why it stands there, in one sentence for a person.
    status_info: Option<String>,
    /// Bytes on disk, once built.
    size: i64,
    #[schema(value_type = schema::Moment)]
    scheduled_on: Timestamp,
    #[schema(value_type = Option<schema::Moment>)]
    started_on: Option<Timestamp>,
    #[schema(value_type = Option<schema::Moment>)]
    ended_on: Option<Timestamp>,
    build_artifacts: Vec<ArtifactView>,
}

impl BuildView {
    /// The build with its artifacts.
    pub(crate) fn new(build: Build, artifacts: Vec<Artifact>) -> Self {
        Self {
            id: build.id,
            environment_id: build.environment_id,
            status: build.status,
            status_info: build.status_info,
            // Clients take a number here, also before there is anything to measure.
            size: build.size.unwrap_or_default(),
            scheduled_on: build.scheduled_on,
            started_on: build.started_on,
            ended_on: build.ended_on,
            build_artifacts: artifacts.into_iter().map(ArtifactView::from).collect(),
        }
    }
}

/// A build as it is shown alone.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct BuildDetails {
    #[serde(flatten)]
    build: BuildView,
    specification: Option<SpecificationView>,
}

impl BuildDetails {
    /// The build with its specification.
    pub(crate) fn new(build: BuildView, specification: Option<SpecificationView>) -> Self {
        Self { build, specification }
    }
}

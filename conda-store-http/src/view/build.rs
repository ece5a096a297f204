//! A build.

use conda_store_core::{
    clock::Timestamp,
    model::{Artifact, ArtifactId, ArtifactType, Build, BuildId, BuildStatus, EnvironmentId},
};
use serde::Serialize;

use super::SpecificationView;

/// An artifact as the API shows it.
#[derive(Debug, Serialize)]
struct ArtifactView {
    id: ArtifactId,
    artifact_type: ArtifactType,
    key: String,
}

impl From<Artifact> for ArtifactView {
    fn from(artifact: Artifact) -> Self {
        Self { id: artifact.id, artifact_type: artifact.artifact_type, key: artifact.key }
    }
}

/// A build as lists show it.
#[derive(Debug, Serialize)]
pub(crate) struct BuildView {
    id: BuildId,
    environment_id: EnvironmentId,
    status: BuildStatus,
    status_info: Option<String>,
    size: i64,
    scheduled_on: Timestamp,
    started_on: Option<Timestamp>,
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
#[derive(Debug, Serialize)]
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

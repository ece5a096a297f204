//! A build in the history of its environment.

use conda_store_core::{
    clock::Timestamp,
    model::{Build, BuildId, SpecificationId},
};
use serde::Serialize;
use utoipa::ToSchema;

use crate::openapi::schema;

/// A completed build as the history of its environment shows it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct HistoryView {
    #[schema(value_type = i32)]
    id: BuildId,
    /// Whether it is the one that users of the environment get.
    is_current: bool,
    /// Builds of the same specification have the same one.
    #[schema(value_type = i32)]
    specification_id: SpecificationId,
    /// Bytes on disk.
    size: i64,
    #[schema(value_type = schema::Moment)]
    scheduled_on: Timestamp,
    #[schema(value_type = Option<schema::Moment>)]
    ended_on: Option<Timestamp>,
    /// When it was deleted; it cannot become current again then.
    #[schema(value_type = Option<schema::Moment>)]
    deleted_on: Option<Timestamp>,
}

impl HistoryView {
    /// The build, where `current` is its environment's current one.
    pub(crate) fn new(build: &Build, current: Option<BuildId>) -> Self {
        Self {
            id: build.id,
            is_current: current == Some(build.id),
            specification_id: build.specification_id,
            size: build.size.unwrap_or_default(),
            scheduled_on: build.scheduled_on,
            ended_on: build.ended_on,
            deleted_on: build.deleted_on,
        }
    }
}

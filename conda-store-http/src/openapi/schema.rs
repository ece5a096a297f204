//! Schemas of the core crate's types, which know nothing of the document: made of their own lists of values.

use std::borrow::Cow;

use conda_store_core::{auth, catalogue, job, model};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{ObjectBuilder, RefOr, Schema, Type},
};

use crate::view::WORKER_STATES;

macro_rules! schemas {
    ($($(#[doc = $text:literal])* $name:ident = $schema:expr),* $(,)?) => {$(
        $(#[doc = $text])*
        #[derive(Debug)]
        pub(crate) enum $name {}

        impl PartialSchema for $name {
            fn schema() -> RefOr<Schema> {
                let schema: ObjectBuilder = $schema;
                schema.description(Some(concat!($($text),*).trim())).into()
            }
        }

        impl ToSchema for $name {
            fn name() -> Cow<'static, str> {
                Cow::Borrowed(stringify!($name))
            }
        }
    )*};
}

schemas! {
    /// Where a build stands.
    BuildStatus = string().enum_values(Some(model::BuildStatus::ALL.map(model::BuildStatus::as_str))),
    /// What was made of a build.
    ArtifactType = string().enum_values(Some(model::ArtifactType::ALL.map(model::ArtifactType::as_str))),
    /// What a job is about: a `build`, a `solve` that somebody waits for, an `artifact` of a build, the symlink of an
    /// environment (`current_build`), or what a deleted build left behind (`delete_build`); the others keep house.
    JobKind = string().enum_values(Some(job::JobKind::ALL.map(job::JobKind::as_str))),
    /// Where a job stands: nobody has it or it is tried again (`waiting`), a worker has it (`running`), that worker was lost
    /// and another one takes it soon (`lost`), it comes again after its interval (`idle`), or it was given up (`failed`).
    JobState = string().enum_values(Some(catalogue::JobState::ALL.map(catalogue::JobState::as_str))),
    /// Whether a worker does something; one that gave no sign of life for half a minute is `lost`.
    WorkerState = string().enum_values(Some(WORKER_STATES)),
    /// What somebody may do.
    Permission = string().enum_values(Some(auth::Permission::ALL.map(auth::Permission::as_str))),
    /// A moment in UTC, ISO 8601 without zone suffix.
    Moment = string().pattern(Some(r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{6}$")),
    /// Anything that somebody wrote down.
    Metadata = ObjectBuilder::new().schema_type(Type::Object),
    /// Settings by name: those of the section `CondaStore` of the configuration that can be set per installation, and partly
    /// per namespace and environment.
    Settings = ObjectBuilder::new().schema_type(Type::Object),
    /// The name of a namespace or an environment.
    Name = string().min_length(Some(1)).max_length(Some(255)).pattern(Some(r"^[A-Za-z0-9\-+_@$&?^~.=]+$")),
}

/// Any text.
pub(crate) fn string() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String)
}

/// An integer that is at least `least`.
pub(crate) fn integer(least: i32) -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(least))
}

//! `POST /api/v1/specification/`: asks for a build.

use conda_store_core::{
    auth::Permission,
    model::{BuildId, NamespaceName},
    specification::{Specification, SpecificationLimits},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    answer::{Data, Envelope},
    caller::Caller,
    error::Answer,
    openapi::{BadInput, Forbidden, Full},
    request::JsonBody,
};

/// What is to be built, and where.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default)]
pub(crate) struct Submission {
    /// The text of an `environment.yaml`, or of a lockfile as conda-lock writes it.
    specification: String,
    /// Where the environment is, by default the caller's own namespace.
    namespace: Option<String>,
    /// Whether the text is a lockfile.
    is_lockfile: Option<bool>,
    /// What the environment of a lockfile is called.
    environment_name: Option<String>,
    environment_description: Option<String>,
}

/// What became of it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Submitted {
    #[schema(value_type = i32)]
    pub(crate) build_id: BuildId,
}

/// Asks for a build; answers its id.
#[utoipa::path(
    post,
    path = "/specification",
    tag = "specification",
    request_body = Submission,
    responses((status = OK, body = Envelope<Submitted>), BadInput, Forbidden, Full),
)]
pub(crate) async fn handle(caller: Caller, JsonBody(submission): JsonBody<Submission>) -> Answer<Data<Submitted>> {
    let namespace = namespace(&caller, submission.namespace.as_deref()).await?;
    let specification = read(submission)?;
    authorise(&caller, &namespace, &specification).await?;
    let build = caller.face.store().submit(&namespace, specification).await?;
    Ok(Data(Submitted { build_id: build.id }))
}

/// The namespace that is asked for, otherwise the caller's own.
async fn namespace(caller: &Caller, asked: Option<&str>) -> Answer<NamespaceName> {
    match asked.filter(|asked| !asked.is_empty()) {
        Some(asked) => Ok(asked.parse()?),
        None => caller.primary_namespace().await,
    }
}

fn read(submission: Submission) -> Answer<Specification> {
    let limits = SpecificationLimits::default();
    if submission.is_lockfile != Some(true) {
        return Ok(Specification::from_yaml(&submission.specification, &limits)?);
    }
    let name = submission.environment_name.unwrap_or_default().parse()?;
    let description = submission.environment_description.unwrap_or_default();
    Ok(Specification::from_lockfile(name, description, &submission.specification, &limits)?)
}

/// Whoever builds in a namespace that is not there yet makes it, and must be allowed to.
async fn authorise(caller: &Caller, namespace: &NamespaceName, specification: &Specification) -> Answer<()> {
    caller.require(namespace, Some(specification.name()), &[Permission::EnvironmentCreate]).await?;
    if caller.face.store().catalogue().namespace(namespace).await?.is_none() {
        caller.require(namespace, None, &[Permission::NamespaceCreate]).await?;
    }
    Ok(())
}

//! `POST /api/v1/specification/`: asks for a build.

use conda_store_core::{
    auth::Permission,
    model::{BuildId, NamespaceName},
    specification::{Specification, SpecificationLimits},
};
use serde::{Deserialize, Serialize};

use crate::{answer::Data, caller::Caller, error::Answer, request::JsonBody};

/// What is to be built, and where.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Submission {
    specification: String,
    namespace: Option<String>,
    is_lockfile: Option<bool>,
    environment_name: Option<String>,
    environment_description: Option<String>,
}

/// What became of it.
#[derive(Debug, Serialize)]
pub(crate) struct Submitted {
    build_id: BuildId,
}

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

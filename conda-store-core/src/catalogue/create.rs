//! Asking for a build.

use super::{Catalogue, builds, environments, namespaces, query::Transaction, specifications};
use crate::{
    Result,
    build_key::{BuildKeyFormat, BuildKeyParts, BuildKeyReference},
    model::{Build, BuildStatus, EnvironmentName, NamespaceName},
};

/// What is being done.
const OPERATION: &str = "create build";

/// A specification to build.
#[derive(Clone, Copy, Debug)]
pub struct NewSpecification<'a> {
    /// Its name: that of the environment.
    pub name: &'a str,
    /// The content; the build keeps it exactly, the order of its lists included.
    pub spec: &'a serde_json::Value,
    /// Its SHA-256 in hexadecimal; equal ones share a row.
    pub sha256: &'a str,
    /// Whether the content is a lockfile.
    pub is_lockfile: bool,
}

/// A build that somebody asks for.
#[derive(Clone, Copy, Debug)]
pub struct NewBuild<'a> {
    /// Where the environment is; made where it does not exist.
    pub namespace: &'a NamespaceName,
    /// The environment; made where it does not exist.
    pub environment: &'a EnvironmentName,
    /// A sentence about the environment; none leaves the one it has.
    pub description: Option<&'a str>,
    /// What to build.
    pub specification: NewSpecification<'a>,
    /// How its key is written.
    pub build_key: &'a dyn BuildKeyFormat,
}

impl Catalogue {
    /// Writes down a build, queued as of now, with everything it needs: the namespace, the environment and the
    /// specification are made where they do not exist and revived where they were deleted.
    pub async fn create_build(&self, new: &NewBuild<'_>) -> Result<Build> {
        let now = self.clock.now();
        let mut transaction = self.database.begin(OPERATION).await?;
        let namespace = namespaces::ensure(&mut transaction, new.namespace).await?;
        let environment = environments::ensure(&mut transaction, namespace, new.environment, new.description).await?;
        let specification = specifications::ensure(&mut transaction, &new.specification, now).await?;
        let insert = transaction.query(
            OPERATION,
            "insert into build (environment_id, specification_id, status, scheduled_on, build_key_version) \
             values ($1, $2, $3, $4, $5) returning id",
        );
        let insert = insert.value(environment).value(specification.id).value(BuildStatus::Queued.as_str());
        let (id,): (i32,) = insert.value(now).value(new.build_key.version()).one().await?;
        if !specification.is_same {
            specifications::keep_exact(&mut transaction, id, new.specification.spec).await?;
        }
        let build = builds::read(&mut transaction, OPERATION, id).await?;
        let build = keep_hash(&mut transaction, build, new.build_key).await?;
        transaction.commit(OPERATION).await?;
        Ok(build)
    }
}

/// Writes down the key where only the catalogue can lead from it to the build.
async fn keep_hash(transaction: &mut Transaction<'_>, mut build: Build, format: &dyn BuildKeyFormat) -> Result<Build> {
    let key = format.key(&BuildKeyParts {
        namespace: &build.namespace,
        environment: &build.environment,
        specification_sha256: &build.specification_sha256,
        scheduled_on: build.scheduled_on,
        build_id: build.id,
    })?;
    if let Some(BuildKeyReference::Hash(hash)) = format.parse(&key) {
        let update = transaction.query(OPERATION, "update build set hash = $1 where id = $2");
        update.value(hash.as_str()).value(build.id).run().await?;
        build.hash = Some(hash);
    }
    Ok(build)
}

//! How many builds there are of each kind, from a table that triggers keep: counting a million of them takes too long.

use super::{BuildQuery, Catalogue, filter, query::Query};
use crate::{Result, model::ArtifactType};

/// What stands for an artifact in the column `artifacts`, as in the migration.
fn bit(artifact: ArtifactType) -> i32 {
    match artifact {
        ArtifactType::Directory => 1,
        ArtifactType::Lockfile => 2,
        ArtifactType::Logs => 4,
        ArtifactType::Yaml => 8,
        ArtifactType::CondaPack => 16,
        ArtifactType::DockerBlob => 32,
        ArtifactType::DockerManifest => 64,
        ArtifactType::ContainerRegistry => 128,
        ArtifactType::ConstructorInstaller => 256,
    }
}

impl Catalogue {
    /// Adds up what was counted since the last time, so that the table stays small.
    pub async fn fold_build_counts(&self) -> Result<()> {
        const OPERATION: &str = "count builds";
        const KINDS: &str = " group by namespace_id, status, artifacts \
            on conflict (namespace_id, status, artifacts) where is_folded \
            do update set builds = cs_build_count.builds + excluded.builds";
        let mut transaction = self.database.begin(OPERATION).await?;
        // PostgreSQL adds up exactly what it deletes; with SQLite nobody else writes meanwhile.
        let fold = transaction.query(OPERATION, "").push_either(
            "insert into cs_build_count select namespace_id, status, artifacts, sum(builds), true from cs_build_count \
             where not is_folded",
            "with gone as (delete from cs_build_count where not is_folded returning *) \
             insert into cs_build_count select namespace_id, status, artifacts, sum(builds), true from gone",
        );
        fold.push(KINDS).run().await?;
        transaction
            .query(OPERATION, "")
            .push_either("delete from cs_build_count where not is_folded", "select 1")
            .run()
            .await?;
        transaction.commit(OPERATION).await
    }

    /// The query for the number of builds in a list, where the table of counts knows it: it knows of namespaces, but not
    /// of single environments or packages.
    pub(super) fn counted(&self, operation: &'static str, list: &BuildQuery<'_>) -> Option<Query<'_>> {
        let knows_scope = list.scope.patterns.iter().all(|pattern| pattern.parts().1 == "*");
        if !knows_scope || list.environment_id.is_some() || list.name.is_some() || !list.packages.is_empty() {
            return None;
        }
        let count = self.database.query(
            operation,
            "select cast(coalesce(sum(c.builds), 0) as bigint) from cs_build_count c \
             join namespace n on n.id = c.namespace_id where 1 = 1",
        );
        let mut count = filter::namespaces_in_scope(count, list.scope);
        if let Some(status) = list.status {
            count = count.push(" and c.status = ").bind(status.as_str());
        }
        if let Some(namespace) = list.namespace {
            count = count.push(" and n.name = ").bind(namespace.as_str());
        }
        if let Some(artifact) = list.artifact {
            count = count.push(" and (c.artifacts & ").bind(bit(artifact)).push(") <> 0");
        }
        Some(count)
    }
}

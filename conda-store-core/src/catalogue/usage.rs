//! How much of everything each namespace has.

use super::{Catalogue, filter, namespaces::parse_name};
use crate::{Result, auth::Scope, model::NamespaceName};

/// What a namespace has; what is deleted does not count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamespaceUsage {
    /// Its name.
    pub namespace: NamespaceName,
    /// How many environments.
    pub environments: u64,
    /// How many builds of them.
    pub builds: u64,
    /// How many bytes those have on disk; files that several share count for each.
    pub bytes: u64,
}

impl Catalogue {
    /// What each namespace of `scope` has, by name.
    pub async fn usage(&self, scope: &Scope) -> Result<Vec<NamespaceUsage>> {
        const SELECT: &str = "select n.id, n.name, (select count(*) from environment e where e.namespace_id = n.id \
            and e.deleted_on is null), cast(coalesce(u.builds, 0) as bigint), cast(coalesce(u.bytes, 0) as bigint) \
            from namespace n left join (select namespace_id, sum(builds) as builds, sum(bytes) as bytes from cs_usage \
            group by namespace_id) u on u.namespace_id = n.id where n.deleted_on is null";
        let query = filter::namespaces_in_scope(self.database.query("measure namespaces", SELECT), scope);
        let rows: Vec<(i32, Option<String>, i64, i64, i64)> = query.push(" order by n.name").all().await?;
        let count = |number: i64| u64::try_from(number).unwrap_or_default();
        let usage = |(id, name, environments, builds, bytes)| {
            Ok(NamespaceUsage {
                namespace: parse_name("namespace", id, name)?,
                environments: count(environments),
                builds: count(builds),
                bytes: count(bytes),
            })
        };
        rows.into_iter().map(usage).collect()
    }

    /// Adds up what was written down of builds since the last time, so that the table stays small.
    pub async fn fold_usage(&self) -> Result<()> {
        const OPERATION: &str = "add up usage";
        let mut transaction = self.database.begin(OPERATION).await?;
        // PostgreSQL adds up exactly what it deletes; with SQLite nobody else writes meanwhile.
        let fold = transaction.query(OPERATION, "").push_either(
            "insert into cs_usage select namespace_id, sum(builds), sum(bytes), true from cs_usage where not is_folded",
            "with gone as (delete from cs_usage where not is_folded returning *) \
             insert into cs_usage select namespace_id, sum(builds), sum(bytes), true from gone",
        );
        let fold = fold.push(
            " group by namespace_id on conflict (namespace_id) where is_folded \
             do update set builds = cs_usage.builds + excluded.builds, bytes = cs_usage.bytes + excluded.bytes",
        );
        fold.run().await?;
        let delete = transaction.query(OPERATION, "");
        delete.push_either("delete from cs_usage where not is_folded", "select 1").run().await?;
        transaction.commit(OPERATION).await
    }
}

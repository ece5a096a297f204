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
        const SELECT: &str = "select n.id, n.name, count(distinct e.id), count(b.id), \
            cast(coalesce(sum(b.size), 0) as bigint) from namespace n \
            left join environment e on e.namespace_id = n.id and e.deleted_on is null \
            left join build b on b.environment_id = e.id and b.deleted_on is null where n.deleted_on is null";
        let query = filter::namespaces_in_scope(self.database.query("measure namespaces", SELECT), scope);
        let rows: Vec<(i32, Option<String>, i64, i64, i64)> =
            query.push(" group by n.id, n.name order by n.name").all().await?;
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
}

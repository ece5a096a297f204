//! Finding builds by what they have in common, as sets of their ids.

use std::collections::BTreeSet;

use futures::future::try_join_all;
use roaring::{MultiOps, RoaringBitmap};
use sqlx::FromRow;
use tokio::try_join;

use super::{
    Catalogue,
    build_facts::{read_ids, read_set},
    filter,
    query::Query,
};
use crate::{
    Result,
    auth::{ArnPattern, Scope},
    model::{ArtifactType, BuildStatus, EnvironmentId, EnvironmentName, NamespaceName},
};

/// More changed builds than these are not looked at one by one: the sets are of no use until they are up to date.
const MOST_CHANGED: usize = 1000;

/// What builds are to have in common. What is empty or none does not narrow anything down.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Wanted<'a> {
    /// Their environment is in all of these.
    pub(super) scopes: &'a [&'a Scope],
    pub(super) status: Option<BuildStatus>,
    pub(super) artifact: Option<ArtifactType>,
    pub(super) packages: &'a [String],
    /// They are what users of their environment get.
    pub(super) is_current: bool,
    pub(super) namespace: Option<&'a NamespaceName>,
    pub(super) name: Option<&'a EnvironmentName>,
    pub(super) environment_id: Option<EnvironmentId>,
}

/// The tables of [`Wanted::narrow`]. Left joins: what needs none of the names need not look them up.
pub(super) const TABLES: &str = "build b left join environment e on e.id = b.environment_id \
    left join namespace n on n.id = e.namespace_id";

impl<'a> Wanted<'a> {
    /// The conditions on each build by itself. `few` where it is clear that only a few builds are looked at.
    pub(super) fn narrow<'t>(&self, list: Query<'t>, few: bool) -> Query<'t> {
        let mut list = self.scopes.iter().fold(list, |list, scope| filter::environments_in_scope(list, scope));
        if let Some(status) = self.status {
            list = list.push(" and b.status = ").bind(status.as_str());
        }
        if self.is_current {
            list = list.push(" and e.current_build_id = b.id and e.deleted_on is null and n.deleted_on is null");
        }
        if let Some(id) = self.environment_id {
            list = list.push(" and b.environment_id = ").bind(id);
        }
        if let Some(name) = self.name {
            list = list.push(" and e.name = ").bind(name.as_str());
        }
        if let Some(namespace) = self.namespace {
            list = list.push(" and n.name = ").bind(namespace.as_str());
        }
        let list = filter::has_artifact(list, "b.id", self.artifact);
        if few {
            filter::has_packages_looked_up(list, "b.id", self.packages)
        } else {
            filter::has_packages(list, "b.id", self.packages)
        }
    }

    /// Whether all builds are wanted.
    pub(super) fn is_everything(&self) -> bool {
        self.facts() == ["all"] && self.limiting_scopes().next().is_none() && self.name.is_none()
    }

    /// Whether a pattern is about single environments of which some may be wanted.
    fn may_be_in(&self, pattern: &ArnPattern) -> bool {
        let (_, name) = pattern.parts();
        let is_other = |wanted: &EnvironmentName| !name.contains('*') && name != wanted.as_str();
        !filter::is_of_namespaces(pattern) && !self.name.is_some_and(is_other)
    }

    /// The scopes that do not cover everything.
    fn limiting_scopes(&self) -> impl Iterator<Item = &'a Scope> {
        self.scopes.iter().copied().filter(|scope| !scope.is_everything())
    }

    /// The facts that all of them have, as the table names them.
    fn facts(&self) -> Vec<String> {
        let mut facts = Vec::new();
        facts.extend(self.status.map(|status| format!("status/{status}")));
        facts.extend(self.artifact.map(|artifact| format!("artifact/{artifact}")));
        facts.extend(self.namespace.map(|namespace| format!("namespace/{namespace}")));
        facts.extend(self.is_current.then(|| "current".to_owned()));
        let packages: BTreeSet<&String> = self.packages.iter().collect();
        facts.extend(packages.into_iter().map(|name| format!("package/{name}")));
        if facts.is_empty() {
            facts.push("all".to_owned());
        }
        facts
    }
}

/// A part of a set: some of its members in either form.
#[derive(FromRow)]
struct PartRow {
    part: i32,
    builds: Option<Vec<u8>>,
    ids: Option<String>,
}

/// Environments whose builds are looked up.
enum Environments<'a> {
    /// Those that one of the patterns covers.
    Of(Vec<&'a ArnPattern>),
    /// Those of this name.
    Named(&'a EnvironmentName),
}

impl Environments<'_> {
    /// Asks for all of their builds, as a part.
    fn builds<'t>(&self, query: Query<'t>, part: i32) -> Query<'t> {
        self.among(ids(part_of_ids(query, part), "b.id").push(" as ids from build b where b.environment_id in "))
    }

    /// Asks for what their users get, as a part.
    fn current_builds<'t>(&self, query: Query<'t>, part: i32) -> Query<'t> {
        let query = ids(part_of_ids(query, part), "c.current_build_id");
        self.among(query.push(" as ids from environment c where c.id in "))
    }

    fn among<'t>(&self, query: Query<'t>) -> Query<'t> {
        match self {
            Self::Of(patterns) => filter::in_environments(query, patterns.iter().copied()),
            Self::Named(name) => {
                query.push("(select e.id from environment e where e.name = ").bind(name.as_str()).push(")")
            }
        }
    }
}

fn part_of_ids(query: Query<'_>, part: i32) -> Query<'_> {
    query.push("select ").bind(part).push(" as part, cast(null as bytea) as builds, ")
}

/// Part 0 are the changed builds, part 1 those of them that are wanted; from here on each is what fulfils one condition.
const FIRST_CONDITION: i32 = 2;

impl Catalogue {
    /// The ids of the builds that are `wanted`, unless too many changed since the sets were brought up to date.
    pub(super) async fn find_builds(
        &self,
        operation: &'static str,
        wanted: &Wanted<'_>,
    ) -> Result<Option<RoaringBitmap>> {
        if wanted.environment_id.is_some() {
            return self.builds_of_environment(operation, wanted).await.map(Some);
        }
        let query =
            self.database.query(operation, "with changed as (select distinct build_id from cs_changed_build limit ");
        let query = query.bind(i64::try_from(MOST_CHANGED + 1).unwrap_or(i64::MAX));
        let query = ids(query.push(") select 0 as part, cast(null as bytea) as builds, "), "build_id");
        let query = ids(query.push(" as ids from changed union all select 1, null, "), "b.id");
        let query = query.push(" from ").push(TABLES).push(" where b.id in (select build_id from changed)");
        let mut query = wanted.narrow(query, true);
        let mut conditions = FIRST_CONDITION;
        for fact in wanted.facts() {
            query = query.push(" union all select ").bind(conditions);
            query = query.push(", f.builds, null from cs_build_fact f where f.fact = ").bind(fact);
            conditions += 1;
        }
        let mut looked_up = Vec::new();
        for scope in wanted.limiting_scopes() {
            query = in_namespaces(query, conditions, scope);
            let others: Vec<&ArnPattern> = scope.patterns.iter().filter(|pattern| wanted.may_be_in(pattern)).collect();
            if !others.is_empty() {
                looked_up.push((conditions, Environments::Of(others)));
            }
            conditions += 1;
        }
        if let Some(name) = wanted.name {
            looked_up.push((conditions, Environments::Named(name)));
            conditions += 1;
        }
        let mut others = Vec::new();
        for (part, environments) in looked_up {
            if wanted.is_current {
                // At the same moment as the sets: what users get may change.
                query = environments.current_builds(query.push(" union all "), part);
            } else {
                others.push(environments.builds(self.database.query(operation, ""), part));
            }
        }
        let rows = query.all::<PartRow>();
        let others = try_join_all(others.into_iter().map(Query::all::<PartRow>));
        let (mut rows, others) = try_join!(rows, others)?;
        rows.extend(others.into_iter().flatten());
        join(rows, conditions)
    }

    /// An environment has few: they are looked at one by one.
    async fn builds_of_environment(&self, operation: &'static str, wanted: &Wanted<'_>) -> Result<RoaringBitmap> {
        let query = ids(self.database.query(operation, "select "), "b.id");
        let query = query.push(" from ").push(TABLES).push(" where 1 = 1");
        let (ids,): (Option<String>,) = wanted.narrow(query, true).one().await?;
        Ok(read_ids(&ids.unwrap_or_default()).collect())
    }
}

/// The ids in `column` as text with commas.
pub(super) fn ids<'t>(query: Query<'t>, column: &'static str) -> Query<'t> {
    query.push_either("group_concat(", "string_agg(cast(").push(column).push_either(")", " as text), ',')")
}

/// The builds of all namespaces that `scope` covers, which are a fact.
fn in_namespaces<'t>(query: Query<'t>, part: i32, scope: &Scope) -> Query<'t> {
    let query = query.push(" union all select ").bind(part).push(
        ", f.builds, null from cs_build_fact f where f.fact in \
         (select 'namespace/' || n.name from namespace n where 1 = 1",
    );
    filter::namespaces_in_scope(query, scope).push(")")
}

/// What fulfils all conditions, where the changed builds were looked at one by one.
fn join(rows: Vec<PartRow>, conditions: i32) -> Result<Option<RoaringBitmap>> {
    let mut parts = vec![Vec::new(); usize::try_from(conditions).unwrap_or_default()];
    for row in rows {
        let Some(part) = usize::try_from(row.part).ok().and_then(|part| parts.get_mut(part)) else { continue };
        if let Some(bytes) = &row.builds {
            part.push(read_set(bytes)?);
        }
        if let Some(text) = &row.ids {
            // In order they are put together many times as fast.
            let mut ids: Vec<u32> = read_ids(text).collect();
            ids.sort_unstable();
            part.push(ids.into_iter().collect());
        }
    }
    let mut parts = parts.into_iter().map(MultiOps::union);
    let (Some(changed), Some(changed_and_wanted)) = (parts.next(), parts.next()) else { return Ok(None) };
    if changed.len() > MOST_CHANGED as u64 {
        return Ok(None);
    }
    let settled = parts.reduce(|all, part| all & part).unwrap_or_default();
    Ok(Some((settled - changed) | changed_and_wanted))
}

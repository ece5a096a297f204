//! Builds that are beyond what is kept of their environments.

use std::num::NonZeroU32;

use sqlx::FromRow;

use super::{Catalogue, namespaces::parse_name};
use crate::{
    Result,
    clock::Timestamp,
    model::{BuildId, EnvironmentId, EnvironmentName, NamespaceName},
};

/// An environment by its names, which is not deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnvironmentPlace {
    /// Its id.
    pub id: EnvironmentId,
    /// Its namespace.
    pub namespace: NamespaceName,
    /// Its name.
    pub name: EnvironmentName,
}

/// Which ended builds of an environment are kept: those that both conditions allow, and always its current one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct KeptBuilds {
    /// So many of the newest, the current one among them; all where none.
    pub newest: Option<NonZeroU32>,
    /// Those that ended since then; all where none.
    pub ended_since: Option<Timestamp>,
}

#[derive(FromRow)]
struct PlaceRow {
    id: i32,
    namespace: Option<String>,
    name: Option<String>,
}

impl TryFrom<PlaceRow> for EnvironmentPlace {
    type Error = crate::Error;

    fn try_from(row: PlaceRow) -> Result<Self> {
        Ok(Self {
            id: EnvironmentId(row.id),
            namespace: parse_name("namespace", row.id, row.namespace)?,
            name: parse_name("environment", row.id, row.name)?,
        })
    }
}

impl Catalogue {
    /// Environments, of one namespace and of one name where these are given: at most `limit`, by id, beginning behind
    /// `after`.
    pub async fn environment_places(
        &self,
        namespace: Option<&NamespaceName>,
        name: Option<&EnvironmentName>,
        after: Option<EnvironmentId>,
        limit: u32,
    ) -> Result<Vec<EnvironmentPlace>> {
        const SELECT: &str = "select e.id, n.name as namespace, e.name from environment e \
            join namespace n on n.id = e.namespace_id where e.deleted_on is null and e.id > ";
        let query = self.database.query("walk environments", SELECT).bind(after.map_or(0, |id| id.0));
        let query = match namespace {
            Some(namespace) => query.push(" and n.name = ").bind(namespace.as_str()),
            None => query,
        };
        let query = match name {
            Some(name) => query.push(" and e.name = ").bind(name.as_str()),
            None => query,
        };
        let rows: Vec<PlaceRow> = query.push(" order by e.id limit ").bind(i64::from(limit)).all().await?;
        rows.into_iter().map(TryFrom::try_from).collect()
    }

    /// Ended builds of these environments that are not kept: at most `limit`, by id, beginning behind `after`.
    pub async fn builds_beyond(
        &self,
        kept: KeptBuilds,
        environments: &[EnvironmentId],
        after: Option<BuildId>,
        limit: u32,
    ) -> Result<Vec<BuildId>> {
        // The current build takes the first place, whenever it was made.
        const SELECT: &str = "select k.id from (select b.id, b.ended_on, c.id as current_id, \
            row_number() over (partition by b.environment_id \
            order by case when c.id is null then 1 else 0 end, b.id desc) as place \
            from build b left join environment c on c.id = b.environment_id and c.current_build_id = b.id \
            where b.deleted_on is null and b.status not in ('QUEUED', 'BUILDING') and b.environment_id in (";
        let Some((first, others)) = environments.split_first() else { return Ok(Vec::new()) };
        let query = self.database.query("find builds that are not kept", SELECT).bind(*first);
        let query = others.iter().fold(query, |query, id| query.push(", ").bind(*id));
        let query = query.push(")) k where k.current_id is null and (k.place > ");
        let query = query.bind(kept.newest.map(|builds| i64::from(builds.get()))).push(" or k.ended_on < ");
        let query = query.bind(kept.ended_since).push(") and k.id > ").bind(after.map_or(0, |id| id.0));
        let query = query.push(" order by k.id limit ").bind(i64::from(limit));
        let rows: Vec<(BuildId,)> = query.unprepared().all().await?;
        Ok(rows.into_iter().map(|(id,)| id).collect())
    }
}

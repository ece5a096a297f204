//! Reading and listing builds.

use std::collections::HashMap;

use roaring::RoaringBitmap;
use sqlx::FromRow;

use super::{
    Catalogue, Cursor, Order, Page, PageRequest, Start,
    build_facts::one_of,
    build_order::{order_by, sort},
    build_sets::{self, Wanted},
    error, filter,
    namespaces::parse_name,
    query::Transaction,
};
use crate::{
    Error, Result,
    auth::Scope,
    clock::Timestamp,
    model::{
        ArtifactType, Build, BuildId, BuildStatus, EnvironmentId, EnvironmentName, NamespaceName, SpecificationId,
    },
};

/// What is being done.
pub(super) const OPERATION: &str = "list builds";

/// What a list of builds can be sorted by. A moment that has not come yet is later than all that have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BuildSort {
    /// The id.
    #[default]
    Id,
    /// When it was asked for.
    ScheduledOn,
    /// When a worker first took it.
    StartedOn,
    /// When it came to an end.
    EndedOn,
}

impl BuildSort {
    /// The column before the id, which is always the last.
    pub(super) fn column(self) -> Option<&'static str> {
        match self {
            Self::Id => None,
            Self::ScheduledOn => Some("b.scheduled_on"),
            Self::StartedOn => Some("b.started_on"),
            Self::EndedOn => Some("b.ended_on"),
        }
    }

    /// How many keys a cursor has.
    pub(super) fn keys(self) -> usize {
        usize::from(self.column().is_some())
    }

    fn cursor(self, build: &Build) -> Cursor {
        let moment = match self {
            Self::Id => return Cursor { keys: Vec::new(), id: build.id.0 },
            Self::ScheduledOn => Some(build.scheduled_on),
            Self::StartedOn => build.started_on,
            Self::EndedOn => build.ended_on,
        };
        Cursor { keys: vec![moment.map(|moment| moment.to_string())], id: build.id.0 }
    }
}

/// Which builds to list. What is empty or none does not filter. Deleted builds are listed as well.
#[derive(Clone, Debug)]
pub struct BuildQuery<'a> {
    /// Those of environments that the asker may see.
    pub scope: &'a Scope,
    /// They have this status.
    pub status: Option<BuildStatus>,
    /// All of these packages are in them.
    pub packages: &'a [String],
    /// They have such an artifact.
    pub artifact: Option<ArtifactType>,
    /// They are of this environment.
    pub environment_id: Option<EnvironmentId>,
    /// They are of an environment of this name.
    pub name: Option<&'a EnvironmentName>,
    /// They are of an environment in this namespace.
    pub namespace: Option<&'a NamespaceName>,
    /// What they are sorted by.
    pub sort: BuildSort,
    /// Up or down.
    pub order: Order,
    /// Which piece of the list.
    pub page: PageRequest,
}

impl<'a> BuildQuery<'a> {
    /// The first `limit` builds of `scope`, by id.
    #[must_use]
    pub fn new(scope: &'a Scope, limit: u32) -> Self {
        Self {
            scope,
            status: None,
            packages: &[],
            artifact: None,
            environment_id: None,
            name: None,
            namespace: None,
            sort: BuildSort::Id,
            order: Order::Ascending,
            page: PageRequest::first(limit),
        }
    }

    fn wanted<'q>(&'q self, scopes: &'q [&'q Scope]) -> Wanted<'q> {
        let Self { status, artifact, packages, namespace, name, environment_id, .. } = *self;
        Wanted { scopes, status, artifact, packages, is_current: false, namespace, name, environment_id }
    }
}

#[derive(FromRow)]
struct BuildRow {
    id: i32,
    environment_id: i32,
    environment: Option<String>,
    namespace: Option<String>,
    specification_id: i32,
    specification_sha256: Option<String>,
    status: Option<String>,
    status_info: Option<String>,
    size: Option<i64>,
    scheduled_on: Option<Timestamp>,
    started_on: Option<Timestamp>,
    ended_on: Option<Timestamp>,
    deleted_on: Option<Timestamp>,
    build_key_version: i32,
    hash: Option<String>,
}

impl TryFrom<BuildRow> for Build {
    type Error = Error;

    fn try_from(row: BuildRow) -> Result<Self> {
        let missing = |column| move || error::corrupt("build", column, row.id, "the column is null");
        Ok(Self {
            id: BuildId(row.id),
            environment_id: EnvironmentId(row.environment_id),
            environment: parse_name("environment", row.environment_id, row.environment)?,
            namespace: parse_name("namespace of environment", row.environment_id, row.namespace)?,
            specification_id: SpecificationId(row.specification_id),
            specification_sha256: row.specification_sha256.ok_or_else(missing("specification_id"))?,
            status: parse_status(row.id, row.status)?,
            status_info: row.status_info,
            size: row.size,
            scheduled_on: row.scheduled_on.ok_or_else(missing("scheduled_on"))?,
            started_on: row.started_on,
            ended_on: row.ended_on,
            deleted_on: row.deleted_on,
            build_key_version: row.build_key_version,
            hash: row.hash,
        })
    }
}

/// The status of the build `id`, as the database holds it.
pub(super) fn parse_status(id: i32, status: Option<String>) -> Result<BuildStatus> {
    let status = status.ok_or_else(|| error::corrupt("build", "status", id, "the column is null"))?;
    status.parse().map_err(|cause: Error| error::corrupt("build", "status", id, &cause).with_source(cause))
}

const COLUMNS: &str = "select b.id, b.environment_id, e.name as environment, n.name as namespace, b.specification_id, \
    s.sha256 as specification_sha256, b.status, b.status_info, b.size, b.scheduled_on, b.started_on, b.ended_on, \
    b.deleted_on, b.build_key_version, b.hash";
const TABLES: &str = " from build b left join environment e on e.id = b.environment_id \
    left join namespace n on n.id = e.namespace_id left join specification s on s.id = b.specification_id where 1 = 1";

/// The page of a list: its builds are found first.
const PAGE: &str = "select b.id, b.environment_id, e.name as environment, n.name as namespace, b.specification_id, \
    s.sha256 as specification_sha256, b.status, b.status_info, b.size, b.scheduled_on, b.started_on, b.ended_on, \
    b.deleted_on, b.build_key_version, b.hash from (select b.id";
const PAGE_TABLES: &str = " join build b on b.id = found.id left join environment e on e.id = b.environment_id \
    left join namespace n on n.id = e.namespace_id left join specification s on s.id = b.specification_id";

/// The build `id`, which there is.
pub(super) async fn read(transaction: &mut Transaction<'_>, operation: &'static str, id: i32) -> Result<Build> {
    let query = transaction.query(operation, COLUMNS).push(TABLES).push(" and b.id = ").bind(id);
    let row: BuildRow = query.one().await?;
    row.try_into()
}

impl Catalogue {
    /// A build, unless there is none of this id.
    pub async fn build(&self, id: BuildId) -> Result<Option<Build>> {
        let query = self.database.query("read build", COLUMNS).push(TABLES).push(" and b.id = ").bind(id);
        let row: Option<BuildRow> = query.first().await?;
        row.map(Build::try_from).transpose()
    }

    /// The namespaces that builds are in. A build that does not exist is left out.
    pub async fn namespaces_of(&self, builds: &[BuildId]) -> Result<HashMap<BuildId, NamespaceName>> {
        const SELECT: &str = "select b.id, n.id, n.name from build b join environment e on e.id = b.environment_id \
            join namespace n on n.id = e.namespace_id where b.id in (";
        let Some((first, others)) = builds.split_first() else { return Ok(HashMap::new()) };
        let query = self.database.query("find the namespaces of builds", SELECT).bind(*first);
        let query = others.iter().fold(query, |query, id| query.push(", ").bind(*id));
        let rows: Vec<(BuildId, i32, Option<String>)> = query.push(")").unprepared().all().await?;
        rows.into_iter().map(|(build, id, name)| Ok((build, parse_name("namespace", id, name)?))).collect()
    }

    /// The build whose key is this hash (version 3), unless there is none.
    pub async fn build_by_hash(&self, hash: &str) -> Result<Option<Build>> {
        let query = self.database.query("read build", COLUMNS).push(TABLES).push(" and b.hash = ").bind(hash);
        let row: Option<BuildRow> = query.first().await?;
        row.map(Build::try_from).transpose()
    }

    /// The newest of an environment's completed builds that is older than `build` and not deleted, if there is one.
    pub async fn build_before(&self, environment: EnvironmentId, build: BuildId) -> Result<Option<BuildId>> {
        const SELECT: &str = "select id from build where environment_id = $1 and id < $2 and status = 'COMPLETED' \
            and deleted_on is null order by id desc limit 1";
        let query = self.database.query("find an earlier build", SELECT).value(environment).value(build);
        let row: Option<(BuildId,)> = query.first().await?;
        Ok(row.map(|(id,)| id))
    }

    /// Lists builds.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`](crate::ErrorKind::Invalid) for a cursor of a list in another order.
    pub async fn builds(&self, query: &BuildQuery<'_>) -> Result<Page<Build>> {
        let scopes = [query.scope];
        let wanted = query.wanted(&scopes);
        let found = match self.find_builds(OPERATION, &wanted).await? {
            Some(found) if query.sort == BuildSort::Id => return self.builds_by_id(query, &found).await,
            found => found,
        };
        let list = |columns| {
            let list = self.database.query(OPERATION, columns).push(" from ").push(build_sets::TABLES);
            let list = list.push(" where 1 = 1");
            match &found {
                Some(_) if wanted.is_everything() => list,
                Some(found) => filter::among(list, "b.id", found),
                None => wanted.narrow(list, false),
            }
        };
        let total = match &found {
            Some(found) => i64::try_from(found.len()).unwrap_or(i64::MAX),
            None => list("select count(*)").one::<(i64,)>().await?.0,
        };
        let window = query.page.window(query.order, total);
        let place = match &found {
            Some(found) if !wanted.is_everything() => self.locate_builds(query, found, &window).await?,
            _ => None,
        };
        let (column, cursor) = (query.sort.column(), query.page.cursor(query.sort.keys())?);
        // Only the builds of the page are read, of others no more than an index has.
        let page = match place {
            Some(ids) => one_of(self.database.query(OPERATION, PAGE).push(" from build b where b.id"), ids),
            None => window.cut(sort(list(PAGE), column, cursor, window.order)?),
        };
        let page = page.push(") found").push(PAGE_TABLES);
        let rows: Vec<BuildRow> = order_by(page, column, window.order).all().await?;
        let items: Result<Vec<Build>> = rows.into_iter().map(Build::try_from).collect();
        Ok(query.page.page(&window, items?, total, |build| query.sort.cursor(build)))
    }

    /// The page of the builds `found` in the order of their ids.
    async fn builds_by_id(&self, query: &BuildQuery<'_>, found: &RoaringBitmap) -> Result<Page<Build>> {
        let after = query.page.cursor(0)?.map(|cursor| u32::try_from(cursor.id).unwrap_or_default());
        let place = |place| if query.order == Order::Ascending { place } else { found.len() - 1 - place };
        let begin = match (&query.page.start, after) {
            (Start::Offset(items), _) => *items,
            (Start::After(_), Some(id)) if query.order == Order::Ascending => found.rank(id),
            (Start::After(_), id) => found.range_cardinality(id.unwrap_or_default()..),
        };
        let end = begin.saturating_add(query.page.limit.into()).min(found.len());
        let ids = (begin..end).filter_map(|item| found.select(u32::try_from(place(item)).ok()?)).collect();
        let list = self.database.query(OPERATION, COLUMNS).push(TABLES);
        let list = filter::among(list, "b.id", &ids).push(" order by b.id").push(query.order.keyword());
        let rows: Vec<BuildRow> = list.all().await?;
        let items = rows.into_iter().map(Build::try_from).collect::<Result<Vec<Build>>>()?;
        let next = items.last().filter(|_| end < found.len()).map(|build| query.sort.cursor(build));
        Ok(Page { items, total: found.len(), next })
    }
}

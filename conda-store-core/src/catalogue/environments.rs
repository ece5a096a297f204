//! Environments.

use roaring::RoaringBitmap;
use sqlx::{FromRow, types::Json};
use tokio::try_join;

use super::{
    Catalogue, Cursor, Namespace, Order, Page, PageRequest,
    build_facts::{one_of, read_ids},
    build_sets::{Wanted, ids},
    filter,
    namespaces::parse_name,
    page::{self, Window},
    query::{Query, Transaction},
    walk::Walk,
};
use crate::{
    Error, ErrorKind, Result,
    auth::Scope,
    model::{ArtifactType, BuildId, BuildStatus, EnvironmentId, EnvironmentName, NamespaceId, NamespaceName},
};

/// A row of the table `environment` that is not marked as deleted, with its namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Environment {
    /// Its id.
    pub id: EnvironmentId,
    /// Where it is.
    pub namespace: Namespace,
    /// Its name, unique in the namespace.
    pub name: EnvironmentName,
    /// The build that users get; none before the first is completed.
    pub current_build_id: Option<BuildId>,
    /// A sentence about it.
    pub description: Option<String>,
}

/// What a list of environments can be sorted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EnvironmentSort {
    /// The namespace's name.
    Namespace,
    /// The environment's name.
    Name,
}

impl EnvironmentSort {
    fn column(self) -> &'static str {
        match self {
            Self::Namespace => "n.name",
            Self::Name => "e.name",
        }
    }

    fn key(self, environment: &Environment) -> String {
        match self {
            Self::Namespace => environment.namespace.name.to_string(),
            Self::Name => environment.name.to_string(),
        }
    }
}

/// Which environments to list. What is empty or none does not filter.
#[derive(Clone, Debug)]
pub struct EnvironmentQuery<'a> {
    /// Those that the asker may see.
    pub scope: &'a Scope,
    /// Those that somebody else may see as well.
    pub shared_with: Option<&'a Scope>,
    /// Their own or their namespace's name contains this, in capitals or small letters.
    pub search: Option<&'a str>,
    /// They are in this namespace.
    pub namespace: Option<&'a NamespaceName>,
    /// They have this name.
    pub name: Option<&'a EnvironmentName>,
    /// Their current build has this status.
    pub status: Option<BuildStatus>,
    /// All of these packages are in their current build.
    pub packages: &'a [String],
    /// Their current build has such an artifact.
    pub artifact: Option<ArtifactType>,
    /// What they are sorted by; by namespace and name where this is empty.
    pub sort: &'a [EnvironmentSort],
    /// Up or down, for all of the sort.
    pub order: Order,
    /// Which piece of the list.
    pub page: PageRequest,
}

impl<'a> EnvironmentQuery<'a> {
    /// The first `limit` environments of `scope`.
    #[must_use]
    pub fn new(scope: &'a Scope, limit: u32) -> Self {
        Self {
            scope,
            shared_with: None,
            search: None,
            namespace: None,
            name: None,
            status: None,
            packages: &[],
            artifact: None,
            sort: &[],
            order: Order::Ascending,
            page: PageRequest::first(limit),
        }
    }

    /// What the list asks of current builds, if anything.
    fn of_current_build<'q>(&'q self, scopes: &'q [&'q Scope]) -> Option<Wanted<'q>> {
        let Self { status, artifact, packages, namespace, name, .. } = *self;
        let asks = status.is_some() || artifact.is_some() || !packages.is_empty();
        let wanted = Wanted { scopes, status, artifact, packages, namespace, name, ..Wanted::default() };
        asks.then_some(Wanted { is_current: true, ..wanted })
    }

    /// Whether it is about some namespaces or names only.
    fn is_narrowed(&self) -> bool {
        let is_limited = [Some(self.scope), self.shared_with].into_iter().flatten().any(|scope| !scope.is_everything());
        is_limited || self.namespace.is_some() || self.name.is_some()
    }

    fn sort(&self) -> &'a [EnvironmentSort] {
        const DEFAULT: &[EnvironmentSort] = &[EnvironmentSort::Namespace, EnvironmentSort::Name];
        if self.sort.is_empty() { DEFAULT } else { self.sort }
    }
}

#[derive(FromRow)]
struct EnvironmentRow {
    id: i32,
    name: String,
    current_build_id: Option<i32>,
    description: Option<String>,
    namespace_id: i32,
    namespace: Option<String>,
    metadata: Option<Json<serde_json::Value>>,
}

impl TryFrom<EnvironmentRow> for Environment {
    type Error = Error;

    fn try_from(row: EnvironmentRow) -> Result<Self> {
        let namespace = Namespace {
            id: NamespaceId(row.namespace_id),
            name: parse_name("namespace", row.namespace_id, row.namespace)?,
            metadata: row.metadata.map_or_else(|| serde_json::json!({}), |Json(metadata)| metadata),
        };
        Ok(Self {
            id: EnvironmentId(row.id),
            namespace,
            name: parse_name("environment", row.id, Some(row.name))?,
            current_build_id: row.current_build_id.map(BuildId),
            description: row.description,
        })
    }
}

const COLUMNS: &str = "select e.id, e.name, e.current_build_id, e.description, n.id as namespace_id, n.name as namespace, \
    n.metadata_ as metadata";
const TABLES: &str = " from environment e join namespace n on n.id = e.namespace_id \
    where e.deleted_on is null and n.deleted_on is null";

/// The page of a list: its environments are found first.
const PAGE: &str = "select e.id, e.name, e.current_build_id, e.description, n.id as namespace_id, n.name as namespace, \
    n.metadata_ as metadata from (select e.id";
const PAGE_TABLES: &str = " join environment e on e.id = found.id join namespace n on n.id = e.namespace_id";

/// What is being done.
const OPERATION: &str = "list environments";

/// Which of the environments that a list may have it has.
enum Members {
    /// All.
    All,
    /// Those whose current build is one of these.
    WithBuild(RoaringBitmap),
    /// These.
    These(RoaringBitmap),
    /// It has to be found out for each.
    Unknown,
}

/// Makes the environment, or revives it where it is marked as deleted, and gives its id.
///
/// What was current before it was deleted is not current after it: its files may be gone.
pub(super) async fn ensure(
    transaction: &mut Transaction<'_>,
    namespace_id: i32,
    name: &EnvironmentName,
    description: Option<&str>,
) -> Result<i32> {
    const OPERATION: &str = "create environment";
    const INSERT: &str = "insert into environment (namespace_id, name, description) values ($1, $2, $3) \
        on conflict (namespace_id, name) do update set \
        description = coalesce(excluded.description, environment.description), \
        current_build_id = case when environment.deleted_on is null then environment.current_build_id end, \
        deleted_on = null returning id";
    let query = transaction.query(OPERATION, INSERT).value(namespace_id).value(name.as_str());
    let (id,) = query.value(description.map(str::to_owned)).one().await?;
    Ok(id)
}

impl Catalogue {
    /// The environment, unless it does not exist or was deleted.
    pub async fn environment(&self, namespace: &NamespaceName, name: &EnvironmentName) -> Result<Option<Environment>> {
        let query = one(self.database.query("read environment", COLUMNS), namespace, name);
        let row: Option<EnvironmentRow> = query.first().await?;
        row.map(Environment::try_from).transpose()
    }

    /// Lists environments.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] for a cursor of a list in another order.
    pub async fn environments(&self, query: &EnvironmentQuery<'_>) -> Result<Page<Environment>> {
        match self.members(query).await? {
            Members::All => self.list_environments(query, |list| list).await,
            Members::Unknown => self.list_environments(query, |list| narrow_by_build(list, query)).await,
            // Each build is what users of one environment get.
            Members::WithBuild(builds) => self.environments_among(query, "e.current_build_id", &builds).await,
            Members::These(found) => {
                let found_already = EnvironmentQuery { search: None, ..query.clone() };
                self.environments_among(&found_already, "e.id", &found).await
            }
        }
    }

    /// The page of a list that `further` narrows down.
    async fn list_environments<'c>(
        &'c self,
        query: &EnvironmentQuery<'_>,
        further: impl Fn(Query<'c>) -> Query<'c>,
    ) -> Result<Page<Environment>> {
        let list = |columns| further(narrowed(self.database.query(OPERATION, columns), query));
        let count = list("select count(*)").one::<(i64,)>();
        let page = async |window: &Window| {
            let page = window.cut(sort(list(PAGE), query, window.order)?);
            self.read_environments(page, query, window).await
        };
        // From the front a list is read in the same way however long it is, and by another connection meanwhile.
        if let Some(window) = query.page.window_at_front(query.order) {
            let ((total,), rows) = try_join!(count, page(&window))?;
            return Ok(page_of(query, &window, rows, total));
        }
        let (total,) = count.await?;
        let window = query.page.window(query.order, total);
        Ok(page_of(query, &window, page(&window).await?, total))
    }

    /// The page of a list of those that have one of `set` in `column`.
    async fn environments_among(
        &self,
        query: &EnvironmentQuery<'_>,
        column: &'static str,
        set: &RoaringBitmap,
    ) -> Result<Page<Environment>> {
        let total = i64::try_from(set.len()).unwrap_or(i64::MAX);
        let window = query.page.window(query.order, total);
        let is_few = set.len() <= filter::FEW as u64;
        let place = if is_few { None } else { self.locate_environments(query, column, set, &window).await? };
        let page = if let Some(ids) = place {
            one_of(self.database.query(OPERATION, PAGE).push(" from environment e where e.id"), ids)
        } else {
            let list = filter::among(narrowed(self.database.query(OPERATION, PAGE), query), column, set);
            window.cut(sort(list, query, window.order)?)
        };
        let rows = self.read_environments(page, query, &window).await?;
        Ok(page_of(query, &window, rows, total))
    }

    /// The rows of a page. Only its environments are read, of others no more than an index has.
    async fn read_environments(
        &self,
        page: Query<'_>,
        query: &EnvironmentQuery<'_>,
        window: &Window,
    ) -> Result<Vec<Environment>> {
        let page = page.push(") found").push(PAGE_TABLES);
        let rows: Vec<EnvironmentRow> = page::order_by(page, &columns(query), window.order).all().await?;
        rows.into_iter().map(Environment::try_from).collect()
    }

    async fn members(&self, query: &EnvironmentQuery<'_>) -> Result<Members> {
        let scopes: Vec<&Scope> = [Some(query.scope), query.shared_with].into_iter().flatten().collect();
        let Some(wanted) = query.of_current_build(&scopes) else { return self.search_few(query).await };
        let Some(builds) = self.find_builds(OPERATION, &wanted).await? else { return Ok(Members::Unknown) };
        if query.search.is_none() {
            return Ok(Members::WithBuild(builds));
        }
        self.search_among(query, &builds).await.map(Members::These)
    }

    /// Those that the search finds where they are few: then the names are looked through once. Of many a page is found soon.
    async fn search_few(&self, query: &EnvironmentQuery<'_>) -> Result<Members> {
        if query.search.is_none() {
            return Ok(Members::All);
        }
        let list = narrowed(self.database.query(OPERATION, "select e.id"), query);
        let limit = i64::try_from(filter::FEW).unwrap_or(i64::MAX);
        let rows: Vec<(i32,)> = list.push(" limit ").bind(limit + 1).all().await?;
        if rows.len() > filter::FEW {
            return Ok(Members::All);
        }
        Ok(Members::These(rows.into_iter().filter_map(|(id,)| u32::try_from(id).ok()).collect()))
    }

    /// Those that the search finds and whose current build is one of `builds`. The names are looked through once, for the
    /// number and for the page.
    async fn search_among(&self, query: &EnvironmentQuery<'_>, builds: &RoaringBitmap) -> Result<RoaringBitmap> {
        let rows = ids(self.database.query(OPERATION, "select "), "e.id");
        let rows = narrowed(ids(rows.push(", "), "e.current_build_id"), query);
        let rows = rows.push(" and e.current_build_id is not null");
        let is_few = builds.len() <= filter::FEW as u64;
        let rows = if is_few { filter::among(rows, "e.current_build_id", builds) } else { rows };
        let (found, current): (Option<String>, Option<String>) = rows.one().await?;
        let (found, current) = (found.unwrap_or_default(), current.unwrap_or_default());
        let pairs = read_ids(&found).zip(read_ids(&current));
        Ok(pairs.filter(|(_, build)| builds.contains(*build)).map(|(id, _)| id).collect())
    }

    /// Those that are on the page, of all that have one of `set` in `column`, unless the database has to find that out.
    async fn locate_environments(
        &self,
        query: &EnvironmentQuery<'_>,
        column: &'static str,
        set: &RoaringBitmap,
        window: &Window,
    ) -> Result<Option<Vec<u32>>> {
        let total = i64::try_from(set.len()).unwrap_or(i64::MAX);
        // In a list that is narrowed down most have one.
        let all = if query.is_narrowed() { total } else { self.last_environment().await?.into() };
        let mut walk = Walk::new(set, window, total, all);
        while let Some(far) = walk.far() {
            let rows = narrowed(self.database.query(OPERATION, "select e.id, ").push(column), query);
            let rows = rows.push(" and ").push(column).push(" is not null");
            let rows = sort(rows, query, window.order)?.push(" limit ").bind(far).all().await?;
            if let Some(ids) = walk.meet(rows) {
                return Ok(Some(ids));
            }
        }
        Ok(None)
    }

    async fn last_environment(&self) -> Result<i32> {
        let last: (Option<i32>,) = self.database.query(OPERATION, "select max(id) from environment").one().await?;
        Ok(last.0.unwrap_or_default())
    }

    /// Makes `build` the one that users of the environment get.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] where there is no such environment or it has no such build; [`ErrorKind::Conflict`] where
    /// the build is not completed or was deleted.
    pub async fn set_current_build(
        &self,
        namespace: &NamespaceName,
        name: &EnvironmentName,
        build: BuildId,
    ) -> Result<()> {
        const OPERATION: &str = "set the current build";
        let mut transaction = self.database.begin(OPERATION).await?;
        let id = lock(&mut transaction, OPERATION, namespace, name).await?;
        check_can_be_current(&mut transaction, OPERATION, id, build).await?;
        let update = transaction.query(OPERATION, "update environment set current_build_id = $1 where id = $2");
        update.value(build).value(id).run().await?;
        transaction.commit(OPERATION).await
    }

    /// Sets the sentence about the environment.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] where there is no such environment.
    pub async fn set_description(
        &self,
        namespace: &NamespaceName,
        name: &EnvironmentName,
        description: &str,
    ) -> Result<()> {
        const OPERATION: &str = "describe the environment";
        let mut transaction = self.database.begin(OPERATION).await?;
        let id = lock(&mut transaction, OPERATION, namespace, name).await?;
        let update = transaction.query(OPERATION, "update environment set description = $1 where id = $2");
        update.value(description).value(id).run().await?;
        transaction.commit(OPERATION).await
    }
}

fn page_of(query: &EnvironmentQuery<'_>, window: &Window, rows: Vec<Environment>, total: i64) -> Page<Environment> {
    query.page.page(window, rows, total, |item| Cursor {
        keys: query.sort().iter().map(|sort| Some(sort.key(item))).collect(),
        id: item.id.0,
    })
}

/// The id of the environment, whose row nobody else changes before the end of the transaction.
async fn lock(
    transaction: &mut Transaction<'_>,
    operation: &'static str,
    namespace: &NamespaceName,
    name: &EnvironmentName,
) -> Result<i32> {
    let query = one(transaction.query(operation, "select e.id"), namespace, name);
    let row: Option<(i32,)> = query.push_either("", " for no key update of e").first().await?;
    row.map(|(id,)| id).ok_or_else(|| missing(operation, namespace, name))
}

/// The id of the environment, unless it does not exist or was deleted.
pub(super) async fn find(
    transaction: &mut Transaction<'_>,
    operation: &'static str,
    namespace: &NamespaceName,
    name: &EnvironmentName,
) -> Result<Option<i32>> {
    let row: Option<(i32,)> = one(transaction.query(operation, "select e.id"), namespace, name).first().await?;
    Ok(row.map(|(id,)| id))
}

fn one<'t>(columns: Query<'t>, namespace: &NamespaceName, name: &EnvironmentName) -> Query<'t> {
    let query = columns.push(TABLES).push(" and n.name = ").bind(namespace.as_str());
    query.push(" and e.name = ").bind(name.as_str())
}

/// That there is no such environment.
pub(super) fn missing(operation: &'static str, namespace: &NamespaceName, name: &EnvironmentName) -> Error {
    Error::not_found(operation, "environment does not exist").with("namespace", namespace).with("environment", name)
}

async fn check_can_be_current(
    transaction: &mut Transaction<'_>,
    operation: &'static str,
    environment: i32,
    build: BuildId,
) -> Result<()> {
    const SELECT: &str =
        "select b.status, b.deleted_on is not null from build b where b.id = $1 and b.environment_id = $2";
    let query = transaction.query(operation, SELECT).value(build).value(environment);
    let row: Option<(Option<String>, bool)> = query.first().await?;
    match row {
        None => Err(Error::not_found(operation, "the environment has no such build").with("build", build)),
        Some((_, true)) => {
            Err(Error::new(ErrorKind::Conflict, operation, "the build was deleted").with("build", build))
        }
        Some((status, false)) if status.as_deref() != Some(BuildStatus::Completed.as_str()) => {
            let message = "only a completed build can become the current one";
            Err(Error::new(ErrorKind::Conflict, operation, message)
                .with("build", build)
                .with("status", status.unwrap_or_default()))
        }
        Some(_) => Ok(()),
    }
}

/// `columns` of the environments that the list may have, whatever their current build is.
fn narrowed<'t>(columns: Query<'t>, query: &EnvironmentQuery<'_>) -> Query<'t> {
    let mut list = filter::environments_of(columns.push(" from "), query.scope);
    if let Some(scope) = query.shared_with {
        list = filter::environments_in_scope(list, scope);
    }
    if let Some(text) = query.search {
        // The database looks at each namespace once.
        list = list.push(" and (e.namespace_id in (select named.id from namespace named where ");
        list = filter::contains(list, "named.name", text).push(") or ");
        list = filter::contains(list, "e.name", text).push(")");
    }
    if let Some(namespace) = query.namespace {
        list = list.push(" and n.name = ").bind(namespace.as_str());
    }
    match query.name {
        Some(name) => list.push(" and e.name = ").bind(name.as_str()),
        None => list,
    }
}

fn narrow_by_build<'t>(mut list: Query<'t>, query: &EnvironmentQuery<'_>) -> Query<'t> {
    if let Some(status) = query.status {
        list = list.push(" and exists (select 1 from build b where b.id = e.current_build_id and b.status = ");
        list = list.bind(status.as_str()).push(")");
    }
    let list = filter::has_packages(list, "e.current_build_id", query.packages);
    filter::has_artifact(list, "e.current_build_id", query.artifact)
}

/// What the list is sorted by, the id last.
fn columns(query: &EnvironmentQuery<'_>) -> Vec<&'static str> {
    query.sort().iter().map(|sort| sort.column()).chain(["e.id"]).collect()
}

fn sort<'t>(list: Query<'t>, query: &EnvironmentQuery<'_>, order: Order) -> Result<Query<'t>> {
    let columns = columns(query);
    let cursor = query.page.cursor(columns.len() - 1)?;
    Ok(page::sort(list, &columns, order, cursor))
}

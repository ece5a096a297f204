//! Namespaces.

use sqlx::{FromRow, types::Json};

use super::{
    Catalogue, Cursor, Order, Page, PageRequest, error, filter, page,
    query::{Query, Transaction},
    role_mappings,
};
use crate::{
    Error, ErrorKind, Result,
    auth::{RoleBindings, Scope},
    model::{NamespaceId, NamespaceName},
};

/// A row of the table `namespace` that is not marked as deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Namespace {
    /// Its id.
    pub id: NamespaceId,
    /// Its name.
    pub name: NamespaceName,
    /// What somebody wrote down about it, a JSON object.
    pub metadata: serde_json::Value,
}

/// Which namespaces to list, by name.
#[derive(Clone, Debug)]
pub struct NamespaceQuery<'a> {
    /// Those that the asker may see.
    pub scope: &'a Scope,
    /// By name, up or down.
    pub order: Order,
    /// Which piece of the list.
    pub page: PageRequest,
}

#[derive(FromRow)]
struct NamespaceRow {
    id: i32,
    name: Option<String>,
    metadata: Option<Json<serde_json::Value>>,
}

impl TryFrom<NamespaceRow> for Namespace {
    type Error = Error;

    fn try_from(row: NamespaceRow) -> Result<Self> {
        let metadata = row.metadata.map_or_else(|| serde_json::json!({}), |Json(metadata)| metadata);
        Ok(Self { id: NamespaceId(row.id), name: parse_name("namespace", row.id, row.name)?, metadata })
    }
}

/// A name as the database holds it.
pub(super) fn parse_name<N>(table: &str, id: i32, name: Option<String>) -> Result<N>
where
    N: TryFrom<String, Error = Error>,
{
    let name = name.ok_or_else(|| error::corrupt(table, "name", id, "it has no name"))?;
    N::try_from(name).map_err(|cause| error::corrupt(table, "name", id, &cause).with_source(cause))
}

const COLUMNS: &str = "select n.id, n.name, n.metadata_ as metadata from namespace n where n.deleted_on is null";

/// Makes the namespace, or revives it where it is marked as deleted, and gives its id.
pub(super) async fn ensure(transaction: &mut Transaction<'_>, name: &NamespaceName) -> Result<i32> {
    insert(transaction, name).await?;
    let query = transaction.query("create namespace", "select id from namespace where name = ");
    let (id,) = query.bind(name.as_str()).one().await?;
    Ok(id)
}

/// Makes the namespace, or revives it where it is marked as deleted; says whether it did.
async fn insert(transaction: &mut Transaction<'_>, name: &NamespaceName) -> Result<bool> {
    const INSERT: &str = "insert into namespace (name, metadata_) values ($1, '{}') on conflict (name) do update \
        set deleted_on = null, metadata_ = '{}' where namespace.deleted_on is not null";
    Ok(transaction.query("create namespace", INSERT).value(name.as_str()).run().await? > 0)
}

/// The id of the namespace `name`, unless it does not exist or was deleted; it stays as it is until the transaction ends.
pub(super) async fn lock(
    transaction: &mut Transaction<'_>,
    operation: &'static str,
    name: &NamespaceName,
) -> Result<Option<i32>> {
    const SELECT: &str = "select n.id from namespace n where n.deleted_on is null and n.name = ";
    let query = transaction.query(operation, SELECT).bind(name.as_str()).push_either("", " for update");
    let row: Option<(i32,)> = query.first().await?;
    Ok(row.map(|(id,)| id))
}

/// That there is no such namespace.
pub(super) fn missing(operation: &'static str) -> Error {
    Error::not_found(operation, "namespace does not exist")
}

impl Catalogue {
    /// The namespace `name`, made where it does not exist and revived where it was deleted.
    pub async fn ensure_namespace(&self, name: &NamespaceName) -> Result<Namespace> {
        const OPERATION: &str = "create namespace";
        let mut transaction = self.database.begin(OPERATION).await?;
        let id = ensure(&mut transaction, name).await?;
        let query = transaction.query(OPERATION, COLUMNS).push(" and n.id = ").bind(id);
        let row: NamespaceRow = query.one().await?;
        transaction.commit(OPERATION).await?;
        row.try_into()
    }

    /// Makes the namespace `name`, empty.
    ///
    /// # Errors
    /// [`ErrorKind::Conflict`] where it exists.
    pub async fn create_namespace(&self, name: &NamespaceName) -> Result<()> {
        const OPERATION: &str = "create namespace";
        let mut transaction = self.database.begin(OPERATION).await?;
        if !insert(&mut transaction, name).await? {
            return Err(Error::new(ErrorKind::Conflict, OPERATION, "namespace already exists"));
        }
        transaction.commit(OPERATION).await
    }

    /// Changes what is given: what was written down about the namespace, and all bindings of those whose own it is.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] where there is no such namespace.
    pub async fn update_namespace(
        &self,
        name: &NamespaceName,
        metadata: Option<&serde_json::Map<String, serde_json::Value>>,
        role_mappings: Option<&RoleBindings>,
    ) -> Result<()> {
        const OPERATION: &str = "change namespace";
        let mut transaction = self.database.begin(OPERATION).await?;
        let id = lock(&mut transaction, OPERATION, name).await?.ok_or_else(|| missing(OPERATION))?;
        if let Some(metadata) = metadata {
            let update = transaction.query(OPERATION, "update namespace set metadata_ = $1 where id = $2");
            update.value(Json(metadata.clone())).value(id).run().await?;
        }
        if let Some(bindings) = role_mappings {
            role_mappings::replace(&mut transaction, OPERATION, id, bindings).await?;
        }
        transaction.commit(OPERATION).await
    }

    /// The namespace `name`, unless it does not exist or was deleted.
    pub async fn namespace(&self, name: &NamespaceName) -> Result<Option<Namespace>> {
        let query = self.database.query("read namespace", COLUMNS).push(" and n.name = ").bind(name.as_str());
        let row: Option<NamespaceRow> = query.first().await?;
        row.map(Namespace::try_from).transpose()
    }

    /// Lists namespaces.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] for a cursor of another list.
    pub async fn namespaces(&self, query: &NamespaceQuery<'_>) -> Result<Page<Namespace>> {
        const OPERATION: &str = "list namespaces";
        let count = self.database.query(OPERATION, "select count(*) from namespace n where n.deleted_on is null");
        let (total,): (i64,) = filter::namespaces_in_scope(count, query.scope).one().await?;
        let list = filter::namespaces_in_scope(self.database.query(OPERATION, COLUMNS), query.scope);
        let window = query.page.window(query.order, total);
        let rows: Vec<NamespaceRow> = window.cut(sort(list, query, window.order)?).all().await?;
        let items: Result<Vec<Namespace>> = rows.into_iter().map(Namespace::try_from).collect();
        let cursor = |item: &Namespace| Cursor { keys: vec![Some(item.name.to_string())], id: item.id.0 };
        Ok(query.page.page(&window, items?, total, cursor))
    }
}

fn sort<'t>(list: Query<'t>, query: &NamespaceQuery<'_>, order: Order) -> Result<Query<'t>> {
    Ok(page::sort(list, &["n.name", "n.id"], order, query.page.cursor(1)?))
}

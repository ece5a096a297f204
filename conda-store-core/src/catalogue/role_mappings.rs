//! Roles that were given in the database, in both versions that the original has.
//!
//! Version 1: those whose own namespace it is have a role wherever a pattern says. Version 2: those whose own the other
//! namespace is have a role in the namespace.

use std::collections::BTreeMap;

use sqlx::FromRow;

use super::{Catalogue, error, namespaces, namespaces::parse_name, query::Transaction};
use crate::{
    Error, ErrorKind, Result,
    auth::{ArnPattern, Role, RoleBindings},
    model::{NamespaceId, NamespaceName, RoleMappingId},
};

/// A row of version 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoleMapping {
    /// Its id.
    pub id: RoleMappingId,
    /// Where the role is had.
    pub entity: ArnPattern,
    /// The role.
    pub role: Role,
}

/// A row of version 2.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamespaceRole {
    /// Its id.
    pub id: RoleMappingId,
    /// Where the role is had.
    pub namespace: NamespaceName,
    /// Those who have it: whose own namespace this is.
    pub other_namespace: NamespaceName,
    /// The role.
    pub role: Role,
}

#[derive(FromRow)]
struct RoleMappingRow {
    id: i32,
    namespace_id: i32,
    entity: String,
    role: String,
}

impl TryFrom<RoleMappingRow> for RoleMapping {
    type Error = Error;

    fn try_from(row: RoleMappingRow) -> Result<Self> {
        let corrupt = |column, cause| error::corrupt("namespace_role_mapping", column, row.id, cause);
        Ok(Self {
            id: RoleMappingId(row.id),
            entity: row.entity.parse().map_err(|cause: Error| corrupt("entity", cause))?,
            role: row.role.parse().map_err(|cause: Error| corrupt("role", cause))?,
        })
    }
}

#[derive(FromRow)]
struct NamespaceRoleRow {
    id: i32,
    namespace: Option<String>,
    other_namespace: Option<String>,
    role: String,
}

impl TryFrom<NamespaceRoleRow> for NamespaceRole {
    type Error = Error;

    fn try_from(row: NamespaceRoleRow) -> Result<Self> {
        const TABLE: &str = "namespace_role_mapping_v2";
        let corrupt = |cause: Error| error::corrupt(TABLE, "role", row.id, cause);
        Ok(Self {
            id: RoleMappingId(row.id),
            namespace: parse_name(TABLE, row.id, row.namespace)?,
            other_namespace: parse_name(TABLE, row.id, row.other_namespace)?,
            role: row.role.parse().map_err(corrupt)?,
        })
    }
}

/// The bytes that the original's column holds.
const LONGEST: usize = 255;

const MAPPINGS: &str = "select m.id, m.namespace_id, m.entity, m.role from namespace_role_mapping m \
    join namespace n on n.id = m.namespace_id where n.deleted_on is null";
const ROLES: &str = "select m.id, n.name as namespace, o.name as other_namespace, m.role \
    from namespace_role_mapping_v2 m join namespace n on n.id = m.namespace_id \
    join namespace o on o.id = m.other_namespace_id where n.deleted_on is null and o.deleted_on is null";

/// Gives those whose own the namespace is these roles, and no others.
pub(super) async fn replace(
    transaction: &mut Transaction<'_>,
    operation: &'static str,
    namespace: i32,
    bindings: &RoleBindings,
) -> Result<()> {
    const DELETE: &str = "delete from namespace_role_mapping where namespace_id = $1";
    const INSERT: &str = "insert into namespace_role_mapping (namespace_id, entity, role) values ($1, $2, $3)";
    transaction.query(operation, DELETE).value(namespace).run().await?;
    for (pattern, roles) in bindings {
        let pattern = pattern.to_string();
        if pattern.len() > LONGEST {
            let message = format!("a pattern of a role mapping has at most {LONGEST} bytes");
            return Err(Error::invalid(operation, message).with("pattern", pattern));
        }
        for role in roles {
            let insert = transaction.query(operation, INSERT).value(namespace).value(pattern.as_str());
            insert.value(role.as_str()).run().await?;
        }
    }
    Ok(())
}

/// Takes away all roles in which the namespace has a part.
pub(super) async fn forget(transaction: &mut Transaction<'_>, operation: &'static str, namespace: i32) -> Result<()> {
    const VERSION_1: &str = "delete from namespace_role_mapping where namespace_id = $1";
    const VERSION_2: &str = "delete from namespace_role_mapping_v2 where namespace_id = $1 or other_namespace_id = $1";
    for delete in [VERSION_1, VERSION_2] {
        transaction.query(operation, delete).value(namespace).run().await?;
    }
    Ok(())
}

/// The bindings that rows of patterns and roles make. A row that makes no sense gives no role, and takes none away.
fn bindings(rows: Vec<(Option<String>, String)>) -> RoleBindings {
    let mut bindings = RoleBindings::new();
    for (pattern, role) in rows {
        let pattern = pattern.unwrap_or_default();
        if let (Ok(pattern), Ok(role)) = (pattern.parse::<ArnPattern>(), role.parse::<Role>()) {
            bindings.entry(pattern).or_default().insert(role);
        } else {
            tracing::warn!(pattern, role, "the database holds a role mapping that makes no sense");
        }
    }
    bindings
}

impl Catalogue {
    /// The rows of version 1 of these namespaces, by id.
    pub async fn role_mappings(&self, namespaces: &[NamespaceId]) -> Result<BTreeMap<NamespaceId, Vec<RoleMapping>>> {
        let mut found = BTreeMap::<NamespaceId, Vec<RoleMapping>>::new();
        if namespaces.is_empty() {
            return Ok(found);
        }
        let mut query = self.database.query("read role mappings", MAPPINGS).push(" and n.id in (");
        for (index, id) in namespaces.iter().enumerate() {
            query = query.push(if index == 0 { "" } else { ", " }).bind(*id);
        }
        let rows: Vec<RoleMappingRow> = query.push(") order by m.id").all().await?;
        for row in rows {
            found.entry(NamespaceId(row.namespace_id)).or_default().push(row.try_into()?);
        }
        Ok(found)
    }

    /// What version 1 gives those whose own namespace is `namespace`.
    pub async fn role_bindings_v1(&self, namespace: &str) -> Result<RoleBindings> {
        const SELECT: &str = "select m.entity, m.role from namespace_role_mapping m \
            join namespace n on n.id = m.namespace_id where n.deleted_on is null and n.name = $1";
        Ok(bindings(self.database.query("read role bindings", SELECT).value(namespace).all().await?))
    }

    /// What version 2 gives those whose own namespace is `namespace`.
    pub async fn role_bindings_v2(&self, namespace: &str) -> Result<RoleBindings> {
        const SELECT: &str = "select n.name || '/*', m.role from namespace_role_mapping_v2 m \
            join namespace n on n.id = m.namespace_id join namespace o on o.id = m.other_namespace_id \
            where n.deleted_on is null and o.deleted_on is null and o.name = $1";
        Ok(bindings(self.database.query("read role bindings", SELECT).value(namespace).all().await?))
    }

    /// Who has which role in `namespace` by version 2, by id.
    pub async fn namespace_roles(&self, namespace: &NamespaceName) -> Result<Vec<NamespaceRole>> {
        let query = self.database.query("read roles", ROLES).push(" and n.name = ").bind(namespace.as_str());
        let rows: Vec<NamespaceRoleRow> = query.push(" order by m.id").all().await?;
        rows.into_iter().map(NamespaceRole::try_from).collect()
    }

    /// The role that `other` has in `namespace` by version 2.
    pub async fn namespace_role(
        &self,
        namespace: &NamespaceName,
        other: &NamespaceName,
    ) -> Result<Option<NamespaceRole>> {
        let query = self.database.query("read role", ROLES).push(" and n.name = ").bind(namespace.as_str());
        let row: Option<NamespaceRoleRow> = query.push(" and o.name = ").bind(other.as_str()).first().await?;
        row.map(NamespaceRole::try_from).transpose()
    }

    /// Gives those whose own namespace is `other` a role in `namespace`.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] where there is no such namespace, [`ErrorKind::Invalid`] where there is no such other one,
    /// [`ErrorKind::Conflict`] where they have a role.
    pub async fn create_namespace_role(
        &self,
        namespace: &NamespaceName,
        other: &NamespaceName,
        role: Role,
    ) -> Result<()> {
        const OPERATION: &str = "create role";
        const INSERT: &str = "insert into namespace_role_mapping_v2 (namespace_id, other_namespace_id, role) \
            values ($1, $2, $3) on conflict (namespace_id, other_namespace_id) do nothing";
        let mut transaction = self.database.begin(OPERATION).await?;
        let id = namespaces::lock(&mut transaction, OPERATION, namespace).await?;
        let id = id.ok_or_else(|| namespaces::missing(OPERATION))?;
        let other_id = namespaces::lock(&mut transaction, OPERATION, other).await?;
        let other_id = other_id.ok_or_else(|| {
            Error::invalid(OPERATION, "other_namespace does not exist").with("other_namespace", other)
        })?;
        let insert = transaction.query(OPERATION, INSERT).value(id).value(other_id).value(role.as_str());
        if insert.run().await? == 0 {
            let message = "other_namespace has a role in the namespace already";
            return Err(Error::new(ErrorKind::Conflict, OPERATION, message).with("other_namespace", other));
        }
        transaction.commit(OPERATION).await
    }

    /// Gives those whose own namespace is `other` another role in `namespace`.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] where they have none.
    pub async fn update_namespace_role(
        &self,
        namespace: &NamespaceName,
        other: &NamespaceName,
        role: Role,
    ) -> Result<()> {
        const OPERATION: &str = "change role";
        const UPDATE: &str = "update namespace_role_mapping_v2 set role = $1 \
            where namespace_id = (select id from namespace where name = $2) \
            and other_namespace_id = (select id from namespace where name = $3)";
        let update = self.database.query(OPERATION, UPDATE).value(role.as_str()).value(namespace.as_str());
        found(OPERATION, update.value(other.as_str()).run().await?)
    }

    /// Takes the role of those away whose own namespace is `other`.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] where they have none.
    pub async fn delete_namespace_role(&self, namespace: &NamespaceName, other: &NamespaceName) -> Result<()> {
        const OPERATION: &str = "delete role";
        const DELETE: &str = "delete from namespace_role_mapping_v2 \
            where namespace_id = (select id from namespace where name = $1) \
            and other_namespace_id = (select id from namespace where name = $2)";
        let delete = self.database.query(OPERATION, DELETE).value(namespace.as_str()).value(other.as_str());
        found(OPERATION, delete.run().await?)
    }

    /// Takes all roles in `namespace` away that version 2 gives.
    pub async fn delete_namespace_roles(&self, namespace: &NamespaceName) -> Result<()> {
        const DELETE: &str = "delete from namespace_role_mapping_v2 \
            where namespace_id = (select id from namespace where name = $1)";
        self.database.query("delete roles", DELETE).value(namespace.as_str()).run().await?;
        Ok(())
    }
}

fn found(operation: &'static str, rows: u64) -> Result<()> {
    if rows > 0 { Ok(()) } else { Err(Error::not_found(operation, "failed to find role")) }
}

//! Specifications as they are kept: once for each hash, and again for each build that was asked for in other words.
//!
//! The hash sorts lists, as the original's does, so specifications that differ in the order of their channels share a
//! row. The order decides what is installed, so each build keeps the one that it was handed in with.

use sqlx::{FromRow, types::Json};

use super::{Catalogue, NewSpecification, query::Transaction};
use crate::{
    Result,
    clock::Timestamp,
    model::{BuildId, SpecificationId},
};

/// The specification of a build: a row of the table `specification` with the content that the build was handed in with.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredSpecification {
    /// Its id.
    pub id: SpecificationId,
    /// The name it had first: that of the environment.
    pub name: String,
    /// The content, exactly as it was handed in for the build.
    pub spec: serde_json::Value,
    /// The SHA-256 of its sorted form in hexadecimal: others may share it, and the row, that order their lists differently.
    pub sha256: String,
    /// When the hash was first seen.
    pub created_on: Option<Timestamp>,
    /// Whether the content is a lockfile.
    pub is_lockfile: bool,
}

#[derive(FromRow)]
struct SpecificationRow {
    id: i32,
    name: String,
    spec: Json<serde_json::Value>,
    sha256: String,
    created_on: Option<Timestamp>,
    is_lockfile: bool,
}

impl From<SpecificationRow> for StoredSpecification {
    fn from(row: SpecificationRow) -> Self {
        let Json(spec) = row.spec;
        Self {
            id: SpecificationId(row.id),
            name: row.name,
            spec,
            sha256: row.sha256,
            created_on: row.created_on,
            is_lockfile: row.is_lockfile,
        }
    }
}

/// The row of a specification.
pub(super) struct Kept {
    /// Its id.
    pub(super) id: i32,
    /// Whether the row holds the very same content: maps in any order, lists in the same.
    pub(super) is_same: bool,
}

/// The row with the hash of the specification, which is made if there is none.
pub(super) async fn ensure(
    transaction: &mut Transaction<'_>,
    specification: &NewSpecification<'_>,
    now: Timestamp,
) -> Result<Kept> {
    const OPERATION: &str = "keep specification";
    const INSERT: &str = "insert into specification (name, spec, sha256, created_on, is_lockfile) \
        values ($1, $2, $3, $4, $5) on conflict (sha256) do nothing returning id";
    let query = transaction.query(OPERATION, INSERT).value(specification.name).value(Json(specification.spec));
    let query = query.value(specification.sha256).value(now).value(specification.is_lockfile);
    if let Some((id,)) = query.first().await? {
        return Ok(Kept { id, is_same: true });
    }
    let query = transaction.query(OPERATION, "select id, spec from specification where sha256 = ");
    let (id, Json(spec)): (i32, Json<serde_json::Value>) = query.bind(specification.sha256).one().await?;
    Ok(Kept { id, is_same: spec == *specification.spec })
}

/// Keeps the exact content for a build whose row of `specification` holds another.
pub(super) async fn keep_exact(transaction: &mut Transaction<'_>, build: i32, spec: &serde_json::Value) -> Result<()> {
    const INSERT: &str = "insert into cs_build_specification (build_id, spec) values ($1, $2)";
    transaction.query("keep specification", INSERT).value(build).value(Json(spec)).run().await?;
    Ok(())
}

impl Catalogue {
    /// The specification of a build, exactly as it was handed in, unless there is no such build.
    pub async fn specification_of(&self, build: BuildId) -> Result<Option<StoredSpecification>> {
        const SELECT: &str = "select s.id, s.name, coalesce(x.spec, s.spec) as spec, s.sha256, s.created_on, \
            s.is_lockfile from build b join specification s on s.id = b.specification_id \
            left join cs_build_specification x on x.build_id = b.id where b.id = $1";
        let row: Option<SpecificationRow> =
            self.database.query("read specification", SELECT).value(build).first().await?;
        Ok(row.map(StoredSpecification::from))
    }
}

//! Sets of builds that have something in common, kept so that nobody has to look at a million builds to find a few.
//!
//! Triggers write down which builds changed; [`Catalogue::update_build_facts`] brings the sets up to date. Until it does,
//! whoever reads the sets looks at the changed builds themselves.

use std::collections::{BTreeMap, BTreeSet};

use roaring::RoaringBitmap;
use sqlx::FromRow;

use super::{
    Catalogue, error,
    package_rows::{chunks, open},
    query::{Query, Transaction},
};
use crate::{Error, Result};

/// What is being done.
const OPERATION: &str = "gather what builds have in common";

/// A row has a set of as many ids: those that agree in all but the last bits.
const BLOCK_BITS: u32 = 16;

/// Builds that are looked at in one statement.
const AT_ONCE: usize = 4096;

/// Serialises updates of the sets on PostgreSQL, by a number that other programs hardly use for the same; with `SQLite`
/// nobody else writes anyway.
const LOCK: [&str; 2] = ["select 1", "select 1 from pg_advisory_xact_lock(7165916604736876321)"];

/// Builds of which a row of the table may say what is no longer true.
#[derive(FromRow)]
struct ChangedRow {
    build_id: i32,
    has_less: bool,
}

/// A fact, and builds that have it.
#[derive(FromRow)]
struct NewRow {
    fact: String,
    ids: String,
}

#[derive(FromRow)]
struct SetRow {
    fact: String,
    builds: Vec<u8>,
}

type Sets = BTreeMap<String, RoaringBitmap>;

impl Catalogue {
    /// Brings the sets up to date with all that changed so far.
    pub async fn update_build_facts(&self) -> Result<()> {
        while self.update_block().await? {}
        Ok(())
    }

    /// Brings the rows of one block up to date; says whether there was anything to do.
    async fn update_block(&self) -> Result<bool> {
        let mut transaction = self.database.begin(OPERATION).await?;
        transaction.query(OPERATION, "").push_either(LOCK[0], LOCK[1]).run().await?;
        let (first,): (Option<i32>,) =
            transaction.query(OPERATION, "select min(build_id) from cs_changed_build").one().await?;
        let Some(block) = first.map(|id| id >> BLOCK_BITS) else { return Ok(false) };

        let changed = take_changed(&mut transaction, block).await?;
        let builds: RoaringBitmap = changed.iter().filter_map(|row| u32::try_from(row.build_id).ok()).collect();
        let now = facts(&mut transaction, &builds).await?;
        let has_less = changed.iter().any(|row| row.has_less);
        let before = stored(&mut transaction, block, &now, has_less).await?;
        store(&mut transaction, block, &before, &updated(&before, now, &builds)).await?;
        transaction.commit(OPERATION).await?;
        Ok(true)
    }
}

/// Takes away what was written down about builds of the block. What is written down from now on stays: the facts are
/// looked at later.
async fn take_changed(transaction: &mut Transaction<'_>, block: i32) -> Result<Vec<ChangedRow>> {
    const DELETE: &str = "delete from cs_changed_build where build_id between $1 and $2 returning build_id, has_less";
    let first = block << BLOCK_BITS;
    transaction.query(OPERATION, DELETE).value(first).value(first | ((1 << BLOCK_BITS) - 1)).all().await
}

/// The facts of `builds`.
async fn facts(transaction: &mut Transaction<'_>, builds: &RoaringBitmap) -> Result<Sets> {
    let mut sets = Sets::new();
    let ids: Vec<u32> = builds.iter().collect();
    for chunk in ids.chunks(AT_ONCE) {
        for (fact, tables, build) in [
            ("'all'", "build b", "b.id"),
            ("'status/' || b.status", "build b", "b.id"),
            ("'artifact/' || a.artifact_type", "build_artifact a", "a.build_id"),
            ("'artifact/' || a.artifact_type", "cs_artifact a", "a.build_id"),
            (
                "'namespace/' || n.name",
                "build b join environment e on e.id = b.environment_id join namespace n on n.id = e.namespace_id",
                "b.id",
            ),
            (
                "'current'",
                "environment e join namespace n on n.id = e.namespace_id and n.deleted_on is null \
                 and e.deleted_on is null",
                "e.current_build_id",
            ),
            (
                "'package/' || p.name",
                "build_conda_package_build l join conda_package_build pb on pb.id = l.conda_package_build_id \
                 join conda_package p on p.id = pb.package_id",
                "l.build_id",
            ),
        ] {
            let select = transaction.query(OPERATION, "select fact, ").push_either("group_concat(id)", "string_agg(");
            let select = select.push_either("", "cast(id as text), ',')").push(" as ids from (select ").push(fact);
            let select = select.push(" as fact, ").push(build).push(" as id from ").push(tables);
            let select = one_of(select.push(" where ").push(build), chunk.iter().copied());
            let rows: Vec<NewRow> = select.push(") facts where fact is not null group by fact").all().await?;
            for row in rows {
                sets.entry(row.fact).or_default().extend(read_ids(&row.ids));
            }
        }
    }
    Ok(sets)
}

/// The rows that may have to change: those of the facts in `now` and of those that builds lose, which are packages only
/// where `has_less`.
async fn stored(transaction: &mut Transaction<'_>, block: i32, now: &Sets, has_less: bool) -> Result<Sets> {
    const LOST: &str = " and (fact in ('all', 'current') or fact between 'status/' and 'status0' \
        or fact between 'artifact/' and 'artifact0')";
    const SELECT: &str = "select fact, builds from cs_build_fact where block = ";
    let mut sets = Sets::new();
    let all = transaction.query(OPERATION, SELECT).bind(block).push(if has_less { "" } else { LOST });
    add(&mut sets, all.all().await?)?;
    let missing: Vec<&String> = now.keys().filter(|fact| !has_less && !sets.contains_key(*fact)).collect();
    for chunk in chunks(missing) {
        let select = transaction.query(OPERATION, SELECT).bind(block);
        add(&mut sets, listed(select, &chunk).unprepared().all().await?)?;
    }
    Ok(sets)
}

fn add(sets: &mut Sets, rows: Vec<SetRow>) -> Result<()> {
    for row in rows {
        let set = read_set(&row.builds)?;
        sets.insert(row.fact, set);
    }
    Ok(())
}

fn listed<'t>(mut query: Query<'t>, facts: &[&String]) -> Query<'t> {
    query = query.push(" and fact in ");
    for (index, fact) in facts.iter().enumerate() {
        query = query.push(if index == 0 { "(" } else { ", " }).bind(fact.as_str());
    }
    query.push(")")
}

/// What the rows have to be: `builds` have the facts `now` and no others.
fn updated(before: &Sets, mut now: Sets, builds: &RoaringBitmap) -> Sets {
    for (fact, set) in before {
        let kept = set - builds;
        *now.entry(fact.clone()).or_default() |= kept;
    }
    now
}

/// Writes the rows that differ.
async fn store(transaction: &mut Transaction<'_>, block: i32, before: &Sets, now: &Sets) -> Result<()> {
    let changed: Vec<_> = now.iter().filter(|(fact, set)| before.get(*fact) != Some(*set)).collect();
    let (gone, kept): (Vec<_>, Vec<_>) = changed.into_iter().partition(|(_, set)| set.is_empty());
    for chunk in chunks(kept) {
        let mut insert = transaction.query(OPERATION, "insert into cs_build_fact (fact, block, builds) values ");
        for (index, (fact, set)) in chunk.iter().enumerate() {
            insert = insert.push(open(index)).bind(fact.as_str()).push(", ").bind(block);
            insert = insert.push(", ").bind(write_set(set)?).push(")");
        }
        let insert = insert.push(" on conflict (fact, block) do update set builds = excluded.builds");
        insert.unprepared().run().await?;
    }
    let gone: BTreeSet<&String> = gone.into_iter().map(|(fact, _)| fact).collect();
    for chunk in chunks(gone) {
        let delete = transaction.query(OPERATION, "delete from cs_build_fact where block = ").bind(block);
        listed(delete, &chunk).unprepared().run().await?;
    }
    Ok(())
}

/// Ends a condition on an id: it is one of `ids`.
pub(super) fn one_of(query: Query<'_>, ids: impl IntoIterator<Item = u32>) -> Query<'_> {
    let ids: Vec<String> = ids.into_iter().map(|id| id.to_string()).collect();
    let ids = ids.join(",");
    if query.is_sqlite() {
        return query.push(" in (select value from json_each(").bind(format!("[{ids}]")).push("))");
    }
    // A list as such would be compared with row by row where PostgreSQL takes no index.
    query.push(" in (select unnest(cast(").bind(format!("{{{ids}}}")).push(" as int[])))")
}

/// The ids in a text with commas.
pub(super) fn read_ids(text: &str) -> impl Iterator<Item = u32> + '_ {
    text.split(',').filter_map(|id| id.parse().ok())
}

/// A set as a row holds it.
pub(super) fn read_set(bytes: &[u8]) -> Result<RoaringBitmap> {
    RoaringBitmap::deserialize_from(bytes)
        .map_err(|cause| error::corrupt("cs_build_fact", "builds", "of a set", &cause).with_source(cause))
}

fn write_set(set: &RoaringBitmap) -> Result<Vec<u8>> {
    let mut set = set.clone();
    set.optimize();
    let mut bytes = Vec::with_capacity(set.serialized_size());
    let written = set.serialize_into(&mut bytes);
    written.map_err(|cause| Error::unexpected(OPERATION, cause.to_string()))?;
    Ok(bytes)
}

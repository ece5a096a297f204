//! Conditions that several lists share. Each begins with ` and `.

use std::collections::BTreeSet;

use roaring::RoaringBitmap;

use super::{build_facts::one_of, query::Query};
use crate::{
    auth::{ArnPattern, Scope},
    model::ArtifactType,
};

/// So many builds are looked up one by one; of more the database is told which of those that it comes by are meant. As
/// text their ids stay below 16 KiB: a longer statement leaves in two parts, of which the second waits for a sign that the
/// first one arrived, and that may take 40 ms.
pub(super) const FEW: usize = 1500;

/// Columns that hold a namespace's and an environment's name.
const NAMESPACE: &str = "n.name";
const ENVIRONMENT: &str = "e.name";

/// The environments (`n`, `e`) that `scope` covers.
pub(super) fn environments_in_scope<'t>(query: Query<'t>, scope: &Scope) -> Query<'t> {
    match only_some(scope) {
        Some(patterns) => in_environments(query.push(" and e.id in "), patterns),
        None => namespaces_in_scope(query, scope),
    }
}

/// Tables `e` and `n` of the environments that `scope` covers and that are not marked as deleted; `e` has what lists filter
/// and sort by, which an index has as well.
pub(super) fn environments_of<'t>(query: Query<'t>, scope: &Scope) -> Query<'t> {
    const REST: &str = " join namespace n on n.id = e.namespace_id where e.deleted_on is null and n.deleted_on is null";
    const SELECT: &str = "select e.id, e.name, e.namespace_id, e.current_build_id, e.deleted_on \
        from environment e join namespace n on n.id = e.namespace_id where 1 = 1";
    match only_some(scope) {
        Some(patterns) => each_kind(query.push("("), SELECT, patterns).push(") e").push(REST),
        None => namespaces_in_scope(query.push("environment e").push(REST), scope),
    }
}

/// The ids of the environments that one of `patterns` covers.
pub(super) fn in_environments<'t, 'p>(query: Query<'t>, patterns: impl Iterator<Item = &'p ArnPattern>) -> Query<'t> {
    const SELECT: &str = "select e.id from environment e join namespace n on n.id = e.namespace_id where 1 = 1";
    each_kind(query.push("("), SELECT, patterns).push(")")
}

/// The patterns of a scope that covers single environments, or some of each namespace.
fn only_some(scope: &Scope) -> Option<impl Iterator<Item = &ArnPattern>> {
    let has_others = scope.patterns.iter().any(|pattern| !is_of_namespaces(pattern));
    (has_others && !scope.is_everything()).then(|| scope.patterns.iter())
}

/// What `select` gives of the environments that one of `patterns` covers. Patterns of a kind are looked up by an index that
/// suits them; as a single condition they would have every environment looked at.
fn each_kind<'t, 'p>(
    query: Query<'t>,
    select: &'static str,
    patterns: impl Iterator<Item = &'p ArnPattern>,
) -> Query<'t> {
    let (whole, others): (Vec<_>, Vec<_>) = patterns.partition(|pattern| is_of_namespaces(pattern));
    let (named, others): (Vec<_>, Vec<_>) = others.into_iter().partition(|pattern| !pattern.parts().1.contains('*'));
    let mut query = any(query.push(select), &arms(whole));
    if !named.is_empty() {
        query = query.push(" union ").push(select).push(" and e.name in (");
        for (index, pattern) in named.iter().enumerate() {
            query = query.push(if index == 0 { "" } else { ", " }).bind(pattern.parts().1);
        }
        query = any(query.push(")"), &arms(named));
    }
    if others.is_empty() { query } else { any(query.push(" union ").push(select), &arms(others)) }
}

/// Whether it covers whole namespaces.
pub(super) fn is_of_namespaces(pattern: &ArnPattern) -> bool {
    pattern.parts().1 == "*"
}

fn arms<'p>(patterns: Vec<&'p ArnPattern>) -> Vec<Arm<'p>> {
    let arm = |pattern: &'p ArnPattern| {
        let (namespace, name) = pattern.parts();
        vec![(NAMESPACE, namespace), (ENVIRONMENT, name)]
    };
    patterns.into_iter().map(arm).collect()
}

/// The namespaces (`n`) that `scope` covers: only patterns `…/*` do.
pub(super) fn namespaces_in_scope<'t>(query: Query<'t>, scope: &Scope) -> Query<'t> {
    any(query, &arms(scope.patterns.iter().filter(|pattern| is_of_namespaces(pattern)).collect()))
}

/// Columns, and the patterns that all of them must match.
type Arm<'a> = Vec<(&'static str, &'a str)>;

/// Any of `arms`.
fn any<'t>(query: Query<'t>, arms: &[Arm<'_>]) -> Query<'t> {
    let conditions = arms.iter().map(|arm| arm.iter().copied().filter(|(_, pattern)| *pattern != "*").collect());
    let conditions: Vec<Arm<'_>> = conditions.collect();
    if conditions.iter().any(Vec::is_empty) {
        return query;
    }
    // Whole namespaces by their names are what there are many of: the database looks them up.
    let is_name = |arm: &Arm<'_>| matches!(arm.as_slice(), [(NAMESPACE, name)] if !name.contains('*'));
    let (names, others): (Vec<Arm<'_>>, Vec<Arm<'_>>) = conditions.into_iter().partition(is_name);
    let mut query = query.push(" and (1 = 0");
    for (index, (_, name)) in names.iter().flatten().enumerate() {
        query = query.push(if index == 0 { " or n.name in (" } else { ", " }).bind(*name);
    }
    if !names.is_empty() {
        query = query.push(")");
    }
    if !others.is_empty() {
        query = either(query.push(" or "), &others);
    }
    query.push(")")
}

/// One or the other half of `arms`: SQLite takes expressions a thousand levels deep, which a chain of so many would be.
fn either<'t>(query: Query<'t>, arms: &[Arm<'_>]) -> Query<'t> {
    if let [arm] = arms {
        let arm = arm.iter().fold(query.push("(1 = 1"), |query, (column, pattern)| matches(query, column, pattern));
        return arm.push(")");
    }
    let (first, second) = arms.split_at(arms.len() / 2);
    either(either(query.push("("), first).push(" or "), second).push(")")
}

/// `column` matches `pattern`, in which `*` is any run of characters; case counts.
fn matches<'t>(query: Query<'t>, column: &'static str, pattern: &str) -> Query<'t> {
    let query = query.push(" and ").push(column);
    if !pattern.contains('*') {
        return query.push(" = ").bind(pattern);
    }
    // LIKE of SQLite takes capitals for small letters.
    if query.is_sqlite() {
        return query.push(" glob ").bind(pattern.replace('?', "[?]"));
    }
    query.push(" like ").bind(escape_like(pattern).replace('*', "%")).push(" escape '!'")
}

/// `column`, which holds ASCII, contains `text`, in capitals or small letters.
pub(super) fn contains<'t>(query: Query<'t>, column: &'static str, text: &str) -> Query<'t> {
    let pattern = format!("%{}%", escape_like(&text.to_ascii_lowercase()));
    // Any other collation of PostgreSQL takes several times as long.
    query
        .push("lower(")
        .push(column)
        .push_either("", " collate \"C\"")
        .push(") like ")
        .bind(pattern)
        .push(" escape '!'")
}

fn escape_like(text: &str) -> String {
    text.replace('!', "!!").replace('%', "!%").replace('_', "!_")
}

/// As [`has_packages`], where so few builds are looked at that reading the packages of each is less than finding all
/// builds with such packages.
pub(super) fn has_packages_looked_up<'t>(mut query: Query<'t>, column: &'static str, names: &[String]) -> Query<'t> {
    for name in names.iter().collect::<BTreeSet<_>>() {
        query = query.push(
            " and exists (select 1 from build_conda_package_build l \
            join conda_package_build pb on pb.id = l.conda_package_build_id \
            join conda_package p on p.id = pb.package_id where l.build_id = ",
        );
        query = query.push(column).push(" and p.name = ").bind(name.as_str());
        // What has an offset PostgreSQL does not turn into a join.
        query = query.push_either(")", " offset 0)");
    }
    query
}

/// The build in `column` is one of `builds`.
pub(super) fn among<'t>(query: Query<'t>, column: &'static str, builds: &RoaringBitmap) -> Query<'t> {
    let query = query.push(" and ");
    if query.is_sqlite() || builds.len() <= FEW as u64 {
        return one_of(query.push(column), builds);
    }
    let bits = bits(builds);
    let end = i32::try_from(bits.len() * 8).unwrap_or(i32::MAX);
    let query = query.push("case when ").push(column).push(" < ").bind(end);
    query.push(" then get_bit(").bind(bits).push(", ").push(column).push(") = 1 else false end")
}

/// A bit for each id, the lowest of the first byte first, as PostgreSQL counts them.
fn bits(builds: &RoaringBitmap) -> Vec<u8> {
    let mut bits = vec![0; builds.max().map_or(0, |last| last as usize / 8 + 1)];
    for id in builds {
        bits[id as usize / 8] |= 1 << (id % 8);
    }
    bits
}

/// Each of `names` is a package of the build in `column`.
pub(super) fn has_packages<'t>(mut query: Query<'t>, column: &'static str, names: &[String]) -> Query<'t> {
    for name in names.iter().collect::<BTreeSet<_>>() {
        query = query
            .push(" and ")
            .push(column)
            .push(
                " in (select l.build_id from conda_package p join conda_package_build pb on pb.package_id = p.id \
                 join build_conda_package_build l on l.conda_package_build_id = pb.id where p.name = ",
            )
            .bind(name.as_str())
            .push(")");
    }
    query
}

/// The build in `column` has an artifact of the type.
pub(super) fn has_artifact<'t>(query: Query<'t>, column: &'static str, artifact: Option<ArtifactType>) -> Query<'t> {
    let Some(artifact) = artifact else { return query };
    let table = if artifact.is_original() { "build_artifact" } else { "cs_artifact" };
    query
        .push(" and exists (select 1 from ")
        .push(table)
        .push(" a where a.build_id = ")
        .push(column)
        .push(" and a.artifact_type = ")
        .bind(artifact.as_str())
        .push(")")
}

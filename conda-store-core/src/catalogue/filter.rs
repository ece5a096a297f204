//! Conditions that several lists share. Each begins with ` and `.

use std::collections::BTreeSet;

use super::query::Query;
use crate::{
    auth::{ArnPattern, Scope},
    model::ArtifactType,
};

/// Columns that hold a namespace's and an environment's name.
const NAMESPACE: &str = "n.name";
const ENVIRONMENT: &str = "e.name";

/// The environments (`n`, `e`) that `scope` covers.
pub(super) fn environments_in_scope<'t>(query: Query<'t>, scope: &Scope) -> Query<'t> {
    let arms = scope.patterns.iter().map(|pattern| {
        let (namespace, name) = pattern.parts();
        vec![(NAMESPACE, namespace), (ENVIRONMENT, name)]
    });
    any(query, &arms.collect::<Vec<_>>())
}

/// The namespaces (`n`) that `scope` covers: only patterns `…/*` do.
pub(super) fn namespaces_in_scope<'t>(query: Query<'t>, scope: &Scope) -> Query<'t> {
    let whole = scope.patterns.iter().map(ArnPattern::parts).filter(|(_, name)| *name == "*");
    any(query, &whole.map(|(namespace, _)| vec![(NAMESPACE, namespace)]).collect::<Vec<_>>())
}

/// Any of `arms`, in each of which all columns match their patterns.
fn any<'t>(query: Query<'t>, arms: &[Vec<(&'static str, &str)>]) -> Query<'t> {
    if arms.iter().any(|arm| arm.iter().all(|(_, pattern)| *pattern == "*")) {
        return query;
    }
    let mut query = query.push(" and (1 = 0");
    for arm in arms {
        query = query.push(" or (1 = 1");
        for (column, pattern) in arm {
            query = matches(query, column, pattern);
        }
        query = query.push(")");
    }
    query.push(")")
}

/// `column` matches `pattern`, in which `*` is any run of characters; case counts.
fn matches<'t>(query: Query<'t>, column: &'static str, pattern: &str) -> Query<'t> {
    if pattern == "*" {
        return query;
    }
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

/// `column` contains `text`, in capitals or small letters.
pub(super) fn contains<'t>(query: Query<'t>, column: &'static str, text: &str) -> Query<'t> {
    let pattern = format!("%{}%", escape_like(text));
    query.push("lower(").push(column).push(") like lower(").bind(pattern).push(") escape '!'")
}

fn escape_like(text: &str) -> String {
    text.replace('!', "!!").replace('%', "!%").replace('_', "!_")
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
    query
        .push(" and exists (select 1 from build_artifact a where a.build_id = ")
        .push(column)
        .push(" and a.artifact_type = ")
        .bind(artifact.as_str())
        .push(")")
}

//! Settings that were changed while the service runs, in the original's table of keys and values: below the prefix `setting`
//! for the installation, `setting/NAMESPACE` for a namespace, `setting/NAMESPACE/ENVIRONMENT` for an environment.

use serde_json::{Map, Value};
use sqlx::types::Json;

use super::{Catalogue, error, query::Transaction};
use crate::{
    Result,
    model::{EnvironmentName, NamespaceName},
    settings::SettingPlace,
};

/// What the keys of settings begin with.
const SETTING: &str = "setting";

fn prefix(place: SettingPlace<'_>) -> String {
    match place {
        SettingPlace::Global => SETTING.to_owned(),
        SettingPlace::Namespace(namespace) => format!("{SETTING}/{namespace}"),
        SettingPlace::Environment(namespace, environment) => format!("{SETTING}/{namespace}/{environment}"),
    }
}

/// The places whose settings are in effect at `place`, as prefixes.
fn effective(place: SettingPlace<'_>) -> [String; 3] {
    let namespace = match place {
        SettingPlace::Global => place,
        SettingPlace::Namespace(namespace) | SettingPlace::Environment(namespace, _) => {
            SettingPlace::Namespace(namespace)
        }
    };
    [prefix(SettingPlace::Global), prefix(namespace), prefix(place)]
}

/// The namespace, and perhaps the environment, of a prefix.
fn place(prefix: &str) -> Option<(NamespaceName, Option<EnvironmentName>)> {
    let names = prefix.strip_prefix(SETTING)?.strip_prefix('/')?;
    match names.split_once('/') {
        Some((namespace, environment)) => Some((namespace.parse().ok()?, Some(environment.parse().ok()?))),
        None => Some((names.parse().ok()?, None)),
    }
}

fn parse(id: i32, value: Option<String>) -> Result<Value> {
    let Some(text) = value else { return Ok(Value::Null) };
    serde_json::from_str(&text).map_err(|cause| error::corrupt("keyvaluestore", "value", id, &cause).with_source(cause))
}

/// Forgets what was set for `place` and everything below it, which is gone.
pub(super) async fn forget(
    transaction: &mut Transaction<'_>,
    operation: &'static str,
    place: SettingPlace<'_>,
) -> Result<()> {
    let prefix = prefix(place);
    let delete = transaction.query(operation, "delete from keyvaluestore where prefix = ").bind(prefix.as_str());
    // No pattern: names may have characters that mean something in one.
    let delete = delete.push(" or substr(prefix, 1, length(").bind(format!("{prefix}/")).push(")) = ");
    delete.bind(format!("{prefix}/")).run().await?;
    Ok(())
}

impl Catalogue {
    /// The settings in effect at `place` that were changed there or further up, by name; the nearest first.
    pub async fn changed_settings(&self, place: SettingPlace<'_>) -> Result<Map<String, Value>> {
        // SQLite keeps a JSON number as a number.
        const SELECT: &str = "select id, key, cast(value as text) from keyvaluestore where prefix in ($1, $2, $3) \
            order by length(prefix), id";
        let query = self.database.query("read settings", SELECT);
        let [global, namespace, own] = effective(place);
        let rows: Vec<(i32, String, Option<String>)> = query.value(global).value(namespace).value(own).all().await?;
        rows.into_iter().map(|(id, name, value)| Ok((name, parse(id, value)?))).collect()
    }

    /// The namespaces, and the environments in them, for which one of these settings was changed.
    pub async fn places_that_change(&self, names: &[&str]) -> Result<Vec<(NamespaceName, Option<EnvironmentName>)>> {
        const SELECT: &str = "select distinct prefix from keyvaluestore where key in (";
        let Some((first, others)) = names.split_first() else { return Ok(Vec::new()) };
        let query = self.database.query("find changed settings", SELECT).bind((*first).to_owned());
        let query = others.iter().fold(query, |query, name| query.push(", ").bind((*name).to_owned()));
        let rows: Vec<(String,)> = query.push(")").all().await?;
        // What is no such place is the original's, or the installation.
        Ok(rows.iter().filter_map(|(prefix,)| place(prefix)).collect())
    }

    /// Writes down settings for `place`, all or none; others stay as they are.
    pub async fn change_settings(&self, place: SettingPlace<'_>, changes: &Map<String, Value>) -> Result<()> {
        const OPERATION: &str = "change settings";
        const UPDATE: &str = "update keyvaluestore set value = $1 where prefix = $2 and key = $3";
        const INSERT: &str = "insert into keyvaluestore (value, prefix, key) values ($1, $2, $3)";
        let prefix = prefix(place);
        let mut transaction = self.database.begin(OPERATION).await?;
        // No constraint keeps twins away.
        let lock = transaction.query(OPERATION, "");
        lock.push_either("select 1", "lock table keyvaluestore in share row exclusive mode").run().await?;
        for (name, value) in changes {
            for statement in [UPDATE, INSERT] {
                let query = transaction.query(OPERATION, statement).value(Json(value)).value(prefix.as_str());
                if query.value(name.as_str()).run().await? > 0 {
                    break;
                }
            }
        }
        transaction.commit(OPERATION).await
    }
}

//! Settings that are changed while the service runs: where each can be, and what it then takes.

use std::fmt;

use serde::Deserialize;
use serde_json::{Map, Value};

use super::Settings;
use crate::{
    Error, Result,
    model::{EnvironmentName, NamespaceName},
    validator,
};

/// Settings that the configuration alone decides: what runs programs on the workers.
const CONFIGURED: [&str; 2] = ["conda_command", "run_link_scripts"];

/// Settings that are the same for every namespace.
const GLOBAL: [&str; 10] = [
    "conda_platforms",
    "conda_indexed_channels",
    "conda_max_solve_time",
    "build_artifacts_kept_on_deletion",
    "default_namespace",
    "filesystem_namespace",
    "default_uid",
    "default_gid",
    "default_permissions",
    "storage_threshold",
];

/// Settings that concern a namespace as a whole.
const OF_NAMESPACE: [&str; 1] = ["max_concurrent_builds"];

/// Settings that say which builds are kept.
pub(crate) const RETENTION: [&str; 2] = ["max_kept_builds", "max_kept_days"];

/// What settings are changed for. Those of an environment go before those of its namespace, and those before the ones of
/// the installation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SettingPlace<'a> {
    /// The installation.
    Global,
    /// All environments of a namespace.
    Namespace(&'a NamespaceName),
    /// One environment.
    Environment(&'a NamespaceName, &'a EnvironmentName),
}

impl fmt::Display for SettingPlace<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Global => formatter.write_str("the installation"),
            Self::Namespace(namespace) => write!(formatter, "namespace {namespace}"),
            Self::Environment(namespace, environment) => write!(formatter, "environment {namespace}/{environment}"),
        }
    }
}

/// What is being done.
const OPERATION: &str = "change settings";

impl Settings {
    /// These settings with `changes`, which are names and values as [`check_changes`](Self::check_changes) allows them. Others
    /// are passed over with a warning: another version, or the original, may have written them.
    #[must_use]
    pub fn with(&self, changes: Map<String, Value>) -> Self {
        let Ok(mut settings) = self.to_map() else { return self.clone() };
        for (name, value) in changes {
            let known = settings.contains_key(&name) && !CONFIGURED.contains(&name.as_str());
            match check_type(&name, &value) {
                Ok(_) if known => drop(settings.insert(name, value)),
                Ok(_) => tracing::debug!(setting.name = name, "a setting of the database has no effect"),
                Err(error) => tracing::warn!(error = error.report(), "a setting of the database makes no sense"),
            }
        }
        Self::deserialize(Value::Object(settings)).unwrap_or_else(|_| self.clone())
    }

    /// Refuses what cannot be set for `place`.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`](crate::ErrorKind::Invalid) for an unknown name, for a value that the setting does not take, and
    /// for a setting that cannot be changed there.
    pub fn check_changes(place: SettingPlace<'_>, changes: &Map<String, Value>) -> Result<()> {
        let known = Self::default().to_map()?;
        for (name, value) in changes {
            if !known.contains_key(name) {
                let names: Vec<&str> = known.keys().map(String::as_str).collect();
                let message = format!("there is no setting {name:?}; known are {}", names.join(", "));
                return Err(Error::invalid(OPERATION, message));
            }
            if CONFIGURED.contains(&name.as_str()) {
                let message = format!("{name} is set in the configuration file alone");
                return Err(Error::invalid(OPERATION, message));
            }
            if place != SettingPlace::Global && GLOBAL.contains(&name.as_str()) {
                let message = format!("{name} is a global setting, it cannot be set for {place}");
                return Err(Error::invalid(OPERATION, message));
            }
            if matches!(place, SettingPlace::Environment(..)) && OF_NAMESPACE.contains(&name.as_str()) {
                let message = format!("{name} is a setting of namespaces, it cannot be set for {place}");
                return Err(Error::invalid(OPERATION, message));
            }
            let settings = check_type(name, value)?;
            validator::check_settings(&settings).map_err(|error| {
                Error::invalid(OPERATION, format!("{name}: {}", error.message())).with_source(error)
            })?;
        }
        Ok(())
    }

    fn to_map(&self) -> Result<Map<String, Value>> {
        match serde_json::to_value(self) {
            Ok(Value::Object(map)) => Ok(map),
            other => {
                let error = Error::unexpected("write settings", "settings are no JSON object");
                Err(if let Err(cause) = other { error.with_source(cause) } else { error })
            }
        }
    }
}

/// What the names of types mean to people.
const WORDS: [(&str, &str); 5] = [
    ("expected a nonzero u32", "expected a whole number from 1 on"),
    ("expected u32", "expected a whole number from 0 on"),
    ("expected u64", "expected a whole number from 0 on"),
    ("expected a sequence", "expected a list"),
    ("expected a string", "expected text"),
];

/// The default settings with this one.
fn check_type(name: &str, value: &Value) -> Result<Settings> {
    let one = Value::Object(Map::from_iter([(name.to_owned(), value.clone())]));
    Settings::deserialize(one).map_err(|error| {
        let said = WORDS.iter().fold(error.to_string(), |said, (name, words)| said.replace(name, words));
        Error::invalid(OPERATION, format!("{name}: {said}")).with_source(error)
    })
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;
    use serde_json::json;

    use super::*;

    fn map(value: Value) -> Map<String, Value> {
        let Value::Object(map) = value else { unreachable!("{value} is no object") };
        map
    }

    fn refusal(place: SettingPlace<'_>, changes: Value) -> String {
        Settings::check_changes(place, &map(changes)).unwrap_err().to_string()
    }

    #[test]
    fn every_name_of_the_lists_is_a_setting() {
        let settings = Settings::default().to_map().unwrap();
        for name in CONFIGURED.iter().chain(&GLOBAL).chain(&OF_NAMESPACE).chain(&RETENTION) {
            assert!(settings.contains_key(*name), "{name}");
        }
    }

    #[test]
    fn the_narrower_goes_before_the_wider_and_nonsense_before_nothing() {
        let configured = Settings { conda_command: "micromamba".into(), ..Settings::default() };
        let changed = configured.with(map(json!({
            "conda_default_channels": ["main"], "default_permissions": null, "conda_max_solve_time": 10,
            "conda_command": "mamba", "storage_threshold": "much", "default_docker_base_image": "debian",
        })));
        let expected = Settings {
            conda_default_channels: vec!["main".into()],
            default_permissions: None,
            conda_max_solve_time: std::time::Duration::from_secs(10),
            ..configured.clone()
        };
        assert_eq!(changed, expected);
        assert_eq!(configured.with(Settings::default().to_map().unwrap()).conda_command, "micromamba");
    }

    #[test]
    fn says_what_is_wrong_with_a_change() {
        let namespace = "team".parse().unwrap();
        let environment = "web".parse().unwrap();
        let (team, web) = (SettingPlace::Namespace(&namespace), SettingPlace::Environment(&namespace, &environment));
        Settings::check_changes(web, &map(json!({"conda_flags": "", "build_artifacts": ["LOCKFILE"]}))).unwrap();
        Settings::check_changes(SettingPlace::Global, &map(json!({"default_uid": 1000}))).unwrap();
        assert_snapshot!(refusal(team, json!({"default_uid": 1000})), @"default_uid is a global setting, it cannot be set for namespace team");
        assert_snapshot!(refusal(web, json!({"default_uid": 1000})), @"default_uid is a global setting, it cannot be set for environment team/web");
        assert_snapshot!(refusal(SettingPlace::Global, json!({"conda_command": "sh"})), @"conda_command is set in the configuration file alone");
        Settings::check_changes(team, &map(json!({"max_concurrent_builds": 2}))).unwrap();
        Settings::check_changes(SettingPlace::Global, &map(json!({"max_concurrent_builds": null}))).unwrap();
        Settings::check_changes(web, &map(json!({"max_kept_builds": 5, "max_kept_days": null}))).unwrap();
        assert_snapshot!(refusal(web, json!({"max_concurrent_builds": 2})), @"max_concurrent_builds is a setting of namespaces, it cannot be set for environment team/web");
        for (name, value, reason) in [
            ("max_concurrent_builds", json!(0), "expected a whole number from 1 on"),
            ("max_kept_builds", json!(0), "expected a whole number from 1 on"),
            ("max_kept_days", json!(-1), "expected a whole number from 1 on"),
            ("conda_default_channels", json!("main"), "expected a list"),
            ("conda_default_channels", json!(["a b"]), "is no channel"),
            ("conda_allowed_channels", json!(["https://user:secret@example.org/x"]), "carries a password"),
            ("conda_channel_alias", json!("ftp://example.org"), "has the scheme ftp"),
            ("conda_required_packages", json!(["=="]), "is no match spec"),
            ("pypi_included_packages", json!(["a b c"]), "a b c"),
            ("conda_max_solve_time", json!(-1), "expected a whole number"),
            ("storage_threshold", json!("5 GiB"), "expected a whole number"),
            ("default_permissions", json!("rwx"), "expected three or four octal digits"),
            ("build_artifacts", json!(["FLOPPY"]), "expected one of `DIRECTORY`"),
            ("default_namespace", json!("a/b"), "contains '/'"),
            ("conda_solve_platforms", json!([]), "must be among them"),
        ] {
            let message = refusal(SettingPlace::Global, json!({name: value}));
            assert!(message.starts_with(name) && message.contains(reason), "{message}");
            assert!(!message.contains("secret"), "{message}");
        }
        assert!(
            refusal(SettingPlace::Global, json!({"conda_chanels": []})).contains("known are conda_channel_alias, ")
        );
    }
}

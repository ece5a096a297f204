//! Settings of the configuration, with what was changed while the service runs.

use serde_json::{Map, Value};

use crate::{
    Result,
    conda_store::CondaStore,
    model::{EnvironmentName, NamespaceName},
    settings::{SettingPlace, Settings},
};

impl CondaStore {
    /// The settings in effect at `place`.
    pub async fn settings_at(&self, place: SettingPlace<'_>) -> Result<Settings> {
        Ok(self.parts().settings.with(self.catalogue().changed_settings(place).await?))
    }

    /// The settings in effect for an environment, or for a new one of the namespace.
    pub async fn settings(&self, namespace: &NamespaceName, environment: Option<&EnvironmentName>) -> Result<Settings> {
        let namespace_alone = SettingPlace::Namespace(namespace);
        let place = environment.map_or(namespace_alone, |name| SettingPlace::Environment(namespace, name));
        self.settings_at(place).await
    }

    /// Changes settings for `place`; those that `changes` does not name stay as they are.
    ///
    /// # Errors
    /// What [`Settings::check_changes`] says.
    pub async fn change_settings(&self, place: SettingPlace<'_>, changes: &Map<String, Value>) -> Result<()> {
        Settings::check_changes(place, changes)?;
        self.catalogue().change_settings(place, changes).await
    }
}

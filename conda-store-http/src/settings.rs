//! What the routes of all three levels of settings do.

use conda_store_core::{
    auth::Permission,
    settings::{SettingPlace, Settings},
};
use serde_json::{Map, Value};

use crate::{
    answer::{Acknowledgement, Data},
    caller::Caller,
    error::Answer,
};

/// The settings in effect at `place`.
pub(crate) async fn show(caller: &Caller, place: SettingPlace<'_>) -> Answer<Data<Settings>> {
    caller.require_at(place, Permission::SettingRead).await?;
    Ok(Data(caller.face.store().settings_at(place).await?))
}

/// Changes some settings for `place`.
pub(crate) async fn change(
    caller: &Caller,
    place: SettingPlace<'_>,
    changes: &Map<String, Value>,
) -> Answer<Acknowledgement> {
    caller.require_at(place, Permission::SettingUpdate).await?;
    caller.face.store().change_settings(place, changes).await?;
    let names: Vec<&str> = changes.keys().map(String::as_str).collect();
    Ok(Acknowledgement(Some(format!("settings of {place} were changed: {}", names.join(", ")))))
}

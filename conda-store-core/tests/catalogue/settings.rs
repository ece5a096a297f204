//! Settings that are changed while the service runs.

use conda_store_core::settings::SettingPlace;
use serde_json::{Map, Value, json};

use crate::support::{Fixture, both};

fn map(value: Value) -> Map<String, Value> {
    let Value::Object(map) = value else { unreachable!("{value} is no object") };
    map
}

async fn change(fixture: &Fixture, place: SettingPlace<'_>, changes: Value) {
    fixture.catalogue.change_settings(place, &map(changes)).await.unwrap();
}

async fn settings(fixture: &Fixture, place: SettingPlace<'_>) -> Value {
    Value::Object(fixture.catalogue.changed_settings(place).await.unwrap())
}

#[tokio::test]
async fn the_nearest_setting_counts() {
    both(async |fixture| {
        let (team, web, lab) = ("team".parse().unwrap(), "web".parse().unwrap(), "lab".parse().unwrap());
        let other = "team2".parse().unwrap();
        let namespace = SettingPlace::Namespace(&team);
        let (web, lab) = (SettingPlace::Environment(&team, &web), SettingPlace::Environment(&team, &lab));
        assert_eq!(settings(fixture, web).await, json!({}));
        change(fixture, web, json!({"c": [1, 2], "d": null})).await;
        change(fixture, namespace, json!({"b": "team", "c": "team"})).await;
        change(fixture, SettingPlace::Global, json!({"a": 1, "b": 1, "c": 1})).await;
        assert_eq!(settings(fixture, web).await, json!({"a": 1, "b": "team", "c": [1, 2], "d": null}));
        assert_eq!(settings(fixture, lab).await, json!({"a": 1, "b": "team", "c": "team"}));
        assert_eq!(settings(fixture, SettingPlace::Namespace(&other)).await, json!({"a": 1, "b": 1, "c": 1}));
        change(fixture, SettingPlace::Global, json!({"a": 2})).await;
        assert_eq!(settings(fixture, SettingPlace::Global).await, json!({"a": 2, "b": 1, "c": 1}));
        let rows = fixture.texts("select prefix || ' ' || key from keyvaluestore order by id").await;
        let expected = [
            "setting/team/web c",
            "setting/team/web d",
            "setting/team b",
            "setting/team c",
            "setting a",
            "setting b",
            "setting c",
        ];
        assert_eq!(rows, expected, "as the original writes them, each once");
    })
    .await;
}

#[tokio::test]
async fn changes_at_the_same_time_make_no_twins() {
    both(async |fixture| {
        let changes = (0..8).map(|number| {
            let catalogue = fixture.catalogue.clone();
            tokio::spawn(async move {
                let changes = map(json!({"a": number, "b": number}));
                catalogue.change_settings(SettingPlace::Global, &changes).await.unwrap();
            })
        });
        for change in changes.collect::<Vec<_>>() {
            change.await.unwrap();
        }
        let settings = settings(fixture, SettingPlace::Global).await;
        assert_eq!(settings["a"], settings["b"], "each change is done wholly");
        assert_eq!(fixture.texts("select key from keyvaluestore order by key").await, ["a", "b"]);
    })
    .await;
}

#[tokio::test]
async fn what_is_deleted_takes_its_settings_along() {
    both(async |fixture| {
        for path in ["a_b/web", "a_b/webx", "axb/web", "a_bc/web"] {
            fixture.queue(path).await;
            let (namespace, environment) = path.split_once('/').unwrap();
            let (namespace, environment) = (namespace.parse().unwrap(), environment.parse().unwrap());
            change(fixture, SettingPlace::Environment(&namespace, &environment), json!({"a": path})).await;
            change(fixture, SettingPlace::Namespace(&namespace), json!({"a": 1})).await;
        }
        let rows = async || fixture.texts("select prefix from keyvaluestore group by prefix order by prefix").await;
        let namespace = "a_b".parse().unwrap();
        fixture.catalogue.delete_environment(&namespace, &"web".parse().unwrap()).await.unwrap();
        assert_eq!(rows().await.len(), 6);
        fixture.catalogue.delete_namespace(&namespace).await.unwrap();
        let mut left = rows().await;
        left.sort();
        assert_eq!(left, ["setting/a_bc", "setting/a_bc/web", "setting/axb", "setting/axb/web"]);
    })
    .await;
}

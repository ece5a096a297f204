//! Solving without building.

use std::{
    sync::atomic::Ordering,
    time::{Duration, Instant},
};

use conda_store_core::settings::SettingPlace;
use http::{Method, header};
use insta::assert_json_snapshot;
use serde_json::json;

use crate::site::{Site, Who};

const PATH: &str = "/api/v1/specification/";

/// The site of every test, with a worker that solves.
async fn solving() -> Site {
    let site = Site::new().await;
    site.start_solving();
    site
}

/// Waits until nobody solves any more, which must not take long.
async fn ended(site: &Site) {
    let begun = Instant::now();
    while site.solving.load(Ordering::SeqCst) > 0 {
        assert!(begun.elapsed() < Duration::from_secs(1), "the solve goes on");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn answers_with_the_packages_of_a_specification() {
    let site = solving().await;
    let query = "?channel=conda-forge&conda=python&conda=numpy&pip=flask";
    assert_json_snapshot!(site.get_as_everybody(&format!("{PATH}{query}")).await);
    for query in [
        "?channels=conda-forge&conda=python&conda=numpy&pip=flask/",
        "?channel=conda-forge&conda=python&conda=numpy&format=yaml",
        "?conda=python&conda=numpy",
    ] {
        let answer = site.get(Who::Developer, &format!("/api/v1/specification{query}")).await;
        let names: Vec<_> =
            answer["body"]["solve"].as_array().unwrap().iter().map(|package| &package["name"]).collect();
        assert_eq!(names, ["python", "numpy"], "{query}");
        assert_eq!(answer["body"]["solve"][0]["channel_id"], 1, "a channel of the builds that there are");
    }
    assert_eq!(site.get(Who::Admin, "/api/v1/build/").await["body"]["count"], 3, "nothing is built");
}

#[tokio::test]
async fn answers_with_a_lockfile() {
    let site = solving().await;
    let path = format!("{PATH}?conda=python&format=lockfile");
    let response = site.ask(Who::Developer, Method::GET, &path, None).await;
    assert_eq!(response.headers()[header::CONTENT_TYPE], "text/plain; charset=utf-8");
    let lockfile = site.get(Who::Developer, &path).await["body"].clone();
    assert_eq!((&lockfile["version"], &lockfile["package"][0]["name"]), (&json!(1), &json!("python")));
}

#[tokio::test]
async fn says_why_nothing_is_solved() {
    let site = solving().await;
    for (name, query) in [
        ("absent", "?conda=absent"),
        ("no-spec", "?conda=%3D%3D"),
        ("no-channel", "?channel=a%20b&conda=python"),
        ("no-channel-there", "?conda=elsewhere"),
        ("no-format", "?conda=python&format=toml"),
    ] {
        assert_json_snapshot!(format!("solve-{name}"), site.get(Who::Developer, &format!("{PATH}{query}")).await);
    }
}

#[tokio::test]
async fn a_solve_has_a_limit_and_holds_up_nobody() {
    let site = solving().await;
    let limit = json!({"conda_max_solve_time": 1});
    site.store.change_settings(SettingPlace::Global, limit.as_object().unwrap()).await.unwrap();
    let endless = site.get(Who::Developer, "/api/v1/specification/?conda=endless");
    let others = async {
        while site.solving.load(Ordering::SeqCst) == 0 {
            tokio::task::yield_now().await;
        }
        let answered = site.get(Who::Nobody, "/api/v1/").await["status"] == 200;
        answered && site.solving.load(Ordering::SeqCst) == 1
    };
    let (answer, answered_meanwhile) = tokio::join!(endless, others);
    assert!(answered_meanwhile);
    assert_json_snapshot!(answer);
    ended(&site).await;
}

#[tokio::test]
async fn a_solve_ends_with_its_client() {
    let site = solving().await;
    for _ in 0..5 {
        let endless = site.get(Who::Developer, "/api/v1/specification/?conda=endless");
        let begun = async {
            while site.solving.load(Ordering::SeqCst) == 0 {
                tokio::task::yield_now().await;
            }
        };
        tokio::select! {
            answer = endless => panic!("{answer}"),
            () = begun => {}
        }
        ended(&site).await;
    }
    let answer = site.get(Who::Developer, "/api/v1/specification/?conda=python").await;
    assert_eq!(answer["status"], 200, "whoever went away holds no place");
}

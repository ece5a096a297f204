//! What is measured.

use std::{
    io::Write as _,
    process::{Command, Stdio},
    time::Duration,
};

use axum::body::Body;
use conda_store_core::{ErrorKind, catalogue::StorageMetrics};
use conda_store_http::{HttpOptions, monitoring};
use http::{Method, Request, header};
use prometheus::{IntCounter, Registry};
use tower::ServiceExt;

use crate::site::{Site, Who, shown};

async fn metrics(site: &Site) -> String {
    // What was measured a moment ago is not measured again.
    site.clock.advance(Duration::from_secs(1));
    shown(site.ask(Who::Nobody, Method::GET, "/metrics", None).await).await["body"].as_str().unwrap().to_owned()
}

/// The value of a time series.
fn value(metrics: &str, series: &str) -> f64 {
    let line = metrics.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("{series} is not in\n{metrics}")).parse().unwrap()
}

#[tokio::test]
async fn the_documented_names_have_the_right_values() {
    let site = Site::new().await;
    let disk = StorageMetrics { disk_usage: Some(5), free_storage: Some(2), total_storage: Some(7) };
    site.store.catalogue().set_storage_metrics(disk).await.unwrap();
    site.see_worker("worker").await;
    let text = metrics(&site).await;
    for (series, expected) in [
        ("conda_store_build_queued", 1.0),
        ("conda_store_build_building", 0.0),
        ("conda_store_build_completed", 2.0),
        ("conda_store_build_failed", 0.0),
        ("conda_store_build_canceled", 0.0),
        ("conda_store_environments", 2.0),
        ("conda_store_disk_free", 2.0),
        ("conda_store_disk_total", 7.0),
        ("conda_store_disk_usage", 5.0),
        ("conda_store_queue_jobs{state=\"leased\"}", 0.0),
        ("conda_store_workers_building", 0.0),
        ("conda_store_builds_abandoned", 0.0),
        ("conda_store_workers{state=\"idle\"}", 1.0),
        ("conda_store_workers{state=\"busy\"}", 0.0),
        ("conda_store_workers{state=\"lost\"}", 0.0),
        ("conda_store_repodata_cache_lookups_total{result=\"miss\"}", 0.0),
        ("conda_store_package_cache_lookups_total{result=\"hit\"}", 0.0),
    ] {
        assert!((value(&text, series) - expected).abs() < 0.5, "{series}\n{text}");
    }
    assert!(value(&text, "conda_store_queue_jobs{state=\"ready\"}") > 0.0);
}

#[tokio::test]
async fn builds_that_end_are_counted_once_however_often_somebody_looks() {
    let site = Site::new().await;
    for _ in 0..3 {
        assert!((value(&metrics(&site).await, "conda_store_build_completed") - 2.0).abs() < 0.5);
        site.clock.advance(Duration::from_mins(2));
    }
    let build = site.submit("secret", "new").await;
    site.clock.advance(Duration::from_secs(10));
    site.complete(&build).await;
    for _ in 0..3 {
        let text = metrics(&site).await;
        assert!((value(&text, "conda_store_build_completed") - 3.0).abs() < 0.5, "{text}");
        site.clock.advance(Duration::from_mins(2));
    }
    let text = metrics(&site).await;
    let count = value(&text, "conda_store_build_duration_seconds_count{status=\"COMPLETED\"}");
    let sum = value(&text, "conda_store_build_duration_seconds_sum{status=\"COMPLETED\"}");
    assert!((count - sum).abs() < 0.5, "each took a second:\n{text}");
}

#[tokio::test]
async fn requests_are_measured_by_route_and_not_by_path() {
    let site = Site::empty(HttpOptions { url_prefix: "/conda-store".into(), ..HttpOptions::default() }).await;
    for path in ["/api/v1/build/1/", "/api/v1/build/2", "/made/up"] {
        site.get(Who::Admin, &format!("/conda-store{path}")).await;
    }
    let response = site.ask(Who::Nobody, Method::GET, "/conda-store/metrics", None).await;
    assert_eq!(response.headers()[header::CONTENT_TYPE], "text/plain; version=0.0.4; charset=utf-8");
    let text = shown(response).await["body"].as_str().unwrap().to_owned();
    let labels = "{method=\"GET\",route=\"/api/v1/build/{build_id}\",status=\"404\"}";
    let count = value(&text, &format!("conda_store_http_request_duration_seconds_count{labels}"));
    assert!((count - 2.0).abs() < 0.5, "{text}");
    assert!(!text.contains("made"), "{text}");
}

#[tokio::test]
async fn promtool_finds_nothing_to_complain_about() {
    let Some(promtool) = conda_store_core::testing::service("promtool") else { return };
    let site = Site::new().await;
    metrics(&site).await;
    let mut check =
        Command::new(promtool).args(["check", "metrics"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    check.stdin.take().unwrap().write_all(metrics(&site).await.as_bytes()).unwrap();
    let output = check.wait_with_output().unwrap();
    assert!(output.status.success(), "{output:?}");
}

#[tokio::test]
async fn they_can_be_switched_off() {
    let site = Site::empty(HttpOptions { enable_metrics: false, ..HttpOptions::default() }).await;
    assert_eq!(site.get(Who::Nobody, "/metrics").await["status"], 404);
}

#[tokio::test]
async fn a_registry_shows_what_others_measure_and_takes_one_service() {
    let registry = Registry::new();
    let others = IntCounter::new("others_total", "What others count.").unwrap();
    registry.register(Box::new(others.clone())).unwrap();
    others.inc();
    let site = Site::empty(HttpOptions { registry: registry.clone(), ..HttpOptions::default() }).await;
    assert!((value(&metrics(&site).await, "others_total") - 1.0).abs() < 0.5);
    let error = monitoring(site.store.clone(), registry).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
}

#[tokio::test]
async fn a_process_without_the_api_shows_its_measures_and_its_health() {
    let site = Site::empty(HttpOptions::default()).await;
    let router = monitoring(site.store.clone(), Registry::new()).unwrap();
    for (path, status) in
        [("/health/live", 200), ("/health/ready", 200), ("/metrics", 200), ("/metrics/", 200), ("/api/v1/", 404)]
    {
        let request = Request::get(path).body(Body::empty()).unwrap();
        assert_eq!(router.clone().oneshot(request).await.unwrap().status(), status, "{path}");
    }
}

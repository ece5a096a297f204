//! Artifacts that this server sends: conditions, ranges, names.

use axum::{body::Body, response::Response};
use conda_store_core::model::ArtifactType;
use http::{HeaderName, Method, Request, StatusCode, header};

use crate::site::{Site, Who, shown};

const LOG: &str = "/api/v1/build/1/logs/";
const TEXT: &str = "solved <b>everything</b>\n";

async fn asked(site: &Site, headers: &[(HeaderName, &str)]) -> Response {
    let request =
        headers.iter().fold(Request::builder().uri(LOG), |request, (name, value)| request.header(name, *value));
    site.send(request.body(Body::empty()).unwrap()).await
}

async fn header_of(site: &Site, name: HeaderName) -> String {
    asked(site, &[]).await.headers()[name].to_str().unwrap().to_owned()
}

#[tokio::test]
async fn whoever_has_an_artifact_does_not_get_it_again() {
    let site = Site::new().await;
    let tag = header_of(&site, header::ETAG).await;
    let modified = header_of(&site, header::LAST_MODIFIED).await;
    let weak = format!("W/{tag}");
    let several = format!("\"other\", {tag}");
    for (name, value, status) in [
        (header::IF_NONE_MATCH, tag.as_str(), 304),
        (header::IF_NONE_MATCH, &weak, 304),
        (header::IF_NONE_MATCH, &several, 304),
        (header::IF_NONE_MATCH, "*", 304),
        (header::IF_NONE_MATCH, "\"other\"", 200),
        (header::IF_MODIFIED_SINCE, &modified, 304),
        (header::IF_MODIFIED_SINCE, "Mon, 01 Jan 2035 00:00:00 GMT", 304),
        (header::IF_MODIFIED_SINCE, "Mon, 01 Jan 2018 00:00:00 GMT", 200),
        (header::IF_MODIFIED_SINCE, "yesterday", 200),
    ] {
        let answer = asked(&site, &[(name.clone(), value)]).await;
        assert_eq!(answer.status(), status, "{name}: {value}");
        assert_eq!(answer.headers()[header::ETAG].to_str().unwrap(), tag, "{name}: {value}");
        assert_eq!(shown(answer).await["body"], if status == 304 { "" } else { TEXT }, "{name}: {value}");
    }
    let both = [(header::IF_NONE_MATCH, "\"other\""), (header::IF_MODIFIED_SINCE, modified.as_str())];
    assert_eq!(asked(&site, &both).await.status(), StatusCode::OK, "the tag counts, not the date");
}

#[tokio::test]
async fn parts_are_sent_alone() {
    let site = Site::new().await;
    let length = TEXT.len();
    for (range, part) in [
        ("bytes=0-5", 0..6),
        ("bytes=7-", 7..length),
        ("bytes=-11", length - 11..length),
        ("bytes=20-1000", 20..length),
        ("bytes=-1000", 0..length),
    ] {
        let answer = asked(&site, &[(header::RANGE, range)]).await;
        assert_eq!(answer.status(), StatusCode::PARTIAL_CONTENT, "{range}");
        let shown_range = format!("bytes {}-{}/{length}", part.start, part.end - 1);
        assert_eq!(answer.headers()[header::CONTENT_RANGE].to_str().unwrap(), shown_range, "{range}");
        assert_eq!(answer.headers()[header::CONTENT_LENGTH].to_str().unwrap(), part.len().to_string(), "{range}");
        assert_eq!(shown(answer).await["body"], TEXT[part], "{range}");
    }
    for range in ["bytes=25-", "bytes=1000-2000"] {
        let answer = asked(&site, &[(header::RANGE, range)]).await;
        assert_eq!(answer.status(), StatusCode::RANGE_NOT_SATISFIABLE, "{range}");
        assert_eq!(answer.headers()[header::CONTENT_RANGE], "bytes */25", "{range}");
    }
    for range in ["lines=1-2", "bytes=x", "bytes=0-1,3-4", "bytes=", "bytes=5-3", "bytes=-0"] {
        let answer = asked(&site, &[(header::RANGE, range)]).await;
        assert_eq!(answer.status(), StatusCode::OK, "{range}");
        assert_eq!(shown(answer).await["body"], TEXT, "{range}");
    }
}

#[tokio::test]
async fn a_download_goes_on_only_where_the_artifact_is_still_the_same() {
    let site = Site::new().await;
    let tag = header_of(&site, header::ETAG).await;
    let modified = header_of(&site, header::LAST_MODIFIED).await;
    let weak = format!("W/{tag}");
    for (same, status) in [(tag.as_str(), 206), (&modified, 206), (&weak, 200), ("\"other\"", 200)] {
        let answer = asked(&site, &[(header::RANGE, "bytes=3-"), (header::IF_RANGE, same)]).await;
        assert_eq!(answer.status(), status, "{same}");
    }
}

#[tokio::test]
async fn files_have_types_and_names() {
    let site = Site::new().await;
    let build = site.build(1).await;
    for (key, media_type, disposition) in [
        ("logs/a.log", "text/plain; charset=utf-8", "inline; filename=\"a.log\""),
        ("yaml/a.yml", "text/plain; charset=utf-8", "inline; filename=\"a.yml\""),
        ("archive/a.tar.gz", "application/gzip", "attachment; filename=\"a.tar.gz\""),
        ("archive/a.tar.zst", "application/zstd", "attachment; filename=\"a.tar.zst\""),
        ("archive/a.squashfs", "application/octet-stream", "attachment; filename=\"a.squashfs\""),
        ("installer/a.sh", "application/x-sh", "attachment; filename=\"a.sh\""),
        ("installer/a.exe", "application/octet-stream", "attachment; filename=\"a.exe\""),
    ] {
        site.keep(&build, ArtifactType::CondaPack, key, "x").await;
        let answer = site.ask(Who::Admin, Method::GET, &format!("/storage/{key}"), None).await;
        assert_eq!(answer.headers()[header::CONTENT_TYPE], media_type, "{key}");
        assert_eq!(answer.headers()[header::CONTENT_DISPOSITION], disposition, "{key}");
        assert_eq!(answer.headers()[header::CACHE_CONTROL], "private, no-cache", "{key}");
    }
}

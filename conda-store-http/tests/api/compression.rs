//! Answers in fewer bytes.

use axum::{body::Body, response::Response};
use conda_store_core::{
    catalogue::ArtifactProgress,
    model::{ArtifactType, BuildId},
};
use http::{Request, header};

use crate::site::Site;

async fn asked(site: &Site, path: &str, encodings: &str) -> Response {
    let request = Request::builder().uri(path).header(header::ACCEPT_ENCODING, encodings);
    site.send(request.body(Body::empty()).unwrap()).await
}

#[tokio::test]
async fn what_is_large_and_text_is_compressed_as_the_client_likes() {
    let site = Site::new().await;
    for encoding in ["gzip", "br", "zstd"] {
        let answer = asked(&site, "/openapi.json", encoding).await;
        assert_eq!(answer.headers()[header::CONTENT_ENCODING], encoding);
        assert!(answer.headers()[header::VARY].to_str().unwrap().contains("accept-encoding"));
    }
    for (path, encodings) in [("/openapi.json", "identity"), ("/api/v1/", "gzip"), ("/openapi.json", "compress")] {
        let answer = asked(&site, path, encodings).await;
        assert!(!answer.headers().contains_key(header::CONTENT_ENCODING), "{path} {encodings}");
    }
}

#[tokio::test]
async fn of_artifacts_only_texts_are_compressed_and_then_have_a_weak_tag() {
    let site = Site::new().await;
    let text = "solved\n".repeat(1000);
    for (key, compressed) in [("logs/long.log", true), ("archive/long.tar.gz", false)] {
        site.keep(&site.build(1).await, ArtifactType::Logs, key, &text).await;
        let progress = ArtifactProgress::done(ArtifactType::Logs, text.as_bytes());
        site.store.catalogue().set_artifact_state(BuildId(1), &progress).await.unwrap();
        let answer = asked(&site, &format!("/storage/{key}"), "gzip").await;
        assert_eq!(answer.headers().contains_key(header::CONTENT_ENCODING), compressed, "{key}");
        assert_eq!(answer.headers().contains_key("repr-digest"), !compressed, "{key}");
        let tag = answer.headers()[header::ETAG].to_str().unwrap();
        assert_eq!(tag.starts_with("W/\""), compressed, "{tag}");
        assert!(answer.status().is_success());
    }
}

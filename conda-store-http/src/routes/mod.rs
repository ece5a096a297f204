//! The routes: one handler per file, which takes the request apart, authorises it, calls core and shapes the answer.

mod build_artifact;
mod build_cancel;
mod build_get;
mod build_list;
mod build_packages;
mod channel_list;
mod environment_get;
mod environment_list;
mod environment_list_v2;
mod environment_lockfile;
mod environment_update;
mod health;
mod login;
mod login_page;
mod logout;
mod namespace_get;
mod namespace_list;
mod permission;
mod specification_post;
mod status;
mod storage;

use axum::{
    Router,
    routing::{get, post, put},
};
use conda_store_core::model::ArtifactType;

use crate::face::Face;

/// Everything below the prefix. Paths have no trailing slash here: it is cut off before they are compared.
pub(crate) fn all() -> Router<Face> {
    Router::new()
        .nest("/api/v1", version_1())
        .route("/api/v2/environment", get(environment_list_v2::handle))
        .route("/login", get(login_page::handle).post(login::handle))
        .route("/logout", post(logout::handle))
        .route("/storage/{*key}", get(storage::handle))
        .route("/health/live", get(health::live))
        .route("/health/ready", get(health::ready))
}

fn version_1() -> Router<Face> {
    Router::new()
        .route("/", get(status::handle))
        .route("/permission", get(permission::handle))
        .route("/specification", post(specification_post::handle))
        .route("/namespace", get(namespace_list::handle))
        .route("/namespace/{namespace}", get(namespace_get::handle))
        .route("/channel", get(channel_list::handle))
        .merge(environments())
        .merge(builds())
}

fn environments() -> Router<Face> {
    const ONE: &str = "/environment/{namespace}/{name}";
    let lockfile = || get(environment_lockfile::handle);
    Router::new()
        .route("/environment", get(environment_list::handle))
        .route(ONE, get(environment_get::handle).put(environment_update::handle))
        .route(&format!("{ONE}/lockfile"), lockfile())
        .route(&format!("{ONE}/conda-lock.yml"), lockfile())
        .route(&format!("{ONE}/conda-lock.yaml"), lockfile())
}

fn builds() -> Router<Face> {
    let artifact = |artifact_type| get(move |caller, path| build_artifact::handle(artifact_type, caller, path));
    Router::new()
        .route("/build", get(build_list::handle))
        .route("/build/{build_id}", get(build_get::handle))
        .route("/build/{build_id}/cancel", put(build_cancel::handle))
        .route("/build/{build_id}/packages", get(build_packages::handle))
        .route("/build/{build_id}/logs", artifact(ArtifactType::Logs))
        .route("/build/{build_id}/yaml", artifact(ArtifactType::Yaml))
        .route("/build/{build_id}/lockfile", artifact(ArtifactType::Lockfile))
        .route("/build/{build_id}/conda-lock.yml", artifact(ArtifactType::Lockfile))
        .route("/build/{build_id}/conda-lock.yaml", artifact(ArtifactType::Lockfile))
}

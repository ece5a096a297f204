//! The routes: one handler per file, which takes the request apart, authorises it, calls core and shapes the answer.

mod adapt;
mod build_archive;
mod build_artifact_make;
mod build_cancel;
mod build_delete;
mod build_diff;
mod build_docker;
mod build_events;
mod build_explicit;
mod build_get;
mod build_installer;
mod build_list;
mod build_lockfile;
mod build_logs;
mod build_packages;
mod build_pixi_lock;
mod build_rebuild;
mod build_sbom;
mod build_yaml;
mod channel_list;
pub(crate) mod documentation;
mod environment_delete;
mod environment_get;
mod environment_history;
mod environment_list;
mod environment_list_v2;
mod environment_lockfile;
mod environment_rollback;
mod environment_update;
pub(crate) mod health;
mod job_list;
mod login;
mod login_page;
mod logout;
pub(crate) mod metrics;
mod namespace_create;
mod namespace_delete;
mod namespace_get;
mod namespace_list;
mod namespace_metadata;
mod namespace_role;
mod namespace_role_create;
mod namespace_role_delete;
mod namespace_role_update;
mod namespace_roles;
mod namespace_roles_delete;
mod namespace_update;
mod package_list;
mod permission;
pub(crate) mod root;
mod setting_environment_get;
mod setting_environment_update;
mod setting_global_get;
mod setting_global_update;
mod setting_namespace_get;
mod setting_namespace_update;
mod specification_get;
mod specification_post;
mod status;
mod storage;
mod token_create;
mod token_list;
mod token_rename;
mod token_revoke;
mod usage;
mod worker_list;

use utoipa_axum::{router::OpenApiRouter, routes};

use self::adapt::{also_at, deprecated};
use crate::{HttpOptions, face::Face, openapi::base};

/// Everything below the prefix. Paths have no trailing slash here: it is cut off before they are compared.
pub(crate) fn all(options: &HttpOptions) -> OpenApiRouter<Face> {
    let mut optional = OpenApiRouter::new();
    if options.enable_api {
        optional = optional.nest("/api/v1", version_1()).nest("/api/v2", version_2());
    }
    if options.enable_metrics {
        optional = optional.routes(routes!(metrics::handle));
    }
    OpenApiRouter::with_openapi(base())
        .merge(optional)
        .routes(routes!(root::handle))
        .routes(routes!(login_page::handle, login::handle))
        .routes(routes!(logout::handle))
        .routes(routes!(storage::handle))
        .routes(routes!(health::live))
        .routes(routes!(health::ready))
}

fn version_1() -> OpenApiRouter<Face> {
    OpenApiRouter::new()
        .routes(routes!(status::handle))
        .routes(routes!(permission::handle))
        .routes(routes!(usage::handle))
        .routes(routes!(specification_get::handle, specification_post::handle))
        .routes(routes!(token_create::handle))
        .routes(routes!(channel_list::handle))
        .routes(routes!(package_list::handle))
        .merge(namespaces())
        .merge(environments())
        .merge(builds())
        .merge(settings())
}

fn version_2() -> OpenApiRouter<Face> {
    OpenApiRouter::new()
        .routes(routes!(environment_list_v2::handle))
        .routes(routes!(environment_history::handle))
        .routes(routes!(environment_rollback::handle))
        .routes(routes!(build_artifact_make::handle))
        .routes(routes!(build_diff::handle))
        .routes(routes!(build_events::handle))
        .routes(routes!(job_list::handle))
        .routes(routes!(worker_list::handle))
        .routes(routes!(build_explicit::handle))
        .routes(routes!(build_pixi_lock::handle))
        .routes(routes!(build_sbom::handle))
        .routes(routes!(token_list::handle))
        .routes(routes!(token_rename::handle, token_revoke::handle))
}

fn namespaces() -> OpenApiRouter<Face> {
    OpenApiRouter::new()
        .routes(routes!(namespace_list::handle))
        .routes(routes!(
            namespace_get::handle,
            namespace_create::handle,
            namespace_update::handle,
            namespace_delete::handle
        ))
        .routes(routes!(namespace_metadata::handle))
        .routes(routes!(namespace_roles::handle, namespace_roles_delete::handle))
        .routes(routes!(
            namespace_role::handle,
            namespace_role_create::handle,
            namespace_role_update::handle,
            namespace_role_delete::handle
        ))
}

fn environments() -> OpenApiRouter<Face> {
    let lockfile = || routes!(environment_lockfile::handle);
    OpenApiRouter::new()
        .routes(deprecated(routes!(environment_list::handle)))
        .routes(routes!(environment_get::handle, environment_update::handle, environment_delete::handle))
        .routes(lockfile())
        .routes(also_at("/environment/{namespace}/{name}/conda-lock.yml", lockfile()))
        .routes(also_at("/environment/{namespace}/{name}/conda-lock.yaml", lockfile()))
}

fn settings() -> OpenApiRouter<Face> {
    OpenApiRouter::new()
        .routes(routes!(setting_global_get::handle, setting_global_update::handle))
        .routes(routes!(setting_namespace_get::handle, setting_namespace_update::handle))
        .routes(routes!(setting_environment_get::handle, setting_environment_update::handle))
}

fn builds() -> OpenApiRouter<Face> {
    let lockfile = || routes!(build_lockfile::handle);
    OpenApiRouter::new()
        .routes(routes!(build_list::handle))
        .routes(routes!(build_get::handle, build_rebuild::handle, build_delete::handle))
        .routes(routes!(build_cancel::handle))
        .routes(routes!(build_packages::handle))
        .routes(routes!(build_logs::handle))
        .routes(routes!(build_yaml::handle))
        .routes(routes!(build_archive::handle))
        .routes(routes!(build_installer::handle))
        .routes(routes!(build_docker::handle))
        .routes(lockfile())
        .routes(also_at("/build/{build_id}/conda-lock.yml", lockfile()))
        .routes(also_at("/build/{build_id}/conda-lock.yaml", lockfile()))
}

//! The API held against its own description by Schemathesis, which makes requests up from it.

use std::{process::Stdio, time::Duration};

use tokio::process::Command;

use crate::support::{Site, TOKEN};

/// What has to hold for every answer. That every request which contradicts the description is refused is not among them:
/// the original takes unknown names and empty values, and so does this.
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,\
    response_headers_conformance,response_schema_conformance,allow_header_conformance,use_after_free";

#[tokio::test(flavor = "multi_thread")]
async fn no_answer_contradicts_the_description() {
    let Some(program) = conda_store_core::testing::service("schemathesis") else { return };
    let site = Site::new(None, "").unwrap();
    // Without a worker: what is asked for here is not to be built.
    let (_server, api) = site.server(&[]).await.unwrap();
    for name in ["web", "lab"] {
        api.submit("default", &format!("name: {name}\ndependencies: [python]\n")).await.unwrap();
    }
    let run = Command::new(program)
        .current_dir(site.path())
        .args(["run", &api.url("/openapi.json"), "--header", &format!("Authorization: Bearer {TOKEN}")])
        .args(["--checks", CHECKS, "--max-examples", "40", "--seed", "1", "--generation-database", "none"])
        .args(["--workers", "2", "--request-timeout", "10", "--continue-on-failure", "--no-color"])
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let output =
        tokio::time::timeout(Duration::from_mins(2), run).await.expect("it takes less than two minutes").unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains("Tested: "), "{said}");
}

//! The API held against its own description by Schemathesis, which makes requests up from it.

use std::{process::Stdio, time::Duration};

use rattler_conda_types::Subdir;
use tokio::process::Command;

use crate::support::{Site, TOKEN, file_url};

/// What has to hold for every answer. That every request which contradicts the description is refused is not among them:
/// the original takes unknown names and empty values, and so does this.
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,\
    response_headers_conformance,response_schema_conformance,allow_header_conformance,use_after_free";

/// A channel without packages.
fn empty_channel() -> std::io::Result<tempfile::TempDir> {
    let directory = tempfile::tempdir()?;
    for subdir in Subdir::current().into_iter().chain([Subdir::NoArch]).map(|subdir| subdir.to_string()) {
        let list = serde_json::json!({"info": {"subdir": subdir}, "packages": {}, "packages.conda": {}});
        std::fs::create_dir(directory.path().join(&subdir))?;
        std::fs::write(directory.path().join(subdir).join("repodata.json"), list.to_string())?;
    }
    Ok(directory)
}

#[tokio::test(flavor = "multi_thread")]
async fn no_answer_contradicts_the_description() {
    let Some(program) = conda_store_core::testing::service("schemathesis") else { return };
    // Solving is asked for as well: in a channel that is at hand, however empty.
    let channel = empty_channel().unwrap();
    let url = file_url(channel.path());
    // Nobody is there to solve either: whoever asks for it hears so soon.
    let options = format!(
        "  conda_default_channels: ['{url}']\n  conda_allowed_channels: ['{url}']\n  conda_max_solve_time: 1\n"
    );
    let site = Site::new(None, &options).unwrap();
    // Without a worker: what is asked for here is not to be built.
    let (_server, api) = site.server(&[]).await.unwrap();
    for name in ["web", "lab"] {
        api.submit("default", &format!("name: {name}\ndependencies: []\n")).await.unwrap();
    }
    let run = Command::new(program)
        .current_dir(site.path())
        .args(["run", &api.url("/openapi.json"), "--header", &format!("Authorization: Bearer {TOKEN}")])
        .args(["--checks", CHECKS, "--max-examples", "25", "--seed", "1", "--generation-database", "none"])
        .args(["--workers", "1", "--request-timeout", "10", "--continue-on-failure", "--no-color"])
        // A stream of events ends with its build, and nobody builds here.
        .args(["--exclude-path-regex", "/events$"])
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let output = tokio::time::timeout(Duration::from_mins(5), run).await.expect("it ends within five minutes").unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains("Tested: "), "{said}");
}

//! Services that tests need and a machine may lack.

/// The value of the environment variable that leads to a service, such as `CONDA_STORE_TEST_POSTGRES_URL` for
/// `postgres`; without it `None`, and a line that says so.
///
/// # Panics
/// Where `CONDA_STORE_TEST_REQUIRE`, a list with commas, names the service and the variable is not set: a run that must
/// not skip fails instead.
#[must_use]
#[expect(
    clippy::disallowed_methods,
    clippy::print_stderr,
    reason = "tests are configured by the environment and answer on the terminal"
)]
pub fn service(name: &str) -> Option<String> {
    const PLAIN: [&str; 14] = [
        "channel",
        "scale",
        "conda_pack",
        "aws",
        "promtool",
        "schemathesis",
        "validators",
        "conda_store_cli",
        "conda_store_ui",
        "chromium",
        "memory_cgroup",
        "conda_lock",
        "pyspdxtools",
        "unsquashfs",
    ];
    let suffix = if PLAIN.contains(&name) { "" } else { "_URL" };
    let variable = format!("CONDA_STORE_TEST_{}{suffix}", name.to_uppercase());
    if let Ok(value) = std::env::var(&variable) {
        return Some(value);
    }
    let required = std::env::var("CONDA_STORE_TEST_REQUIRE").unwrap_or_default();
    assert!(!required.split(',').any(|required| required.trim() == name), "{name} is required: set {variable}");
    eprintln!("skipped: set {variable}");
    None
}

//! Installing what a solver chose.

use std::{
    collections::BTreeMap,
    path::Path,
    time::{Duration, Instant},
};

use anyhow::Result;
use conda_store_core::{
    clock::SystemClock,
    event::Silent,
    install::{Environment, LinkMethod, PackageStore, fetch, link},
};
use rattler_conda_types::{RepoDataRecord, Subdir};
use tokio_util::sync::CancellationToken;

/// An environment of these packages, chosen for `specs`, at `prefix`.
pub(crate) fn environment(prefix: &Path, records: Vec<RepoDataRecord>, specs: &[&str]) -> Environment {
    Environment {
        prefix: prefix.to_owned(),
        directory: prefix.to_owned(),
        platform: Subdir::Linux64,
        records,
        specs: specs.iter().copied().map(str::to_owned).collect(),
        variables: BTreeMap::new(),
        link_method: LinkMethod::Auto,
    }
}

/// Installs `environment`, and answers how long it took to look the packages up in the store and to link them.
pub(crate) async fn install(store: &PackageStore, environment: &Environment) -> Result<(Duration, Duration)> {
    let cancellation = CancellationToken::new();
    let begun = Instant::now();
    let packages = fetch(store, &environment.records, &Silent, &cancellation).await?;
    let lookup = begun.elapsed();
    let begun = Instant::now();
    link(environment, &packages, &SystemClock, &Silent, &cancellation).await?;
    Ok((lookup, begun.elapsed()))
}

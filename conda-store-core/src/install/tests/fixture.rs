//! What the tests share: the channel, a store, a reporter that remembers.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Mutex,
};

use rattler_conda_types::{
    Channel, GenericVirtualPackage, MatchSpec, PackageName, ParseStrictness, PrefixRecord, RepoData, RepoDataRecord,
    Subdir,
};
use rattler_solve::{SolverImpl, SolverTask, resolvo};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;
use url::Url;

use crate::{
    Result,
    clock::SystemClock,
    event::{BuildEvent, Reporter},
    install::{Environment, LinkMethod, PackageStore, PackageStoreSettings, fetch, link},
    testing,
};

/// The packages of the real channel, or `None` where the machine has none.
pub(crate) fn channel() -> Option<Vec<RepoDataRecord>> {
    let root = PathBuf::from(testing::service("channel")?);
    let channel = Channel::from_url(Url::from_directory_path(&root).unwrap());
    let read = |subdir| RepoData::from_path(root.join(subdir).join("repodata.json")).unwrap();
    let records = ["linux-64", "noarch"].map(read).map(|data| data.into_repo_data_records(&channel));
    Some(records.into_iter().flatten().collect())
}

/// The packages that meet `specs`.
pub(crate) fn solve(channel: &[RepoDataRecord], specs: &[&str]) -> Vec<RepoDataRecord> {
    let virtual_package = |(name, version): (&str, &str)| GenericVirtualPackage {
        name: PackageName::new_unchecked(name),
        version: version.parse().unwrap(),
        build_string: "0".parse().unwrap(),
    };
    let mut task = SolverTask::from_iter([channel]);
    task.virtual_packages = [("__glibc", "2.36"), ("__unix", "0"), ("__linux", "6")].map(virtual_package).to_vec();
    task.specs = specs.iter().map(|spec| MatchSpec::from_str(spec, ParseStrictness::Lenient).unwrap()).collect();
    resolvo::Solver.solve(task).unwrap().records
}

/// A store and places for environments, which go away together.
#[derive(Debug)]
pub(crate) struct Workshop {
    pub(crate) directory: TempDir,
    pub(crate) store: PackageStore,
    pub(crate) events: Events,
    pub(crate) cancellation: CancellationToken,
}

impl Workshop {
    pub(crate) async fn open() -> Self {
        Self::with(|_| {}).await
    }

    pub(crate) async fn with(change: impl FnOnce(&mut PackageStoreSettings)) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut settings = PackageStoreSettings::new(directory.path().join("store"));
        settings.retry.pause = std::time::Duration::from_millis(5);
        change(&mut settings);
        let store = PackageStore::open(settings, client()).await.unwrap();
        Self { directory, store, events: Events::default(), cancellation: CancellationToken::new() }
    }

    pub(crate) fn environment(&self, name: &str, records: Vec<RepoDataRecord>) -> Environment {
        Environment {
            prefix: self.directory.path().join(name),
            directory: self.directory.path().join(name),
            platform: Subdir::Linux64,
            records,
            specs: Vec::new(),
            variables: BTreeMap::new(),
            link_method: LinkMethod::Auto,
        }
    }

    pub(crate) async fn install(&self, environment: &Environment) -> Result<Vec<PrefixRecord>> {
        let packages = fetch(&self.store, &environment.records, &self.events, &self.cancellation).await?;
        link(environment, &packages, &SystemClock, &self.events, &self.cancellation).await
    }

    /// Files and directories of the store below `name`.
    pub(crate) fn stored(&self, name: &str) -> Vec<PathBuf> {
        entries(&self.directory.path().join("store").join(name))
    }
}

pub(crate) fn client() -> reqwest_middleware::ClientWithMiddleware {
    reqwest_middleware::ClientBuilder::new(reqwest::Client::builder().build().unwrap()).build()
}

pub(crate) fn entries(directory: &Path) -> Vec<PathBuf> {
    std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect()
}

/// Remembers what was reported.
#[derive(Debug, Default)]
pub(crate) struct Events(Mutex<Vec<BuildEvent>>);

impl Reporter for Events {
    fn report(&self, event: BuildEvent) {
        self.0.lock().unwrap().push(event);
    }
}

impl Events {
    pub(crate) fn all(&self) -> Vec<BuildEvent> {
        self.0.lock().unwrap().clone()
    }

    /// The lines for the log.
    pub(crate) fn messages(&self) -> Vec<String> {
        let text = |event| match event {
            BuildEvent::Message { text } => Some(text),
            _ => None,
        };
        self.all().into_iter().filter_map(text).collect()
    }
}

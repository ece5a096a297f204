//! The two steps that make an environment of packages: fetching all, linking all.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
    time::Instant,
};

use futures::{StreamExt, TryStreamExt, stream};
use rattler_conda_types::{PackageRecord, PrefixRecord, RepoDataRecord, Subdir};
use tokio_util::sync::CancellationToken;

use super::{
    blocking, cancelled,
    layout::{Layout, Placed, lay_out},
    link::{LinkMethod, Linker, python},
    record,
    store::{PackageStore, StoredPackage, parallelism},
};
use crate::{
    Error, Result,
    clock::Clock,
    event::{BuildEvent, Phase, Reporter, ReporterExt},
};

/// How many packages are looked up or fetched at the same time; the store bounds downloads and unpacking by itself.
const FETCHES: usize = 32;

/// What an environment shall be.
#[derive(Clone, Debug)]
pub struct Environment {
    /// The path that it will have, which is written into its files.
    pub prefix: PathBuf,
    /// Where it is put together, an absolute path that does not exist or is an empty directory: `prefix`, or a directory
    /// beside it that is moved there afterwards.
    pub directory: PathBuf,
    /// The platform of its packages.
    pub platform: Subdir,
    /// Its packages, in any order, each name once.
    pub records: Vec<RepoDataRecord>,
    /// The match specs that were asked for; they are recorded.
    pub specs: Vec<String>,
    /// Environment variables that `conda activate` shall set.
    pub variables: BTreeMap<String, String>,
    /// How files get there.
    pub link_method: LinkMethod,
}

/// Fetches packages that the store lacks; the answer is in the order of `records`.
///
/// Reports the phase [`Phase::Fetch`] with a step for each package.
///
/// # Errors
/// Those of [`PackageStore::get`], from the package that failed first.
pub async fn fetch(
    store: &PackageStore,
    records: &[RepoDataRecord],
    reporter: &dyn Reporter,
    cancellation: &CancellationToken,
) -> Result<Vec<StoredPackage>> {
    let size = |record: &RepoDataRecord| record.package_record.size.unwrap_or_default();
    let watch = Watch::start(Phase::Fetch, records.len(), records.iter().map(size).sum(), reporter);
    let fetch_one = async |record: &RepoDataRecord| {
        let package = store.get(record, cancellation).await?;
        watch.step(size(record), &record.identifier.to_string());
        Ok::<_, Error>(package)
    };
    // Made before the stream: the compiler does not see that one which makes them is Send for every lifetime.
    let fetches: Vec<_> = records.iter().map(fetch_one).collect();
    let packages = stream::iter(fetches).buffered(FETCHES).try_collect().await?;
    watch.finish();
    Ok(packages)
}

/// Links fetched packages, which are those of [`fetch`] for the records of `environment`, into its prefix, and writes
/// its `conda-meta`.
///
/// Reports the phase [`Phase::Link`] with a step for each package, and a message for each path that two packages bring
/// (the later in topological order wins).
///
/// # Errors
/// [`ErrorKind::Conflict`](crate::ErrorKind::Conflict) where the prefix holds something,
/// [`ErrorKind::Invalid`](crate::ErrorKind::Invalid) for a Python package without Python,
/// [`ErrorKind::Full`](crate::ErrorKind::Full), [`ErrorKind::Cancelled`](crate::ErrorKind::Cancelled); a defect that
/// a package sets off is an error of this call. What was linked by then stays.
pub async fn link(
    environment: &Environment,
    packages: &[StoredPackage],
    clock: &dyn Clock,
    reporter: &dyn Reporter,
    cancellation: &CancellationToken,
) -> Result<Vec<PrefixRecord>> {
    let packages = in_order(&environment.records, packages)?;
    let bytes = packages.iter().map(|(_, package)| package.manifest.size()).sum();
    let watch = Watch::start(Phase::Link, packages.len(), bytes, reporter);
    let (linker, layout) = prepare(environment, &packages).await?;
    for clobber in &layout.clobbers {
        let (path, winner, loser) = (clobber.path.display(), &clobber.winner, &clobber.loser);
        reporter.message(format!("{winner} and {loser} both bring '{path}': that of {winner} is used"));
    }
    // Dropping this future must stop the threads too.
    let cancellation = cancellation.child_token();
    let _guard = cancellation.clone().drop_guard();
    let mut jobs: Vec<Job> = packages.into_iter().zip(layout.packages).map(Job::new).collect();
    // The longest first: the end then waits for no single large package.
    jobs.sort_by_key(|job| std::cmp::Reverse(job.places.len()));
    let work = stream::iter(jobs).map(async |job| {
        let (bytes, subject) = (job.package.manifest.size(), job.record.identifier.to_string());
        let record = job.run(Arc::clone(&linker), environment, &cancellation).await?;
        watch.step(bytes, &subject);
        Ok::<_, Error>(record)
    });
    let mut records: Vec<PrefixRecord> = work.buffer_unordered(parallelism()).try_collect().await?;
    records.sort_by(|a, b| a.name().as_normalized().cmp(b.name().as_normalized()));
    if cancellation.is_cancelled() {
        return Err(cancelled("link package"));
    }
    account(&environment.directory, environment, &records, clock)?;
    watch.finish();
    Ok(records)
}

type Pair = (RepoDataRecord, StoredPackage);

/// Records and packages, each after what it depends on.
fn in_order(records: &[RepoDataRecord], packages: &[StoredPackage]) -> Result<Vec<Pair>> {
    if records.len() != packages.len() {
        let message = format!("{} packages were fetched for {} records", packages.len(), records.len());
        return Err(Error::invalid("link package", message));
    }
    let mut by_name: BTreeMap<&str, Pair> = BTreeMap::new();
    for (record, package) in records.iter().zip(packages) {
        let name = record.package_record.name.as_normalized();
        if by_name.insert(name, (record.clone(), package.clone())).is_some() {
            return Err(Error::invalid("link package", format!("package '{name}' is there twice")));
        }
    }
    let sorted = PackageRecord::sort_topologically(records.iter().collect::<Vec<_>>());
    Ok(sorted.into_iter().filter_map(|record| by_name.remove(record.package_record.name.as_normalized())).collect())
}

async fn prepare(environment: &Environment, packages: &[Pair]) -> Result<(Arc<Linker>, Layout)> {
    let platform = environment.platform;
    let python = python(environment.records.iter().map(|record| &record.package_record), platform)?;
    let packages: Vec<StoredPackage> = packages.iter().map(|(_, package)| package.clone()).collect();
    let Environment { prefix, directory, link_method: method, .. } = environment.clone();
    blocking("link package", move || {
        let manifests: Vec<_> = packages.iter().map(|package| package.manifest.as_ref()).collect();
        let layout = lay_out(&manifests, python.as_deref())?;
        let sample = packages.first().map(|package| package.directory.join("info/index.json"));
        let linker =
            Linker::create(&directory, &prefix, platform, python.as_deref().cloned(), method, sample.as_deref())?;
        linker.make_directories(&layout.directories)?;
        Ok((Arc::new(linker), layout))
    })
    .await
}

/// One package to link.
struct Job {
    record: RepoDataRecord,
    package: StoredPackage,
    places: Vec<Placed>,
}

impl Job {
    fn new(((record, package), places): (Pair, Vec<Placed>)) -> Self {
        Self { record, package, places }
    }

    async fn run(
        self,
        linker: Arc<Linker>,
        environment: &Environment,
        cancellation: &CancellationToken,
    ) -> Result<PrefixRecord> {
        let (directory, cancellation) = (environment.directory.clone(), cancellation.clone());
        let (specs, subject) = (environment.specs.clone(), self.record.identifier.to_string());
        let result = blocking("link package", move || {
            let paths = linker.link(&self.package, self.places, &cancellation)?;
            let record = record::prefix_record(&self.record, &self.package, paths, linker.link_type(), &specs);
            record::write_record(&directory, &record)?;
            Ok(record)
        });
        result.await.map_err(|error| error.with("package", subject))
    }
}

fn account(directory: &Path, environment: &Environment, records: &[PrefixRecord], clock: &dyn Clock) -> Result<()> {
    record::write_history(directory, records, &environment.specs, clock.now())?;
    record::write_state(directory, &environment.variables)
}

/// Reports how a phase goes.
struct Watch<'a> {
    phase: Phase,
    began: Instant,
    reporter: &'a dyn Reporter,
}

impl<'a> Watch<'a> {
    fn start(phase: Phase, items: usize, bytes: u64, reporter: &'a dyn Reporter) -> Self {
        reporter.report(BuildEvent::PhaseStarted { phase, total: Some(items as u64), bytes: Some(bytes) });
        Self { phase, began: Instant::now(), reporter }
    }

    fn step(&self, bytes: u64, subject: &str) {
        self.reporter.report(BuildEvent::Progress { phase: self.phase, items: 1, bytes, subject: subject.to_owned() });
    }

    fn finish(self) {
        self.reporter.report(BuildEvent::PhaseFinished { phase: self.phase, elapsed: self.began.elapsed() });
    }
}

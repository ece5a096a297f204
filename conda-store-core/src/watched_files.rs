//! Environments described by files: built as the files come and change.
//!
//! One worker at a time looks at the files of a job. A process remembers which it has seen, so that it reads those alone
//! that changed; whether one is built is decided by what the catalogue has, so it does not matter which worker looks.

use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::OsStr,
    io,
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
    time::SystemTime,
};

use tokio::fs;

use crate::{
    Error, Result,
    auth::Scope,
    catalogue::{BuildQuery, Order},
    conda_store::CondaStore,
    model::{Build, EnvironmentName, NamespaceName},
    specification::{Specification, SpecificationLimits},
};

/// What is being done.
const OPERATION: &str = "look at watched files";

/// What this process remembers of watched files, by namespace and path.
#[derive(Debug, Default)]
pub(crate) struct WatchedFiles {
    memory: Mutex<BTreeMap<(NamespaceName, PathBuf), Remembered>>,
}

#[derive(Debug, Default)]
struct Remembered {
    seen: Option<Seen>,
    /// What was said last to be wrong, if something still is.
    reported: Option<String>,
}

/// What a file was like when it was last dealt with.
#[derive(Clone, Debug)]
struct Seen {
    stamp: Stamp,
    /// The environment that it describes, or why it describes none.
    environment: Result<EnvironmentName, String>,
}

/// Tells what a file was like from what it is like later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    changed: SystemTime,
    bytes: u64,
}

impl WatchedFiles {
    fn memory(&self) -> MutexGuard<'_, BTreeMap<(NamespaceName, PathBuf), Remembered>> {
        // What is remembered is changed in one step, so a poisoned lock guards sound data.
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One look at the files of a job.
struct Look<'l> {
    store: &'l CondaStore,
    namespace: &'l NamespaceName,
    /// The environments whose files have been looked at.
    taken: BTreeSet<EnvironmentName>,
    problems: BTreeMap<PathBuf, String>,
}

impl CondaStore {
    /// Looks at the files of `paths`, files themselves or directories, and has built what is new.
    ///
    /// A file is read again when its time or size changes, and built when its specification is not that of the
    /// environment's newest build. Where several describe one environment, the first in order counts. A file that cannot
    /// be built holds up no other.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`](crate::ErrorKind::Invalid) with each file or path that cannot be built and why;
    /// [`ErrorKind::Unavailable`](crate::ErrorKind::Unavailable) where the catalogue cannot be reached.
    pub(crate) async fn look_at_files(&self, namespace: &NamespaceName, paths: &BTreeSet<PathBuf>) -> Result<()> {
        let mut look = Look { store: self, namespace, taken: BTreeSet::new(), problems: BTreeMap::new() };
        let files = look.files(paths).await?;
        for path in &files {
            let built = look.file(path).await;
            look.note(path, built)?;
        }
        look.report(paths.union(&files));
        if look.problems.is_empty() {
            return Ok(());
        }
        let problem = |(path, problem): (&PathBuf, &String)| format!("{}: {problem}", path.display());
        Err(Error::invalid(OPERATION, look.problems.iter().map(problem).collect::<Vec<_>>().join("; ")))
    }
}

impl Look<'_> {
    /// The files of all paths, in order.
    async fn files(&mut self, paths: &BTreeSet<PathBuf>) -> Result<BTreeSet<PathBuf>> {
        let mut files = BTreeSet::new();
        for path in paths {
            let found = files_of(path).await.map_err(|error| Error::io(OPERATION, error));
            let found = found.map(|found| files.extend(found));
            self.note(path, found)?;
        }
        Ok(files)
    }

    /// Notes what is wrong with a path. What is wrong with the catalogue ends the look.
    fn note(&mut self, path: &Path, outcome: Result<()>) -> Result<()> {
        match outcome {
            Err(error) if error.is_temporary() => return Err(error),
            Err(error) => drop(self.problems.insert(path.to_owned(), error.report())),
            Ok(()) => {}
        }
        Ok(())
    }

    /// Says what is wrong with these paths, unless this process has said it before.
    fn report<'p>(&self, paths: impl Iterator<Item = &'p PathBuf>) {
        let mut memory = self.store.parts().watched_files.memory();
        for path in paths {
            let problem = self.problems.get(path);
            let remembered = memory.entry(self.key(path)).or_default();
            if remembered.reported.as_ref() == problem {
                continue;
            }
            if let Some(problem) = problem {
                tracing::error!(watch.path = %path.display(), "a watched path cannot be built: {problem}");
            }
            remembered.reported = problem.cloned();
        }
    }

    fn key(&self, path: &Path) -> (NamespaceName, PathBuf) {
        (self.namespace.clone(), path.to_owned())
    }

    /// Has a file built, unless that was dealt with already.
    async fn file(&mut self, path: &Path) -> Result<()> {
        let stamp = stamp(path).await.map_err(|error| Error::io(OPERATION, error))?;
        if let Some(environment) = self.recall(path, stamp) {
            self.taken.insert(environment.map_err(|problem| Error::invalid(OPERATION, problem))?);
            return Ok(());
        }
        let specification = match read(path, stamp.bytes).await {
            Ok(specification) => specification,
            Err(error) => {
                self.remember(path, Seen { stamp, environment: Err(error.report()) });
                return Err(error);
            }
        };
        let environment = specification.name().clone();
        if !self.taken.insert(environment.clone()) {
            return Err(Error::invalid(OPERATION, format!("another watched file describes {environment} too")));
        }
        self.build(specification).await?;
        self.remember(path, Seen { stamp, environment: Ok(environment) });
        Ok(())
    }

    /// What a file describes that has not changed since it was last dealt with.
    fn recall(&self, path: &Path, stamp: Stamp) -> Option<Result<EnvironmentName, String>> {
        let memory = self.store.parts().watched_files.memory();
        let seen = memory.get(&self.key(path))?.seen.as_ref().filter(|seen| seen.stamp == stamp);
        seen.map(|seen| seen.environment.clone())
    }

    fn remember(&self, path: &Path, seen: Seen) {
        self.store.parts().watched_files.memory().entry(self.key(path)).or_default().seen = Some(seen);
    }

    /// Has `specification` built, unless the environment's newest build is of it.
    async fn build(&self, specification: Specification) -> Result<()> {
        let specification = self.store.complete(self.namespace, specification).await?;
        let newest = self.newest(specification.name()).await?;
        if newest.is_some_and(|build| build.specification_sha256 == specification.sha256()) {
            return Ok(());
        }
        let build = self.store.submit(self.namespace, specification).await?;
        tracing::info!(build.id = %build.id, environment.name = %build.environment, "a watched file is to be built");
        Ok(())
    }

    async fn newest(&self, environment: &EnvironmentName) -> Result<Option<Build>> {
        let everything = Scope::everything();
        let query = BuildQuery {
            namespace: Some(self.namespace),
            name: Some(environment),
            order: Order::Descending,
            ..BuildQuery::new(&everything, 1)
        };
        Ok(self.store.catalogue().builds(&query).await?.items.into_iter().next())
    }
}

/// `path` itself, or the YAML files in it where it is a directory.
async fn files_of(path: &Path) -> io::Result<Vec<PathBuf>> {
    if !fs::metadata(path).await?.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut entries = fs::read_dir(path).await?;
    let mut files = Vec::new();
    while let Some(entry) = entries.next_entry().await? {
        let file = entry.path();
        let extension = file.extension().and_then(OsStr::to_str);
        if matches!(extension, Some("yaml" | "yml")) && fs::metadata(&file).await.is_ok_and(|entry| entry.is_file()) {
            files.push(file);
        }
    }
    Ok(files)
}

async fn stamp(path: &Path) -> io::Result<Stamp> {
    let metadata = fs::metadata(path).await?;
    Ok(Stamp { changed: metadata.modified()?, bytes: metadata.len() })
}

/// The specification in a file of so many bytes.
async fn read(path: &Path, bytes: u64) -> Result<Specification> {
    let limits = SpecificationLimits::default();
    if bytes > limits.bytes as u64 {
        let message = format!("it has {bytes} bytes, at most {} are taken", limits.bytes);
        return Err(Error::invalid(OPERATION, message));
    }
    let text = fs::read_to_string(path).await.map_err(|error| Error::io("read a watched file", error))?;
    Specification::from_yaml(&text, &limits)
}

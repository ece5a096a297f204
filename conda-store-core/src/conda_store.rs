//! The façade: a whole service, put together from its parts.

use std::{collections::BTreeMap, fmt, path::PathBuf, sync::Arc, time::Duration};

use tokio::sync::Semaphore;

use crate::{
    Error, Result,
    auth::{Authenticator, Authorizer},
    build_key::{self, BuildKeyFormat, BuildKeyV2},
    catalogue::Catalogue,
    clock::{Clock, SystemClock},
    conda::{
        ChannelLists, ChannelMirrors, Client, ClientOptions, CommandSolver, PackageListOptions, PackageLists,
        RattlerSolver,
    },
    hooks::{Hooks, NoHooks},
    install::{CacheLookups, PackageStore, PackageStoreSettings},
    model::Build,
    paths::Layout,
    pipeline::{BuildObserver, Running},
    queue::Queue,
    registry::ContainerRegistry,
    settings::Settings,
    shared_solves::SharedSolves,
    solver::Solver,
    solving::SOLVES_AT_ONCE,
    storage::Storage,
    turns::Turns,
    validator::{Rules, Validator},
    watched_files::WatchedFiles,
};

/// A composed service: what the HTTP routers serve and what workers do jobs for. Cheap to clone.
#[derive(Clone, Debug)]
pub struct CondaStore {
    parts: Arc<Parts>,
}

#[derive(Debug)]
pub(crate) struct Parts {
    pub(crate) catalogue: Catalogue,
    pub(crate) storage: Arc<dyn Storage>,
    pub(crate) queue: Arc<dyn Queue>,
    pub(crate) authenticator: Option<Arc<dyn Authenticator>>,
    pub(crate) authorizer: Option<Arc<dyn Authorizer>>,
    pub(crate) validators: Vec<Arc<dyn Validator>>,
    pub(crate) solver: Arc<dyn Solver>,
    /// What the built-in solver and that of the configuration read; none where the service brings a solver of its own.
    pub(crate) package_lists: Option<PackageLists>,
    pub(crate) packages: PackageStore,
    pub(crate) registry: Option<Arc<dyn ContainerRegistry>>,
    pub(crate) hooks: Arc<dyn Hooks>,
    pub(crate) layout: Layout,
    pub(crate) build_key_format: Arc<dyn BuildKeyFormat>,
    pub(crate) settings: Settings,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) observers: Vec<Arc<dyn BuildObserver>>,
    pub(crate) pip_cache: PathBuf,
    pub(crate) pip_variables: BTreeMap<String, String>,
    pub(crate) running: Running,
    pub(crate) channel_lists: ChannelLists,
    /// Held while the log of a completed build is added to.
    pub(crate) log: tokio::sync::Mutex<()>,
    pub(crate) solves: Semaphore,
    pub(crate) shared_solves: SharedSolves,
    /// At the making of artifacts.
    pub(crate) artifact_turns: Turns,
    pub(crate) watched_files: WatchedFiles,
}

impl CondaStore {
    /// Starts to compose a service.
    #[must_use]
    pub fn builder() -> CondaStoreBuilder {
        CondaStoreBuilder::default()
    }

    pub(crate) fn parts(&self) -> &Parts {
        &self.parts
    }

    /// The catalogue.
    #[must_use]
    pub fn catalogue(&self) -> &Catalogue {
        &self.parts.catalogue
    }

    /// Where artifacts are kept.
    #[must_use]
    pub fn storage(&self) -> &Arc<dyn Storage> {
        &self.parts.storage
    }

    /// How work reaches workers.
    #[must_use]
    pub fn queue(&self) -> &Arc<dyn Queue> {
        &self.parts.queue
    }

    /// Who recognises callers; none where the service has no HTTP face.
    #[must_use]
    pub fn authenticator(&self) -> Option<&Arc<dyn Authenticator>> {
        self.parts.authenticator.as_ref()
    }

    /// Who decides what callers may do; none where the service has no HTTP face.
    #[must_use]
    pub fn authorizer(&self) -> Option<&Arc<dyn Authorizer>> {
        self.parts.authorizer.as_ref()
    }

    /// Where images are pushed to, if anywhere.
    #[must_use]
    pub fn container_registry(&self) -> Option<&Arc<dyn ContainerRegistry>> {
        self.parts.registry.as_ref()
    }

    /// Who chooses packages.
    #[must_use]
    pub fn solver(&self) -> &Arc<dyn Solver> {
        &self.parts.solver
    }

    /// Who is told of finished builds.
    #[must_use]
    pub fn hooks(&self) -> &Arc<dyn Hooks> {
        &self.parts.hooks
    }

    /// Where environments are built.
    #[must_use]
    pub fn layout(&self) -> &Layout {
        &self.parts.layout
    }

    /// How often the packages of builds in this process were in the cache.
    #[must_use]
    pub fn package_cache_lookups(&self) -> CacheLookups {
        self.parts.packages.lookups()
    }

    /// How often the package lists that solves in this process asked for were known and still current; always zero where the
    /// service brings a solver of its own.
    #[must_use]
    pub fn package_list_lookups(&self) -> CacheLookups {
        self.parts.package_lists.as_ref().map(PackageLists::lookups).unwrap_or_default()
    }

    /// The time.
    #[must_use]
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.parts.clock
    }

    /// The key of a build, in the format that was current when it was made.
    ///
    /// # Errors
    /// [`ErrorKind::Corrupt`](crate::ErrorKind::Corrupt) where the row names a format that does not exist.
    pub fn build_key(&self, build: &Build) -> Result<String> {
        build_key::of(build)
    }
}

/// Collects the parts of a [`CondaStore`].
///
/// Required are the catalogue, the storage, the queue and the layout; everything else has a default that needs no
/// service.
#[derive(Default)]
pub struct CondaStoreBuilder {
    catalogue: Option<Catalogue>,
    storage: Option<Arc<dyn Storage>>,
    queue: Option<Arc<dyn Queue>>,
    authenticator: Option<Arc<dyn Authenticator>>,
    authorizer: Option<Arc<dyn Authorizer>>,
    validators: Vec<Arc<dyn Validator>>,
    solver: Option<Arc<dyn Solver>>,
    solver_command: Option<PathBuf>,
    registry: Option<Arc<dyn ContainerRegistry>>,
    hooks: Option<Arc<dyn Hooks>>,
    layout: Option<Layout>,
    build_key_format: Option<Arc<dyn BuildKeyFormat>>,
    settings: Option<Settings>,
    clock: Option<Arc<dyn Clock>>,
    observers: Vec<Arc<dyn BuildObserver>>,
    cache_directory: Option<PathBuf>,
    client: Option<Client>,
    mirrors: ChannelMirrors,
    pip_variables: BTreeMap<String, String>,
}

impl fmt::Debug for CondaStoreBuilder {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("CondaStoreBuilder").finish_non_exhaustive()
    }
}

impl CondaStoreBuilder {
    /// The catalogue. Required.
    #[must_use]
    pub fn catalogue(mut self, catalogue: Catalogue) -> Self {
        self.catalogue = Some(catalogue);
        self
    }

    /// Where artifacts are kept. Required.
    #[must_use]
    pub fn storage(mut self, storage: impl Storage) -> Self {
        self.storage = Some(Arc::new(storage));
        self
    }

    /// How work reaches workers. Required.
    #[must_use]
    pub fn queue(mut self, queue: impl Queue) -> Self {
        self.queue = Some(Arc::new(queue));
        self
    }

    /// Where environments are built. Required.
    #[must_use]
    pub fn layout(mut self, layout: Layout) -> Self {
        self.layout = Some(layout);
        self
    }

    /// Who recognises callers. Required for an HTTP face.
    #[must_use]
    pub fn authenticator(mut self, authenticator: impl Authenticator) -> Self {
        self.authenticator = Some(Arc::new(authenticator));
        self
    }

    /// Who decides what callers may do. Required for an HTTP face.
    #[must_use]
    pub fn authorizer(mut self, authorizer: impl Authorizer) -> Self {
        self.authorizer = Some(Arc::new(authorizer));
        self
    }

    /// One more validator, after the built-in [`Rules`] and those given before.
    #[must_use]
    pub fn validator(mut self, validator: impl Validator) -> Self {
        self.validators.push(Arc::new(validator));
        self
    }

    /// Who chooses packages; the built-in solver by default.
    #[must_use]
    pub fn solver(mut self, solver: impl Solver) -> Self {
        self.solver = Some(Arc::new(solver));
        self
    }

    /// The mamba, micromamba or conda that chooses packages in place of the built-in solver: a path, or a name to be found
    /// in `PATH`.
    #[must_use]
    pub fn solver_command(mut self, command: impl Into<PathBuf>) -> Self {
        self.solver_command = Some(command.into());
        self
    }

    /// Where images are pushed to.
    #[must_use]
    pub fn container_registry(mut self, registry: impl ContainerRegistry) -> Self {
        self.registry = Some(Arc::new(registry));
        self
    }

    /// Who is told of finished builds; nobody by default.
    #[must_use]
    pub fn hooks(mut self, hooks: impl Hooks) -> Self {
        self.hooks = Some(Arc::new(hooks));
        self
    }

    /// How keys of new builds are written; version 2 by default.
    #[must_use]
    pub fn build_key_format(mut self, format: impl BuildKeyFormat) -> Self {
        self.build_key_format = Some(Arc::new(format));
        self
    }

    /// The settings of the installation; the documented defaults otherwise.
    #[must_use]
    pub fn settings(mut self, settings: Settings) -> Self {
        self.settings = Some(settings);
        self
    }

    /// The time; the machine's clock by default.
    #[must_use]
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Some(Arc::new(clock));
        self
    }

    /// One more observer of the builds that this process makes, for example for progress bars.
    #[must_use]
    pub fn observer(mut self, observer: impl BuildObserver) -> Self {
        self.observers.push(Arc::new(observer));
        self
    }

    /// Where packages, package lists and wheels are cached; `!cache` below the store directory by default. Environments
    /// are hard-linked to it where both are on one file system.
    #[must_use]
    pub fn cache_directory(mut self, directory: impl Into<PathBuf>) -> Self {
        self.cache_directory = Some(directory.into());
        self
    }

    /// What package lists and packages are fetched with; a client with the default options otherwise.
    #[must_use]
    pub fn client(mut self, client: Client) -> Self {
        self.client = Some(client);
        self
    }

    /// Where channels are really fetched from.
    #[must_use]
    pub fn mirrors(mut self, mirrors: ChannelMirrors) -> Self {
        self.mirrors = mirrors;
        self
    }

    /// Environment variables for pip, such as `PIP_INDEX_URL`; none by default.
    #[must_use]
    pub fn pip_variables(mut self, variables: BTreeMap<String, String>) -> Self {
        self.pip_variables = variables;
        self
    }

    /// The composed service.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`](crate::ErrorKind::Invalid) naming a required part that is missing; what the file system
    /// says about the cache directory.
    pub async fn build(self) -> Result<CondaStore> {
        let missing =
            |part| Error::invalid("compose service", format!("the service has no {part}: give the builder one"));
        let layout = self.layout.ok_or_else(|| missing("layout"))?;
        let cache = self.cache_directory.unwrap_or_else(|| layout.store_directory().join(CACHE));
        let settings = self.settings.unwrap_or_default();
        let clock = self.clock.unwrap_or_else(|| Arc::new(SystemClock));
        let client = self.client.map_or_else(|| Client::new(&ClientOptions::default()), Ok)?;
        let channel_lists = ChannelLists::new(&client, self.mirrors.clone(), cache.join("index"));
        let (solver, package_lists) = if let Some(solver) = self.solver {
            (solver, None)
        } else {
            let (cache, mirrors, clock) = (cache.join("repodata"), self.mirrors.clone(), Arc::clone(&clock));
            let options = PackageListOptions { cache, mirrors, trusted_for: LISTS_TRUSTED_FOR, clock };
            let lists = PackageLists::new(&client, options)?;
            (solver(self.solver_command, lists.clone()), Some(lists))
        };
        let store = PackageStoreSettings {
            mirrors: self.mirrors,
            permissions: settings.permissions(),
            ..PackageStoreSettings::new(cache.join("packages"))
        };
        let shared_solves = SharedSolves::open(cache.join("solves"), Arc::clone(&clock)).await?;
        let artifact_turns = Turns::open("make artifact", cache.join("artifacts")).await?;
        let rules: Arc<dyn Validator> = Arc::new(Rules);
        let parts = Parts {
            catalogue: self.catalogue.ok_or_else(|| missing("catalogue"))?,
            storage: self.storage.ok_or_else(|| missing("storage"))?,
            queue: self.queue.ok_or_else(|| missing("queue"))?,
            authenticator: self.authenticator,
            authorizer: self.authorizer,
            validators: std::iter::once(rules).chain(self.validators).collect(),
            solver,
            package_lists,
            packages: PackageStore::open(store, client.plain()).await?,
            registry: self.registry,
            hooks: self.hooks.unwrap_or_else(|| Arc::new(NoHooks)),
            layout,
            build_key_format: self.build_key_format.unwrap_or_else(|| Arc::new(BuildKeyV2)),
            settings,
            clock,
            observers: self.observers,
            pip_cache: cache.join("pip"),
            pip_variables: self.pip_variables,
            running: Running::default(),
            channel_lists,
            log: tokio::sync::Mutex::default(),
            solves: Semaphore::new(SOLVES_AT_ONCE),
            shared_solves,
            artifact_turns,
            watched_files: WatchedFiles::default(),
        };
        Ok(CondaStore { parts: Arc::new(parts) })
    }
}

fn solver(command: Option<PathBuf>, lists: PackageLists) -> Arc<dyn Solver> {
    match command {
        Some(command) => Arc::new(CommandSolver::new(command, lists)),
        None => Arc::new(RattlerSolver::new(lists)),
    }
}

/// The directory of caches below that of environments; no namespace can have this name.
const CACHE: &str = "!cache";

/// How long a package list is used before its channel is asked whether it changed.
const LISTS_TRUSTED_FOR: Duration = Duration::from_mins(1);

//! The steps of a build, in their order.

use std::{collections::BTreeMap, time::Instant};

use rattler_conda_types::{ChannelUrl, PrefixRecord, RepoDataRecord, Subdir};

use super::{
    attempt::Run,
    request::{platform, solve_request},
};
use crate::{
    Error, Result,
    catalogue::ArtifactProgress,
    channel::ChannelAlias,
    error::ErrorKind,
    event::{BuildEvent, Phase, Reporter, ReporterExt},
    install::{
        self, Environment, InstalledPipPackage, LinkMethod, LockedPipPackage, PipRequest, PipSettings, ScriptSettings,
    },
    lockfile::{Lockfile, PipPackage},
    model::ArtifactType,
    settings::Settings,
    solver::{Lock, SolveRequest},
    specification::{CondaSpecification, LockfileSpecification, Specification},
    storage::Body,
};

/// What a build came to.
#[derive(Debug)]
pub(super) struct Built {
    /// Bytes on disk.
    pub(super) size: i64,
    /// The conda packages in it.
    pub(super) packages: Vec<RepoDataRecord>,
    /// The artifacts that the settings ask for.
    pub(super) artifacts: Vec<ArtifactType>,
}

/// What is to be built: packages that were chosen, and what goes with them.
struct Plan {
    lock: Lock,
    channels: Vec<ChannelUrl>,
    specs: Vec<String>,
    variables: BTreeMap<String, String>,
    pip: PipRequest,
}

impl Run<'_> {
    /// Builds the environment, up to the moment before it is recorded.
    pub(super) async fn steps(&self) -> Result<Built> {
        let settings = self.store.settings(&self.build.namespace, Some(&self.build.environment)).await?;
        let plan = match self.specification().await? {
            Specification::Conda(specification) => self.solve(&specification, &settings).await?,
            Specification::Lockfile(specification) => self.read_lockfile(&specification, &settings)?,
        };
        let platform = platform()?;
        let packages = plan.lock.platforms.get(&platform).cloned().unwrap_or_default();
        let linked = self.link(&plan, platform, &packages).await?;
        self.run_scripts(&linked, &plan, &settings).await?;
        let pip = self.install_pip(&plan).await?;
        self.write_lockfile(&plan, platform, pip).await?;
        self.set_permissions(&settings).await?;
        Ok(Built { size: self.measure().await?, packages, artifacts: settings.build_artifacts })
    }

    async fn specification(&self) -> Result<Specification> {
        let stored = self.store.catalogue().specification_of(self.build.id).await?;
        let stored = stored.ok_or_else(|| {
            Error::new(ErrorKind::Corrupt, "read specification", "the build has no specification")
                .with("build", self.build.id)
        })?;
        Specification::from_stored(stored.spec, stored.is_lockfile)
    }

    async fn solve(&self, specification: &CondaSpecification, settings: &Settings) -> Result<Plan> {
        let request = solve_request(specification, settings)?;
        let solving = self.store.solve_shared(&request, self.build.scheduled_on, self.log.as_ref(), self.attempt);
        let lock = self.phase(Phase::Solve, solving).await?;
        let pip = PipRequest::Requirements(specification.pip_lines().map(str::to_owned).collect());
        let SolveRequest { channels, specs, variables, .. } = request;
        Ok(Plan { lock, channels, specs, variables, pip })
    }

    fn read_lockfile(&self, specification: &LockfileSpecification, settings: &Settings) -> Result<Plan> {
        let lockfile = Lockfile::from_json(&specification.lockfile)?;
        let lock = lockfile.to_lock()?;
        let platform = platform()?;
        let Some(packages) = lock.platforms.get(&platform) else {
            return Err(Error::invalid("read lockfile", format!("the lockfile has no packages for {platform}")));
        };
        self.log.message(format!("the lockfile names {} packages, nothing is solved", packages.len()));
        let pip = lockfile.pip_packages(platform).into_iter().map(locked).collect::<Result<_>>()?;
        let channels = lockfile.channels(&ChannelAlias::new(&settings.conda_channel_alias)?)?;
        Ok(Plan { lock, channels, specs: Vec::new(), variables: BTreeMap::new(), pip: PipRequest::Locked(pip) })
    }

    /// Fetches the packages, links them into the staging directory and moves that into place.
    async fn link(&self, plan: &Plan, platform: Subdir, packages: &[RepoDataRecord]) -> Result<Vec<PrefixRecord>> {
        let cancellation = &self.attempt.cancellation;
        let fetched = install::fetch(&self.store.parts().packages, packages, self.log.as_ref(), cancellation).await?;
        self.prefix.prepare().await?;
        let environment = Environment {
            prefix: self.prefix.target().to_owned(),
            directory: self.prefix.staging().to_owned(),
            platform,
            records: packages.to_vec(),
            specs: plan.specs.clone(),
            variables: plan.variables.clone(),
            link_method: LinkMethod::Auto,
        };
        let clock = self.store.clock().as_ref();
        let linked = install::link(&environment, &fetched, clock, self.log.as_ref(), cancellation).await?;
        self.confirm_claim().await?;
        self.end_orphans().await?;
        self.prefix.commit().await?;
        Ok(linked)
    }

    /// Ends what a lost worker left running for this environment: it would write to what now comes there.
    async fn end_orphans(&self) -> Result<()> {
        if self.number == 1 {
            return Ok(());
        }
        let prefix = self.prefix.target().to_owned();
        let ended = install::blocking("end programs of an earlier attempt", move || Ok(install::end_programs(&prefix)));
        if let ended @ 1.. = ended.await? {
            self.log.message(format!("{ended} programs of an earlier attempt were still running and were ended"));
        }
        Ok(())
    }

    /// Makes sure that nobody else has the build by now, before anything is moved to where others look.
    async fn confirm_claim(&self) -> Result<()> {
        self.go_on()?;
        match self.store.catalogue().renew_build(self.build.id, self.number, self.attempt.lease).await? {
            None => Ok(()),
            Some(reason) => {
                self.attempt.stop(reason);
                self.go_on()
            }
        }
    }

    async fn run_scripts(&self, linked: &[PrefixRecord], plan: &Plan, settings: &Settings) -> Result<()> {
        let scripts =
            ScriptSettings { run: settings.run_link_scripts, variables: plan.variables.clone(), time_limit: None };
        install::run_link_scripts(self.prefix.target(), linked, &scripts, self.log.as_ref(), &self.attempt.cancellation)
            .await
    }

    async fn install_pip(&self, plan: &Plan) -> Result<Vec<InstalledPipPackage>> {
        let settings = PipSettings {
            cache_directory: Some(self.store.parts().pip_cache.clone()),
            variables: self.store.parts().pip_variables.clone(),
            time_limit: None,
        };
        install::install_pip(self.prefix.target(), &plan.pip, &settings, self.log.as_ref(), &self.attempt.cancellation)
            .await
    }

    async fn write_lockfile(&self, plan: &Plan, platform: Subdir, pip: Vec<InstalledPipPackage>) -> Result<()> {
        let pip: Vec<_> = pip.into_iter().filter_map(|package| self.lockable(package)).collect();
        let pip = if pip.is_empty() { BTreeMap::new() } else { BTreeMap::from([(platform, pip)]) };
        let lockfile = Lockfile::new(&plan.lock, &pip, &plan.channels, &self.build.specification_sha256)?;
        let key = format!("lockfile/{}.yml", self.key).parse()?;
        let text = lockfile.to_text();
        let described = ArtifactProgress::done(ArtifactType::Lockfile, text.as_bytes());
        self.store.storage().put(&key, Body::from(text)).await?;
        self.store.catalogue().add_artifact(self.build.id, ArtifactType::Lockfile, key.as_str()).await?;
        self.store.catalogue().set_artifact_state(self.build.id, &described).await
    }

    /// The package as the lockfile names it; nothing where nobody could find it again.
    fn lockable(&self, package: InstalledPipPackage) -> Option<PipPackage> {
        let InstalledPipPackage { name, version, url, sha256 } = package;
        let Some(url) = url else {
            self.log.message(format!(
                "{name} {version} is not in the lockfile: this pip is too old to tell where it came from"
            ));
            return None;
        };
        Some(PipPackage { name, version, url: url.into(), sha256, dependencies: BTreeMap::new() })
    }

    async fn set_permissions(&self, settings: &Settings) -> Result<()> {
        let permissions = settings.permissions();
        let (prefix, cancellation) = (self.prefix.target().to_owned(), self.attempt.cancellation.clone());
        let work = install::blocking("set permissions", move || permissions.apply(&prefix, &cancellation));
        self.phase(Phase::Permissions, work).await
    }

    async fn measure(&self) -> Result<i64> {
        let prefix = self.prefix.target().to_owned();
        let bytes = install::blocking("measure environment", move || install::disk_usage(&prefix)).await?;
        Ok(i64::try_from(bytes).unwrap_or(i64::MAX))
    }

    /// Does a step that does not report by itself when it begins and ends.
    async fn phase<T>(&self, phase: Phase, step: impl Future<Output = Result<T>>) -> Result<T> {
        self.go_on()?;
        let begun = Instant::now();
        self.log.report(BuildEvent::PhaseStarted { phase, total: None, bytes: None });
        let done = step.await?;
        self.log.report(BuildEvent::PhaseFinished { phase, elapsed: begun.elapsed() });
        Ok(done)
    }
}

fn locked(package: PipPackage) -> Result<LockedPipPackage> {
    let url = package.url.parse().map_err(|error| {
        Error::invalid("read lockfile", format!("the URL of pip package {} is none", package.name)).with_source(error)
    })?;
    Ok(LockedPipPackage { name: package.name, url, sha256: package.sha256 })
}

//! The environment of the demonstration, and what is said about it.

use std::{
    io::{self, Write},
    path::Path,
    time::Duration,
};

use anyhow::Context;
use conda_store_core::{
    CondaStore,
    model::{Build, BuildStatus, EnvironmentName, NamespaceName},
    specification::{Specification, SpecificationLimits},
};
use tokio::time::MissedTickBehavior;

use super::{channel, packages};

/// The environment's name.
const ENVIRONMENT: &str = "conda-store-demo";

/// How often the build is looked after.
const GLANCE: Duration = Duration::from_millis(200);

/// Writes the channel to `channel`, and queues a build of the environment unless it is there already.
///
/// # Errors
/// Where the channel cannot be written, or the configuration allows no environment from it.
pub async fn register(store: &CondaStore, namespace: &NamespaceName, channel: &Path) -> anyhow::Result<Option<Build>> {
    let written = Box::pin(channel::write(channel, packages::packages())).await;
    written.with_context(|| format!("cannot write {}", channel.display()))?;
    let name: EnvironmentName = ENVIRONMENT.parse()?;
    if store.catalogue().environment(namespace, &name).await?.is_some() {
        return Ok(None);
    }
    let specification = Specification::from_yaml(&environment_yaml(channel)?, &SpecificationLimits::default())?;
    let build = store.submit(namespace, specification).await.context("the demonstration cannot be built")?;
    Ok(Some(build))
}

fn environment_yaml(channel: &Path) -> anyhow::Result<String> {
    let url = url::Url::from_directory_path(channel)
        .map_err(|()| anyhow::anyhow!("{} is no absolute path", channel.display()))?;
    Ok(format!(
        "name: {ENVIRONMENT}\ndescription: a first look\nchannels:\n- {url}\ndependencies:\n- {}\n",
        packages::PROGRAM
    ))
}

/// Says where to look, and, once `build` is over, what became of it.
///
/// # Errors
/// Where the catalogue or the terminal cannot be reached.
pub async fn guide(store: CondaStore, url: String, login: String, build: Option<Build>) -> anyhow::Result<()> {
    say(&format!("conda-store is at {url}\nlog in with {login}"))?;
    let Some(build) = build else {
        return say(&format!("the environment {ENVIRONMENT} is there from an earlier time"));
    };
    let ended = ended(&store, build).await?;
    let prefix = store.layout().build_path(&ended)?;
    match ended.status {
        BuildStatus::Completed => say(&format!(
            "the environment {}/{} is built: {}\ntry: {}/bin/{}",
            ended.namespace,
            ended.environment,
            prefix.display(),
            prefix.display(),
            packages::PROGRAM
        )),
        status => say(&format!("the demonstration is {status}: {}", ended.status_info.unwrap_or_default())),
    }
}

/// The build once it is over.
async fn ended(store: &CondaStore, build: Build) -> anyhow::Result<Build> {
    let mut glances = tokio::time::interval(GLANCE);
    glances.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        glances.tick().await;
        let now = store.catalogue().build(build.id).await?.context("the demonstration's build is gone")?;
        if now.status.is_final() {
            return Ok(now);
        }
    }
}

fn say(text: &str) -> anyhow::Result<()> {
    let mut output = io::stdout().lock();
    writeln!(output, "{text}")?;
    Ok(output.flush()?)
}

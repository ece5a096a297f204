//! From a configuration to a service.

use std::sync::Arc;

use anyhow::Context;
use conda_store_auth::{DummyAuthenticator, RoleAuthorizer, Tokens};
use conda_store_core::{
    CondaStore, CondaStoreBuilder,
    build_key::{BuildKeyV1, BuildKeyV2, BuildKeyV3},
    catalogue::{Catalogue, Database},
    clock::{Clock, SystemClock},
    paths::Layout,
};
use conda_store_queue::{MemoryQueue, RabbitMq, RedisQueue, SqlQueue};
use conda_store_storage::ObservedStorage;
use prometheus::Registry;
use secrecy::ExposeSecret;

use crate::{
    configuration::{Configuration, Program, QueueChoice, value::Version},
    data_directory::DataDirectory,
    progress::Progress,
    storage,
};

/// What the names of all keys in Redis begin with; installations that share a service have databases of their own.
const REDIS_PREFIX: &str = "conda-store";

/// What messages in RabbitMQ go through; installations that share a service have virtual hosts of their own.
const MESSAGE_QUEUE: &str = "conda-store";

/// Puts the service together that `configuration` describes; what it gives no place of its own is kept in `data`,
/// what is measured on the way in `registry`.
///
/// # Errors
/// A part that cannot be opened: a database or a directory, with its place.
pub async fn compose(
    configuration: &Configuration,
    program: Program,
    data: &DataDirectory,
    progress: Progress,
    registry: &Registry,
) -> anyhow::Result<CondaStore> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let layout = layout(configuration, data)?;
    let database = database(configuration, data).await?;
    let catalogue = catalogue(configuration, database.clone(), &clock).await?;
    let storage = storage::open(configuration, data, Arc::clone(&clock)).await?;
    let mut builder = CondaStore::builder()
        .catalogue(catalogue.clone())
        .storage(ObservedStorage::new(storage, Arc::clone(&clock), registry)?)
        .settings(configuration.settings.clone())
        .observer(progress);
    builder = conda(builder, configuration);
    builder = queue(builder, configuration, database, &clock).await?;
    builder = build_keys(builder, configuration);
    if program != Program::Worker {
        builder = access(builder, configuration, program, data, catalogue, &clock)?;
    }
    Ok(builder.layout(layout).build().await?)
}

/// Where environments are built; the directory is made where it is missing.
fn layout(configuration: &Configuration, data: &DataDirectory) -> anyhow::Result<Layout> {
    let here = std::env::current_dir().context("the working directory is gone")?;
    let layout = configuration.layout(data, &here)?;
    let directory = layout.store_directory();
    std::fs::create_dir_all(directory).with_context(|| format!("cannot make {}", directory.display()))?;
    Ok(layout)
}

async fn database(configuration: &Configuration, data: &DataDirectory) -> anyhow::Result<Database> {
    let url = match &configuration.conda_store.database_url {
        Some(url) => url.clone(),
        None => data.database_url()?,
    };
    Ok(Database::connect(url.expose_secret()).await?)
}

async fn catalogue(
    configuration: &Configuration,
    database: Database,
    clock: &Arc<dyn Clock>,
) -> anyhow::Result<Catalogue> {
    let catalogue = Catalogue::new(database, Arc::clone(clock));
    if configuration.conda_store.upgrade_db {
        catalogue.migrate().await?;
    } else {
        catalogue.check_schema().await?;
    }
    Ok(catalogue)
}

/// What chooses packages, and where they come from.
fn conda(builder: CondaStoreBuilder, configuration: &Configuration) -> CondaStoreBuilder {
    let builder = builder.mirrors(configuration.mirrors());
    match configuration.settings.conda_command.as_str() {
        "rattler" => builder,
        command => builder.solver_command(command),
    }
}

async fn queue(
    builder: CondaStoreBuilder,
    configuration: &Configuration,
    catalogue: Database,
    clock: &Arc<dyn Clock>,
) -> anyhow::Result<CondaStoreBuilder> {
    let database = match configuration.queue() {
        QueueChoice::Memory => return Ok(builder.queue(MemoryQueue::new(Arc::clone(clock)))),
        QueueChoice::Catalogue => catalogue,
        QueueChoice::Database(url) => Database::connect(url.expose_secret()).await?,
        QueueChoice::Redis(url) => {
            let queue = RedisQueue::connect(url.expose_secret(), REDIS_PREFIX, Arc::clone(clock)).await?;
            return Ok(builder.queue(queue));
        }
        QueueChoice::RabbitMq(url) => {
            let messenger = RabbitMq::connect(url.expose_secret(), MESSAGE_QUEUE).await?;
            return Ok(builder.queue(SqlQueue::migrated(catalogue, Arc::clone(clock)).await?.announced_by(messenger)));
        }
        QueueChoice::Unknown(scheme) => anyhow::bail!("there is no queue for {scheme}://"),
    };
    Ok(builder.queue(SqlQueue::migrated(database, Arc::clone(clock)).await?))
}

fn build_keys(builder: CondaStoreBuilder, configuration: &Configuration) -> CondaStoreBuilder {
    match configuration.conda_store.build_key_version {
        Version(1) => builder.build_key_format(BuildKeyV1),
        Version(3) => builder.build_key_format(BuildKeyV3),
        Version(_) => builder.build_key_format(BuildKeyV2),
    }
}

/// Who recognises callers, and who decides what they may do.
fn access(
    builder: CondaStoreBuilder,
    configuration: &Configuration,
    program: Program,
    data: &DataDirectory,
    catalogue: Catalogue,
    clock: &Arc<dyn Clock>,
) -> anyhow::Result<CondaStoreBuilder> {
    let mut tokens = configuration.authentication_backend.clone();
    if tokens.secret.is_none() && program == Program::Standalone {
        tokens.secret = Some(data.secret()?);
    }
    let tokens = Arc::new(Tokens::new(tokens, catalogue.clone(), Arc::clone(clock))?);
    let login = configuration.authentication.login();
    let authenticator = DummyAuthenticator::new(tokens, login, &configuration.dummy_authentication);
    let roles = RoleAuthorizer::new(configuration.authorization_backend.roles(), catalogue, Arc::clone(clock));
    Ok(builder.authenticator(authenticator).authorizer(roles))
}

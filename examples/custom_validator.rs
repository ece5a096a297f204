//! A rule of one's own: environment names have a limit.
//!
//! The service is composed in memory and in a temporary directory, so it needs nothing else:
//! `cargo run --example custom_validator`.

use std::{
    io::{self, Write},
    sync::Arc,
};

use async_trait::async_trait;
use conda_store_core::{
    CondaStore, Error, Result,
    catalogue::{Catalogue, Database},
    clock::{Clock, SystemClock},
    model::NamespaceName,
    paths::{Layout, LayoutOptions},
    specification::{Specification, SpecificationLimits},
    validator::{Action, ValidationContext, Validator},
};
use conda_store_queue::MemoryQueue;
use conda_store_storage::MemoryStorage;

/// Refuses environments whose names are longer than this many bytes.
#[derive(Debug)]
struct ShortNames(usize);

#[async_trait]
impl Validator for ShortNames {
    async fn validate(&self, _context: &ValidationContext<'_>, specification: &mut Specification) -> Result<()> {
        let (name, limit) = (specification.name(), self.0);
        if name.as_str().len() > limit {
            let message = format!("environment name {name} is too long: at most {limit} characters are allowed");
            return Err(Error::invalid("validate specification", message));
        }
        Ok(())
    }

    async fn allow(&self, _context: &ValidationContext<'_>, _action: Action) -> Result<()> {
        Ok(())
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let directory = tempfile::tempdir()?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let catalogue = Catalogue::new(Database::connect("sqlite::memory:").await?, Arc::clone(&clock));
    catalogue.migrate().await?;
    let store = CondaStore::builder()
        .catalogue(catalogue)
        .storage(MemoryStorage::new(Arc::clone(&clock)))
        .queue(MemoryQueue::new(clock))
        .layout(Layout::new(&LayoutOptions::new(directory.path()), directory.path())?)
        .validator(ShortNames(16))
        .build()
        .await?;

    let namespace: NamespaceName = "default".parse()?;
    let mut output = io::stdout().lock();
    for name in ["web", "an-environment-with-a-long-name"] {
        let text = format!("name: {name}\nchannels: [conda-forge]\ndependencies: [python]\n");
        let specification = Specification::from_yaml(&text, &SpecificationLimits::default())?;
        match store.submit(&namespace, specification).await {
            Ok(build) => writeln!(output, "{name}: build {} is queued", build.id)?,
            Err(error) => writeln!(output, "{name}: {error}")?,
        }
    }
    Ok(())
}

//! The configuration of the two programs: one YAML file, overridden by environment variables.
//!
//! [`Configuration::load`] finds everything that is wrong at once; [`Configuration::check`] finds what contradicts
//! itself and what this version cannot do.

mod check;
mod document;
mod fields;
mod load;
pub mod log_level;
mod problem;
mod schema;
pub mod secret;
mod sections;
mod settings;
mod unsupported;
pub mod value;

#[cfg(test)]
mod tests;

use std::{collections::BTreeMap, path::Path};

use conda_store_auth::{DummyConfig, TokensConfig};
use conda_store_core::settings::Settings;
use serde::de::DeserializeOwned;

use self::load::{Loader, values};
pub use self::{
    check::{Program, QueueChoice},
    problem::{Origin, Problem, Problems},
    sections::*,
};

/// All sections.
#[derive(Debug, Default)]
pub struct Configuration {
    /// `CondaStore`, apart from the settings in it.
    pub conda_store: CondaStoreSection,
    /// The settings in `CondaStore`.
    pub settings: Settings,
    /// `LocalStorage`
    pub local_storage: LocalStorageSection,
    /// `S3Storage`
    pub s3_storage: S3StorageSection,
    /// `OpendalStorage`
    pub opendal_storage: OpendalStorageSection,
    /// `AuthenticationBackend`
    pub authentication_backend: TokensConfig,
    /// `AuthorizationBackend`
    pub authorization_backend: AuthorizationBackend,
    /// `Authentication`, with what is set for the way to log in that is used.
    pub authentication: Authentication,
    /// `DummyAuthentication`
    pub dummy_authentication: DummyConfig,
    /// `GenericOAuthAuthentication`, with what is set for the way to log in that is used.
    pub generic_oauth_authentication: GenericOAuthAuthentication,
    /// `GithubOAuthAuthentication`
    pub github_oauth_authentication: GithubOAuthAuthentication,
    /// `JupyterHubOAuthAuthentication`
    pub jupyterhub_oauth_authentication: JupyterHubOAuthAuthentication,
    /// `CondaStoreServer`
    pub server: CondaStoreServerSection,
    /// `CondaStoreWorker`
    pub worker: CondaStoreWorkerSection,
    /// `ContainerRegistry`
    pub container_registry: ContainerRegistrySection,
    origins: Origins,
}

/// Where options were set, by section and key.
type Origins = BTreeMap<(&'static str, String), Origin>;

impl Configuration {
    /// The options of `file`, overridden by those of the variables `CONDA_STORE__SECTION__KEY` of `environment`.
    ///
    /// # Errors
    /// Every unknown section and key, every value of a wrong type, and every file that cannot be read.
    pub fn load(
        file: Option<&Path>,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, Problems> {
        let mut loader = Loader::new();
        if let Some(file) = file {
            loader.file(file);
        }
        loader.environment(environment);
        let configuration = Self::assemble(&mut loader);
        match loader.into_problems() {
            problems if problems.is_empty() => Ok(configuration),
            problems => Err(Problems(problems)),
        }
    }

    fn assemble(loader: &mut Loader) -> Self {
        let mut origins = BTreeMap::new();
        let server: CondaStoreServerSection = section(loader, &mut origins, "");
        let class = server.authentication_class.section();
        Self {
            conda_store: section(loader, &mut origins, class),
            settings: part(loader, &mut origins, CondaStoreSection::NAME, class),
            local_storage: section(loader, &mut origins, class),
            s3_storage: section(loader, &mut origins, class),
            opendal_storage: section(loader, &mut origins, class),
            authentication_backend: section(loader, &mut origins, class),
            authorization_backend: section(loader, &mut origins, class),
            authentication: section(loader, &mut origins, class),
            dummy_authentication: section(loader, &mut origins, class),
            generic_oauth_authentication: section(loader, &mut origins, class),
            github_oauth_authentication: section(loader, &mut origins, class),
            jupyterhub_oauth_authentication: section(loader, &mut origins, class),
            server,
            worker: section(loader, &mut origins, class),
            container_registry: section(loader, &mut origins, class),
            origins,
        }
    }

    /// Where an option was set.
    #[must_use]
    pub fn origin(&self, section: &'static str, key: &str) -> Origin {
        self.origins.get(&(section, key.to_owned())).cloned().unwrap_or(Origin::Default)
    }
}

fn section<S: Section>(loader: &mut Loader, origins: &mut Origins, class: &str) -> S {
    part(loader, origins, S::NAME, class)
}

/// What those options of a section make that `T` takes.
fn part<T: Default + DeserializeOwned>(
    loader: &mut Loader,
    origins: &mut Origins,
    name: &'static str,
    class: &str,
) -> T {
    let options = loader.options(name, class);
    match schema::assemble(values(&options)) {
        Ok(part) => {
            origins.extend(options.into_iter().map(|(key, (_, origin))| ((name, key), origin)));
            part
        }
        Err(message) => {
            loader.problem(Origin::Default, name, message);
            T::default()
        }
    }
}

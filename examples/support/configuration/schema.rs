//! What sections there are and what they take, without their types.

use conda_store_auth::{DummyConfig, TokensConfig};
use serde_json::{Map, Value};

use super::{
    fields::fields_of,
    problem::explain,
    sections::{
        Authentication, AuthorizationBackend, CondaStoreSection, CondaStoreServerSection, CondaStoreWorkerSection,
        ContainerRegistrySection, GenericOAuthAuthentication, GithubOAuthAuthentication, JupyterHubOAuthAuthentication,
        LocalStorageSection, OpendalStorageSection, S3StorageSection, Section,
    },
};

/// One section.
pub(super) struct Schema {
    /// Its name.
    pub(super) name: &'static str,
    /// Its own keys.
    pub(super) keys: &'static [&'static str],
    /// Those among them that are never shown.
    pub(super) secrets: &'static [&'static str],
    /// The sections whose keys it takes as well, the nearest first.
    pub(super) inherits: &'static [&'static str],
    check: fn(&str, &Value) -> Result<(), Refusal>,
}

/// A value that a key does not take.
pub(super) struct Refusal {
    /// The key, with the path to the value inside of it.
    pub(super) path: String,
    /// What was found, what would be right.
    pub(super) message: String,
}

impl Schema {
    fn of<S: Section>() -> Self {
        Self { name: S::NAME, keys: fields_of::<S>(), secrets: S::SECRETS, inherits: S::INHERITS, check: check::<S> }
    }

    /// Whether `key` takes `value`.
    pub(super) fn check(&self, key: &str, value: &Value) -> Result<(), Refusal> {
        (self.check)(key, value)
    }

    /// Whether `key` is a secret, written as one text.
    pub(super) fn is_secret_text(&self, key: &str) -> bool {
        self.secrets.contains(&key) && self.check(key, &Value::String(String::new())).is_ok()
    }
}

fn check<S: Section>(key: &str, value: &Value) -> Result<(), Refusal> {
    let section = Value::Object(Map::from_iter([(key.to_owned(), value.clone())]));
    let Err(error) = serde_path_to_error::deserialize::<_, S>(section) else { return Ok(()) };
    let secret = S::SECRETS.contains(&key);
    // The path may go through a token.
    let path = if secret { key.to_owned() } else { error.path().to_string() };
    Err(Refusal { path, message: explain(&error.inner().to_string(), secret) })
}

/// The typed section that `options` make.
pub(super) fn assemble<S: Section>(options: Map<String, Value>) -> Result<S, String> {
    S::deserialize(Value::Object(options)).map_err(|error| explain(&error.to_string(), true))
}

/// Other names of sections.
pub(super) const ALIASES: [(&str, &str); 1] = [("RBACAuthorizationBackend", AuthorizationBackend::NAME)];

/// All sections.
pub(super) fn schemas() -> Vec<Schema> {
    vec![
        Schema::of::<CondaStoreSection>(),
        Schema::of::<LocalStorageSection>(),
        Schema::of::<S3StorageSection>(),
        Schema::of::<OpendalStorageSection>(),
        Schema::of::<TokensConfig>(),
        Schema::of::<AuthorizationBackend>(),
        Schema::of::<Authentication>(),
        Schema::of::<DummyConfig>(),
        Schema::of::<GenericOAuthAuthentication>(),
        Schema::of::<GithubOAuthAuthentication>(),
        Schema::of::<JupyterHubOAuthAuthentication>(),
        Schema::of::<CondaStoreServerSection>(),
        Schema::of::<CondaStoreWorkerSection>(),
        Schema::of::<ContainerRegistrySection>(),
    ]
}

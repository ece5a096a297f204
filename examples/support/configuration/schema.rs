//! What sections there are and what they take, without their types.

use conda_store_auth::{DummyConfig, TokensConfig};
use conda_store_core::settings::Settings;
use serde::de::DeserializeOwned;
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
    parts: Vec<Part>,
    /// Those among them that are never shown.
    pub(super) secrets: &'static [&'static str],
    /// The sections whose keys it takes as well, the nearest first.
    pub(super) inherits: &'static [&'static str],
}

/// The keys that one struct takes.
struct Part {
    keys: &'static [&'static str],
    check: fn(&str, &Value, bool) -> Result<(), Refusal>,
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
        let schema = Self { name: S::NAME, parts: Vec::new(), secrets: S::SECRETS, inherits: S::INHERITS };
        schema.and::<S>()
    }

    /// The section with the fields of `T` as further keys.
    fn and<T: DeserializeOwned>(mut self) -> Self {
        self.parts.push(Part { keys: fields_of::<T>(), check: check::<T> });
        self
    }

    /// Its own keys.
    pub(super) fn keys(&self) -> impl Iterator<Item = &'static str> {
        self.parts.iter().flat_map(|part| part.keys).copied()
    }

    /// Whether `key` is one of its own.
    pub(super) fn has(&self, key: &str) -> bool {
        self.keys().any(|own| own == key)
    }

    /// Whether `key`, one of its own, takes `value`.
    pub(super) fn check(&self, key: &str, value: &Value) -> Result<(), Refusal> {
        let part = self.parts.iter().find(|part| part.keys.contains(&key));
        part.map_or(Ok(()), |part| (part.check)(key, value, self.secrets.contains(&key)))
    }

    /// Whether `key` is a secret, written as one text.
    pub(super) fn is_secret_text(&self, key: &str) -> bool {
        self.secrets.contains(&key) && self.check(key, &Value::String(String::new())).is_ok()
    }
}

fn check<T: DeserializeOwned>(key: &str, value: &Value, secret: bool) -> Result<(), Refusal> {
    let section = Value::Object(Map::from_iter([(key.to_owned(), value.clone())]));
    let Err(error) = serde_path_to_error::deserialize::<_, T>(section) else { return Ok(()) };
    // The path may go through a token.
    let path = if secret { key.to_owned() } else { error.path().to_string() };
    Err(Refusal { path, message: explain(&error.inner().to_string(), secret) })
}

/// What those of `options` make that `T` takes.
pub(super) fn assemble<T: DeserializeOwned>(options: Map<String, Value>) -> Result<T, String> {
    let keys = fields_of::<T>();
    let own = options.into_iter().filter(|(key, _)| keys.contains(&key.as_str()));
    T::deserialize(Value::Object(own.collect())).map_err(|error| explain(&error.to_string(), true))
}

/// Other names of sections.
pub(super) const ALIASES: [(&str, &str); 1] = [("RBACAuthorizationBackend", AuthorizationBackend::NAME)];

/// All sections.
pub(super) fn schemas() -> Vec<Schema> {
    vec![
        Schema::of::<CondaStoreSection>().and::<Settings>(),
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

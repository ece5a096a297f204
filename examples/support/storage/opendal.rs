//! The section `OpendalStorage` as the storage takes it.

use conda_store_storage::OpendalStorageConfig;
use serde_json::Value;

use crate::configuration::{Configuration, OpendalStorageSection, Problem, Section};

pub(super) fn config(configuration: &Configuration) -> Result<OpendalStorageConfig, Problem> {
    let section = &configuration.opendal_storage;
    let problem = |key, message: String| configuration.problem(OpendalStorageSection::NAME, key, message);
    if section.scheme.is_empty() {
        return Err(problem("scheme", "is missing; takes a service of opendal such as gcs, azblob or fs".into()));
    }
    let options = section.options.0.iter().map(|(name, value)| match value {
        Value::String(text) => Ok((name.clone(), text.clone())),
        Value::Bool(_) | Value::Number(_) => Ok((name.clone(), value.to_string())),
        _ => Err(problem("options", format!("{name} is neither text, number nor true or false"))),
    });
    Ok(OpendalStorageConfig { scheme: section.scheme.clone(), options: options.collect::<Result<_, _>>()? })
}

//! What a specification must have and what may be done: the trait [`Validator`].

mod packages;
mod rules;
mod settings;

use std::{fmt, sync::Arc};

use async_trait::async_trait;

pub use self::rules::Rules;
pub(crate) use self::settings::check_settings;

use crate::{Result, model::NamespaceName, settings::Settings, specification::Specification};

/// Something that somebody wants to do, before it is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Create an environment or a build.
    Create,
    /// Change an environment.
    Update,
    /// Delete something.
    Delete,
}

/// What a validator may look at.
#[derive(Clone, Debug)]
pub struct ValidationContext<'a> {
    /// The namespace that the specification is for.
    pub namespace: &'a NamespaceName,
    /// The settings of that environment.
    pub settings: &'a Settings,
    /// Bytes free where environments are built, where known.
    pub free_space: Option<u64>,
}

/// Checks and completes specifications, and allows or refuses actions.
///
/// # Contract
/// - [`validate`](Self::validate) either refuses the specification or leaves one that it would accept unchanged if
///   asked again.
/// - Its message names what is wrong and what would be right; it is shown to whoever handed the specification in.
///
/// # Errors
/// [`ErrorKind::Invalid`](crate::ErrorKind::Invalid) for a specification,
/// [`ErrorKind::Forbidden`](crate::ErrorKind::Forbidden) or [`ErrorKind::Full`](crate::ErrorKind::Full) for an action.
#[async_trait]
pub trait Validator: fmt::Debug + Send + Sync + 'static {
    /// Checks `specification` and changes it where the rules say so.
    async fn validate(&self, context: &ValidationContext<'_>, specification: &mut Specification) -> Result<()>;

    /// Allows or refuses `action`.
    async fn allow(&self, context: &ValidationContext<'_>, action: Action) -> Result<()>;
}

/// Several validators as one: each sees what the one before it left, and the first refusal stands.
#[derive(Clone, Debug, Default)]
pub struct Validators(Vec<Arc<dyn Validator>>);

impl Validators {
    /// Asks `validators` in this order.
    pub fn new(validators: impl IntoIterator<Item = Arc<dyn Validator>>) -> Self {
        Self(validators.into_iter().collect())
    }
}

#[async_trait]
impl Validator for Validators {
    async fn validate(&self, context: &ValidationContext<'_>, specification: &mut Specification) -> Result<()> {
        for validator in &self.0 {
            validator.validate(context, specification).await?;
        }
        Ok(())
    }

    async fn allow(&self, context: &ValidationContext<'_>, action: Action) -> Result<()> {
        for validator in &self.0 {
            validator.allow(context, action).await?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;

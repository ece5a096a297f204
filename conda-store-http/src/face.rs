//! What every handler has at hand.

use std::sync::Arc;

use axum::extract::FromRef;
use conda_store_core::{
    CondaStore, Error, Result,
    auth::{Authenticator, Authorizer},
    model::NamespaceName,
    settings::SettingPlace,
};

use crate::{HttpOptions, vitals::Vitals};

/// The composed service as its handlers see it. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Face(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    vitals: Vitals,
    authenticator: Arc<dyn Authenticator>,
    authorizer: Arc<dyn Authorizer>,
    options: HttpOptions,
    prefix: String,
}

impl Face {
    /// The face of `store`.
    ///
    /// # Errors
    /// [`Invalid`](conda_store_core::ErrorKind::Invalid) where the service cannot tell who asks or what they may do, or
    /// an option is wrong.
    pub(crate) fn new(store: CondaStore, options: HttpOptions) -> Result<Self> {
        let missing =
            |part| Error::invalid("compose routes", format!("the service has no {part}: give the builder one"));
        let authenticator = Arc::clone(store.authenticator().ok_or_else(|| missing("authenticator"))?);
        let authorizer = Arc::clone(store.authorizer().ok_or_else(|| missing("authorizer"))?);
        let prefix = options.prefix()?.to_owned();
        if options.max_page_size == 0 {
            return Err(Error::invalid("compose routes", "max_page_size is 0, a page has at least 1 item"));
        }
        let vitals = Vitals::new(store, options.registry.clone())?;
        Ok(Self(Arc::new(Inner { vitals, authenticator, authorizer, options, prefix })))
    }

    /// The service.
    pub(crate) fn store(&self) -> &CondaStore {
        self.0.vitals.store()
    }

    /// Who recognises callers.
    pub(crate) fn authenticator(&self) -> &dyn Authenticator {
        &*self.0.authenticator
    }

    /// Who decides what they may do.
    pub(crate) fn authorizer(&self) -> &dyn Authorizer {
        &*self.0.authorizer
    }

    /// What was set.
    pub(crate) fn options(&self) -> &HttpOptions {
        &self.0.options
    }

    /// What a look at the process needs.
    pub(crate) fn vitals(&self) -> &Vitals {
        &self.0.vitals
    }

    /// The path that everything lies below: empty, or one that begins with a slash and ends without.
    pub(crate) fn prefix(&self) -> &str {
        &self.0.prefix
    }

    /// The namespace of whoever has none.
    pub(crate) async fn default_namespace(&self) -> Result<NamespaceName> {
        Ok(self.store().settings_at(SettingPlace::Global).await?.default_namespace)
    }
}

impl FromRef<Face> for Vitals {
    fn from_ref(face: &Face) -> Self {
        face.vitals().clone()
    }
}

//! What a look at the process needs, whether it serves the API or not.

use std::sync::Arc;

use axum::{Router, routing::get};
use conda_store_core::{CondaStore, Result};
use prometheus::Registry;

use crate::{HttpOptions, error, layers, metrics::Metrics, routes};

/// The service, and what is measured of it. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Vitals {
    store: CondaStore,
    metrics: Arc<Metrics>,
}

impl Vitals {
    /// Those of `store`, measured in `registry`.
    ///
    /// # Errors
    /// [`Conflict`](conda_store_core::ErrorKind::Conflict) where `registry` measures a service already.
    pub(crate) fn new(store: CondaStore, registry: Registry) -> Result<Self> {
        Ok(Self { store, metrics: Arc::new(Metrics::new(registry)?) })
    }

    /// The service.
    pub(crate) fn store(&self) -> &CondaStore {
        &self.store
    }

    /// What is measured.
    pub(crate) fn metrics(&self) -> &Metrics {
        &self.metrics
    }
}

/// What a process shows of itself that has no API, such as a worker: `/metrics`, with what `registry` has, `/health/live` and
/// `/health/ready`. Needs neither an authenticator nor an authorizer; whoever reaches the port can read it.
///
/// # Errors
/// [`Conflict`](conda_store_core::ErrorKind::Conflict) where `registry` measures a service already.
pub fn monitoring(store: CondaStore, registry: Registry) -> Result<Router> {
    let routes = Router::new()
        .route("/metrics", get(routes::metrics::handle))
        .route("/health/live", get(routes::health::live))
        .route("/health/ready", get(routes::health::ready))
        .with_state(Vitals::new(store, registry)?);
    let answering = routes.fallback(error::no_such_path).method_not_allowed_fallback(error::no_such_method);
    layers::around(answering, &HttpOptions::default())
}

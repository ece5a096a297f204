//! For the tests of implementations, ours and an integrator's: conformance suites and stand-ins. Not a stable interface.

mod clock;
mod proxy;
pub mod queue;
mod service;
pub mod storage;

pub use self::{clock::ManualClock, proxy::Proxy, service::service};

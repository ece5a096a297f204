//! Job queues of conda-store and the worker that empties them.
//!
//! - [`MemoryQueue`]: for one process and for tests; gone with the process.
//! - [`SqlQueue`]: in the catalogue's database, `SQLite` or PostgreSQL; outlives processes and is shared by them.
//!
//! All pass the conformance suite of [`conda_store_core::queue::Queue`]. A [`Worker`] leases jobs from any queue and
//! runs them through a [`JobHandler`](conda_store_core::job::JobHandler).

mod course;
mod memory;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
mod sql;
mod worker;

#[cfg(any(feature = "sqlite", feature = "postgres"))]
pub use self::sql::SqlQueue;
pub use self::{
    memory::MemoryQueue,
    worker::{Worker, WorkerBuilder},
};

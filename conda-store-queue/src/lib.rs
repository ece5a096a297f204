//! Job queues of conda-store and the worker that empties them.
//!
//! - [`MemoryQueue`]: for one process and for tests; gone with the process.
//! - [`SqlQueue`]: in the catalogue's database, `SQLite` or PostgreSQL; outlives processes and is shared by them.
//! - [`RedisQueue`]: in a Redis service; shared by processes, and outlives them as far as the service keeps its data.
//!
//! All pass the conformance suite of [`conda_store_core::queue::Queue`]. A [`Worker`] leases jobs from any queue and
//! runs them through a [`JobHandler`](conda_store_core::job::JobHandler).

mod course;
mod memory;
#[cfg(any(feature = "redis", feature = "sqlite", feature = "postgres"))]
mod news;
#[cfg(all(test, any(feature = "redis", feature = "postgres")))]
mod proxy;
#[cfg(feature = "redis")]
mod redis;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
mod sql;
mod worker;

#[cfg(feature = "redis")]
pub use self::redis::RedisQueue;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
pub use self::sql::SqlQueue;
pub use self::{
    memory::MemoryQueue,
    worker::{Worker, WorkerBuilder},
};

//! Job queues of conda-store and the worker that empties them.
//!
//! - [`MemoryQueue`]: for one process and for tests; gone with the process.
//! - [`SqlQueue`]: in the catalogue's database, `SQLite` or PostgreSQL; outlives processes and is shared by them.
//!   With `SqlQueue::announced_by` RabbitMQ tells its workers of new jobs.
//! - [`RedisQueue`]: in a Redis service; shared by processes, and outlives them as far as the service keeps its data.
//!
//! All pass the conformance suite of [`conda_store_core::queue::Queue`]. A [`Worker`] leases jobs from any queue and
//! runs them through a [`JobHandler`](conda_store_core::job::JobHandler).

#[cfg(all(feature = "amqp", not(any(feature = "sqlite", feature = "postgres"))))]
compile_error!(
    "the feature `amqp` needs `sqlite` or `postgres`: RabbitMQ carries messages, the jobs are in a database"
);

#[cfg(all(test, any(feature = "amqp", feature = "redis")))]
mod certificates;
mod course;
mod memory;
#[cfg(any(feature = "redis", feature = "sqlite", feature = "postgres"))]
mod news;
#[cfg(all(test, any(feature = "redis", feature = "postgres")))]
mod outage;
#[cfg(feature = "redis")]
mod redis;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
mod sql;
#[cfg(any(feature = "amqp", feature = "redis"))]
mod tls;
mod worker;

#[cfg(feature = "redis")]
pub use self::redis::RedisQueue;
#[cfg(feature = "amqp")]
pub use self::sql::RabbitMq;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
pub use self::sql::SqlQueue;
pub use self::{
    memory::MemoryQueue,
    worker::{Worker, WorkerBuilder},
};

//! A database that goes away and comes back.

use conda_store_core::ErrorKind;

use super::*;

#[cfg(feature = "sqlite")]
#[tokio::test]
async fn a_file_that_another_program_locks_is_unavailable() {
    use sqlx::sqlite::{SqliteConnectOptions, SqlitePool};

    let place = file();
    let Pool::Sqlite(locker) = place.queue().await.store.pool else { panic!("not SQLite") };
    let options: SqliteConnectOptions = place.url.parse().unwrap();
    let impatient = SqlitePool::connect_with(options.busy_timeout(Duration::from_millis(50))).await.unwrap();
    let queue = SqlQueue::new(Database::Sqlite(impatient), system_clock()).unwrap();

    let lock = locker.begin_with("begin immediate").await.unwrap();
    assert_eq!(queue.enqueue(job("job")).await.unwrap_err().kind(), ErrorKind::Unavailable);
    lock.rollback().await.unwrap();
    assert_eq!(queue.enqueue(job("job")).await.unwrap(), Enqueued::New);
}

#[cfg(feature = "postgres")]
#[tokio::test]
async fn a_server_that_goes_away_is_unavailable_until_it_is_back() {
    use sqlx::postgres::{PgConnectOptions, PgPoolOptions};

    let Some(place) = schema().await else { return };
    place.queue().await;
    let options: PgConnectOptions = place.url.parse().unwrap();
    let mut proxy = crate::proxy::Proxy::to(options.get_host(), options.get_port()).await;
    let options = options.host("127.0.0.1").port(proxy.port());
    let pool = PgPoolOptions::new().acquire_timeout(Duration::from_millis(500)).connect_with(options).await.unwrap();
    let queue = SqlQueue::new(Database::Postgres(pool), system_clock()).unwrap();
    queue.enqueue(job("held")).await.unwrap();
    let held = queue.lease("worker", LEASE).await.unwrap().unwrap();
    sharing::until_told(&queue).await;

    proxy.down().await;
    let kinds = [
        queue.enqueue(job("job")).await.unwrap_err().kind(),
        queue.lease("worker", LEASE).await.unwrap_err().kind(),
        queue.heartbeat(&held, LEASE).await.unwrap_err().kind(),
        queue.ack(&held).await.unwrap_err().kind(),
        queue.cancel(&held.name).await.unwrap_err().kind(),
        queue.depth().await.unwrap_err().kind(),
    ];
    assert_eq!(kinds, [ErrorKind::Unavailable; 6]);
    let waited = tokio::time::timeout(LEASE, queue.ready(Duration::from_millis(10))).await;
    waited.expect("the wait ends at its limit");

    proxy.up().await;
    assert_eq!(queue.heartbeat(&held, LEASE).await.unwrap(), Heartbeat::Held);
    assert_eq!(queue.enqueue(job("job")).await.unwrap(), Enqueued::New);
    queue.ack(&held).await.unwrap();
    sharing::until_told(&queue).await;
}

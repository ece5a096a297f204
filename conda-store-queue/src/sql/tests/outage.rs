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
    let mut proxy = conda_store_core::testing::Proxy::to(options.get_host(), options.get_port()).await;
    let options = options.host("127.0.0.1").port(proxy.port());
    let pool = PgPoolOptions::new().acquire_timeout(Duration::from_millis(500)).connect_with(options).await.unwrap();
    let queue = SqlQueue::new(Database::Postgres(pool), system_clock()).unwrap();
    sharing::until_told(&queue).await;

    crate::outage::take_away_and_give_back(&queue, &mut proxy).await;
    sharing::until_told(&queue).await;
}

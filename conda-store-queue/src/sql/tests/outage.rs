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
    let mut proxy = proxy::Proxy::to(options.get_host(), options.get_port()).await;
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

#[cfg(feature = "postgres")]
mod proxy {
    use tokio::{
        io::copy_bidirectional,
        net::{TcpListener, TcpStream},
        task::JoinHandle,
    };

    /// Stands between a queue and its server, and can be taken away.
    pub(super) struct Proxy {
        server: (String, u16),
        port: u16,
        task: JoinHandle<()>,
    }

    impl Proxy {
        pub(super) async fn to(host: &str, port: u16) -> Self {
            let server = (host.to_owned(), port);
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let port = listener.local_addr().unwrap().port();
            Self { task: tokio::spawn(forward(listener, server.clone())), server, port }
        }

        pub(super) fn port(&self) -> u16 {
            self.port
        }

        /// Ends all connections and refuses new ones.
        pub(super) async fn down(&mut self) {
            self.task.abort();
            (&mut self.task).await.unwrap_err();
        }

        pub(super) async fn up(&mut self) {
            let listener = TcpListener::bind(("127.0.0.1", self.port)).await.unwrap();
            self.task = tokio::spawn(forward(listener, self.server.clone()));
        }
    }

    async fn forward(listener: TcpListener, server: (String, u16)) {
        // Dropped together with this task, and the connections with it.
        let mut connections = tokio::task::JoinSet::new();
        loop {
            let (mut client, _address) = listener.accept().await.unwrap();
            let mut upstream = TcpStream::connect(&server).await.unwrap();
            connections.spawn(async move { copy_bidirectional(&mut client, &mut upstream).await.is_ok() });
        }
    }
}

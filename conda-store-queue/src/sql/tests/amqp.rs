//! RabbitMQ as the messenger: the suite on it, and what only a broker can do.

use conda_store_core::{ErrorKind, testing::Proxy};
use lapin::{Connection, ConnectionProperties, options::QueueDeleteOptions};

use super::*;
use crate::RabbitMq;

/// A queue of a test's own in the broker, gone when the test is over, over a database of its own.
struct Broker<G> {
    url: String,
    name: String,
    place: Place<G>,
}

impl<G> Broker<G> {
    fn new(place: Place<G>) -> Option<Self> {
        Some(Self { url: service("amqp")?, name: format!("test-{}", Uuid::new_v4().simple()), place })
    }

    async fn messenger(&self) -> RabbitMq {
        RabbitMq::connect(&self.url, &self.name).await.unwrap()
    }

    async fn queue(&self) -> SqlQueue {
        self.place.queue().await.announced_by(self.messenger().await)
    }
}

impl<G> Drop for Broker<G> {
    fn drop(&mut self) {
        let (url, name) = (self.url.clone(), self.name.as_str().into());
        let delete = async move {
            let connection = Connection::connect(&url, ConnectionProperties::default()).await.unwrap();
            let channel = connection.create_channel().await.unwrap();
            channel.queue_delete(name, QueueDeleteOptions::default()).await.unwrap();
            connection.close(200, "OK".into()).await.unwrap();
        };
        let run = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(delete);
        // A destructor cannot await, and the test's own runtime may be about to end.
        std::thread::scope(|scope| {
            scope.spawn(run);
        });
    }
}

async fn fixture() -> Fixture<Broker<tempfile::TempDir>> {
    let broker = Broker::new(file())?;
    let clock = Arc::new(ManualClock::new());
    let queue = SqlQueue::migrated(broker.place.connect().await, Arc::<ManualClock>::clone(&clock)).await.unwrap();
    Some((Arc::new(queue.announced_by(broker.messenger().await)), clock, broker))
}

conda_store_core::queue_suite!(fixture);

#[tokio::test(flavor = "multi_thread")]
async fn a_job_of_another_process_is_announced() {
    let Some(broker) = Broker::new(file()) else { return };
    let (worker, source) = (broker.queue().await, broker.queue().await);
    sharing::until_told(&worker).await;
    assert_eq!(worker.wakeup.news.patience(), Duration::from_secs(1), "it does not find jobs by looking");
    let soonest = sharing::soonest(&worker, &source).await;
    assert!(soonest < Duration::from_millis(50), "{soonest:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn processes_share_jobs() {
    let Some(broker) = Broker::new(file()) else { return };
    sharing::share(async || broker.queue().await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_goes_away_holds_up_no_job() {
    let Some(broker) = Broker::new(file()) else { return };
    let uri: lapin::uri::AMQPUri = broker.url.parse().unwrap();
    let mut proxy = Proxy::to(&uri.authority.host, uri.authority.port).await;
    let user = &uri.authority.userinfo;
    let url = format!("amqp://{}:{}@127.0.0.1:{}/%2f", user.username, user.password, proxy.port());
    let through_proxy = async || {
        let messenger = RabbitMq::connect(&url, &broker.name).await.unwrap();
        broker.place.queue().await.announced_by(messenger)
    };
    let (worker, source) = (through_proxy().await, through_proxy().await);
    sharing::until_told(&worker).await;

    proxy.down().await;
    let soonest = sharing::soonest(&worker, &source).await;
    assert!(soonest < Duration::from_secs(1), "{soonest:?}");

    proxy.up().await;
    sharing::until_told(&worker).await;
    let soonest = sharing::soonest(&worker, &source).await;
    assert!(soonest < Duration::from_millis(50), "{soonest:?}");
}

#[tokio::test]
async fn what_is_wrong_with_a_url_is_named_without_its_password() {
    for url in ["http://u:hunter2@localhost", "amqp://u:hunter2@localhost:port", "nothing:hunter2"] {
        let error = RabbitMq::connect(url, "test").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid, "{error}");
        assert!(error.to_string().contains("amqp://USER") && !error.report().contains("hunter2"), "{}", error.report());
    }
    let error = RabbitMq::connect("amqp://guest:hunter2@127.0.0.1:1", "test").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{}", error.report());
    let error = RabbitMq::connect("amqp://guest:hunter2@[::1]:1", "test").await.unwrap_err();
    assert!(error.to_string().contains("rabbitmq: [::1]:1/"), "an IPv6 address is that host, not another one: {error}");
    let Some(url) = service("amqp") else { return };
    let uri: lapin::uri::AMQPUri = url.parse().unwrap();
    let address = format!("{}:{}", uri.authority.host, uri.authority.port);
    for refused in
        [format!("amqp://nobody:hunter2@{address}/%2f"), format!("{}/no-such-host", url.trim_end_matches('/'))]
    {
        let error = RabbitMq::connect(&refused, "test").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid, "{}", error.report());
        assert!(!error.report().contains("hunter2"), "{}", error.report());
    }
}

#[tokio::test]
async fn a_service_without_tls_is_not_spoken_to_in_plain() {
    let Some(url) = service("amqp") else { return };
    let error = RabbitMq::connect(&url.replace("amqp://", "amqps://"), "test").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{}", error.report());
}

//! For tests: what every queue does whose service goes away and comes back.
#![expect(clippy::unwrap_used, reason = "a test fails where its preparation does")]

use std::time::Duration;

use conda_store_core::{
    ErrorKind,
    queue::{Enqueued, Heartbeat, JobName, NewJob, Priority, Queue, RetryPolicy},
    testing::Proxy,
};

const LEASE: Duration = Duration::from_secs(30);

/// Takes the service of `queue` away and gives it back: meanwhile everything is [`ErrorKind::Unavailable`], afterwards all
/// is as before.
pub(crate) async fn take_away_and_give_back(queue: &dyn Queue, proxy: &mut Proxy) {
    queue.enqueue(job("held")).await.unwrap();
    let held = queue.lease("worker", LEASE).await.unwrap().unwrap();

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
}

fn job(name: &str) -> NewJob {
    NewJob {
        name: JobName(name.into()),
        payload: serde_json::Value::Null,
        priority: Priority::FOLLOW_UP,
        group: None,
        delay: Duration::ZERO,
        retry: RetryPolicy::default(),
        every: None,
    }
}

//! A service that goes away, comes back, or forgets.

use super::*;
use crate::proxy::Proxy;

#[tokio::test]
async fn a_service_that_goes_away_is_unavailable_until_it_is_back() {
    let Some(place) = Place::new() else { return };
    let parsed = url::Url::parse(&place.url).unwrap();
    let mut proxy = Proxy::to(parsed.host_str().unwrap(), parsed.port().unwrap_or(6379)).await;
    let url = format!("redis://127.0.0.1:{}{}", proxy.port(), parsed.path());
    let queue = RedisQueue::connect(&url, &place.prefix, Arc::new(SystemClock)).await.unwrap();
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

#[tokio::test]
async fn a_connection_that_was_cut_while_idle_fails_nothing() {
    let Some(place) = Place::new() else { return };
    let parsed = url::Url::parse(&place.url).unwrap();
    let mut proxy = Proxy::to(parsed.host_str().unwrap(), parsed.port().unwrap_or(6379)).await;
    let url = format!("redis://127.0.0.1:{}{}", proxy.port(), parsed.path());
    let queue = RedisQueue::connect(&url, &place.prefix, Arc::new(SystemClock)).await.unwrap();
    proxy.down().await;
    proxy.up().await;
    assert_eq!(queue.enqueue(job("job")).await.unwrap(), Enqueued::New);
}

#[tokio::test]
async fn a_service_that_forgot_everything_takes_jobs_anew() {
    let Some(place) = Place::new() else { return };
    let queue = place.queue().await;
    for name in ["held", "waiting"] {
        queue.enqueue(job(name)).await.unwrap();
    }
    let held = queue.lease("worker", LEASE).await.unwrap().unwrap();
    place.flush();
    assert_eq!(queue.ack(&held).await.unwrap_err().kind(), ErrorKind::Stale);
    assert_eq!(queue.lease("worker", LEASE).await.unwrap(), None);
    assert_eq!(queue.enqueue(job("held")).await.unwrap(), Enqueued::New);
    assert_eq!(queue.lease("worker", LEASE).await.unwrap().unwrap().attempt, 1);
}

//! A service that goes away, comes back, or forgets.

use conda_store_core::testing::Proxy;

use super::*;
use crate::outage::take_away_and_give_back;

#[tokio::test]
async fn a_service_that_goes_away_is_unavailable_until_it_is_back() {
    let Some(place) = Place::new() else { return };
    let parsed = url::Url::parse(&place.url).unwrap();
    let mut proxy = Proxy::to(parsed.host_str().unwrap(), parsed.port().unwrap_or(6379)).await;
    let url = format!("redis://127.0.0.1:{}{}", proxy.port(), parsed.path());
    let queue = RedisQueue::connect(&url, &place.prefix, Arc::new(SystemClock)).await.unwrap();
    sharing::until_told(&queue).await;

    take_away_and_give_back(&queue, &mut proxy).await;
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

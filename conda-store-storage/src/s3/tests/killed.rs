//! A process that is killed in the middle of an upload.

use std::process::{Child, Command, Stdio};

use conda_store_core::storage::StorageExt;
use futures::future;

use super::{
    real::{self, config_of},
    *,
};

/// Leads the process that is to be killed to its bucket.
const VICTIM: &str = "CONDA_STORE_TEST_VICTIM_OF";

/// The keys of what it puts: one of our artifacts, and something of others.
const OURS: &str = "archive/large";
const OTHERS: &str = "others/large";

/// What that process does: it puts without an end.
#[tokio::test]
async fn victim() {
    let Some(place) = std::env::var_os(VICTIM) else { return };
    let storage = open(config_of(&place.to_str().unwrap().parse().unwrap())).await;
    let endless =
        || Body::Stream(stream::iter(0..20).map(|index| Ok(mebibyte(index))).chain(stream::pending()).boxed());
    let (ours, others) = (key(OURS), key(OTHERS));
    future::join(storage.put(&ours, endless()), storage.put(&others, endless())).await.0.unwrap();
}

/// A process that puts into the bucket at `place`.
fn victim_of(place: &str) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "s3::tests::killed::victim"]).env(VICTIM, place).stdout(Stdio::null());
    command.spawn().unwrap()
}

/// Opens the storage so many hours from now, which removes what is stale then.
async fn sweep(config: S3StorageConfig, hours: u64) {
    let clock = ManualClock::new();
    clock.advance(SystemClock.now().since(clock.now()) + Duration::from_hours(hours));
    S3Storage::open(config, Arc::new(clock)).await.unwrap();
}

#[tokio::test]
async fn what_it_leaves_is_invisible_and_removed_after_a_day() {
    let server = Server::start().await;
    let storage = open(server.config()).await;
    storage.put(&key(OURS), Body::from("old".to_owned())).await.unwrap();
    let mut victim = victim_of(&format!("http://access:secret@{}/conda", server.address));
    let begun = async || {
        let objects = server.objects();
        objects.uploads.len() == 2 && objects.uploads.values().all(|upload| upload.parts.len() == 2)
    };
    until("an upload", begun).await;
    victim.kill().unwrap();
    victim.wait().unwrap();

    assert_eq!(storage.read(&key(OURS), 10).await.unwrap(), "old");
    assert_eq!(storage.keys("").await.unwrap(), [key(OURS)]);
    for (hours, left) in [(23, &[OURS, OTHERS][..]), (25, &[OTHERS])] {
        sweep(server.config(), hours).await;
        let mut keys: Vec<_> = server.objects().uploads.values().map(|upload| upload.key.clone()).collect();
        keys.sort();
        assert_eq!(keys, left, "after {hours} hours");
    }
}

#[tokio::test]
async fn what_it_leaves_in_a_real_service_is_invisible_and_removed_after_a_day() {
    let Some((bucket, place)) = real::bucket().await else { return };
    let storage = open(config_of(&place)).await;
    storage.put(&key(OURS), Body::from("old".to_owned())).await.unwrap();
    let mut victim = victim_of(place.as_str());
    until("an upload", async || bucket.uploads().await.len() == 2).await;
    victim.kill().unwrap();
    victim.wait().unwrap();

    assert_eq!(storage.read(&key(OURS), 10).await.unwrap(), "old");
    assert_eq!(storage.keys("").await.unwrap(), [key(OURS)]);
    for (hours, left) in [(23, &[OURS, OTHERS][..]), (25, &[OTHERS])] {
        sweep(config_of(&place), hours).await;
        assert_eq!(bucket.uploads().await, left, "after {hours} hours");
    }
}

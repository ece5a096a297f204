//! The library in somebody else's program.

use std::time::Duration;

use nix::sys::signal::Signal;

use crate::support::{Site, channel, file_url, specification};

#[tokio::test(flavor = "multi_thread")]
async fn a_program_of_a_few_lines_is_a_whole_service() {
    let Some(channel) = channel() else { return };
    let site = Site::new(None, "").unwrap();
    let (mut program, mut api) = site.embedded().await.unwrap();
    api.login("anybody", "password").await.unwrap();

    let id = api.submit("default", &specification("hello", &file_url(&channel), &["prefix-text"])).await.unwrap();
    api.completed(id, Duration::from_mins(1)).await.unwrap();

    assert!(site.path().join("embedded/state/default/envs/hello/conda-meta/history").try_exists().unwrap());
    program.signal(Signal::SIGINT);
    assert!(program.succeeded(Duration::from_secs(30)).unwrap());
}

//! Package lists over HTTP: their forms, how often they are asked for, mirrors, and what goes wrong.

use std::{
    path::Path,
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use tokio_util::sync::CancellationToken;
use url::Url;

use super::{
    ChannelMirrors, Lists, RattlerSolver, Server, channel_directory, directory_url, request, shown, solve,
    solve::{made_channel, write_list},
};
use crate::{ErrorKind, event::Silent, install::CacheLookups, solver::Solver as _, testing::ManualClock};

const SHARDS: &str = "repodata_shards.msgpack.zst";
const COMPRESSED: &str = "repodata.json.zst";
const SPECS: [&str; 4] = ["python=3.11", "numpy", "pandas", "flask"];

/// Whether a request brought a whole package list.
fn is_download(request: &str) -> bool {
    request.starts_with("GET") && request.contains("repodata") && request.ends_with(" 200")
}

#[tokio::test]
async fn every_form_of_package_list_gives_the_same_lock() {
    let Some(directory) = channel_directory() else { return };
    let local = directory_url(&directory);
    let expected = solve(&Lists::new().solver(), &request(&[&local], &SPECS)).await.unwrap();
    let forms: [(&[&str], &str); 3] =
        [(&[], SHARDS), (&[SHARDS], COMPRESSED), (&[SHARDS, COMPRESSED], "repodata.json")];
    for (hidden, list) in forms {
        let server = Server::start(&directory, hidden).await;
        let lists = Lists::new();
        let request = request(&[&server.url], &SPECS);
        let chosen = solve(&lists.solver(), &request).await.unwrap();
        assert_eq!(shown(&chosen), shown(&expected), "{list}");
        assert!(chosen.iter().all(|record| record.url.as_str().starts_with(server.url.as_str())));
        let mut downloads: Vec<String> = server.requests().into_iter().filter(|request| is_download(request)).collect();
        downloads.sort();
        assert_eq!(downloads, [format!("GET linux-64/{list} 200"), format!("GET noarch/{list} 200")]);

        // A process that starts later has what is on the disk.
        assert_eq!(shown(&solve(&lists.solver(), &request).await.unwrap()), shown(&expected), "{list}");
        let requests = server.requests();
        assert!(!requests.iter().any(|request| is_download(request)), "{list}: {requests:?}");
        assert!(!requests.iter().any(|request| request.contains("shards/")), "{list}: {requests:?}");
    }
}

#[tokio::test]
async fn an_unchanged_channel_is_asked_once_a_while_and_a_changed_one_is_read_again() {
    let directory = made_channel(&[("tool", "1.0")]);
    backdate(directory.path(), 200);
    let server = Server::start(directory.path(), &[]).await;
    let clock = Arc::new(ManualClock::new());
    let lists = Lists { clock: Arc::clone(&clock) as _, ..Lists::new() };
    let (lists, request) = (lists.open(), request(&[&server.url], &["tool"]));
    let solver = RattlerSolver::new(lists.clone());
    assert_eq!(shown(&solve(&solver, &request).await.unwrap()), ["tool 1.0 0"]);
    // That of the platform, and that of all platforms.
    assert_eq!(lists.lookups(), CacheLookups { hits: 0, misses: 2 });
    server.requests();

    solve(&solver, &request).await.unwrap();
    assert_eq!(server.requests(), Vec::<String>::new());
    clock.advance(Duration::from_secs(61));
    solve(&solver, &request).await.unwrap();
    let asked: Vec<String> = server.requests().into_iter().filter(|request| request.contains("noarch")).collect();
    assert_eq!(asked, ["GET noarch/repodata.json 304"]);

    write_list(directory.path(), &[("tool", "2.0")]);
    backdate(directory.path(), 100);
    clock.advance(Duration::from_secs(59));
    assert_eq!(shown(&solve(&solver, &request).await.unwrap()), ["tool 1.0 0"]);
    clock.advance(Duration::from_secs(2));
    assert_eq!(shown(&solve(&solver, &request).await.unwrap()), ["tool 2.0 0"]);
    let CacheLookups { hits, misses } = lists.lookups();
    assert_eq!(hits + misses, 10, "two lists in each of five solves");
    assert!(hits >= 5 && misses >= 3, "{hits} hits, {misses} misses");
}

/// Makes the list `seconds` old: HTTP dates have whole seconds.
fn backdate(directory: &Path, seconds: u64) {
    let list = std::fs::File::options().write(true).open(directory.join("noarch/repodata.json")).unwrap();
    list.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000 - seconds)).unwrap();
}

#[tokio::test]
async fn a_mirror_serves_the_channel_under_its_public_name() {
    let Some(directory) = channel_directory() else { return };
    let server = Server::start(&directory, &[]).await;
    let (local, remote) = (directory_url(&directory), server.url.clone());
    let dead: Url = "http://127.0.0.1:9/nothing/".parse().unwrap();
    let empty = tempfile::tempdir().unwrap();
    let web: Url = "https://conda.example.org/real/".parse().unwrap();
    let file: Url = "file:///srv/no/such/channel/".parse().unwrap();
    let expected = shown(&solve(&Lists::new().solver(), &request(&[&local], &SPECS)).await.unwrap());
    let cases: [(&Url, Vec<Url>); 5] = [
        (&web, vec![remote.clone()]),
        (&web, vec![local.clone()]),
        (&web, vec![dead.clone(), directory_url(empty.path()), remote.clone()]),
        (&file, vec![dead, remote]),
        (&file, vec![local]),
    ];
    for (public, mirrors) in cases {
        let lists = Lists::mirrored(ChannelMirrors::new([(public.clone(), mirrors.clone())]));
        // The second time what was kept on the disk is asked for.
        for _ in 0..2 {
            let chosen = solve(&lists.solver(), &request(&[public], &SPECS)).await.unwrap();
            assert_eq!(shown(&chosen), expected, "{public} {mirrors:?}");
            for record in chosen {
                assert!(record.url.as_str().starts_with(public.as_str()), "{}", record.url);
                assert_eq!(record.channel.as_deref(), Some(public.as_str()));
            }
        }
    }
}

#[tokio::test]
async fn credentials_in_the_address_of_a_channel_stay_out_of_the_lock() {
    let directory = made_channel(&[("tool", "1.0")]);
    let server = Server::start(directory.path(), &[]).await;
    let mut channel = server.url.clone();
    channel.set_username("user").unwrap();
    channel.set_password(Some("hunter2")).unwrap();
    let chosen = solve(&Lists::new().solver(), &request(&[&channel], &["tool"])).await.unwrap();
    assert_eq!(chosen[0].url, server.url.join("noarch/tool-1.0-0.conda").unwrap());
    assert_eq!(chosen[0].channel.as_deref(), Some(server.url.as_str()));
    let error = solve(&Lists::new().solver(), &request(&[&channel], &["tol"])).await.unwrap_err();
    assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
    assert!(error.message().contains("similar names are tool"), "{error}");
}

#[tokio::test]
async fn what_is_wrong_with_a_channel_is_told_with_its_address() {
    let directory = made_channel(&[("tool", "1.0")]);
    let server = Server::start(directory.path(), &[]).await;
    let nowhere = server.url.join("nowhere/").unwrap();
    let error = solve(&Lists::new().solver(), &request(&[&server.url, &nowhere], &["tool"])).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound, "{error:?}");
    assert!(error.to_string().contains(nowhere.as_str()), "{error}");

    let dead: Url = "http://127.0.0.1:9/channel/".parse().unwrap();
    let error = solve(&Lists::new().solver(), &request(&[&dead], &["tool"])).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
    assert!(error.to_string().contains(dead.as_str()), "{error}");

    for file in ["repodata.json", COMPRESSED, SHARDS] {
        std::fs::write(directory.path().join("noarch").join(file), "{\"packages\": {\"tool").unwrap();
        let error = solve(&Lists::new().solver(), &request(&[&server.url], &["tool"])).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{file}: {error:?}");
        assert!(error.to_string().contains(server.url.join("noarch").unwrap().as_str()), "{file}: {error}");
    }
}

#[tokio::test]
async fn fetching_ends_with_cancellation_and_with_the_time_limit() {
    let server = Server::hanging().await;
    let solver = Lists::new().solver();
    let mut request = request(&[&server.url], &["tool"]);
    let cancellation = CancellationToken::new();
    let cancel = async {
        while server.requests().is_empty() {
            tokio::task::yield_now().await;
        }
        cancellation.cancel();
        Instant::now()
    };
    let (outcome, canceled) = tokio::join!(solver.solve(&request, &Silent, &cancellation), cancel);
    assert_eq!(outcome.unwrap_err().kind(), ErrorKind::Cancelled);
    assert!(canceled.elapsed() < Duration::from_secs(1));

    request.time_limit = Duration::from_millis(100);
    let started = Instant::now();
    let error = solver.solve(&request, &Silent, &CancellationToken::new()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert!(started.elapsed() < Duration::from_millis(1100), "{:?}", started.elapsed());
}

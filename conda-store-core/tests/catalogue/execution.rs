//! The life of a build: every step it can take, every one it cannot, and who may take it.

use std::{collections::BTreeSet, time::Duration};

use conda_store_core::{
    Error, ErrorKind,
    catalogue::{BuildResult, CancelResult, Claim, PackageQuery},
    clock::Clock,
    event::Phase,
    job::Stop,
    model::{Build, BuildId, BuildStatus},
};

use crate::support::{Fixture, LEASE, both, create, package};

const NOTHING: BuildResult<'_> = BuildResult { size: 1, packages: &[], make_current: true, artifacts: &[] };

async fn build(fixture: &Fixture, id: BuildId) -> Build {
    fixture.catalogue.build(id).await.unwrap().unwrap()
}

async fn claim(fixture: &Fixture, id: BuildId) -> Claim {
    fixture.catalogue.claim_build(id, "other", LEASE).await.unwrap()
}

/// Everything that only the holder may do, as `attempt`.
async fn as_holder(fixture: &Fixture, id: BuildId, attempt: u32) -> Vec<Error> {
    let result = BuildResult { size: 666, packages: &[package("stale", "1")], make_current: true, artifacts: &[] };
    vec![
        fixture.catalogue.complete_build(id, attempt, result).await.unwrap_err(),
        fixture.catalogue.fail_build(id, attempt, "stale").await.unwrap_err(),
        fixture.catalogue.release_build(id, attempt).await.unwrap_err(),
    ]
}

async fn refuses_holder(fixture: &Fixture, id: BuildId, attempt: u32) {
    let before = build(fixture, id).await;
    for error in as_holder(fixture, id, attempt).await {
        assert_eq!(error.kind(), ErrorKind::Stale, "{error}");
    }
    assert_eq!(build(fixture, id).await, before);
    assert_eq!(fixture.catalogue.build_packages(id, &PackageQuery::new(10)).await.unwrap().total, 0);
}

#[tokio::test]
async fn a_build_runs_to_its_end() {
    both(async |fixture| {
        let id = fixture.queue("team/web").await.id;
        fixture.clock.advance(Duration::from_micros(1_000_001));
        let started = fixture.clock.now();
        assert_eq!(claim(fixture, id).await, Claim::Started { attempt: 1, lost: 0 });
        let running = build(fixture, id).await;
        assert_eq!(
            (running.status, running.started_on, running.ended_on),
            (BuildStatus::Building, Some(started), None)
        );

        fixture.clock.advance(Duration::from_secs(30));
        assert_eq!(fixture.catalogue.renew_build(id, 1, LEASE).await.unwrap(), None);
        let packages = [package("a", "1"), package("b", "2")];
        let result = BuildResult { size: 5_000_000_000, packages: &packages, make_current: true, artifacts: &[] };
        assert!(fixture.catalogue.complete_build(id, 1, result).await.unwrap());
        let done = build(fixture, id).await;
        assert_eq!((done.status, done.size), (BuildStatus::Completed, Some(5_000_000_000)));
        assert_eq!((done.started_on, done.ended_on), (Some(started), Some(fixture.clock.now())));
        assert_eq!(claim(fixture, id).await, Claim::Over(BuildStatus::Completed));
        refuses_cancel(fixture, id).await;
        assert_eq!(fixture.catalogue.renew_build(id, 1, LEASE).await.unwrap(), Some(Stop::Stale));
        for error in as_holder(fixture, id, 1).await {
            assert_eq!(error.kind(), ErrorKind::Stale);
        }
        assert_eq!(build(fixture, id).await, done);
        assert_eq!(fixture.catalogue.build_packages(id, &PackageQuery::new(10)).await.unwrap().total, 2);
    })
    .await;
}

async fn refuses_cancel(fixture: &Fixture, id: BuildId) {
    let before = build(fixture, id).await;
    let error = fixture.catalogue.cancel_build(id).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
    assert!(error.to_string().contains(before.status.as_str()), "{error}");
    assert_eq!(build(fixture, id).await, before);
}

#[tokio::test]
async fn a_failed_build_says_why_and_stays_failed() {
    both(async |fixture| {
        let (id, attempt) = fixture.start("team/web").await;
        fixture.catalogue.fail_build(id, attempt, "no package is named nunpy").await.unwrap();
        let failed = build(fixture, id).await;
        assert_eq!((failed.status, failed.ended_on), (BuildStatus::Failed, Some(fixture.clock.now())));
        assert_eq!(failed.status_info.as_deref(), Some("no package is named nunpy"));
        assert_eq!(claim(fixture, id).await, Claim::Over(BuildStatus::Failed));
        refuses_cancel(fixture, id).await;
        refuses_holder(fixture, id, attempt).await;
    })
    .await;
}

#[tokio::test]
async fn a_queued_build_is_canceled_at_once() {
    both(async |fixture| {
        let id = fixture.queue("team/web").await.id;
        assert_eq!(fixture.catalogue.cancel_build(id).await.unwrap(), CancelResult::WasQueued);
        let canceled = build(fixture, id).await;
        assert_eq!((canceled.status, canceled.started_on), (BuildStatus::Canceled, None));
        assert_eq!(canceled.ended_on, Some(fixture.clock.now()));
        assert_eq!(claim(fixture, id).await, Claim::Over(BuildStatus::Canceled));
        refuses_cancel(fixture, id).await;
        let error = fixture.catalogue.cancel_build(BuildId(99)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
    })
    .await;
}

#[tokio::test]
async fn the_worker_of_a_canceled_build_is_told_and_can_write_no_more() {
    both(async |fixture| {
        let (id, attempt) = fixture.start("team/web").await;
        assert_eq!(fixture.catalogue.cancel_build(id).await.unwrap(), CancelResult::WasBuilding);
        assert_eq!(build(fixture, id).await.status, BuildStatus::Canceled);
        assert_eq!(fixture.catalogue.renew_build(id, attempt, LEASE).await.unwrap(), Some(Stop::Canceled));
        assert_eq!(fixture.catalogue.renew_build(id, attempt + 1, LEASE).await.unwrap(), Some(Stop::Stale));
        refuses_holder(fixture, id, attempt).await;
    })
    .await;
}

#[tokio::test]
async fn a_live_lease_keeps_others_away() {
    both(async |fixture| {
        let (id, attempt) = fixture.start("team/web").await;
        let until = fixture.clock.now().after(LEASE);
        assert_eq!(claim(fixture, id).await, Claim::Busy { until });
        let nearly = Duration::from_micros(59_999_999);
        fixture.clock.advance(nearly);
        assert_eq!(claim(fixture, id).await, Claim::Busy { until });
        assert_eq!(fixture.catalogue.renew_build(id, attempt, LEASE).await.unwrap(), None);
        fixture.clock.advance(Duration::from_secs(2));
        let until = until.after(nearly);
        assert_eq!(claim(fixture, id).await, Claim::Busy { until });
        assert_eq!(claim(fixture, BuildId(99)).await, Claim::Missing);
        assert_eq!(fixture.catalogue.renew_build(BuildId(99), 1, LEASE).await.unwrap(), Some(Stop::Stale));
    })
    .await;
}

#[tokio::test]
async fn an_expired_lease_goes_to_another_and_shuts_the_first_out() {
    both(async |fixture| {
        let (id, _) = fixture.start("team/web").await;
        let started_on = build(fixture, id).await.started_on;
        for lost in 1..=3 {
            fixture.clock.advance(LEASE);
            assert_eq!(claim(fixture, id).await, Claim::Started { attempt: lost + 1, lost });
        }
        assert_eq!(build(fixture, id).await.started_on, started_on);
        for attempt in [0, 1, 3, 5] {
            assert_eq!(fixture.catalogue.renew_build(id, attempt, LEASE).await.unwrap(), Some(Stop::Stale));
            refuses_holder(fixture, id, attempt).await;
        }
        fixture.catalogue.complete_build(id, 4, NOTHING).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_holder_that_nobody_replaced_may_renew_late() {
    both(async |fixture| {
        let (id, attempt) = fixture.start("team/web").await;
        fixture.clock.advance(LEASE * 2);
        assert_eq!(fixture.catalogue.renew_build(id, attempt, LEASE).await.unwrap(), None);
        let until = fixture.clock.now().after(LEASE);
        assert_eq!(claim(fixture, id).await, Claim::Busy { until });
    })
    .await;
}

#[tokio::test]
async fn a_released_build_is_queued_and_nobody_was_lost() {
    both(async |fixture| {
        let (id, attempt) = fixture.start("team/web").await;
        fixture.catalogue.release_build(id, attempt).await.unwrap();
        assert_eq!(build(fixture, id).await.status, BuildStatus::Queued);
        assert_eq!(fixture.catalogue.renew_build(id, attempt, LEASE).await.unwrap(), Some(Stop::Stale));
        refuses_holder(fixture, id, attempt).await;
        fixture.clock.advance(LEASE * 2);
        assert_eq!(claim(fixture, id).await, Claim::Started { attempt: 2, lost: 0 });
    })
    .await;
}

#[tokio::test]
async fn a_queued_build_has_no_holder() {
    both(async |fixture| {
        let id = fixture.queue("team/web").await.id;
        refuses_holder(fixture, id, 0).await;
        assert_eq!(fixture.catalogue.renew_build(id, 0, LEASE).await.unwrap(), Some(Stop::Stale));
        refuses_missing(fixture).await;
    })
    .await;
}

async fn refuses_missing(fixture: &Fixture) {
    for error in as_holder(fixture, BuildId(99), 1).await {
        assert_eq!(error.kind(), ErrorKind::Stale);
    }
}

#[tokio::test]
async fn a_newer_current_build_is_not_replaced_by_an_older_one() {
    both(async |fixture| {
        let (old, old_attempt) = fixture.start("team/web").await;
        let (new, new_attempt) = fixture.start("team/web").await;
        assert!(fixture.catalogue.complete_build(new, new_attempt, NOTHING).await.unwrap());
        assert!(!fixture.catalogue.complete_build(old, old_attempt, NOTHING).await.unwrap());

        let (aside, attempt) = fixture.start("team/web").await;
        let result = BuildResult { make_current: false, ..NOTHING };
        assert!(!fixture.catalogue.complete_build(aside, attempt, result).await.unwrap());
        let current = fixture.texts("select cast(current_build_id as text) from environment").await;
        assert_eq!(current, [new.to_string()]);

        let (late, attempt) = fixture.start("team/web").await;
        fixture.execute("update environment set deleted_on = '2024-01-01 00:00:00'").await;
        assert!(!fixture.catalogue.complete_build(late, attempt, NOTHING).await.unwrap());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_workers_that_claim_at_once_one_wins() {
    both(async |fixture| {
        for _ in 0..5 {
            let id = fixture.queue("team/web").await.id;
            let all = (0..6).map(|number| {
                let catalogue = fixture.catalogue.clone();
                tokio::spawn(
                    async move { catalogue.claim_build(id, &format!("worker-{number}"), LEASE).await.unwrap() },
                )
            });
            let claims: Vec<Claim> = futures::future::join_all(all).await.into_iter().map(Result::unwrap).collect();
            let won = claims.iter().filter(|claim| **claim == Claim::Started { attempt: 1, lost: 0 }).count();
            let busy = claims.iter().filter(|claim| matches!(claim, Claim::Busy { .. })).count();
            assert_eq!((won, busy), (1, 5), "{claims:?}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn builds_that_bring_the_same_packages_complete_at_once() {
    both(async |fixture| {
        let mut started = Vec::new();
        for number in 0..6 {
            started.push((fixture.start(&format!("team/web-{number}")).await, number));
        }
        let all = started.into_iter().map(|((id, attempt), number)| {
            let catalogue = fixture.catalogue.clone();
            let mut packages: Vec<_> = (0..700).map(|index| package(&format!("p{index}"), "1.0")).collect();
            // Each comes in another order.
            packages.rotate_left(number * 100);
            if number % 2 == 1 {
                packages.reverse();
            }
            tokio::spawn(async move {
                let result = BuildResult { size: 1, packages: &packages, make_current: true, artifacts: &[] };
                catalogue.complete_build(id, attempt, result).await.unwrap();
                catalogue.build_packages(id, &PackageQuery::new(1)).await.unwrap().total
            })
        });
        for total in futures::future::join_all(all).await {
            assert_eq!(total.unwrap(), 700);
        }
        let rows = fixture.texts("select name from conda_package").await;
        assert_eq!((rows.len(), rows.iter().collect::<BTreeSet<_>>().len()), (700, 700));
        assert_eq!(fixture.texts("select build from conda_package_build").await.len(), 700);
    })
    .await;
}

#[tokio::test]
async fn a_package_is_written_down_whole_and_without_secrets() {
    both(async |fixture| {
        fixture.complete("team/web", &[package("a", "1!2.0_rc1"), package("a", "1!2.0_rc1")]).await;
        fixture.complete("team/web", &[package("a", "1!2.0_rc1")]).await;
        let channels = fixture.catalogue.channels().await.unwrap();
        let names: Vec<&str> = channels.iter().map(|channel| channel.name.as_str()).collect();
        assert_eq!(names, ["https://example.org/forge"]);
        let found = fixture.catalogue.build_packages(BuildId(2), &PackageQuery::new(10)).await.unwrap();
        assert_eq!(found.total, 1);
        let found = &found.items[0];
        assert_eq!((found.name.as_str(), found.version.as_str(), found.build.as_str()), ("a", "1!2.0_rc1", "h0_1"));
        assert_eq!((found.license.as_deref(), &found.channel), (Some("MIT"), &channels[0]));
        let rest = fixture
            .texts(
                "select p.license_family || '|' || b.depends || '|' || b.constrains || '|' || b.md5 || '|' || b.size \
                 || '|' || b.subdir || '|' || b.timestamp || '|' || b.build_number \
                 from conda_package_build b join conda_package p on p.id = b.package_id",
            )
            .await;
        let family = &"MIT".repeat(40)[..64];
        let md5 = "d41d8cd98f00b204e9800998ecf8427e";
        assert_eq!(rest, [format!("{family}|[\"python >=3.10\"]|[]|{md5}|7|linux-64|1713204800955|1")]);
    })
    .await;
}

#[tokio::test]
async fn unfinished_builds_are_found_a_piece_at_a_time() {
    both(async |fixture| {
        let waiting = fixture.queue("team/web").await.id;
        let (lost, _) = fixture.start("team/web").await;
        let done = fixture.complete("team/web", &[]).await;
        let canceled = fixture.queue("team/web").await.id;
        fixture.catalogue.cancel_build(canceled).await.unwrap();
        fixture.clock.advance(LEASE);
        let (running, _) = fixture.start("team/web").await;
        let fresh = fixture.queue("team/web").await.id;

        let minute = Duration::from_mins(1);
        let find = async |older, after, limit| fixture.catalogue.unfinished_builds(older, after, limit).await.unwrap();
        assert_eq!(find(minute, None, 10).await, [waiting, lost]);
        assert_eq!(find(Duration::ZERO, None, 10).await, [waiting, lost, fresh]);
        assert_eq!(find(minute, None, 1).await, [waiting]);
        assert_eq!(find(minute, Some(waiting), 10).await, [lost]);
        fixture.clock.advance(LEASE);
        let found = find(minute, None, 10).await;
        assert_eq!(found, [waiting, lost, running, fresh]);
        assert!(!found.contains(&done));
    })
    .await;
}

#[tokio::test]
async fn phases_are_kept_for_each_attempt() {
    both(async |fixture| {
        let (id, _) = fixture.start("team/web").await;
        let second = Duration::from_millis(1_500);
        fixture.catalogue.record_phases(id, 1, &[(Phase::Solve, second)]).await.unwrap();
        fixture.clock.advance(LEASE);
        fixture.claim(id).await;
        let error = fixture.catalogue.record_phases(id, 1, &[(Phase::Solve, second * 9)]).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Stale);
        fixture.catalogue.complete_build(id, 2, NOTHING).await.unwrap();
        for factor in [1, 2] {
            let phases = [(Phase::Artifact, second), (Phase::Link, second * factor)];
            fixture.catalogue.record_phases(id, 2, &phases).await.unwrap();
        }
        let found = fixture.catalogue.phases(id).await.unwrap();
        let found: Vec<_> = found.iter().map(|time| (time.attempt, time.phase, time.elapsed)).collect();
        assert_eq!(found, [(1, Phase::Solve, second), (2, Phase::Link, second * 2), (2, Phase::Artifact, second)]);
        let error = fixture.catalogue.record_phases(BuildId(99), 1, &[]).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Stale);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_renewal_and_a_takeover_at_once_leave_one_holder() {
    both(async |fixture| {
        for _ in 0..10 {
            let build = create(&fixture.catalogue, "team/web", "one").await.unwrap().id;
            let attempt = fixture.claim(build).await;
            fixture.clock.advance(LEASE);
            let (renewing, claiming) = (fixture.catalogue.clone(), fixture.catalogue.clone());
            let renewal = tokio::spawn(async move { renewing.renew_build(build, attempt, LEASE).await.unwrap() });
            let takeover = tokio::spawn(async move { claiming.claim_build(build, "other", LEASE).await.unwrap() });
            match (renewal.await.unwrap(), takeover.await.unwrap()) {
                (None, Claim::Busy { .. }) | (Some(Stop::Stale), Claim::Started { attempt: 2, lost: 1 }) => {}
                other => panic!("{other:?}"),
            }
        }
    })
    .await;
}

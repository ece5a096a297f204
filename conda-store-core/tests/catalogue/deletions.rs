//! Deletion: what is marked, what must not be, and what is left to be removed.

use std::time::Duration;

use conda_store_core::{
    ErrorKind,
    auth::Scope,
    catalogue::{ArtifactProgress, Deletion, EnvironmentQuery},
    clock::Clock,
    model::{ArtifactType, BuildId, BuildStatus},
};

use crate::support::{Fixture, both, both_empty};

async fn unfinished(fixture: &Fixture) -> Vec<BuildId> {
    fixture.catalogue.unfinished_deletions(None, 100).await.unwrap()
}

async fn is_marked(fixture: &Fixture, id: BuildId) -> bool {
    fixture.catalogue.build(id).await.unwrap().unwrap().deleted_on.is_some()
}

#[tokio::test]
async fn a_build_that_is_over_and_not_current_is_marked_once() {
    both(async |fixture| {
        let first = fixture.complete("team/web", &[]).await;
        let second = fixture.complete("team/web", &[]).await;
        let waiting = fixture.queue("team/web").await.id;
        for (id, reason) in [(second, "is the current build of its environment"), (waiting, "is QUEUED: cancel it")] {
            let error = fixture.catalogue.delete_build(id).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Conflict);
            assert!(error.to_string().contains(reason), "{error}");
            assert!(!is_marked(fixture, id).await);
        }
        fixture.claim(waiting).await;
        let error = fixture.catalogue.delete_build(waiting).await.unwrap_err();
        assert!(error.to_string().contains("is BUILDING: cancel it"), "{error}");
        assert_eq!(fixture.catalogue.delete_build(BuildId(99)).await.unwrap_err().kind(), ErrorKind::NotFound);
        assert_eq!(fixture.catalogue.deletion(first).await.unwrap(), Deletion::None);

        fixture.catalogue.delete_build(first).await.unwrap();
        let marked = fixture.catalogue.build(first).await.unwrap().unwrap();
        assert_eq!((marked.status, marked.deleted_on), (BuildStatus::Completed, Some(fixture.clock.now())));
        assert_eq!(
            (unfinished(fixture).await, fixture.catalogue.deletion(first).await.unwrap()),
            (vec![first], Deletion::Due)
        );
        fixture.catalogue.finish_deletion(first).await.unwrap();
        fixture.clock.advance(Duration::from_secs(1));
        fixture.catalogue.delete_build(first).await.unwrap();
        assert_eq!(fixture.catalogue.build(first).await.unwrap().unwrap(), marked);
        assert_eq!(unfinished(fixture).await, []);
    })
    .await;
}

#[tokio::test]
async fn an_environment_goes_with_all_of_its_builds_and_nothing_else() {
    both(async |fixture| {
        let current = fixture.complete("team/web", &[]).await;
        let (running, attempt) = fixture.start("team/web").await;
        let waiting = fixture.queue("team/web").await.id;
        let other = fixture.complete("team/lab", &[]).await;
        let (team, web) = ("team".parse().unwrap(), "web".parse().unwrap());

        fixture.catalogue.delete_environment(&team, &web).await.unwrap();

        assert!(fixture.catalogue.environment(&team, &web).await.unwrap().is_none());
        let error = fixture.catalogue.delete_environment(&team, &web).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
        assert_eq!(unfinished(fixture).await, [current, running, waiting]);
        for (id, status) in
            [(current, BuildStatus::Completed), (running, BuildStatus::Canceled), (waiting, BuildStatus::Canceled)]
        {
            let build = fixture.catalogue.build(id).await.unwrap().unwrap();
            assert_eq!((build.status, build.deleted_on.is_some(), build.ended_on.is_some()), (status, true, true));
        }
        assert!(!is_marked(fixture, other).await);

        // The worker is told, and what it may still write to waits for it.
        assert!(matches!(fixture.catalogue.deletion(running).await.unwrap(), Deletion::Busy { .. }));
        assert_eq!(fixture.catalogue.deletion(waiting).await.unwrap(), Deletion::Due);
        let stale = fixture.catalogue.leave_canceled_build(running, attempt + 1).await.unwrap_err();
        assert_eq!(stale.kind(), ErrorKind::Stale);
        fixture.catalogue.leave_canceled_build(running, attempt).await.unwrap();
        assert_eq!(fixture.catalogue.deletion(running).await.unwrap(), Deletion::Due);

        // Asked for again, it begins without anything of its past.
        let again = fixture.queue("team/web").await.id;
        let revived = fixture.catalogue.environment(&team, &web).await.unwrap().unwrap();
        assert_eq!(revived.current_build_id, None);
        assert!(!is_marked(fixture, again).await);
        assert_eq!(unfinished(fixture).await, [current, running, waiting]);
    })
    .await;
}

#[tokio::test]
async fn a_lost_worker_does_not_hold_a_deletion_up_for_ever() {
    both(async |fixture| {
        let (running, _) = fixture.start("team/web").await;
        fixture.catalogue.delete_environment(&"team".parse().unwrap(), &"web".parse().unwrap()).await.unwrap();
        let Deletion::Busy { until } = fixture.catalogue.deletion(running).await.unwrap() else { unreachable!() };
        fixture.clock.advance(until.since(fixture.clock.now()));
        assert_eq!(fixture.catalogue.deletion(running).await.unwrap(), Deletion::Due);
    })
    .await;
}

#[tokio::test]
async fn a_namespace_goes_with_everything_below_it() {
    both(async |fixture| {
        let (web, lab) = (fixture.complete("team/web", &[]).await, fixture.queue("team/lab").await.id);
        let other = fixture.complete("other/web", &[]).await;
        let team = "team".parse().unwrap();
        fixture.catalogue.delete_namespace(&team).await.unwrap();
        assert!(fixture.catalogue.namespace(&team).await.unwrap().is_none());
        assert_eq!(fixture.catalogue.delete_namespace(&team).await.unwrap_err().kind(), ErrorKind::NotFound);
        assert_eq!(unfinished(fixture).await, [web, lab]);
        assert!(!is_marked(fixture, other).await);
        let everything = Scope::everything();
        assert_eq!(fixture.catalogue.environments(&EnvironmentQuery::new(&everything, 10)).await.unwrap().total, 1);
        fixture.catalogue.ensure_namespace(&team).await.unwrap();
        assert_eq!(fixture.catalogue.environments(&EnvironmentQuery::new(&everything, 10)).await.unwrap().total, 1);
    })
    .await;
}

#[tokio::test]
async fn an_artifact_is_forgotten_with_its_state_and_known_to_be_shared() {
    both(async |fixture| {
        let (one, two) = (fixture.complete("team/web", &[]).await, fixture.complete("team/web", &[]).await);
        for build in [one, two] {
            fixture.catalogue.add_artifact(build, ArtifactType::DockerBlob, "docker/blobs/same").await.unwrap();
            let progress = ArtifactProgress::pending(ArtifactType::DockerBlob);
            fixture.catalogue.set_artifact_state(build, &progress).await.unwrap();
        }
        let artifact = fixture.catalogue.artifacts(one).await.unwrap().remove(0);
        assert!(fixture.catalogue.is_shared_artifact(&artifact).await.unwrap());
        fixture.catalogue.remove_artifact(&artifact).await.unwrap();
        assert_eq!(fixture.catalogue.artifacts(one).await.unwrap(), []);
        assert_eq!(fixture.catalogue.artifact_states(one).await.unwrap(), []);
        assert_eq!(fixture.catalogue.artifact_states(two).await.unwrap().len(), 1);
        let other = fixture.catalogue.artifacts(two).await.unwrap().remove(0);
        assert!(!fixture.catalogue.is_shared_artifact(&other).await.unwrap());
        assert_eq!(fixture.catalogue.pending_artifacts(None, 10).await.unwrap(), [(two, ArtifactType::DockerBlob)]);
        fixture.catalogue.delete_environment(&"team".parse().unwrap(), &"web".parse().unwrap()).await.unwrap();
        assert_eq!(
            fixture.catalogue.pending_artifacts(None, 10).await.unwrap(),
            [],
            "nothing is made of deleted builds"
        );
    })
    .await;
}

#[tokio::test]
async fn what_the_original_marked_and_did_not_remove_is_taken_up() {
    both_empty(async |fixture| {
        let dump = if fixture.is_sqlite() {
            include_str!("../data/original.sqlite.sql")
        } else {
            include_str!("../data/original.postgres.sql")
        };
        fixture.execute(dump).await;
        fixture
            .execute(
                "update build set deleted_on = '2024-05-02 00:00:00'; \
                 insert into build_artifact (id, build_id, artifact_type, key) values (2, 1, 'DIRECTORY', '/srv/one')",
            )
            .await;
        fixture.catalogue.migrate().await.unwrap();
        assert_eq!(unfinished(fixture).await, [BuildId(1)], "of build 2 there is no directory");
    })
    .await;
}

#[tokio::test]
async fn what_is_deleted_is_used_no_more() {
    both(async |fixture| {
        for path in ["team/web", "team/web", "team/lab", "other/web"] {
            fixture.complete(path, &[]).await;
        }
        fixture.catalogue.ensure_namespace(&"empty".parse().unwrap()).await.unwrap();
        let usage = async |scope: &Scope| -> Vec<(String, u64, u64, u64)> {
            let usage = fixture.catalogue.usage(scope).await.unwrap().into_iter();
            usage.map(|used| (used.namespace.to_string(), used.environments, used.builds, used.bytes)).collect()
        };
        let line = |name: &str, environments, builds, bytes| (name.to_owned(), environments, builds, bytes);
        let all = usage(&Scope::everything()).await;
        assert_eq!(all, [line("empty", 0, 0, 0), line("other", 1, 1, 10), line("team", 2, 3, 30)]);
        fixture.catalogue.delete_build(BuildId(1)).await.unwrap();
        fixture.catalogue.delete_environment(&"team".parse().unwrap(), &"lab".parse().unwrap()).await.unwrap();
        fixture.catalogue.delete_namespace(&"other".parse().unwrap()).await.unwrap();
        let team = Scope { patterns: ["team/*", "other/*"].map(|pattern| pattern.parse().unwrap()).into() };
        assert_eq!(usage(&team).await, [line("team", 1, 1, 10)]);
    })
    .await;
}

//! What builds say, what they have otherwise, and what came before them.

use std::time::Duration;

use conda_store_core::{
    ErrorKind,
    catalogue::RecordedEvent,
    clock::Clock,
    event::{BuildEvent, Phase},
    model::{BuildId, CondaPackage},
};

use crate::support::{LEASE, both, package};

fn message(text: &str) -> BuildEvent {
    BuildEvent::Message { text: text.into() }
}

fn numbers(events: &[RecordedEvent]) -> Vec<u32> {
    events.iter().map(|event| event.number).collect()
}

#[tokio::test]
async fn events_are_numbered_without_gaps_and_only_the_last_attempt_adds_any() {
    both(async |fixture| {
        let (build, attempt) = fixture.start("team/web").await;
        let finished = BuildEvent::PhaseFinished { phase: Phase::Solve, elapsed: Duration::from_millis(1500) };
        let many: Vec<BuildEvent> = (0..700).map(|number| message(&number.to_string())).collect();
        fixture.catalogue.add_events(build, attempt, std::slice::from_ref(&finished)).await.unwrap();
        fixture.catalogue.add_events(build, attempt, &many).await.unwrap();
        let events = fixture.catalogue.events(build, 0).await.unwrap();
        let first = RecordedEvent { number: 1, happened_on: fixture.clock.now(), event: finished };
        assert_eq!((events.len(), &events[0]), (500, &first));
        let rest = fixture.catalogue.events(build, 500).await.unwrap();
        assert_eq!(numbers(&rest), (501..=701).collect::<Vec<_>>());
        assert_eq!(rest.last().unwrap().event, message("699"));
        assert!(fixture.catalogue.events(build, 701).await.unwrap().is_empty());

        fixture.clock.advance(LEASE);
        let second = fixture.claim(build).await;
        let error = fixture.catalogue.add_events(build, attempt, &[message("stale")]).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Stale);
        fixture.catalogue.fail_build(build, second, "no").await.unwrap();
        fixture.catalogue.add_events(build, second, &[message("last words")]).await.unwrap();
        assert_eq!(numbers(&fixture.catalogue.events(build, 700).await.unwrap()), [701, 702]);
        assert!(fixture.catalogue.events(BuildId(99), 0).await.unwrap().is_empty());
    })
    .await;
}

#[tokio::test]
async fn events_go_some_time_after_the_end_of_their_build() {
    both(async |fixture| {
        let (running, first) = fixture.start("team/web").await;
        let (over, second) = fixture.start("team/web").await;
        for (build, attempt) in [(running, first), (over, second)] {
            fixture.catalogue.add_events(build, attempt, &[message("hello")]).await.unwrap();
        }
        fixture.catalogue.fail_build(over, second, "no").await.unwrap();
        let kept = Duration::from_mins(1);
        for (passed, left) in [(kept, 1), (Duration::from_secs(1), 0)] {
            fixture.clock.advance(passed);
            fixture.catalogue.remove_events(kept).await.unwrap();
            assert_eq!(fixture.catalogue.events(over, 0).await.unwrap().len(), left, "{passed:?}");
            assert_eq!(fixture.catalogue.events(running, 0).await.unwrap().len(), 1, "{passed:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn builds_differ_by_packages() {
    both(async |fixture| {
        let before = fixture.complete("team/web", &[package("a", "1"), package("b", "1"), package("c", "1")]).await;
        let after = fixture.complete("team/web", &[package("b", "2"), package("c", "1"), package("d", "1")]).await;
        let shown = |package: &CondaPackage| format!("{} {}", package.name, package.version);
        let difference = fixture.catalogue.build_difference(before, after).await.unwrap();
        assert_eq!(difference.added.iter().map(shown).collect::<Vec<_>>(), ["d 1"]);
        assert_eq!(difference.removed.iter().map(shown).collect::<Vec<_>>(), ["a 1"]);
        let changed: Vec<_> = difference.changed.iter().map(|(one, other)| (shown(one), shown(other))).collect();
        assert_eq!(changed, [("b 1".to_owned(), "b 2".to_owned())]);
        let nothing = fixture.catalogue.build_difference(after, after).await.unwrap();
        assert_eq!(nothing, conda_store_core::catalogue::BuildDifference::default());
    })
    .await;
}

#[tokio::test]
async fn the_build_before_is_completed_and_there() {
    both(async |fixture| {
        let first = fixture.complete("team/web", &[]).await;
        let deleted = fixture.complete("team/web", &[]).await;
        fixture.execute(&format!("update build set deleted_on = '2024-01-01 00:00:00' where id = {deleted}")).await;
        fixture.complete("team/other", &[]).await;
        let queued = fixture.queue("team/web").await;
        let last = fixture.complete("team/web", &[]).await;
        for (build, before) in [(last, Some(first)), (queued.id, Some(first)), (deleted, Some(first)), (first, None)] {
            let found = fixture.catalogue.build_before(queued.environment_id, build).await.unwrap();
            assert_eq!(found, before, "{build}");
        }
    })
    .await;
}

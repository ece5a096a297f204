//! Which builds are beyond what is kept, and where it is said what is.

use std::{num::NonZeroU32, time::Duration};

use conda_store_core::{
    catalogue::KeptBuilds,
    clock::Clock,
    model::{BuildId, EnvironmentId},
    settings::SettingPlace,
};
use serde_json::{Map, json};

use crate::support::{Fixture, both};

const DAY: Duration = Duration::from_hours(24);

/// The ids of environments by their paths.
async fn environments(fixture: &Fixture, paths: &[&str]) -> Vec<EnvironmentId> {
    let mut ids = Vec::new();
    for path in paths {
        let (namespace, name) = path.split_once('/').unwrap();
        let (namespace, name) = (namespace.parse().unwrap(), name.parse().unwrap());
        ids.push(fixture.catalogue.environment(&namespace, &name).await.unwrap().unwrap().id);
    }
    ids
}

async fn beyond(fixture: &Fixture, kept: KeptBuilds, environments: &[EnvironmentId]) -> Vec<BuildId> {
    fixture.catalogue.builds_beyond(kept, environments, None, 100).await.unwrap()
}

fn newest(builds: u32) -> KeptBuilds {
    KeptBuilds { newest: NonZeroU32::new(builds), ended_since: None }
}

#[tokio::test]
async fn the_newest_ended_builds_and_the_current_one_are_kept() {
    both(async |fixture| {
        let mut builds = Vec::new();
        for _ in 0..3 {
            builds.push(fixture.complete("team/web", &[]).await);
        }
        let (failed, attempt) = fixture.start("team/web").await;
        fixture.catalogue.fail_build(failed, attempt, "no").await.unwrap();
        let canceled = fixture.queue("team/web").await.id;
        fixture.catalogue.cancel_build(canceled).await.unwrap();
        // Neither counts, nor goes.
        fixture.start("team/web").await;
        fixture.queue("team/web").await;
        let lab = fixture.complete("team/lab", &[]).await;
        let other = fixture.complete("team/lab", &[]).await;
        let both = environments(fixture, &["team/web", "team/lab"]).await;
        let [first, second, current] = builds[..] else { unreachable!("three were made") };

        assert_eq!(beyond(fixture, newest(1), &both).await, [first, second, failed, canceled, lab]);
        assert_eq!(beyond(fixture, newest(2), &both).await, [first, second, failed]);
        assert_eq!(beyond(fixture, newest(3), &both).await, [first, second]);
        assert_eq!(beyond(fixture, newest(3), &both[1..]).await, []);
        assert_eq!(beyond(fixture, newest(1), &[]).await, []);
        assert_eq!(beyond(fixture, KeptBuilds::default(), &both).await, []);

        // Whichever is the current one takes the place of another.
        let (team, web) = ("team".parse().unwrap(), "web".parse().unwrap());
        fixture.catalogue.set_current_build(&team, &web, first).await.unwrap();
        assert_eq!(beyond(fixture, newest(2), &both).await, [second, current, failed]);
        fixture.catalogue.delete_build(second).await.unwrap();
        assert_eq!(beyond(fixture, newest(2), &both).await, [current, failed], "what is deleted does not count");

        let page = fixture.catalogue.builds_beyond(newest(1), &both, Some(current), 2).await.unwrap();
        assert_eq!(page, [failed, canceled]);
        assert_eq!(beyond(fixture, newest(1), &both).await.last(), Some(&lab), "{other} is the current one");
    })
    .await;
}

#[tokio::test]
async fn age_is_counted_from_the_end() {
    both(async |fixture| {
        let (slow, attempt) = fixture.start("team/web").await;
        let old = fixture.complete("team/web", &[]).await;
        fixture.clock.advance(DAY);
        fixture.catalogue.fail_build(slow, attempt, "no").await.unwrap();
        let current = fixture.complete("team/web", &[]).await;
        fixture.clock.advance(DAY);
        let web = environments(fixture, &["team/web"]).await;
        let since = |days: u32| KeptBuilds { newest: None, ended_since: Some(fixture.clock.now().before(DAY * days)) };
        assert_eq!(beyond(fixture, since(2), &web).await, [], "not a moment too early");
        fixture.clock.advance(Duration::from_millis(1));
        assert_eq!(beyond(fixture, since(2), &web).await, [old]);
        assert_eq!(beyond(fixture, since(1), &web).await, [slow, old], "{current} is the current one");
        assert_eq!(beyond(fixture, since(365_000), &web).await, []);
        let either = KeptBuilds { newest: NonZeroU32::new(2), ..since(2) };
        assert_eq!(beyond(fixture, either, &web).await, [slow, old]);
    })
    .await;
}

#[tokio::test]
async fn environments_are_walked_and_places_found() {
    both(async |fixture| {
        for path in ["team/web", "team/lab", "crew/web", "crew/gone"] {
            fixture.queue(path).await;
        }
        let catalogue = &fixture.catalogue;
        let (team, crew, web) = ("team".parse().unwrap(), "crew".parse().unwrap(), "web".parse().unwrap());
        catalogue.delete_environment(&crew, &"gone".parse().unwrap()).await.unwrap();
        let mut walked = Vec::new();
        let mut after = None;
        loop {
            let found = catalogue.environment_places(None, None, after, 2).await.unwrap();
            let Some(last) = found.last() else { break };
            after = Some(last.id);
            walked.extend(found.iter().map(|found| format!("{}/{}", found.namespace, found.name)));
        }
        assert_eq!(walked, ["team/web", "team/lab", "crew/web"]);
        assert_eq!(catalogue.environment_places(Some(&team), None, None, 9).await.unwrap().len(), 2);
        let found = catalogue.environment_places(Some(&crew), Some(&web), None, 9).await.unwrap();
        assert_eq!(found.iter().map(|found| found.id).collect::<Vec<_>>(), environments(fixture, &["crew/web"]).await);

        let change = async |place: SettingPlace<'_>, name: &str| {
            let changes = Map::from_iter([(name.to_owned(), json!(1))]);
            catalogue.change_settings(place, &changes).await.unwrap();
        };
        for name in ["a", "b"] {
            change(SettingPlace::Global, name).await;
            change(SettingPlace::Namespace(&team), name).await;
        }
        change(SettingPlace::Environment(&crew, &web), "b").await;
        change(SettingPlace::Namespace(&crew), "c").await;
        fixture.execute("insert into keyvaluestore (prefix, key, value) values ('other/x', 'a', '1')").await;
        let mut places = catalogue.places_that_change(&["a", "b"]).await.unwrap();
        places.sort();
        assert_eq!(places, [(crew, Some(web)), (team, None)]);
        assert_eq!(catalogue.places_that_change(&[]).await.unwrap(), []);
    })
    .await;
}

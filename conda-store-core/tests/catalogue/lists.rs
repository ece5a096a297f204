//! Lists: who sees what, filters, orders, and pages that stay where they are.

use std::{collections::BTreeSet, time::Duration};

use conda_store_core::{
    ErrorKind,
    auth::{ArnPattern, Scope},
    catalogue::{
        BuildQuery, BuildSort, Cursor, EnvironmentQuery, EnvironmentSort, NamespaceQuery, Order, PackageQuery,
        PackageSort, PageRequest, Start,
    },
    model::{ArtifactType, BuildStatus, EnvironmentName, NamespaceName},
};
use proptest::{prelude::Strategy, strategy::ValueTree, test_runner::TestRunner};

use crate::support::{Fixture, both, package};

async fn environments(fixture: &Fixture, query: &EnvironmentQuery<'_>) -> Vec<String> {
    let page = fixture.catalogue.environments(query).await.unwrap();
    let paths: Vec<String> = page.items.iter().map(|item| format!("{}/{}", item.namespace.name, item.name)).collect();
    if query.page == PageRequest::first(query.page.limit) && page.next.is_none() {
        assert_eq!(page.total, paths.len() as u64);
    }
    paths
}

async fn builds(fixture: &Fixture, query: &BuildQuery<'_>) -> Vec<i32> {
    fixture.catalogue.builds(query).await.unwrap().items.iter().map(|build| build.id.0).collect()
}

/// Names made of few letters, so that patterns often match, and of all that is special to a database.
const NAME: &str = "[abAB_?.-]{1,4}";
const PATTERN: &str = "[abAB_?.*-]{1,4}";

fn sample(runner: &mut TestRunner, regex: &str) -> String {
    proptest::string::string_regex(regex).unwrap().new_tree(runner).unwrap().current()
}

#[tokio::test]
async fn lists_show_exactly_what_the_scope_covers() {
    both(async |fixture| {
        let mut runner = TestRunner::deterministic();
        let mut paths: BTreeSet<(NamespaceName, EnvironmentName)> = BTreeSet::new();
        while paths.len() < 60 {
            let (namespace, name) = (sample(&mut runner, NAME), sample(&mut runner, NAME));
            if let (Ok(namespace), Ok(name)) = (namespace.parse(), name.parse()) {
                paths.insert((namespace, name));
            }
        }
        for (namespace, name) in &paths {
            fixture.queue(&format!("{namespace}/{name}")).await;
        }
        let namespaces: BTreeSet<&NamespaceName> = paths.iter().map(|(namespace, _)| namespace).collect();
        let mut tried = 0;
        while tried < 150 {
            let texts =
                (0..tried % 3).map(|_| format!("{}/{}", sample(&mut runner, PATTERN), sample(&mut runner, PATTERN)));
            let Ok(patterns) = texts.map(|text| text.parse()).collect::<Result<BTreeSet<ArnPattern>, _>>() else {
                continue;
            };
            tried += 1;
            let scope = Scope { patterns };
            check_scope(fixture, &scope, &paths, &namespaces).await;
        }
        check_scope(fixture, &Scope::everything(), &paths, &namespaces).await;
        check_scope(fixture, &Scope::default(), &paths, &namespaces).await;
    })
    .await;
}

async fn check_scope(
    fixture: &Fixture,
    scope: &Scope,
    paths: &BTreeSet<(NamespaceName, EnvironmentName)>,
    namespaces: &BTreeSet<&NamespaceName>,
) {
    let covers = |namespace, name| scope.patterns.iter().any(|pattern| pattern.covers(namespace, name));
    let expected: BTreeSet<String> = paths
        .iter()
        .filter(|(namespace, name)| covers(namespace, Some(name)))
        .map(|(namespace, name)| format!("{namespace}/{name}"))
        .collect();
    let found = environments(fixture, &EnvironmentQuery::new(scope, 1000)).await;
    assert_eq!(found.into_iter().collect::<BTreeSet<_>>(), expected, "{scope:?}");
    let listed = fixture.catalogue.builds(&BuildQuery::new(scope, 1000)).await.unwrap();
    assert_eq!((listed.items.len(), listed.total), (expected.len(), expected.len() as u64), "{scope:?}");

    let expected: BTreeSet<&NamespaceName> =
        namespaces.iter().copied().filter(|namespace| covers(namespace, None)).collect();
    let query = NamespaceQuery { scope, order: Order::Ascending, page: PageRequest::first(1000) };
    let found = fixture.catalogue.namespaces(&query).await.unwrap();
    assert_eq!(found.items.iter().map(|namespace| &namespace.name).collect::<BTreeSet<_>>(), expected, "{scope:?}");
    assert_eq!(found.total, expected.len() as u64);
}

#[tokio::test]
async fn environments_are_filtered() {
    both(async |fixture| {
        let first = fixture.complete("team/web", &[package("numpy", "1"), package("scipy", "1")]).await;
        fixture.complete("team/web_2", &[package("numpy", "2")]).await;
        fixture.complete("other/Web", &[package("scipy", "1")]).await;
        fixture.queue("web-team/data").await;
        fixture.catalogue.add_artifact(first, ArtifactType::CondaPack, "archive/1").await.unwrap();
        let everything = Scope::everything();
        let all = EnvironmentQuery::new(&everything, 10);
        let (team, web, other) = ("team".parse().unwrap(), "web".parse().unwrap(), "other".parse().unwrap());
        let both_packages = ["numpy".to_owned(), "scipy".to_owned(), "numpy".to_owned()];

        for (query, expected) in [
            (all.clone(), vec!["other/Web", "team/web", "team/web_2", "web-team/data"]),
            (
                EnvironmentQuery { search: Some("WEB"), ..all.clone() },
                vec!["other/Web", "team/web", "team/web_2", "web-team/data"],
            ),
            (EnvironmentQuery { search: Some("b_"), ..all.clone() }, vec!["team/web_2"]),
            (EnvironmentQuery { search: Some("%"), ..all.clone() }, vec![]),
            (EnvironmentQuery { search: Some("' or 1=1 --"), ..all.clone() }, vec![]),
            (EnvironmentQuery { namespace: Some(&team), ..all.clone() }, vec!["team/web", "team/web_2"]),
            (EnvironmentQuery { name: Some(&web), ..all.clone() }, vec!["team/web"]),
            (EnvironmentQuery { namespace: Some(&other), name: Some(&web), ..all.clone() }, vec![]),
            (
                EnvironmentQuery { status: Some(BuildStatus::Completed), namespace: Some(&team), ..all.clone() },
                vec!["team/web", "team/web_2"],
            ),
            (EnvironmentQuery { status: Some(BuildStatus::Queued), ..all.clone() }, vec![]),
            (EnvironmentQuery { packages: &both_packages[..1], ..all.clone() }, vec!["team/web", "team/web_2"]),
            (EnvironmentQuery { packages: &both_packages, ..all.clone() }, vec!["team/web"]),
            (EnvironmentQuery { artifact: Some(ArtifactType::CondaPack), ..all.clone() }, vec!["team/web"]),
            (EnvironmentQuery { artifact: Some(ArtifactType::Logs), ..all.clone() }, vec![]),
        ] {
            let mut found = environments(fixture, &query).await;
            found.sort();
            assert_eq!(found, expected, "{query:?}");
        }
        // Only the current build counts.
        fixture.complete("team/web", &[package("scipy", "1")]).await;
        let query = EnvironmentQuery { packages: &both_packages[..1], ..all };
        assert_eq!(environments(fixture, &query).await, ["team/web_2"]);
    })
    .await;
}

#[tokio::test]
async fn builds_are_filtered() {
    both(async |fixture| {
        fixture.complete("team/web", &[package("numpy", "1"), package("scipy", "1")]).await;
        let second = fixture.complete("team/web", &[package("numpy", "2")]).await;
        fixture.queue("other/web").await;
        let (failed, attempt) = fixture.start("other/data").await;
        fixture.catalogue.fail_build(failed, attempt, "no").await.unwrap();
        fixture.execute(&format!("update build set deleted_on = '2024-01-01 00:00:00' where id = {second}")).await;
        fixture.catalogue.add_artifact(second, ArtifactType::Lockfile, "lockfile/2").await.unwrap();
        let environment_id = fixture.catalogue.build(failed).await.unwrap().unwrap().environment_id;
        let everything = Scope::everything();
        let all = BuildQuery::new(&everything, 10);
        let (team, web) = ("team".parse().unwrap(), "web".parse().unwrap());
        let packages = ["scipy".to_owned(), "numpy".to_owned()];

        for (query, expected) in [
            (all.clone(), vec![1, 2, 3, 4]),
            (BuildQuery { status: Some(BuildStatus::Completed), ..all.clone() }, vec![1, 2]),
            (BuildQuery { status: Some(BuildStatus::Building), ..all.clone() }, vec![]),
            (BuildQuery { packages: &packages[1..], ..all.clone() }, vec![1, 2]),
            (BuildQuery { packages: &packages, ..all.clone() }, vec![1]),
            (BuildQuery { artifact: Some(ArtifactType::Lockfile), ..all.clone() }, vec![2]),
            (BuildQuery { environment_id: Some(environment_id), ..all.clone() }, vec![4]),
            (BuildQuery { name: Some(&web), ..all.clone() }, vec![1, 2, 3]),
            (BuildQuery { name: Some(&web), namespace: Some(&team), ..all.clone() }, vec![1, 2]),
            (BuildQuery { order: Order::Descending, ..all.clone() }, vec![4, 3, 2, 1]),
        ] {
            assert_eq!(builds(fixture, &query).await, expected, "{query:?}");
            assert_eq!(fixture.catalogue.builds(&query).await.unwrap().total, expected.len() as u64);
        }
    })
    .await;
}

#[tokio::test]
async fn builds_come_in_every_order_a_page_at_a_time() {
    both(async |fixture| {
        for number in 0..9 {
            fixture.clock.advance(Duration::from_micros(number % 3));
            let id = fixture.queue("team/web").await.id;
            // Some began at the same moment, some never did.
            if number % 2 == 0 {
                let attempt = fixture.claim(id).await;
                if number % 4 == 0 {
                    fixture.catalogue.fail_build(id, attempt, "no").await.unwrap();
                }
            }
        }
        let everything = Scope::everything();
        for sort in [BuildSort::Id, BuildSort::ScheduledOn, BuildSort::StartedOn, BuildSort::EndedOn] {
            for order in [Order::Ascending, Order::Descending] {
                let mut query = BuildQuery { sort, order, ..BuildQuery::new(&everything, 100) };
                let whole = builds(fixture, &query).await;
                let mut expected = fixture.catalogue.builds(&BuildQuery::new(&everything, 100)).await.unwrap().items;
                expected.sort_by_key(|build| match sort {
                    BuildSort::Id => (false, None, build.id),
                    BuildSort::ScheduledOn => (false, Some(build.scheduled_on), build.id),
                    BuildSort::StartedOn => (build.started_on.is_none(), build.started_on, build.id),
                    BuildSort::EndedOn => (build.ended_on.is_none(), build.ended_on, build.id),
                });
                let mut expected: Vec<i32> = expected.iter().map(|build| build.id.0).collect();
                if order == Order::Descending {
                    expected.reverse();
                }
                assert_eq!(whole, expected, "{sort:?} {order:?}");
                for limit in [1, 2, 4] {
                    let mut pieces = Vec::new();
                    query.page = PageRequest::first(limit);
                    loop {
                        let page = fixture.catalogue.builds(&query).await.unwrap();
                        assert_eq!(page.total, 9);
                        pieces.extend(page.items.iter().map(|build| build.id.0));
                        let Some(next) = page.next else { break };
                        let text = next.to_string();
                        query.page.start = Start::After(text.parse().unwrap());
                    }
                    assert_eq!(pieces, whole, "{sort:?} {order:?} {limit}");
                }
                query.page = PageRequest { limit: 2, start: Start::Offset(7) };
                assert_eq!(builds(fixture, &query).await, whole[7..]);
                query.page.start = Start::Offset(u64::MAX);
                assert_eq!(builds(fixture, &query).await, Vec::<i32>::new());
            }
        }
    })
    .await;
}

#[tokio::test]
async fn pages_stay_where_they_are_under_inserts() {
    both(async |fixture| {
        for path in ["b/b", "b/d", "d/b", "d/d"] {
            fixture.queue(path).await;
        }
        let everything = Scope::everything();
        let mut query = EnvironmentQuery::new(&everything, 2);
        let page = fixture.catalogue.environments(&query).await.unwrap();
        assert_eq!(environments(fixture, &query).await, ["b/b", "b/d"]);
        for path in ["a/z", "b/a", "b/c", "c/c", "d/c"] {
            fixture.queue(path).await;
        }
        query.page = PageRequest { limit: 10, start: Start::After(page.next.unwrap()) };
        assert_eq!(environments(fixture, &query).await, ["c/c", "d/b", "d/c", "d/d"]);

        query.page = PageRequest::first(3);
        query.order = Order::Descending;
        let sort = [EnvironmentSort::Name];
        query.sort = &sort;
        let page = fixture.catalogue.environments(&query).await.unwrap();
        assert_eq!(page.items.iter().map(|item| item.name.as_str()).collect::<Vec<_>>(), ["z", "d", "d"]);
        query.page.start = Start::After(page.next.unwrap());
        let names: Vec<String> = environments(fixture, &query).await;
        assert!(names.iter().all(|path| path.ends_with("/c")), "{names:?}");
    })
    .await;
}

#[tokio::test]
async fn namespaces_come_a_page_at_a_time() {
    both(async |fixture| {
        for name in ["c", "a", "b"] {
            fixture.catalogue.ensure_namespace(&name.parse().unwrap()).await.unwrap();
        }
        let everything = Scope::everything();
        let mut query = NamespaceQuery { scope: &everything, order: Order::Descending, page: PageRequest::first(2) };
        let page = fixture.catalogue.namespaces(&query).await.unwrap();
        assert_eq!(page.items.iter().map(|item| item.name.as_str()).collect::<Vec<_>>(), ["c", "b"]);
        query.page.start = Start::After(page.next.unwrap());
        let page = fixture.catalogue.namespaces(&query).await.unwrap();
        assert_eq!(page.items.iter().map(|item| item.name.as_str()).collect::<Vec<_>>(), ["a"]);
        assert_eq!((page.total, page.next), (3, None));
    })
    .await;
}

#[tokio::test]
async fn packages_are_filtered_sorted_and_paged() {
    both(async |fixture| {
        let packages: Vec<_> =
            ["zlib", "numpy", "Numpy_base", "python"].map(|name| package(&name.to_lowercase(), "1")).into();
        let build = fixture.complete("team/web", &packages).await;
        let names = async |query: &PackageQuery<'_>| -> Vec<String> {
            let page = fixture.catalogue.build_packages(build, query).await.unwrap();
            page.items.into_iter().map(|item| item.name).collect()
        };
        let all = PackageQuery::new(10);
        assert_eq!(names(&all).await, ["numpy", "numpy_base", "python", "zlib"]);
        assert_eq!(names(&PackageQuery { search: Some("NUMPY"), ..all.clone() }).await, ["numpy", "numpy_base"]);
        assert_eq!(names(&PackageQuery { search: Some("numpy"), exact: true, ..all.clone() }).await, ["numpy"]);
        assert_eq!(names(&PackageQuery { search: Some("y_b"), ..all.clone() }).await, ["numpy_base"]);
        assert_eq!(names(&PackageQuery { build: Some("h0_2"), ..all.clone() }).await, Vec::<String>::new());
        assert_eq!(names(&PackageQuery { build: Some("h0_1"), ..all.clone() }).await.len(), 4);
        let sort = [PackageSort::Name];
        let mut query = PackageQuery { sort: &sort, order: Order::Descending, page: PageRequest::first(3), ..all };
        let page = fixture.catalogue.build_packages(build, &query).await.unwrap();
        assert_eq!((page.total, page.items[0].name.as_str()), (4, "zlib"));
        query.page.start = Start::After(page.next.unwrap());
        assert_eq!(names(&query).await, ["numpy"]);
    })
    .await;
}

#[tokio::test]
async fn cursors_that_fit_no_list_are_refused() {
    both(async |fixture| {
        for text in ["", "zz", "00", "5b5d", "x".repeat(100).as_str()] {
            let error = text.parse::<Cursor>().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Invalid, "{text}");
        }
        fixture.queue("team/web").await;
        fixture.queue("team/web").await;
        let everything = Scope::everything();
        let page = fixture.catalogue.builds(&BuildQuery::new(&everything, 1)).await.unwrap();
        let cursor = page.next.unwrap();
        let mut query = EnvironmentQuery::new(&everything, 1);
        query.page.start = Start::After(cursor);
        assert_eq!(fixture.catalogue.environments(&query).await.unwrap_err().kind(), ErrorKind::Invalid);
        let text = hex::encode("[[\"yesterday\"],1]");
        let page = PageRequest { limit: 1, start: Start::After(text.parse().unwrap()) };
        let query = BuildQuery { sort: BuildSort::StartedOn, page, ..BuildQuery::new(&everything, 1) };
        assert_eq!(fixture.catalogue.builds(&query).await.unwrap_err().kind(), ErrorKind::Invalid);
    })
    .await;
}

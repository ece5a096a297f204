//! Lists that are made of sets have what is found by looking at each build, whatever was written, and by whom.

use std::collections::{BTreeMap, BTreeSet};

use conda_store_core::{
    auth::Scope,
    catalogue::{BuildQuery, BuildSort, EnvironmentQuery, Order, PageRequest, Start},
    model::{ArtifactType, BuildStatus, EnvironmentName, NamespaceName},
};
use proptest::{prelude::any, sample::select, strategy::Strategy, strategy::ValueTree, test_runner::TestRunner};

use crate::support::{Fixture, both, package};

/// What happens to the builds, environments and namespaces; the ids are those of the fixture.
const STEPS: [&str; 16] = [
    "select 'nothing'",
    "insert into build_artifact (build_id, artifact_type, key) values (1, 'LOGS', 'a'), (1, 'LOGS', 'b'), \
     (2, 'LOGS', 'c'), (3, 'LOCKFILE', 'd')",
    "delete from build_artifact where key in ('a', 'c')",
    "update build set status = 'FAILED' where id in (2, 5)",
    "update environment set current_build_id = 1 where id = 1",
    "update environment set deleted_on = '2024-01-01 00:00:00' where id = 1",
    "update environment set deleted_on = null where id = 1",
    "update namespace set deleted_on = '2024-01-01 00:00:00' where name = 'other'",
    "update namespace set deleted_on = null where name = 'other'",
    "delete from build_conda_package_build where build_id = 1",
    "insert into build_conda_package_build (build_id, conda_package_build_id) select 4, id from conda_package_build",
    // Ids far apart are in rows apart.
    "insert into build (id, specification_id, environment_id, status, scheduled_on) \
     select 70000, 1, min(id), 'COMPLETED', '2024-01-01 00:00:00' from environment",
    "insert into build (id, specification_id, environment_id, status, scheduled_on) \
     select 140000, 1, max(id), 'COMPLETED', '2023-01-01 00:00:00' from environment",
    "update environment set current_build_id = 70000 where id = 1",
    "delete from build where id = 5",
    // So many that neither are they looked up one by one nor are their moments sorted.
    "insert into build (id, specification_id, environment_id, status, scheduled_on) \
     with recursive ids (id) as (select 200001 union all select id + 1 from ids where id < 210000) \
     select ids.id, 1, e.id, 'COMPLETED', '2024-01-01 00:00:00' from ids join \
     (select id, row_number() over (order by id) as place from environment) e on e.place = 1 + ids.id % 3",
];

/// How many lists are compared after each step. After all steps every filter, and every order with every page, must have been
/// met on each database, which is checked at the end. What a filter does after one step and not after another is left to
/// chance, and each list more takes its time.
const SAMPLES: usize = 12;

/// Filters that a list may have.
#[derive(Clone, Debug)]
struct Filters {
    scope: Scope,
    status: Option<BuildStatus>,
    artifact: Option<ArtifactType>,
    packages: Vec<String>,
    namespace: Option<NamespaceName>,
    name: Option<EnvironmentName>,
    search: Option<&'static str>,
    sort: BuildSort,
    order: Order,
    page: PageRequest,
}

fn filters() -> impl Strategy<Value = Filters> {
    let scopes: Vec<Scope> =
        [&["*/*"][..], &["team/*"], &["te*/*", "other/*"], &["team/web", "oth*/d*"], &["*/web"], &[]]
            .map(|patterns| Scope { patterns: patterns.iter().map(|pattern| pattern.parse().unwrap()).collect() })
            .into();
    let packages = [&[][..], &["numpy"], &["numpy", "scipy", "numpy"], &["none"]];
    let packages: Vec<Vec<String>> =
        packages.map(|names| names.iter().map(|name| String::from(*name)).collect()).into();
    let conditions = (
        select(vec![None, None, Some(BuildStatus::Completed), Some(BuildStatus::Failed), Some(BuildStatus::Queued)]),
        select(vec![None, None, Some(ArtifactType::Logs), Some(ArtifactType::Lockfile)]),
        select(vec![None, None, Some("team".parse().unwrap()), Some("other".parse().unwrap())]),
        select(vec![None, None, Some("web".parse().unwrap())]),
        select(vec![None, None, Some("WEB"), Some("EA")]),
    );
    let order = (
        select(vec![BuildSort::Id, BuildSort::ScheduledOn, BuildSort::EndedOn]),
        any::<bool>().prop_map(|up| if up { Order::Ascending } else { Order::Descending }),
        select(vec![(100, 0), (2, 0), (2, 1), (1, 2)]),
    );
    (select(scopes), select(packages), conditions, order).prop_map(|(scope, packages, conditions, order)| {
        let ((status, artifact, namespace, name, search), (sort, order, (limit, offset))) = (conditions, order);
        let page = PageRequest { limit, start: Start::Offset(offset) };
        Filters { scope, status, artifact, packages, namespace, name, search, sort, order, page }
    })
}

impl Filters {
    /// What it has of each kind.
    fn kinds(&self) -> [(&'static str, String); 8] {
        let Self { scope, status, artifact, packages, namespace, name, search, sort, order, page } = self;
        [
            ("scope", format!("{scope:?}")),
            ("status", format!("{status:?}")),
            ("artifact", format!("{artifact:?}")),
            ("packages", format!("{packages:?}")),
            ("namespace", format!("{namespace:?}")),
            ("name", format!("{name:?}")),
            ("search", format!("{search:?}")),
            ("order and page", format!("{:?}", (sort, order, page))),
        ]
    }
}

/// How many there are of each kind.
const KINDS: [(&str, usize); 8] = [
    ("scope", 6),
    ("status", 4),
    ("artifact", 3),
    ("packages", 4),
    ("namespace", 3),
    ("name", 2),
    ("search", 3),
    ("order and page", 24),
];

/// What both lists have: totals, ids, and whether there is more.
async fn listed(fixture: &Fixture, filters: &Filters) -> [(u64, Vec<i32>, bool); 2] {
    let Filters { scope, status, artifact, packages, namespace, name, search, sort, order, page } = filters;
    let builds = BuildQuery {
        status: *status,
        artifact: *artifact,
        packages,
        namespace: namespace.as_ref(),
        name: name.as_ref(),
        sort: *sort,
        order: *order,
        page: page.clone(),
        ..BuildQuery::new(scope, 0)
    };
    let environments = EnvironmentQuery {
        search: *search,
        status: *status,
        artifact: *artifact,
        packages,
        namespace: namespace.as_ref(),
        name: name.as_ref(),
        order: *order,
        page: page.clone(),
        ..EnvironmentQuery::new(scope, 0)
    };
    let builds = fixture.catalogue.builds(&builds).await.unwrap();
    let environments = fixture.catalogue.environments(&environments).await.unwrap();
    [
        (builds.total, builds.items.iter().map(|item| item.id.0).collect(), builds.next.is_some()),
        (environments.total, environments.items.iter().map(|item| item.id.0).collect(), environments.next.is_some()),
    ]
}

#[tokio::test]
async fn lists_of_sets_agree_with_the_builds() {
    both(async |fixture| {
        fixture.complete("team/web", &[package("numpy", "1"), package("scipy", "1")]).await;
        fixture.complete("team/web", &[package("numpy", "2")]).await;
        fixture.complete("other/web", &[package("scipy", "1")]).await;
        let (failed, attempt) = fixture.start("other/data").await;
        fixture.catalogue.fail_build(failed, attempt, "no").await.unwrap();
        fixture.queue("team/data").await;
        let mut runner = TestRunner::deterministic();
        let mut some_found = 0;
        let mut met = BTreeMap::<_, BTreeSet<_>>::new();
        for step in STEPS {
            fixture.execute(step).await;
            let asked: Vec<Filters> =
                (0..SAMPLES).map(|_| filters().new_tree(&mut runner).unwrap().current()).collect();
            let mut changed = Vec::new();
            for filters in &asked {
                changed.push(listed(fixture, filters).await);
            }
            fixture.catalogue.update_build_facts().await.unwrap();
            let mut updated = Vec::new();
            for filters in &asked {
                updated.push(listed(fixture, filters).await);
            }
            // Where too many builds changed, all are looked at.
            let many = "insert into cs_changed_build (build_id, has_less) \
                with recursive ids (id) as (select 300000 union all select id + 1 from ids where id < 301000) \
                select id, false from ids";
            fixture.execute(many).await;
            for ((filters, changed), updated) in asked.iter().zip(changed).zip(updated) {
                let expected = listed(fixture, filters).await;
                assert_eq!(changed, expected, "{step}: {filters:?}");
                assert_eq!(updated, expected, "{step}: {filters:?}");
                some_found += usize::from(expected.iter().all(|(total, ..)| *total > 0));
                for (kind, value) in filters.kinds() {
                    met.entry(kind).or_default().insert(value);
                }
            }
            fixture.execute("delete from cs_changed_build").await;
        }
        assert!(some_found > 10, "{some_found}");
        for (kind, count) in KINDS {
            assert_eq!(met[kind].len(), count, "{:#?}", met[kind]);
        }
    })
    .await;
}

#[tokio::test]
async fn nothing_is_kept_of_what_is_gone() {
    both(async |fixture| {
        let build = fixture.complete("team/web", &[package("numpy", "1")]).await.0;
        fixture.catalogue.update_build_facts().await.unwrap();
        let facts = "select fact from cs_build_fact order by fact";
        let found = fixture.texts(facts).await;
        assert_eq!(found, ["all", "current", "namespace/team", "package/numpy", "status/COMPLETED"]);
        fixture.execute("update environment set current_build_id = null").await;
        fixture.execute(&format!("delete from build where id = {build}")).await;
        fixture.catalogue.update_build_facts().await.unwrap();
        assert_eq!(fixture.texts(facts).await, Vec::<String>::new());
    })
    .await;
}

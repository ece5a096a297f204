//! The index of channels, and searches in it.

use std::collections::BTreeMap;

use conda_store_core::{
    catalogue::{IndexedName, ListVersion, Order, PackageColumn, PackageQuery, PackageSearch},
    model::{ChannelId, CondaPackage},
};
use rattler_conda_types::RepoDataRecord;
use serde_json::json;

use crate::support::{Fixture, both, package};

const CHANNEL: &str = "https://example.org/forge";

fn record(name: &str, version: &str, build: &str, subdir: &str) -> RepoDataRecord {
    let file = format!("{name}-{version}-{build}.conda");
    serde_json::from_value(json!({
        "name": name, "version": version, "build": build, "build_number": 0, "subdir": subdir, "depends": [],
        "sha256": "ab".repeat(32), "fn": file, "url": format!("{CHANNEL}/{subdir}/{file}"), "channel": CHANNEL,
    }))
    .unwrap()
}

fn indexed(name: &str, records: Vec<RepoDataRecord>) -> IndexedName {
    IndexedName { name: name.to_owned(), digest: format!("{} records", records.len()), records }
}

async fn index(fixture: &Fixture, channel: ChannelId, names: &[IndexedName]) {
    fixture.catalogue.index_packages(channel, "linux-64", names).await.unwrap();
}

fn everything() -> PackageSearch<'static> {
    PackageSearch {
        search: None,
        exact: false,
        build: None,
        distinct: &[],
        sort: &[],
        order: Order::Ascending,
        limit: 100,
        offset: 0,
    }
}

async fn found(fixture: &Fixture, search: &PackageSearch<'_>) -> (Vec<String>, u64) {
    let (packages, total) = fixture.catalogue.search_packages(search).await.unwrap();
    let shown = |package: CondaPackage| format!("{} {} {}", package.name, package.version, package.build);
    (packages.into_iter().map(shown).collect(), total)
}

#[tokio::test]
async fn the_index_follows_a_list_and_leaves_alone_what_builds_consist_of() {
    both(async |fixture| {
        fixture.complete("team/web", &[package("numpy", "1"), package("scipy", "1")]).await;
        let channel = fixture.catalogue.ensure_channel(CHANNEL).await.unwrap();
        let numpy = || package("numpy", "1");
        index(fixture, channel, &[indexed("numpy", vec![numpy(), record("numpy", "2", "0", "linux-64")])]).await;
        let search = PackageSearch { search: Some("numpy"), exact: true, ..everything() };
        assert_eq!(found(fixture, &search).await.0, ["numpy 1 h0_1", "numpy 2 0"]);
        let digests = fixture.catalogue.indexed_names(channel, "linux-64").await.unwrap();
        assert_eq!(digests, BTreeMap::from([("numpy".to_owned(), "2 records".to_owned())]));

        // The channel says something else of one, has a new one, and no longer the others.
        let mut patched = record("numpy", "2", "0", "linux-64");
        patched.package_record.depends = vec!["python".into()];
        index(fixture, channel, &[indexed("numpy", vec![patched, record("numpy", "3", "0", "linux-64")])]).await;
        assert_eq!(found(fixture, &search).await.0, ["numpy 1 h0_1", "numpy 2 0", "numpy 3 0"]);
        let depends = "select cast(depends as text) from conda_package_build where build = '0' order by id";
        assert_eq!(fixture.texts(depends).await, ["[\"python\"]", "[]"]);
        index(fixture, channel, &[indexed("numpy", Vec::new())]).await;
        assert_eq!(found(fixture, &search).await, (vec!["numpy 1 h0_1".to_owned()], 1));
        assert!(fixture.catalogue.indexed_names(channel, "linux-64").await.unwrap().is_empty());

        let build = fixture.complete("team/web", &[package("numpy", "1")]).await;
        let packages = fixture.catalogue.build_packages(build, &PackageQuery::new(10)).await.unwrap();
        assert_eq!((packages.total, found(fixture, &search).await.1), (1, 1));
    })
    .await;
}

#[tokio::test]
async fn what_comes_and_goes_does_so_in_lists_of_all_packages_at_once() {
    both(async |fixture| {
        let channel = fixture.catalogue.ensure_channel(CHANNEL).await.unwrap();
        let by_version = PackageSearch { sort: &[PackageColumn::Version], ..everything() };
        let of_build = PackageSearch { build: Some("0"), ..everything() };
        let versions = |versions: &[&str]| {
            indexed("numpy", versions.iter().map(|version| record("numpy", version, "0", "linux-64")).collect())
        };
        assert_eq!(found(fixture, &by_version).await, (vec![], 0));
        for (comes, expected) in [
            (&["2"][..], &["numpy 2 0"][..]),
            (&["1", "2"], &["numpy 1 0", "numpy 2 0"]),
            (&["1"], &["numpy 1 0"]),
            (&["3"], &["numpy 3 0"]),
            (&[], &[]),
        ] {
            index(fixture, channel, &[versions(comes)]).await;
            for search in [by_version, of_build] {
                let (packages, total) = found(fixture, &search).await;
                assert_eq!(packages, expected);
                assert_eq!(total, expected.len() as u64);
            }
        }
    })
    .await;
}

#[tokio::test]
async fn a_list_is_remembered_by_its_version() {
    both(async |fixture| {
        let channel = fixture.catalogue.ensure_channel(CHANNEL).await.unwrap();
        assert_eq!(fixture.catalogue.ensure_channel(CHANNEL).await.unwrap(), channel);
        assert_eq!(fixture.catalogue.indexed_list(channel, "noarch").await.unwrap(), None);
        let mut version =
            ListVersion { url: format!("{CHANNEL}/noarch/repodata.json"), etag: None, last_modified: None };
        for etag in [None, Some("\"1\"".to_owned())] {
            version.etag = etag;
            fixture.catalogue.set_indexed_list(channel, "noarch", &version).await.unwrap();
            assert_eq!(fixture.catalogue.indexed_list(channel, "noarch").await.unwrap().as_ref(), Some(&version));
        }
        fixture.catalogue.set_channel_updated(channel).await.unwrap();
        assert!(fixture.catalogue.channels().await.unwrap()[0].last_update.is_some());
    })
    .await;
}

/// Every combination of what a search can ask for gives what sorting and filtering a plain list gives.
#[tokio::test]
async fn searches_find_what_a_plain_list_has() {
    both(async |fixture| {
        let mut all = Vec::new();
        for url in ["https://example.org/b", "https://example.org/a"] {
            let channel = fixture.catalogue.ensure_channel(url).await.unwrap();
            let mut names = Vec::new();
            for (index, name) in ["zlib", "numpy", "numpy_base", "py-x", "python"].into_iter().enumerate() {
                let records: Vec<RepoDataRecord> = (0..=index)
                    .flat_map(|version| {
                        ["h0_0", "h1_0"].map(|build| record(name, &version.to_string(), build, "linux-64"))
                    })
                    .collect();
                let shown = |record: &RepoDataRecord| {
                    let record = &record.package_record;
                    [url, record.name.as_normalized(), &record.version.as_str(), record.build.as_str()]
                        .map(str::to_owned)
                };
                all.extend(records.iter().map(shown));
                names.push(indexed(name, records));
            }
            index(fixture, channel, &names).await;
        }
        let columns = [PackageColumn::Channel, PackageColumn::Name, PackageColumn::Version, PackageColumn::Build];
        let sorts: [&[PackageColumn]; 5] =
            [&[], &columns[1..2], &columns[2..3], &columns[3..], &[columns[0], columns[2]]];
        let distincts: [&[PackageColumn]; 6] =
            [&[], &columns[1..2], &columns[2..3], &columns[..2], &columns[..1], &[columns[2], columns[0], columns[2]]];
        for (text, exact, build) in [
            (None, false, None),
            (Some("PY"), false, None),
            (Some("numpy"), true, None),
            (Some("_"), false, Some("h1_0")),
            (None, false, Some("h0_0")),
            (None, true, Some("h2_0")),
        ] {
            for sort in sorts {
                for distinct in distincts {
                    for order in [Order::Ascending, Order::Descending] {
                        let search =
                            PackageSearch { search: text, exact, build, distinct, sort, order, ..everything() };
                        check(fixture, &search, all.clone()).await;
                    }
                }
            }
        }
    })
    .await;
}

async fn check(fixture: &Fixture, search: &PackageSearch<'_>, mut expected: Vec<[String; 4]>) {
    expected.retain(|[_, name, _, build]| {
        let matches = |text: &str| if search.exact { name == text } else { name.contains(&text.to_lowercase()) };
        search.search.is_none_or(matches) && search.build.is_none_or(|wanted| wanted == build)
    });
    let defaults = [PackageColumn::Channel, PackageColumn::Name, PackageColumn::Version, PackageColumn::Build];
    let column = |row: &[String; 4], column: PackageColumn| {
        row[defaults.iter().position(|each| *each == column).unwrap()].clone()
    };
    let keys: Vec<_> = search.distinct.iter().chain(search.sort).chain(&defaults).copied().collect();
    expected.sort_by_key(|row| keys.iter().map(|key| column(row, *key)).collect::<Vec<_>>());
    if search.order == Order::Descending {
        expected.reverse();
    }
    let mut seen = std::collections::BTreeSet::new();
    if !search.distinct.is_empty() {
        expected.retain(|row| seen.insert(search.distinct.iter().map(|key| column(row, *key)).collect::<Vec<_>>()));
    }
    for limit in [100, 7] {
        let mut pieces = Vec::new();
        for offset in (0..=expected.len() as u64).step_by(limit as usize) {
            let search = PackageSearch { limit, offset, ..*search };
            let (packages, total) = fixture.catalogue.search_packages(&search).await.unwrap();
            assert_eq!(total, expected.len() as u64, "{search:?}");
            pieces
                .extend(packages.into_iter().map(|found| [found.channel.name, found.name, found.version, found.build]));
        }
        assert_eq!(pieces, expected, "{search:?} {limit}");
    }
}

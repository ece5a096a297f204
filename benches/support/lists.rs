//! Every list that the API has, with every filter and order.

/// How a list is taken in pieces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Paging {
    /// `page` and `size`.
    Numbers,
    /// `limit` and `cursor`.
    Cursors,
    /// It comes whole.
    Whole,
}

/// A list that somebody asks for.
#[derive(Clone, Debug)]
pub(crate) struct List {
    pub(crate) path: String,
    pub(crate) query: String,
    pub(crate) paging: Paging,
}

/// Filters of lists of environments and of builds, with many, some, few and no matches. The table of contents is
/// `lists.sql`.
const SHARED: [&str; 12] = [
    "",
    "status=COMPLETED",
    "status=FAILED",
    "status=BUILDING",
    "artifact=LOGS",
    "artifact=CONDA_PACK",
    "packages=package-3",
    "packages=package-15000",
    "packages=package-3&packages=package-17&packages=package-40",
    "namespace=team-1",
    "namespace=team-1501",
    "name=web-1",
];

const COMBINED: [&str; 4] = [
    "status=COMPLETED&artifact=CONDA_PACK&packages=package-3",
    "namespace=team-1&packages=package-9",
    "namespace=team-1&status=COMPLETED&artifact=YAML",
    "name=data-2&status=COMPLETED&packages=package-3",
];

const SEARCHES: [&str; 4] = ["search=web", "search=team-77", "search=report-111", "search=web&artifact=CONDA_PACK"];

const BUILDS: [&str; 2] = ["environment_id=1", "environment_id=50000&packages=package-3"];

const PACKAGES: [&str; 13] = [
    "",
    "search=package-1",
    "search=package-1111",
    "search=package-7&exact=true",
    "search=package-7&exact=true&build=py310_1",
    "search=package-7&exact=true&distinct_on=version",
    "build=py310_1",
    "search=package-1&build=py310_1",
    "distinct_on=name",
    "distinct_on=name&search=age-12",
    "distinct_on=version",
    "distinct_on=channel&search=package-1",
    "distinct_on=name&distinct_on=version",
];

/// All of them; those about one environment or build are about these.
pub(crate) fn all(environment: &str, build: u64) -> Vec<List> {
    let mut lists = Vec::new();
    let mut add = |path: &str, filters: &[&str], orders: &[&str], paging| {
        for filter in filters {
            for order in orders {
                let query = [*filter, *order].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("&");
                lists.push(List { path: path.to_owned(), query, paging });
            }
        }
    };
    let environments = [&SHARED[..], &COMBINED, &SEARCHES].concat();
    let builds = [&SHARED[..], &COMBINED, &BUILDS].concat();
    let by_name = ["", "sort_by=name", "order=desc"];
    let by_time = ["", "order=desc", "sort_by=scheduled_on", "sort_by=started_on&order=desc", "sort_by=ended_on"];
    add("/api/v1/namespace", &[""], &["", "order=desc"], Paging::Numbers);
    add("/api/v1/environment", &environments, &by_name, Paging::Numbers);
    add("/api/v2/environment", &environments, &by_name, Paging::Cursors);
    add("/api/v1/build", &builds, &by_time, Paging::Numbers);
    add(&format!("/api/v2/environment/{environment}/history"), &[""], &[""], Paging::Cursors);
    let of_build = ["", "search=package-1", "search=package-7&exact=true", "build=py310_1"];
    let by_name = ["", "sort_by=name&order=desc"];
    add(&format!("/api/v1/build/{build}/packages"), &of_build, &by_name, Paging::Numbers);
    add("/api/v1/channel", &[""], &[""], Paging::Numbers);
    let by_each = ["", "sort_by=name&order=desc", "sort_by=version", "sort_by=build&order=desc"];
    add("/api/v1/package", &PACKAGES, &by_each, Paging::Numbers);
    add("/api/v2/token", &[""], &[""], Paging::Cursors);
    add("/api/v1/usage", &[""], &[""], Paging::Whole);
    lists
}

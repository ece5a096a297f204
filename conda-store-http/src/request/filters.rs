//! What lists can be narrowed down to. An empty value narrows nothing down.

use conda_store_core::{
    auth::Scope,
    catalogue::{
        BuildQuery, BuildSort, EnvironmentQuery, EnvironmentSort, Order, PackageColumn, PackageQuery, PackageSearch,
        PackageSort, PageRequest,
    },
    model::{ArtifactType, BuildStatus, EnvironmentId, EnvironmentName, NamespaceName},
};

use utoipa::{
    IntoParams, PartialSchema as _,
    openapi::path::{Parameter, ParameterIn},
};

use super::{NumberedPage, Parameters, ordering, paging::sorting};
use crate::{
    error::Answer,
    openapi::{query, repeatable, schema},
};

/// The filters that lists of environments and of builds share.
fn shared_filters() -> Vec<Parameter> {
    vec![
        query("namespace", "only of this namespace", schema::Name::schema()),
        query("name", "only of environments of this name", schema::Name::schema()),
        query("status", "only where a build stands here", schema::BuildStatus::schema()),
        repeatable("packages", "only with this package; all of them where there are several", schema::string()),
        query("artifact", "only with this artifact", schema::ArtifactType::schema()),
    ]
}

/// The filters of lists of environments.
#[derive(Debug)]
pub(crate) struct EnvironmentFilters {
    search: Option<String>,
    namespace: Option<NamespaceName>,
    name: Option<EnvironmentName>,
    status: Option<BuildStatus>,
    packages: Vec<String>,
    artifact: Option<ArtifactType>,
    sort: Vec<EnvironmentSort>,
    order: Order,
}

impl EnvironmentFilters {
    /// What `parameters` say; the last to read them, it refuses the request if anything in them is wrong.
    pub(crate) fn read(parameters: &Parameters) -> Answer<Self> {
        let sort = parameters.all("sort_by").filter_map(|name| match name {
            "namespace" => Some(EnvironmentSort::Namespace),
            "name" => Some(EnvironmentSort::Name),
            _ => None,
        });
        let filters = Self {
            search: parameters.text("search").map(str::to_owned),
            namespace: parameters.parsed("namespace"),
            name: parameters.parsed("name"),
            status: parameters.parsed("status"),
            packages: parameters.all("packages").map(str::to_owned).collect(),
            artifact: parameters.parsed("artifact"),
            sort: sort.collect(),
            order: ordering(parameters),
        };
        parameters.check().map(|()| filters)
    }

    /// The query for this page of what `scope` shows, and `shared_with` too where there is one.
    pub(crate) fn query<'a>(
        &'a self,
        scope: &'a Scope,
        shared_with: Option<&'a Scope>,
        page: PageRequest,
    ) -> EnvironmentQuery<'a> {
        EnvironmentQuery {
            scope,
            shared_with,
            search: self.search.as_deref(),
            namespace: self.namespace.as_ref(),
            name: self.name.as_ref(),
            status: self.status,
            packages: &self.packages,
            artifact: self.artifact,
            sort: &self.sort,
            order: self.order,
            page,
        }
    }
}

impl IntoParams for EnvironmentFilters {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let mut parameters = shared_filters();
        parameters.push(query(
            "search",
            "only with this in their name or in that of their namespace",
            schema::string(),
        ));
        parameters.push(query("jwt", "only what the bearer of this token may read as well", schema::string()));
        parameters.push(sorting("`namespace`, `name`"));
        parameters
    }
}

/// The filters of lists of builds.
#[derive(Debug)]
pub(crate) struct BuildFilters {
    status: Option<BuildStatus>,
    packages: Vec<String>,
    artifact: Option<ArtifactType>,
    environment_id: Option<u64>,
    name: Option<EnvironmentName>,
    namespace: Option<NamespaceName>,
    sort: BuildSort,
    order: Order,
}

impl BuildFilters {
    /// What `parameters` say; the last to read them, it refuses the request if anything in them is wrong.
    pub(crate) fn read(parameters: &Parameters) -> Answer<Self> {
        let sort = parameters.all("sort_by").find_map(|name| match name {
            "id" => Some(BuildSort::Id),
            "scheduled_on" => Some(BuildSort::ScheduledOn),
            "started_on" => Some(BuildSort::StartedOn),
            "ended_on" => Some(BuildSort::EndedOn),
            _ => None,
        });
        let filters = Self {
            status: parameters.parsed("status"),
            packages: parameters.all("packages").map(str::to_owned).collect(),
            artifact: parameters.parsed("artifact"),
            environment_id: parameters.integer("environment_id", 0),
            name: parameters.parsed("name"),
            namespace: parameters.parsed("namespace"),
            sort: sort.unwrap_or_default(),
            order: ordering(parameters),
        };
        parameters.check().map(|()| filters)
    }

    /// The query for this page of what `scope` shows.
    pub(crate) fn query<'a>(&'a self, scope: &'a Scope, page: PageRequest) -> BuildQuery<'a> {
        // No environment has the id 0, nor does one have an id too large for its column.
        let id = self.environment_id.map(|id| EnvironmentId(i32::try_from(id).unwrap_or_default()));
        BuildQuery {
            scope,
            status: self.status,
            packages: &self.packages,
            artifact: self.artifact,
            environment_id: id,
            name: self.name.as_ref(),
            namespace: self.namespace.as_ref(),
            sort: self.sort,
            order: self.order,
            page,
        }
    }
}

impl IntoParams for BuildFilters {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let mut parameters = shared_filters();
        parameters.push(query("environment_id", "only of this environment", schema::integer(0)));
        parameters.push(sorting("`id`, `scheduled_on`, `started_on` or `ended_on`"));
        parameters
    }
}

/// The filters of lists of packages.
#[derive(Debug)]
pub(crate) struct PackageFilters {
    search: Option<String>,
    exact: bool,
    build: Option<String>,
    sort: Vec<PackageSort>,
    order: Order,
}

impl PackageFilters {
    /// What `parameters` say; the last to read them, it refuses the request if anything in them is wrong.
    pub(crate) fn read(parameters: &Parameters) -> Answer<Self> {
        let sort = parameters.all("sort_by").filter_map(|name| match name {
            "channel" => Some(PackageSort::Channel),
            "name" => Some(PackageSort::Name),
            _ => None,
        });
        let filters = Self {
            search: parameters.text("search").map(str::to_owned),
            exact: is_exact(parameters),
            build: parameters.text("build").map(str::to_owned),
            sort: sort.collect(),
            order: ordering(parameters),
        };
        parameters.check().map(|()| filters)
    }

    /// The query for this page.
    pub(crate) fn query(&self, page: PageRequest) -> PackageQuery<'_> {
        PackageQuery {
            search: self.search.as_deref(),
            exact: self.exact,
            build: self.build.as_deref(),
            sort: &self.sort,
            order: self.order,
            page,
        }
    }
}

impl IntoParams for PackageFilters {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        vec![
            query("search", "only with this in their name", schema::string()),
            query("exact", "whether the name is `search` as a whole; `false`, `0` and `no` say no", schema::string()),
            query("build", "only with this in their build string", schema::string()),
            sorting("`channel`, `name`"),
        ]
    }
}

/// What is searched for among all packages.
#[derive(Debug)]
pub(crate) struct PackageSearchFilters {
    search: Option<String>,
    exact: bool,
    build: Option<String>,
    distinct: Vec<PackageColumn>,
    sort: Vec<PackageColumn>,
    order: Order,
}

impl PackageSearchFilters {
    /// What `parameters` say; the last to read them, it refuses the request if anything in them is wrong.
    pub(crate) fn read(parameters: &Parameters) -> Answer<Self> {
        let column = |name| match name {
            "channel" => Some(PackageColumn::Channel),
            "name" => Some(PackageColumn::Name),
            "version" => Some(PackageColumn::Version),
            "build" => Some(PackageColumn::Build),
            _ => None,
        };
        let mut distinct = Vec::new();
        for column in parameters.all("distinct_on").filter_map(column) {
            if column != PackageColumn::Build && !distinct.contains(&column) {
                distinct.push(column);
            }
        }
        let filters = Self {
            search: parameters.text("search").map(str::to_owned),
            exact: is_exact(parameters),
            build: parameters.text("build").map(str::to_owned),
            distinct,
            sort: parameters.all("sort_by").filter_map(column).collect(),
            order: ordering(parameters),
        };
        parameters.check().map(|()| filters)
    }

    /// The search for this page.
    pub(crate) fn search(&self, page: NumberedPage) -> PackageSearch<'_> {
        PackageSearch {
            search: self.search.as_deref(),
            exact: self.exact,
            build: self.build.as_deref(),
            distinct: &self.distinct,
            sort: &self.sort,
            order: self.order,
            limit: page.size(),
            offset: page.offset(),
        }
    }
}

impl IntoParams for PackageSearchFilters {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        vec![
            query("search", "only with this in their name", schema::string()),
            query("exact", "whether the name is `search` as a whole; `false`, `0` and `no` say no", schema::string()),
            query("build", "only with this build string", schema::string()),
            repeatable(
                "distinct_on",
                "only the first of those that agree in this: `channel`, `name` or `version`",
                schema::string(),
            ),
            sorting("`channel`, `name`, `version`, `build`"),
        ]
    }
}

/// `exact`: the original takes any text for yes; these say no to people.
fn is_exact(parameters: &Parameters) -> bool {
    parameters.text("exact").is_some_and(|text| !matches!(text, "false" | "False" | "0" | "no"))
}

/// `?platform=`: for which of several platforms something is.
#[derive(Debug)]
pub(crate) enum PlatformParameter {}

impl PlatformParameter {
    /// Its name as written; a lockfile knows which it has.
    pub(crate) fn read(parameters: &Parameters) -> Option<&str> {
        parameters.text("platform")
    }
}

impl IntoParams for PlatformParameter {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        vec![query("platform", "for this platform, such as linux-64, of those that were locked", schema::string())]
    }
}

//! The packages of builds, and the channels they come from.

use sqlx::FromRow;

use super::{Catalogue, Cursor, Order, Page, PageRequest, filter, page, query::Query};
use crate::{
    Result,
    clock::Timestamp,
    model::{BuildId, ChannelId, CondaChannel, CondaPackage, PackageBuildId},
};

/// What a list of packages can be sorted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PackageSort {
    /// The channel's name.
    Channel,
    /// The package's name.
    Name,
}

impl PackageSort {
    fn column(self) -> &'static str {
        match self {
            Self::Channel => "c.name",
            Self::Name => "p.name",
        }
    }

    fn key(self, package: &CondaPackage) -> String {
        match self {
            Self::Channel => package.channel.name.clone(),
            Self::Name => package.name.clone(),
        }
    }
}

/// Which packages of a build to list. What is empty or none does not filter.
#[derive(Clone, Debug)]
pub struct PackageQuery<'a> {
    /// Their name contains this, in capitals or small letters.
    pub search: Option<&'a str>,
    /// Their name is what `search` says, not only contains it.
    pub exact: bool,
    /// Their build string is this.
    pub build: Option<&'a str>,
    /// What they are sorted by; by channel and name where this is empty.
    pub sort: &'a [PackageSort],
    /// Up or down, for all of the sort.
    pub order: Order,
    /// Which piece of the list.
    pub page: PageRequest,
}

impl<'a> PackageQuery<'a> {
    /// The first `limit` packages, by channel and name.
    #[must_use]
    pub fn new(limit: u32) -> Self {
        let page = PageRequest::first(limit);
        Self { search: None, exact: false, build: None, sort: &[], order: Order::Ascending, page }
    }

    fn sort(&self) -> &'a [PackageSort] {
        const DEFAULT: &[PackageSort] = &[PackageSort::Channel, PackageSort::Name];
        if self.sort.is_empty() { DEFAULT } else { self.sort }
    }
}

#[derive(FromRow)]
pub(super) struct PackageRow {
    id: i32,
    channel_id: i32,
    channel: String,
    last_update: Option<Timestamp>,
    build: String,
    license: Option<String>,
    sha256: String,
    name: String,
    version: String,
    summary: Option<String>,
}

impl From<PackageRow> for CondaPackage {
    fn from(row: PackageRow) -> Self {
        Self {
            id: PackageBuildId(row.id),
            channel: CondaChannel { id: ChannelId(row.channel_id), name: row.channel, last_update: row.last_update },
            build: row.build,
            license: row.license,
            sha256: row.sha256,
            name: row.name,
            version: row.version,
            summary: row.summary,
        }
    }
}

#[derive(FromRow)]
struct ChannelRow {
    id: i32,
    name: String,
    last_update: Option<Timestamp>,
}

pub(super) const COLUMNS: &str = "select pb.id, c.id as channel_id, c.name as channel, c.last_update, pb.build, p.license, pb.sha256, \
    p.name, p.version, p.summary";
const TABLES: &str = " from build_conda_package_build l join conda_package_build pb on pb.id = l.conda_package_build_id \
    join conda_package p on p.id = pb.package_id join conda_channel c on c.id = p.channel_id where l.build_id = ";

impl Catalogue {
    /// Lists the packages of a build; none where there is no such build.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`](crate::ErrorKind::Invalid) for a cursor of a list in another order.
    pub async fn build_packages(&self, build: BuildId, query: &PackageQuery<'_>) -> Result<Page<CondaPackage>> {
        const OPERATION: &str = "list packages";
        let count = self.database.query(OPERATION, "select count(*)").push(TABLES).bind(build);
        let (total,): (i64,) = narrow(count, query).one().await?;
        let list = narrow(self.database.query(OPERATION, COLUMNS).push(TABLES).bind(build), query);
        let window = query.page.window(query.order, total);
        let rows: Vec<PackageRow> = window.cut(sort(list, query, window.order)?).all().await?;
        let items = rows.into_iter().map(CondaPackage::from).collect();
        Ok(query.page.page(&window, items, total, |item| Cursor {
            keys: query.sort().iter().map(|sort| Some(sort.key(item))).collect(),
            id: item.id.0,
        }))
    }

    /// All channels that packages came from, by name.
    pub async fn channels(&self) -> Result<Vec<CondaChannel>> {
        const SELECT: &str = "select id, name, last_update from conda_channel order by name";
        let rows: Vec<ChannelRow> = self.database.query("list channels", SELECT).all().await?;
        let channel =
            |row: ChannelRow| CondaChannel { id: ChannelId(row.id), name: row.name, last_update: row.last_update };
        Ok(rows.into_iter().map(channel).collect())
    }
}

fn narrow<'t>(mut list: Query<'t>, query: &PackageQuery<'_>) -> Query<'t> {
    match query.search {
        Some(name) if query.exact => list = list.push(" and p.name = ").bind(name),
        Some(text) => list = filter::contains(list.push(" and "), "p.name", text),
        None => {}
    }
    match query.build {
        Some(build) => list.push(" and pb.build = ").bind(build),
        None => list,
    }
}

fn sort<'t>(list: Query<'t>, query: &PackageQuery<'_>, order: Order) -> Result<Query<'t>> {
    let mut columns: Vec<&'static str> = query.sort().iter().map(|sort| sort.column()).collect();
    let cursor = query.page.cursor(columns.len())?;
    columns.push("pb.id");
    Ok(page::sort(list, &columns, order, cursor))
}

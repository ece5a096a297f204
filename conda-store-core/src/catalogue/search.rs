//! Searching all packages that the catalogue knows, those of indexed channels and those of builds.
//!
//! There may be a million of them, of some ten thousands of names. Where the order begins with the name, the page is
//! found in the table of names, which has their numbers of builds, and only the packages of the names on it are read. Of
//! one name there are few. Any other list is found in [`package_columns`](super::package_columns).

use std::collections::HashMap;

use super::{
    Catalogue, Order, PageRequest, Start,
    build_facts::one_of,
    filter,
    packages::{COLUMNS, PackageRow},
    page::Window,
    query::Query,
};
use crate::{Result, model::CondaPackage};

/// What is being done.
pub(super) const OPERATION: &str = "search packages";

/// What packages can be sorted by and told apart by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PackageColumn {
    /// The channel's name.
    Channel,
    /// The package's name.
    Name,
    /// Its version, as text.
    Version,
    /// The build string.
    Build,
}

use PackageColumn::{Build, Channel, Name, Version};

impl PackageColumn {
    /// How many there are.
    pub(super) const COUNT: usize = 4;

    fn expression(self) -> &'static str {
        match self {
            Channel => "c.name",
            Name => "p.name",
            Version => "p.version",
            Build => "pb.build",
        }
    }
}

/// Which packages to find. What is empty or none does not filter.
#[derive(Clone, Copy, Debug)]
pub struct PackageSearch<'a> {
    /// Their name contains this, in capitals or small letters.
    pub search: Option<&'a str>,
    /// Their name is what `search` says, not only contains it.
    pub exact: bool,
    /// Their build string is this.
    pub build: Option<&'a str>,
    /// Of those that agree in all of these only the first in the order is found.
    pub distinct: &'a [PackageColumn],
    /// What they are sorted by, after what they are told apart by; what is not named here decides among equals: channel,
    /// name, version, build.
    pub sort: &'a [PackageColumn],
    /// Up or down, for all of the sort.
    pub order: Order,
    /// How many at most.
    pub limit: u32,
    /// How many to leave out.
    pub offset: u64,
}

impl PackageSearch<'_> {
    /// All columns in the order in which they sort.
    pub(super) fn keys(&self) -> [PackageColumn; PackageColumn::COUNT] {
        let mut keys = [Channel, Name, Version, Build];
        let mut settled = 0;
        for column in self.distinct.iter().chain(self.sort) {
            if let Some(place) = keys[settled..].iter().position(|key| key == column) {
                keys[settled..=settled + place].rotate_right(1);
                settled += 1;
            }
        }
        keys
    }

    /// The one name that is looked for, if it is one.
    fn name(&self) -> Option<&str> {
        self.search.filter(|_| self.exact)
    }

    /// How the table of names finds the page, if it does.
    fn by_name(&self) -> Option<ByName> {
        let keys = self.keys();
        let leads = keys[0] == Name || keys[..2] == [Channel, Name];
        if self.name().is_some() || self.build.is_some() || !leads {
            return None;
        }
        match self.distinct {
            [] => Some(ByName { each: "n.builds", across_channels: false }),
            [Name] => Some(ByName { each: "1", across_channels: true }),
            [Name, Channel] | [Channel, Name] => Some(ByName { each: "1", across_channels: false }),
            _ => None,
        }
    }
}

/// What the rows of the table of names stand for.
#[derive(Clone, Copy, Debug)]
struct ByName {
    /// How many packages of the list a row stands for.
    each: &'static str,
    /// Whether the rows of one name are one.
    across_channels: bool,
}

/// The names on a page.
struct Located {
    /// Each with its channel, unless that does not matter.
    names: Vec<(String, Option<i32>)>,
    /// How many packages come before the first of them.
    before: i64,
}

const TABLES: &str = " from conda_package_build pb join conda_package p on p.id = pb.package_id \
    join conda_channel c on c.id = p.channel_id where 1 = 1";
const NAMES: &str = " from cs_package_name n where 1 = 1";

impl Catalogue {
    /// Finds packages: one page of them, and how many there are.
    pub async fn search_packages(&self, search: &PackageSearch<'_>) -> Result<(Vec<CondaPackage>, u64)> {
        let by_name = search.by_name();
        if by_name.is_none() && search.name().is_none() {
            return self.search_columns(search).await;
        }
        let total = self.count_found(search, by_name).await?;
        let page = PageRequest { limit: search.limit, start: Start::Offset(search.offset) };
        let mut window = page.window(search.order, total);
        let located = match by_name {
            Some(by_name) => Some(self.locate(search, by_name, window).await?),
            None => None,
        };
        if let Some(located) = &located {
            if located.names.is_empty() {
                return Ok((Vec::new(), u64::try_from(total).unwrap_or_default()));
            }
            window = window.behind(located.before);
        }
        let list = self.database.query(OPERATION, "");
        let rows: Vec<PackageRow> = found(list, search, located.as_ref(), window).all().await?;
        let items = rows.into_iter().map(CondaPackage::from).collect();
        let page =
            page.page(&window, items, total, |item: &CondaPackage| super::Cursor { keys: Vec::new(), id: item.id.0 });
        Ok((page.items, page.total))
    }

    /// As [`Self::search_packages`], by all packages.
    async fn search_columns(&self, search: &PackageSearch<'_>) -> Result<(Vec<CondaPackage>, u64)> {
        let found = self.find_packages(search).await?;
        let total = u64::try_from(found.total).unwrap_or(u64::MAX);
        if found.ids.is_empty() {
            return Ok((Vec::new(), total));
        }
        let list = self.database.query(OPERATION, COLUMNS).push(TABLES).push(" and pb.id");
        let rows: Vec<PackageRow> =
            one_of(list, found.ids.iter().filter_map(|id| u32::try_from(*id).ok())).all().await?;
        let mut packages: HashMap<i32, CondaPackage> =
            rows.into_iter().map(CondaPackage::from).map(|package| (package.id.0, package)).collect();
        Ok((found.ids.iter().filter_map(|id| packages.remove(id)).collect(), total))
    }

    async fn count_found(&self, search: &PackageSearch<'_>, by_name: Option<ByName>) -> Result<i64> {
        let query = self.database.query(OPERATION, "select ");
        let query = match by_name {
            Some(ByName { across_channels: true, .. }) => {
                // To count names that differ PostgreSQL would sort them.
                matching_names(query.push("count(*) from (select distinct n.name").push(NAMES), search).push(") found")
            }
            Some(ByName { each, .. }) => {
                matching_names(query.push("coalesce(sum(").push(each).push("), 0)").push(NAMES), search)
            }
            None if search.distinct.is_empty() => matching(query.push("count(*)").push(TABLES), search, None),
            None => {
                let query = query.push("count(*) from (select distinct ");
                matching(listed(query, search.distinct).push(TABLES), search, None).push(") found")
            }
        };
        let (total,): (i64,) = query.one().await?;
        Ok(total)
    }

    /// The names that the page is about.
    async fn locate(&self, search: &PackageSearch<'_>, by_name: ByName, window: Window) -> Result<Located> {
        if by_name.across_channels {
            return self.locate_names(search, window).await;
        }
        let order = window.order.keyword();
        let columns = if search.keys()[0] == Name { ["name", "channel"] } else { ["channel", "name"] };
        let query =
            self.database.query(OPERATION, "select name, channel_id, before from (select name, channel_id, each, ");
        let query = query.push("sum(each) over (order by ").push(columns[0]).push(order).push(", ").push(columns[1]);
        let query =
            query.push(order).push(" rows between unbounded preceding and current row) - each as before from (");
        // The place of a channel among the channels is quicker to sort by than its URL.
        let query = query.push("select n.name, n.channel_id, ").push(by_name.each).push(
            " as each, c.channel from cs_package_name n \
             join (select id, row_number() over (order by name",
        );
        let query = query.push_either("", " collate \"C\"");
        let query = query.push(") as channel from conda_channel) c on c.id = n.channel_id where 1 = 1");
        let query = matching_names(query, search).push(") names) located where before < ").bind(window.end());
        let query = query.push(" and before + each > ").bind(window.offset()).push(" order by before");
        let rows: Vec<(String, i32, i64)> = query.all().await?;
        let before = rows.first().map_or(0, |(_, _, before)| *before);
        Ok(Located { names: rows.into_iter().map(|(name, id, _)| (name, Some(id))).collect(), before })
    }

    /// As [`Self::locate`] where each name is one.
    async fn locate_names(&self, search: &PackageSearch<'_>, window: Window) -> Result<Located> {
        let names = self.database.query(OPERATION, "select distinct n.name").push(NAMES);
        let names = matching_names(names, search).push(" order by n.name").push(window.order.keyword());
        let rows: Vec<(String,)> = window.cut(names).all().await?;
        Ok(Located { names: rows.into_iter().map(|(name,)| (name, None)).collect(), before: window.offset() })
    }
}

/// The rows of the page.
fn found<'t>(list: Query<'t>, search: &PackageSearch<'_>, located: Option<&Located>, window: Window) -> Query<'t> {
    let keys = search.keys();
    // The order of the table of names and of all packages, not the database's own.
    let collation = if list.is_sqlite() { "" } else { " collate \"C\"" };
    if search.distinct.is_empty() {
        let list = matching(list.push(COLUMNS).push(TABLES), search, located).push(" order by ");
        let list = ordered(list, &keys, collation, window.order).push(", pb.id").push(window.order.keyword());
        return window.cut(list);
    }
    // The first of each in the order that was asked for, also where the page is read from the end.
    let list = list.push("select * from (").push(COLUMNS).push(", row_number() over (partition by ");
    let list = listed(list, search.distinct).push(" order by ");
    let list = ordered(list, &keys, collation, search.order).push(", pb.id").push(search.order.keyword());
    let list = matching(list.push(") as place").push(TABLES), search, located);
    let list = list.push(") found where place = 1 order by ");
    window.cut(outer(list, &keys, collation, window.order))
}

/// Columns, with commas.
fn listed<'t>(mut query: Query<'t>, columns: &[PackageColumn]) -> Query<'t> {
    for (index, column) in columns.iter().enumerate() {
        query = query.push(if index == 0 { "" } else { ", " }).push(column.expression());
    }
    query
}

fn ordered<'t>(mut query: Query<'t>, keys: &[PackageColumn], collation: &'static str, order: Order) -> Query<'t> {
    for (index, key) in keys.iter().enumerate() {
        query = query.push(if index == 0 { "" } else { ", " }).push(key.expression());
        query = query.push(collation).push(order.keyword());
    }
    query
}

/// As [`ordered`], by the names that the columns have outside.
fn outer<'t>(mut query: Query<'t>, keys: &[PackageColumn], collation: &'static str, order: Order) -> Query<'t> {
    for (index, key) in keys.iter().enumerate() {
        let column = match key {
            Channel => "channel",
            Name => "name",
            Version => "version",
            Build => "build",
        };
        query = query.push(if index == 0 { "" } else { ", " }).push(column).push(collation).push(order.keyword());
    }
    query
}

/// Narrows the table of names (`n`) down.
fn matching_names<'t>(query: Query<'t>, search: &PackageSearch<'_>) -> Query<'t> {
    match search.search {
        Some(text) => filter::contains(query.push(" and "), "n.name", text),
        None => query,
    }
}

/// Narrows packages down: to those of the `located` names, or of the one that is looked for.
fn matching<'t>(mut query: Query<'t>, search: &PackageSearch<'_>, located: Option<&Located>) -> Query<'t> {
    if let Some(build) = search.build {
        query = query.push(" and pb.build = ").bind(build);
    }
    match (located, search.name()) {
        (Some(located), _) => of_names(query, located),
        (None, Some(name)) => query.push(" and p.name = ").bind(name),
        (None, None) => query,
    }
}

fn of_names<'t>(query: Query<'t>, located: &Located) -> Query<'t> {
    let with_channel = located.names.iter().any(|(_, channel)| channel.is_some());
    let mut query =
        query.push(if with_channel { " and (p.name, p.channel_id) in (values " } else { " and p.name in (" });
    for (index, (name, channel)) in located.names.iter().enumerate() {
        query = query.push(if index == 0 { "" } else { ", " });
        query = match channel {
            Some(channel) => query.push("(").bind(name.as_str()).push(", ").bind(*channel).push(")"),
            None => query.bind(name.as_str()),
        };
    }
    query.push(")")
}

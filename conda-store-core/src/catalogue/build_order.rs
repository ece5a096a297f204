//! Builds in the order of a moment: which of a set are on a page.
//!
//! A moment that has not come yet is later than all that have. Of a few builds all moments are read and sorted here; more
//! are found by a walk along the index of the moment.

use chrono::NaiveDateTime;
use futures::future::try_join_all;
use roaring::RoaringBitmap;

use super::{
    Catalogue, Cursor, Order,
    build_facts::{one_of, read_ids},
    build_sets::ids,
    builds::{BuildQuery, OPERATION},
    filter,
    page::Window,
    query::Query,
    walk::Walk,
};
use crate::{Error, Result, clock::Timestamp};

/// The moments of so many builds are all read, wherever in an index they are.
const SORTED_HERE: u64 = 8000;

/// To find the first of more than these by a walk is less, unless they lie together somewhere else.
const WALKED: u64 = 5000;

impl Catalogue {
    /// Which of the builds `found` are on the page of a list by a moment, unless the database has to find that out.
    pub(super) async fn locate_builds(
        &self,
        query: &BuildQuery<'_>,
        found: &RoaringBitmap,
        window: &Window,
    ) -> Result<Option<Vec<u32>>> {
        let Some(column) = query.sort.column() else { return Ok(None) };
        let cursor = query.page.cursor(query.sort.keys())?;
        if found.len() > WALKED {
            let page = match window.order {
                Order::Ascending => self.walk_builds(column, found, window, cursor, "").await?,
                Order::Descending => self.walk_builds_back(column, found, window, cursor).await?,
            };
            if page.is_some() || found.len() > SORTED_HERE {
                return Ok(page);
            }
        }
        self.sort_builds(column, found, window, cursor).await.map(Some)
    }

    /// As [`Self::locate_builds`] for few.
    async fn sort_builds(
        &self,
        column: &'static str,
        found: &RoaringBitmap,
        window: &Window,
        cursor: Option<&Cursor>,
    ) -> Result<Vec<u32>> {
        let ids: Vec<u32> = found.iter().collect();
        let pieces = ids.chunks(filter::FEW).map(|some| self.first_builds(column, some, window, cursor));
        let builds = try_join_all(pieces).await?.into_iter().flatten();
        let mut builds: Vec<_> = builds.map(|(id, moment)| (moment.is_none(), moment, id)).collect();
        builds.sort_unstable();
        if window.order == Order::Descending {
            builds.reverse();
        }
        let page = builds.iter().skip(place(window.offset())).take(place(window.limit()));
        Ok(page.filter_map(|(.., id)| u32::try_from(*id).ok()).collect())
    }

    /// Those of `builds` that can be before the end of the window.
    async fn first_builds(
        &self,
        column: &'static str,
        builds: &[u32],
        window: &Window,
        cursor: Option<&Cursor>,
    ) -> Result<Vec<(i32, Option<Timestamp>)>> {
        let list = self.database.query(OPERATION, "select b.id, ").push(column).push(" from build b where b.id");
        let list = sort(one_of(list, builds.iter().copied()), Some(column), cursor, window.order)?;
        list.push(" limit ").bind(window.end()).all().await
    }

    /// As [`Self::locate_builds`] for many, the latest first. Those whose moment has not come lie before all others in the
    /// index, and there may be many that are not in the set: they are read by themselves.
    async fn walk_builds_back(
        &self,
        column: &'static str,
        found: &RoaringBitmap,
        window: &Window,
        cursor: Option<&Cursor>,
    ) -> Result<Option<Vec<u32>>> {
        let (mut coming, mut came, mut walked_from) = (RoaringBitmap::new(), found.clone(), cursor);
        if cursor.is_none_or(|cursor| cursor.keys == [None]) {
            coming = self.coming(column).await? & found;
            came -= &coming;
            if let Some(cursor) = walked_from.take() {
                coming.remove_range(u32::try_from(cursor.id).unwrap_or_default()..);
            }
        }
        let first = coming.iter().rev().skip(place(window.offset())).take(place(window.limit())).collect::<Vec<_>>();
        let rest = window.behind(i64::try_from(coming.len()).unwrap_or(i64::MAX));
        if rest.limit() == 0 {
            return Ok(Some(first));
        }
        let others = self.walk_builds(column, &came, &rest, walked_from, " is not null").await?;
        Ok(others.map(|others| [first, others].concat()))
    }

    /// The builds whose moment in `column` has not come.
    async fn coming(&self, column: &'static str) -> Result<RoaringBitmap> {
        let all = ids(self.database.query(OPERATION, "select "), "b.id").push(" from build b where ").push(column);
        let (all,): (Option<String>,) = all.push(" is null").one().await?;
        Ok(read_ids(&all.unwrap_or_default()).collect())
    }

    /// The builds `found` that a walk along the index of `column`, where that fulfils `condition`, finds in the window.
    async fn walk_builds(
        &self,
        column: &'static str,
        found: &RoaringBitmap,
        window: &Window,
        cursor: Option<&Cursor>,
        condition: &'static str,
    ) -> Result<Option<Vec<u32>>> {
        const ROWS: &str = "select b.id, b.id from build b where 1 = 1";
        let total = i64::try_from(found.len()).unwrap_or(i64::MAX);
        let mut walk = Walk::new(found, window, total, found.max().unwrap_or_default().into());
        while let Some(far) = walk.far() {
            let rows = self.database.query(OPERATION, ROWS);
            let rows = if condition.is_empty() { rows } else { rows.push(" and ").push(column).push(condition) };
            let rows = sort(rows, Some(column), cursor, window.order)?.push(" limit ").bind(far);
            if let Some(ids) = walk.meet(rows.all().await?) {
                return Ok(Some(ids));
            }
            if found.len() <= SORTED_HERE {
                break;
            }
        }
        Ok(None)
    }
}

/// Sorts by `column`, or by id alone, and leaves out what comes before the page.
pub(super) fn sort<'t>(
    list: Query<'t>,
    column: Option<&'static str>,
    cursor: Option<&Cursor>,
    order: Order,
) -> Result<Query<'t>> {
    let list = match (column, cursor) {
        (_, None) => list,
        (None, Some(cursor)) => list.push(" and b.id").push(order.after()).bind(cursor.id),
        (Some(column), Some(cursor)) => behind(list, column, order, cursor)?,
    };
    Ok(order_by(list, column, order))
}

pub(super) fn order_by<'t>(list: Query<'t>, column: Option<&'static str>, order: Order) -> Query<'t> {
    let list = list.push(" order by ");
    let Some(column) = column else { return list.push("b.id").push(order.keyword()) };
    let nulls = if order == Order::Ascending { " nulls last, b.id" } else { " nulls first, b.id" };
    list.push(column).push(order.keyword()).push(nulls).push(order.keyword())
}

/// What comes behind the cursor in the order of a column that may be null, which is the greatest.
fn behind<'t>(list: Query<'t>, column: &'static str, order: Order, cursor: &Cursor) -> Result<Query<'t>> {
    let list = list.push(" and ((").push(column);
    let Some(moment) = moment(cursor)? else {
        let list = list.push(" is null and b.id").push(order.after()).bind(cursor.id).push(")");
        let rest = if order == Order::Descending { " is not null)" } else { " is null and 1 = 0)" };
        return Ok(list.push(" or ").push(column).push(rest));
    };
    let list = list.push(" = ").bind(moment).push(" and b.id").push(order.after()).bind(cursor.id).push(") or ");
    let list = list.push(column).push(order.after()).bind(moment);
    Ok(if order == Order::Ascending { list.push(" or ").push(column).push(" is null)") } else { list.push(")") })
}

/// The moment of the last item before a page; none where it has not come yet.
fn moment(cursor: &Cursor) -> Result<Option<Timestamp>> {
    let moment = cursor.keys.first().and_then(Option::as_deref).map(str::parse::<NaiveDateTime>).transpose();
    let moment = moment
        .map_err(|cause| Error::invalid("read cursor", "the cursor is none that a list gave").with_source(cause))?;
    Ok(moment.map(Timestamp::new))
}

fn place(number: i64) -> usize {
    usize::try_from(number).unwrap_or_default()
}

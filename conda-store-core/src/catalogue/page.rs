//! Lists in pieces.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use super::query::Query;
use crate::{Error, Result};

/// Up or down.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// The smallest first.
    #[default]
    Ascending,
    /// The greatest first.
    Descending,
}

impl Order {
    /// The keyword after a column.
    pub(super) fn keyword(self) -> &'static str {
        match self {
            Self::Ascending => " asc",
            Self::Descending => " desc",
        }
    }

    /// The other way round.
    pub(super) fn reversed(self) -> Self {
        match self {
            Self::Ascending => Self::Descending,
            Self::Descending => Self::Ascending,
        }
    }

    /// The operator that holds between what comes later and what comes first.
    pub(super) fn after(self) -> &'static str {
        match self {
            Self::Ascending => " > ",
            Self::Descending => " < ",
        }
    }
}

/// The place right behind one item of a list, whatever is inserted meanwhile. As text it is opaque: hexadecimal digits.
///
/// It fits only lists in the same sort order as the one it comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cursor {
    /// What the list is sorted by, of that item.
    pub(super) keys: Vec<Option<String>>,
    /// That item's id, which decides among equals.
    pub(super) id: i32,
}

impl fmt::Display for Cursor {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = serde_json::to_vec(&(&self.keys, self.id)).map_err(|_| fmt::Error)?;
        formatter.write_str(&hex::encode(text))
    }
}

impl FromStr for Cursor {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let wrong = || Error::invalid("read cursor", "the cursor is none that a list gave");
        let bytes = hex::decode(text).map_err(|cause| wrong().with_source(cause))?;
        let (keys, id) = serde_json::from_slice(&bytes).map_err(|cause| wrong().with_source(cause))?;
        Ok(Self { keys, id })
    }
}

/// Where a page begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Start {
    /// Behind so many items.
    Offset(u64),
    /// Behind this item.
    After(Cursor),
}

/// Which piece of a list is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageRequest {
    /// How many items at most.
    pub limit: u32,
    /// Where it begins.
    pub start: Start,
}

impl PageRequest {
    /// The first `limit` items.
    #[must_use]
    pub fn first(limit: u32) -> Self {
        Self { limit, start: Start::Offset(0) }
    }

    /// The cursor it begins after, checked to have as many keys as the list is sorted by.
    pub(super) fn cursor(&self, keys: usize) -> Result<Option<&Cursor>> {
        match &self.start {
            Start::Offset(_) => Ok(None),
            Start::After(cursor) if cursor.keys.len() == keys => Ok(Some(cursor)),
            Start::After(_) => Err(Error::invalid("read cursor", "the cursor is of a list in another order")),
        }
    }

    /// How to read this piece of a list of `total` items in `order`: from whichever end of the list is nearer, as a
    /// database reads all that it skips.
    pub(super) fn window(&self, order: Order, total: i64) -> Window {
        let size = i64::from(self.limit);
        let (offset, limit) = match self.start {
            Start::After(_) | Start::Offset(0) => (0, size + 1),
            Start::Offset(items) => (i64::try_from(items).unwrap_or(i64::MAX), size + 1),
        };
        let end = offset.saturating_add(size).min(total);
        if offset <= total / 2 || matches!(self.start, Start::After(_)) {
            return Window { order, offset, limit, is_reversed: false, has_more: false };
        }
        Window {
            order: order.reversed(),
            offset: total - end,
            limit: (end - offset).max(0),
            is_reversed: true,
            has_more: end < total,
        }
    }

    /// How to read it where that is the same however long the list is.
    pub(super) fn window_at_front(&self, order: Order) -> Option<Window> {
        matches!(self.start, Start::After(_) | Start::Offset(0)).then(|| self.window(order, i64::MAX))
    }

    /// The page of what a query for `window` gave.
    pub(super) fn page<T>(
        &self,
        window: &Window,
        mut items: Vec<T>,
        total: i64,
        cursor: impl Fn(&T) -> Cursor,
    ) -> Page<T> {
        let limit = usize::try_from(self.limit).unwrap_or(usize::MAX);
        let more = window.has_more || items.len() > limit;
        items.truncate(limit);
        if window.is_reversed {
            items.reverse();
        }
        let next = if more { items.last().map(cursor) } else { None };
        Page { items, total: u64::try_from(total).unwrap_or_default(), next }
    }
}

/// How a piece of a list is read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Window {
    /// The order to read in.
    pub(super) order: Order,
    offset: i64,
    limit: i64,
    /// Whether what is read has to be turned round.
    pub(super) is_reversed: bool,
    has_more: bool,
}

impl Window {
    /// How many items are skipped.
    pub(super) fn offset(&self) -> i64 {
        self.offset
    }

    /// How many items are read at most.
    pub(super) fn limit(&self) -> i64 {
        self.limit
    }

    /// The place behind the last item that is read.
    pub(super) fn end(&self) -> i64 {
        self.offset.saturating_add(self.limit)
    }

    /// What lies behind the first `items` of the list, in a list that lacks those.
    pub(super) fn behind(self, items: i64) -> Self {
        let limit = self.limit - (items - self.offset).clamp(0, self.limit);
        Self { offset: (self.offset - items).max(0), limit, ..self }
    }

    /// Ends `query` so that it gives the piece; read from the front, one item more as a sign that there are others.
    pub(super) fn cut<'t>(&self, query: Query<'t>) -> Query<'t> {
        let query = query.push(" limit ").bind(self.limit);
        if self.offset == 0 { query } else { query.push(" offset ").bind(self.offset) }
    }
}

/// Sorts a list by `columns`, the last of which is the id, and leaves out what comes before the cursor.
pub(super) fn sort<'t>(list: Query<'t>, columns: &[&'static str], order: Order, cursor: Option<&Cursor>) -> Query<'t> {
    let list = match cursor {
        Some(cursor) => behind(list, columns, order, cursor),
        None => list,
    };
    order_by(list, columns, order)
}

/// Sorts a list by `columns`.
pub(super) fn order_by<'t>(list: Query<'t>, columns: &[&'static str], order: Order) -> Query<'t> {
    let mut list = list.push(" order by ");
    for (index, column) in columns.iter().enumerate() {
        list = list.push(if index == 0 { "" } else { ", " }).push(column).push(order.keyword());
    }
    list
}

fn behind<'t>(list: Query<'t>, columns: &[&'static str], order: Order, cursor: &Cursor) -> Query<'t> {
    let mut list = list;
    if let (Some(column), Some(key)) = (columns.first(), cursor.keys.first()) {
        // It follows from what comes next, but this is what an index finds.
        list = list.push(" and ").push(column).push(order.after().trim_end()).push("= ");
        list = list.bind(key.clone().unwrap_or_default());
    }
    list = list.push(" and (");
    for (index, column) in columns.iter().enumerate() {
        list = list.push(if index == 0 { "" } else { ", " }).push(column);
    }
    list = list.push(")").push(order.after()).push("(");
    for key in &cursor.keys {
        list = list.bind(key.clone().unwrap_or_default()).push(", ");
    }
    list.bind(cursor.id).push(")")
}

/// A piece of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T> {
    /// Its items.
    pub items: Vec<T>,
    /// How many the whole list has.
    pub total: u64,
    /// Where the next piece begins; `None` at the end.
    pub next: Option<Cursor>,
}

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

    /// Ends `query` so that it gives this piece, and one item more as a sign that there are others.
    pub(super) fn cut<'t>(&self, query: Query<'t>) -> Query<'t> {
        let query = query.push(" limit ").bind(i64::from(self.limit) + 1);
        match self.start {
            Start::Offset(0) | Start::After(_) => query,
            Start::Offset(items) => query.push(" offset ").bind(i64::try_from(items).unwrap_or(i64::MAX)),
        }
    }

    /// The page of what such a query gave.
    pub(super) fn page<T>(&self, mut items: Vec<T>, total: i64, cursor: impl Fn(&T) -> Cursor) -> Page<T> {
        let limit = usize::try_from(self.limit).unwrap_or(usize::MAX);
        let more = items.len() > limit;
        items.truncate(limit);
        let next = if more { items.last().map(cursor) } else { None };
        Page { items, total: u64::try_from(total).unwrap_or_default(), next }
    }
}

/// Sorts a list by `columns`, the last of which is the id, and leaves out what comes before the cursor.
pub(super) fn sort<'t>(list: Query<'t>, columns: &[&'static str], order: Order, cursor: Option<&Cursor>) -> Query<'t> {
    let list = match cursor {
        Some(cursor) => behind(list, columns, order, cursor),
        None => list,
    };
    let mut list = list.push(" order by ");
    for (index, column) in columns.iter().enumerate() {
        list = list.push(if index == 0 { "" } else { ", " }).push(column).push(order.keyword());
    }
    list
}

fn behind<'t>(list: Query<'t>, columns: &[&'static str], order: Order, cursor: &Cursor) -> Query<'t> {
    let mut list = list.push(" and (");
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

//! Which piece of a list is wanted.

use conda_store_core::{
    Error, ErrorKind,
    catalogue::{Cursor, Order, PageRequest, Start},
};

use utoipa::{
    IntoParams,
    openapi::path::{Parameter, ParameterIn},
};

use super::Parameters;
use crate::{
    answer::{Listing, Piece},
    error::Failure,
    face::Face,
    openapi::{query, repeatable, schema},
};

/// `order`: up, unless it says `desc`.
pub(crate) fn ordering(parameters: &Parameters) -> Order {
    if parameters.text("order") == Some("desc") { Order::Descending } else { Order::Ascending }
}

/// `sort_by`, with the names that mean something.
pub(crate) fn sorting(names: &str) -> Parameter {
    repeatable("sort_by", &format!("what comes first: {names}; other names are ignored"), schema::string())
}

/// The number of items that `name` asks for, at most as many as a page may have.
fn limit(face: &Face, parameters: &Parameters, name: &str) -> u32 {
    let most = face.options().max_page_size;
    let asked = parameters.integer(name, 1).map_or(most, |asked| u32::try_from(asked).unwrap_or(most));
    asked.min(most)
}

/// `page` and `size`, as lists of API version 1 take them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NumberedPage {
    number: u64,
    size: u32,
}

impl NumberedPage {
    /// What `parameters` ask for.
    pub(crate) fn read(face: &Face, parameters: &Parameters) -> Self {
        Self { number: parameters.integer("page", 1).unwrap_or(1), size: limit(face, parameters, "size") }
    }

    /// How many items it has at most.
    pub(crate) fn size(self) -> u32 {
        self.size
    }

    /// The items before the page.
    pub(crate) fn offset(self) -> u64 {
        (self.number - 1).saturating_mul(self.size.into())
    }

    /// The piece of the list.
    pub(crate) fn request(self) -> PageRequest {
        PageRequest { limit: self.size, start: Start::Offset(self.offset()) }
    }

    /// The answer with these items of `count`.
    pub(crate) fn listing<T>(self, data: Vec<T>, count: u64) -> Listing<T> {
        Listing::new(data, self.number, self.size, count)
    }

    /// The answer with this page's share of `all`.
    pub(crate) fn share<T>(self, all: Vec<T>) -> Listing<T> {
        let count = all.len() as u64;
        let before = usize::try_from(self.offset()).unwrap_or(usize::MAX);
        let size = usize::try_from(self.size).unwrap_or(usize::MAX);
        self.listing(all.into_iter().skip(before).take(size).collect(), count)
    }
}

impl IntoParams for NumberedPage {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        vec![
            query("page", "the number of the page, from 1", schema::integer(1)),
            query("size", "how many items a page has, at most what the server allows", schema::integer(1)),
            query("order", "`desc` for the last first", schema::string()),
        ]
    }
}

/// `limit` and `cursor`, as lists of API version 2 take them.
#[derive(Clone, Debug)]
pub(crate) struct CursorPage(PageRequest);

impl CursorPage {
    /// What `parameters` ask for.
    pub(crate) fn read(face: &Face, parameters: &Parameters) -> Self {
        let start = parameters.parsed("cursor").map_or(Start::Offset(0), Start::After);
        Self(PageRequest { limit: limit(face, parameters, "limit"), start })
    }

    /// The piece of the list.
    pub(crate) fn request(&self) -> PageRequest {
        self.0.clone()
    }

    /// `error`, as what is wrong with the cursor, which only the list itself can tell.
    pub(crate) fn refused(&self, error: Error) -> Failure {
        match (&self.0.start, error.kind()) {
            (Start::After(_), ErrorKind::Invalid) => {
                Failure::type_of("query", "cursor", error.message(), "value_error")
            }
            _ => error.into(),
        }
    }

    /// The answer with these items of `count`, and where the next piece begins.
    pub(crate) fn piece<T>(data: Vec<T>, count: u64, next: Option<&Cursor>) -> Piece<T> {
        Piece::new(data, next.map(ToString::to_string), count)
    }
}

impl IntoParams for CursorPage {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        vec![
            query("limit", "how many items are wanted, at most what the server allows", schema::integer(1)),
            query(
                "cursor",
                "where the piece begins: the `cursor` of the last answer to the same query",
                schema::string(),
            ),
            query("order", "`desc` for the last first", schema::string()),
        ]
    }
}

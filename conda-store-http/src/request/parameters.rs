//! The query, one value after the other; everything that is wrong with it is reported at once.

use std::{cell::RefCell, convert::Infallible, fmt::Display, str::FromStr};

use axum::extract::FromRequestParts;
use http::request::Parts;
use url::form_urlencoded;

use crate::error::{Answer, Failure, Problem};

/// The parameters of a query, and what was found wrong with them so far.
#[derive(Debug)]
pub(crate) struct Parameters {
    pairs: Vec<(String, String)>,
    problems: RefCell<Vec<Problem>>,
}

impl Parameters {
    fn parse(query: &str) -> Self {
        // The released command-line client appends the slash of the path to the query.
        let query = query.strip_suffix('/').unwrap_or(query);
        Self { pairs: form_urlencoded::parse(query.as_bytes()).into_owned().collect(), problems: RefCell::default() }
    }

    /// All values of `name` that are not empty.
    pub(crate) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.pairs.iter().filter(move |(key, value)| key == name && !value.is_empty()).map(|(_, value)| value.as_str())
    }

    /// The last value of `name`, unless it is empty.
    pub(crate) fn text<'a>(&'a self, name: &'a str) -> Option<&'a str> {
        self.all(name).last()
    }

    /// The last value of `name` as what `T` can be read from.
    pub(crate) fn parsed<T: FromStr<Err: Display>>(&self, name: &str) -> Option<T> {
        let parsed = self.text(name)?.parse();
        parsed.map_err(|error: T::Err| self.report(name, error.to_string(), "value_error")).ok()
    }

    /// The last value of `name`, which has to be there.
    pub(crate) fn required<T: FromStr<Err: Display>>(&self, name: &str) -> Answer<T> {
        if self.text(name).is_none() {
            self.report(name, "must be given".into(), "missing");
        }
        self.parsed(name).ok_or_else(|| Failure::Types(self.problems.take()))
    }

    /// The last value of `name` as an integer that is at least `least`.
    pub(crate) fn integer(&self, name: &str, least: u64) -> Option<u64> {
        let text = self.text(name)?;
        match text.parse::<u64>() {
            Ok(number) if number >= least => return Some(number),
            Ok(_) => self.report(name, format!("must be {least} or more"), "greater_than_equal"),
            Err(_) => self.report(name, format!("must be an integer from {least} on"), "int_parsing"),
        }
        None
    }

    /// Notes that the value of `name` is wrong.
    pub(crate) fn report(&self, name: &str, message: String, kind: &'static str) {
        self.problems.borrow_mut().push(Problem { loc: vec!["query".into(), name.into()], msg: message, kind });
    }

    /// Refuses the request if anything was wrong.
    pub(crate) fn check(&self) -> Answer<()> {
        let problems = self.problems.take();
        if problems.is_empty() { Ok(()) } else { Err(Failure::Types(problems)) }
    }
}

impl<S: Sync> FromRequestParts<S> for Parameters {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Infallible> {
        Ok(Self::parse(parts.uri.query().unwrap_or_default()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_slash_after_the_query_is_not_part_of_it() {
        let parameters = Parameters::parse("packages=numpy&packages=&packages=pip/");
        assert_eq!(parameters.all("packages").collect::<Vec<_>>(), ["numpy", "pip"]);
        assert_eq!(Parameters::parse("page=2/").integer("page", 1), Some(2));
        assert_eq!(Parameters::parse("/").text("page"), None);
    }

    #[test]
    fn everything_that_is_wrong_is_reported_at_once() {
        let parameters = Parameters::parse("page=0&size=-1&limit=99999999999999999999");
        for name in ["page", "size", "limit"] {
            assert_eq!(parameters.integer(name, 1), None, "{name}");
        }
        let Err(Failure::Types(problems)) = parameters.check() else { unreachable!("three values are wrong") };
        let places: Vec<_> = problems.iter().map(|problem| problem.loc.join(".")).collect();
        assert_eq!(places, ["query.page", "query.size", "query.limit"]);
        assert!(parameters.check().is_ok(), "a problem is reported once");
    }
}

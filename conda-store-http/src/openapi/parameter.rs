//! Parameters of the path and the query, as the document describes them.

use utoipa::openapi::{
    Array, RefOr, Required, Schema,
    path::{Parameter, ParameterBuilder, ParameterIn},
};

fn parameter(place: ParameterIn, name: &str, description: &str, schema: RefOr<Schema>) -> ParameterBuilder {
    let required = if place == ParameterIn::Path { Required::True } else { Required::False };
    let builder = ParameterBuilder::new().name(name).parameter_in(place).required(required);
    builder.description(Some(description)).schema(Some(schema))
}

/// A segment of the path.
pub(crate) fn path(name: &str, description: &str, schema: impl Into<RefOr<Schema>>) -> Parameter {
    parameter(ParameterIn::Path, name, description, schema.into()).build()
}

/// A value of the query, which may be left out.
pub(crate) fn query(name: &str, description: &str, schema: impl Into<RefOr<Schema>>) -> Parameter {
    parameter(ParameterIn::Query, name, description, schema.into()).build()
}

/// A value of the query that has to be there.
pub(crate) fn required_query(name: &str, description: &str, schema: impl Into<RefOr<Schema>>) -> Parameter {
    parameter(ParameterIn::Query, name, description, schema.into()).required(Required::True).build()
}

/// A value of the query that may be there several times.
pub(crate) fn repeatable(name: &str, description: &str, schema: impl Into<RefOr<Schema>>) -> Parameter {
    let list = Schema::Array(Array::new(schema));
    parameter(ParameterIn::Query, name, description, list.into()).explode(Some(true)).build()
}

#![doc = include_str!("../README.md")]

mod answer;
mod caller;
mod error;
mod face;
mod layers;
mod metrics;
mod openapi;
mod options;
mod request;
mod routes;
mod server;
mod session;
mod settings;
mod view;
mod vitals;

pub use self::{
    options::HttpOptions,
    server::{router, serve},
    vitals::monitoring,
};

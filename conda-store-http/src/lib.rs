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

pub use self::{
    options::HttpOptions,
    server::{router, serve},
};

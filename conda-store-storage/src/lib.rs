#![doc = include_str!("../README.md")]

mod local;
mod memory;

pub use self::{
    local::{LocalStorage, LocalStorageConfig},
    memory::MemoryStorage,
};

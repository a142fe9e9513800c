//! A member under measurement: the store, its peer port, and a service for clients.

mod kv;
mod serve;
mod settings;

pub(crate) use serve::serve;
pub(crate) use settings::{Peer, Settings};

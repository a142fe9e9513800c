//! openraft, filled in: its types, the state machine, its configuration.

pub(crate) mod config;
mod machine;
mod reached;
mod runtime;
pub(crate) mod types;

pub(crate) use machine::{Published, StateMachine};
pub(crate) use reached::Reached;
pub(crate) use runtime::StoreRuntime;

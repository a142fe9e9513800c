//! The node's promise to the masters: renewed on a thread and a connection of its own, written where every pod's supervisor
//! sees it.

mod keeper;
mod renewals;

pub use keeper::Keeper;
pub use renewals::{Renewals, Standing};

#[cfg(test)]
mod history_tests;

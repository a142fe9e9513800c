//! `raftsman apply`: makes objects as manifests say, by the difference to what was applied before.

mod command;
mod merge;

pub use command::{ApplyOptions, Outcome, apply_text, run};
pub(crate) use command::{namespace_of, with_note};
pub use merge::{LAST_APPLIED, three_way};

#[cfg(test)]
mod apply_tests;
#[cfg(test)]
mod merge_tests;

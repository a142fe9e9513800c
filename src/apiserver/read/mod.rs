//! Reading: selections, consistent lists over pages, and watches as cursors into history. Pure over a view.

mod cursor;
mod filter;
mod list;
mod token;

pub(crate) use cursor::{Cursor, Event, EventKind};
pub(crate) use filter::Filter;
pub(crate) use list::{ListQuery, Listing, list, wait_for};

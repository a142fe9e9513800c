//! What a run prints: a table for people, JSON for programs.

mod goals;
mod machine;
mod rows;
mod table;

pub(crate) use goals::{GOALS, Goal, Judged};
pub(crate) use machine::Machine;
pub(crate) use rows::{Compared, Report, Restart, Row, Work};
pub(crate) use table::{print, table};

//! `raftsman get`: the server's own tables, or the objects themselves; with `-w` what changes, across masters.

mod columns;
mod command;
mod jsonpath;
mod list;
mod sort;
mod table;
mod watch;

pub use columns::Columns;
pub use command::{GetOptions, run};
pub use jsonpath::Template;

#[cfg(test)]
mod get_tests;
#[cfg(test)]
mod table_tests;
#[cfg(test)]
mod watch_tests;

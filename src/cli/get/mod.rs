//! `raftsman get`: the server's own tables, or the objects themselves; with `-w` what changes, across masters.

mod command;
mod jsonpath;
mod list;
mod sort;
mod table;
mod watch;

pub use command::{GetOptions, run};

#[cfg(test)]
mod table_tests;
#[cfg(test)]
mod watch_tests;

//! `raftsman logs`: of one pod, of those behind a workload or a selector; `-f` goes on at another master.

mod command;
mod follow;
mod resume;

pub use command::{LogsOptions, run};

#[cfg(test)]
mod follow_tests;
#[cfg(test)]
mod logs_tests;
#[cfg(test)]
mod resume_tests;

//! `raftsman create`: objects that must not exist yet, from manifests or from flags.

mod command;
mod data;
mod generator;
mod service;
mod workload;

pub use command::{CreateOptions, run};

#[cfg(test)]
mod create_tests;

//! The store's true members on simulated machines: disks, network, clocks and chance, all from one seed.
//!
//! A [`World`] lives in an executor of its own ([`run`]): one thread, tasks in an order that the seed chooses, and time that
//! jumps from event to event. The same seed gives the same run. What is simulated is what [`crate::environment`] names; everything above it
//! (Raft, log, state machine, forwarding, reads, bootstrap, duties) is what a master runs. Never part of a running master.

mod chance;
mod content;
mod disk;
mod engine;
mod entries;
mod file;
mod link;
mod network;
mod peer;
mod task;
mod trace;
mod tree;
mod world;

pub use chance::Chance;
pub use disk::{Crash, DiskFaults, Loss};
pub use link::Weather;
pub use task::{Task, elapsed, run, sleep, spawn, timeout};
pub use world::{Client, Clock, World};

pub use crate::rt::Stuck;

//! Time, tasks, threads and chance, as the whole room uses them: tokio and the operating system in a running master; in a
//! simulation ([`Executor`]) one member's own clock, seeded numbers, and tasks that can be frozen or ended with their member.
//!
//! Nothing else in this room calls `tokio::spawn`, `tokio::time`, `spawn_blocking`, `std::thread` or a clock of `std`, and
//! every `select!` is `biased`: so a simulation of the true code depends on its seed alone.

mod context;
mod executor;
mod join;
mod random;
mod runner;
mod scoped;
mod time;

pub(crate) use context::Context;
use context::current;
pub use executor::Stuck;
pub(crate) use executor::{Executor, here};
pub(crate) use join::{Abort, JoinError, JoinHandle};
pub(crate) use random::{MemberRng, random, splitmix};
pub(crate) use runner::{Runner, Worker, blocking, pause, spawn, spawn_in, spawn_plain, step};
pub(crate) use time::{
    Elapsed, Instant, Sleep, Timeout, sleep, sleep_until, suspended, timeout, timeout_at, truth, wall,
};

//! The replicated store under a deterministic simulation: one seed is one run, and the same run every time.
//!
//! A run forms a cluster of the true members, lets clients and watchers use it while faults drawn from the seed befall it,
//! then mends everything and demands service, and checks every invariant on what was recorded.
//!
//! What lives here: what must always hold ([`invariants`]), and the simulated run. What must not: real processes, clocks and
//! disks. A crate of its own because it is compiled optimized: it computes, and never waits.

mod clients;
#[cfg(test)]
mod clock_tests;
mod faults;
pub mod invariants;
mod keeper;
mod members;
mod observers;
mod plan;
mod recorder;
mod run;
mod watchers;

pub use run::{Report, run};

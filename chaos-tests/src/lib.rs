//! Proof: a cluster of real processes under real faults ([`conduct`]: [`schedule`], [`faults`], [`workloads`], [`verdicts`],
//! [`report`]), held to what must always hold ([`invariants`]), and end-to-end steps driven by stock kubectl and our own CLI,
//! with what they measure. The store under simulated faults is a crate beside.
//!
//! What lives here: the harness around `raftsman up` and kubectl, one file a step, a fault, a workload or a verdict, checkers
//! and measured figures. What must not: any back door into a real cluster. Whatever is done, a person at a terminal could have
//! done; schedules, verdicts and reports are pure.

pub mod cluster;
pub mod conduct;
pub mod faults;
pub mod figures;
pub mod lab;
pub mod record;
pub mod report;
pub mod schedule;
mod service;
pub mod steps;
pub mod verdicts;
pub mod workloads;
pub mod writer;

pub use raftsman_sim::invariants;

//! Probes: one engine for readiness, liveness and startup.

mod check;
mod grpc;
mod http;
mod run;
mod state;
mod target;

pub use check::tell;
pub use run::{ProbeEvent, ProbeTasks, Prober};
pub use state::{Outcome, Parameters, ProbeKind, Tally, Verdict};
pub use target::{Target, target};

#[cfg(test)]
mod probe_tests;

//! The node agent: what one machine does with the pods that it was given.
//!
//! What lives here: the stream to the masters, the pod life-cycle planner (`plan`, pure), the translation of pods into the
//! runtime's terms (`spec`), probes, volumes, services and peers as the network room wants them, and the gRPC service that
//! masters call for logs, exec, attach and port-forward. What must not: processes, namespaces and images themselves
//! (`runtime`), netlink and nftables (`network`), any decision about where a pod runs, and the HTTPS API: the agent speaks
//! to masters by its stream only.

mod agent;
mod error;
mod facts;
pub mod plan;
mod probe;
mod promise;
mod reconcile;
mod service;
pub mod spec;
mod stream;
mod time;
pub mod volumes;
pub mod world;

pub use agent::{Agent, Doors};
pub use error::AgentError;

#[cfg(test)]
mod agent_tests;
#[cfg(test)]
mod testing;

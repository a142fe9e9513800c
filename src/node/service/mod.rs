//! The node's own gRPC service: logs, exec, attach, port-forward, images. For masters only.

mod agent;
mod forward;
mod guard;
mod streams;

pub use agent::AgentService;
pub use guard::serve;

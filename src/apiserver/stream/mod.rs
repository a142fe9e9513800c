//! Streaming parts of pods: a client on one side, the pod's node (gRPC, mutual TLS) on the other.

mod channels;
mod exec;
mod forward;
mod logs;
mod nodes;
mod place;
mod socket;

pub(crate) use exec::connect;
pub(crate) use logs::logs;
pub use nodes::{NodeClients, NodeTls};

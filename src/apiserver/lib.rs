//! The HTTPS front and the one write path.
//!
//! What lives here: routing, discovery, authentication, authorization, admission, the verbs, watches, streaming
//! subresources, and [`write::Api`], which requests, controllers, the scheduler and node streams all write through. What
//! must not: what a kind means (that is `raftsman_api`), how a transaction is replicated (`raftsman_store`), and any
//! decision of a controller.

pub mod admission;
pub mod auth;
mod backup;
mod bootstrap;
mod config;
mod http;
mod protobuf;
mod read;
mod stream;
mod unique;
pub mod write;

pub use backup::BackupSource;
pub use bootstrap::bootstrap;
pub use config::ApiConfig;
pub use http::{NoOperations, Operation, Operations, Server, ServerError, TlsPems, serve};
pub use stream::{NodeClients, NodeTls};

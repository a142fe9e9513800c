//! The user's commands against a cluster: get, apply, create, describe, delete, logs, exec, scale, backup, and keys for machines.
//!
//! What lives here: kubeconfig files, the connection that knows all masters and moves on when one is down, the verbs with
//! kubectl's flags, and the public key infrastructure that new clusters start with. What must not: anything that only works
//! on the cluster's own machine (that is `local`), and any rule about objects (that is `api`, on the server).

pub mod apply;
pub mod backup;
pub mod check;
pub mod cluster;
mod command;
pub mod connect;
pub mod create;
pub mod delete;
pub mod describe;
pub mod exec;
pub mod flags;
pub mod get;
pub mod join;
pub mod kubeconfig;
pub mod logs;
pub mod manifest;
pub mod masters;
pub mod members;
pub mod output;
pub mod pki;
pub mod pods;
pub mod resources;
pub mod scale;
pub mod status;
pub mod version;
pub mod yaml;

pub use command::{Command, CompletionOptions, run};

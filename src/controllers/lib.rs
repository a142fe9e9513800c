//! Controllers: what makes the cluster become what its objects say.
//!
//! What lives here: one file or folder a controller, each a pure [`Controller::plan`] over a `View`; plans and actions as
//! plain data; the [`Runner`] that executes plans on the leader. What must not: I/O of any kind (the runner works through
//! [`Executor`], [`Views`] and [`Clock`]), clocks or randomness in planners, and the scheduler, which has its own room.

mod action;
mod controller;
mod deployment;
mod endpoints;
mod event_ttl;
mod events;
mod executor;
pub mod fencing;
mod garbage;
mod heartbeats;
mod job;
mod job_ttl;
mod namespace;
mod node_ipam;
mod node_leases;
mod node_lifecycle;
pub mod objects;
mod ownership;
mod patch;
mod plan;
mod pod_gc;
pub mod pods;
mod queue;
mod replicas;
mod root_ca;
mod runner;
pub mod selector;
mod service_accounts;
mod settings;
mod stateful_set;
mod taint_eviction;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
mod volumes;

pub use action::{Action, EventType, Note, ObjectRef, Propagation};
pub use controller::Controller;
pub use events::{Source as EventSource, record as record_event};
pub use executor::{Clock, ExecuteError, Executor, SystemClock, Views};
pub use heartbeats::{HeartbeatTable, Heartbeats};
pub use patch::{between as patch_between, difference as patch_difference, status as patch_status};
pub use plan::{Failure, Now, Plan};
pub use raftsman_state::Key;
pub use runner::{Limits, Runner};
pub use settings::{Settings, all};
pub use taint_eviction::tolerates;
pub use volumes::volumes_that_fit;

/// What a queue holds: mostly the key of the object to reconcile.
pub type WorkKey = Key;

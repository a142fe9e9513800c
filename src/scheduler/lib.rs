//! The scheduler: which node runs which pod.
//!
//! What lives here: an index of nodes and pods kept from changes, filters and scores (one file each), the queue of pending
//! pods, and the driver that turns decisions into plans. Everything is pure. What must not: I/O, clocks, randomness, and
//! anything that moves pods which have a node already.

mod amounts;
mod demand;
mod driver;
mod filters;
mod index;
mod pending;
mod scheduler;
mod scores;
mod volumes;

pub use amounts::Amounts;
pub use demand::Demand;
pub use driver::SchedulerDriver;
pub use filters::{Filter, HelpedBy};
pub use index::{Index, NodeInfo};
pub use scheduler::{Decision, Scheduler};
pub use scores::Score;
pub use volumes::VolumeDemand;

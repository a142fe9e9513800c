//! What is done to a master's data directory while no master runs on it.

mod recover;
mod restore;

pub use recover::Recovery;
pub use restore::restore;

//! What only the leader does: begins with a leadership, ends with it.

mod executor;
mod kubernetes;
mod lead;
mod ready;
mod views;

pub use executor::ApiExecutor;
pub use lead::Duties;
pub use ready::ReadyClient;

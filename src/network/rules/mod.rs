//! Services as rules: pure, from entries to a rule set to transactions to nf_tables changes.

mod balance;
mod board;
mod diff;
mod encode;
mod host_ports;
mod layout;
mod model;
mod parts;
mod place;
mod render;
mod stale;
mod table;

pub use board::ServiceKey;
pub use place::{Place, address, range};
pub use table::Table;

#[cfg(test)]
mod diff_tests;
#[cfg(test)]
mod render_tests;

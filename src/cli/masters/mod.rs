//! The masters one by one: what each says of itself, and starting all of them again, one after the other.

mod rolling;
mod roster;
mod seen;
mod upgrade;

pub use rolling::{Restart, Rolling, Step, restart_all};
pub use roster::{Place, Roster};
pub use seen::{Seen, ask, carrier};
pub use upgrade::Upgrade;

#[cfg(test)]
pub(crate) use seen::tests;

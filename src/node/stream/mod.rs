//! The stream to the masters: one at a time, the next one when it falls silent.

mod cache;
mod client;
mod desired;
mod outbox;
mod session;

pub use cache::Cache;
pub use client::{Client, Identity};
pub use desired::{Desired, Told};
pub use outbox::Outbox;

#[cfg(test)]
mod desired_tests;
#[cfg(test)]
mod outbox_tests;

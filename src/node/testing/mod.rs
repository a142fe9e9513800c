//! Rooms and masters in memory, for tests of the whole agent in one process.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod images;
mod masters;
mod network;
mod pki;
mod pods;

pub use images::FakeImages;
pub use masters::{Cluster, FakeMaster, Heard};
pub use network::FakeNetwork;
pub use pki::TestPki;
pub use pods::FakePods;

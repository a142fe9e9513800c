//! The data plane for real: hosts and pods are network namespaces on a bridge. Needs root.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod host_ports;
mod lab;
mod life;
mod names;
mod policies;
mod reach;
mod traffic;
mod updates;
mod vip;

//! The data plane for real: hosts and pods are network namespaces on a bridge. Needs root.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod lab;
mod life;
mod names;
mod policies;
mod reach;
mod traffic;
mod updates;

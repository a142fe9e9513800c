//! Pods on a real kernel, as root.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs, reason = "a test fails by panicking")]

#[path = "../kit/mod.rs"]
mod kit;

mod bounds;
mod common;
mod life;
mod output;
mod release;
mod shared;
mod streams;
mod survival;
mod unified;

//! `raftsman serve --join`: a host gets what it needs from a cluster, by a token.
//!
//! It trusts nobody at first: the authority that a master shows must have the hash that the token carries. Then it sends
//! the token and a request for a certificate; its key stays here. Its configuration is written last: with it there, the
//! host has joined, and only serves.

mod client;
mod prepare;
mod token;

pub use prepare::{JoinOptions, prepare};

#[cfg(test)]
mod join_tests;

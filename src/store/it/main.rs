//! Whole members: in one process over loopback and mutual TLS, killed in processes of their own, on damaged, full and read-only
//! disks. One binary, because each costs its linking.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod backup;
mod cluster;
mod crash;
mod damage;
mod faults;
mod figures;
mod harness;
mod levels;
mod membership;
mod register;
mod simulated;

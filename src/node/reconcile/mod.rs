//! The agent's loop: a worker for each pod, services and peers for the network, woken by what they are told.

mod adopt;
mod ending;
mod execute;
mod hooks;
mod images;
mod main_loop;
mod network;
mod probes;
mod report;
mod services;
mod shared;
mod words;
mod worker;

pub use main_loop::MainLoop;
pub use network::pod_cidr;
pub use shared::Shared;

#[cfg(test)]
mod services_tests;

//! The agent's loop: a worker for each pod, services and peers for the network, woken by what they are told.

mod adopt;
mod ending;
mod execute;
mod hooks;
mod host_ports;
mod images;
mod limits;
mod main_loop;
mod network;
mod probes;
mod report;
mod services;
mod shared;
mod words;
mod worker;

pub use host_ports::kept as kept_host_ports;
pub use main_loop::MainLoop;
pub use network::pod_cidr;
pub use shared::Shared;

#[cfg(test)]
mod services_tests;

//! Interfaces, addresses and routes, by route netlink.

mod conn;
pub mod host;
mod ipam;
mod names;
mod namespace;
pub mod pods;
mod sysctl;

pub use conn::{Conn, address, failed};
pub use ipam::Ipam;
pub use namespace::Namespace;

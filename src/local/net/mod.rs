//! Namespaces, the bridge and the hosts' links: made, repaired, cut and removed over netlink.

mod links;
mod namespace;

pub use links::{Links, LinksError};
pub use namespace::{Namespaces, enter};

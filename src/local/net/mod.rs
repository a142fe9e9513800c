//! Namespaces, the bridge, the hosts' links and their way out: made, repaired, cut and removed over netlink.

mod links;
mod namespace;
pub(crate) mod netfilter;
mod outward;

pub use links::{Links, LinksError};
pub use namespace::{Namespaces, enter};
pub use outward::Outward;

//! One machine's network: pod interfaces, routes, service rules and the resolver.
//!
//! What lives here: address management of the node's pod CIDR, routed veth pairs, host-gw routes, the nftables rule set
//! (`render(desired) -> Ruleset`, then a netlink diff), masquerade, the DNS server, the control plane's
//! virtual address. What must not: containers and
//! namespaces' lives (`runtime`), streams to masters (`node`), `unsafe`, and any program such as nft, iptables or ip.

pub mod border;
mod dns;
mod links;
mod linux;
mod nft;
mod rules;
mod vip;

pub use linux::{LinuxConfig, LinuxNetwork};
pub use vip::LinkAddress;

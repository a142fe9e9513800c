//! The host's own part: forwarding, the resolver's address, the way to services, the ways to other nodes.

use crate::border::{NetworkError, PeerNode};
use crate::links::conn::{Conn, Link, Route, address};
use crate::links::namespace::Namespace;
use crate::links::sysctl;
use crate::rules::{self, Place};
use ipnet::Ipv4Net;
use rtnetlink::packet_route::address::{AddressAttribute, AddressMessage, AddressScope};
use std::collections::BTreeSet;
use std::net::Ipv4Addr;

/// Makes the host forward and reach services; returns the uplink, the interface that has the node's address.
pub async fn configure(host: &Conn, namespace: &Namespace, place: &Place) -> Result<Link, NetworkError> {
    namespace
        .run(|| {
            sysctl::set("net/ipv4/ip_forward", "1")?;
            // A peer that went silent and came back is answered within a second, not within two minutes.
            sysctl::set_quietly("net/ipv4/tcp_rto_max_ms", "1000")
        })
        .await?;
    let links = host.links().await?;
    let lo = links.iter().find(|l| l.name == "lo").ok_or_else(|| missing("interface lo"))?;
    host.up(lo.index, &lo.name).await?;
    resolver_address(host, lo, place.resolver).await?;
    let addresses = host.addresses().await?;
    let home = addresses.iter().find(|a| address(a) == Some(place.node)).map(|a| a.header.index);
    let uplink = home
        .and_then(|index| links.iter().find(|l| l.index == index))
        .ok_or_else(|| missing(&format!("interface with the node's address {}", place.node)))?;
    // A client of a node port whose endpoint is on another node would be told to go there itself, and fail: what it is told is
    // translated back to "this node's address is at that node".
    let redirects = ["all", uplink.name.as_str()].map(|name| format!("net/ipv4/conf/{name}/send_redirects"));
    namespace.run(move || redirects.iter().try_for_each(|name| sysctl::set_quietly(name, "0"))).await?;
    // Services' addresses are translated on the way out, but the kernel wants a route, and a source address, before.
    let services = Route { destination: place.services, gateway: None, link: uplink.index, source: Some(place.node) };
    host.put_route(&services).await?;
    for stale in host.routes().await? {
        if is_service_route(&stale) && stale.destination != place.services {
            host.delete_route(&stale).await?;
        }
    }
    Ok(uplink.clone())
}

fn missing(what: &str) -> NetworkError {
    NetworkError::Invalid(format!("this host has no {what}; set the node's address to one of this host's"))
}

fn is_service_route(route: &Route) -> bool {
    route.gateway.is_none() && route.destination.prefix_len() != 32
}

/// The resolver's address on `lo`, of host scope, so that nobody else's packets are sent from it; earlier ones are removed.
async fn resolver_address(host: &Conn, lo: &Link, resolver: Ipv4Addr) -> Result<(), NetworkError> {
    let mut there = false;
    for message in host.addresses().await?.into_iter().filter(|a| a.header.index == lo.index) {
        match address(&message) {
            Some(ip) if ip == resolver => there = true,
            Some(_) if is_resolver(&message) => host.delete_address(message).await?,
            _ => {}
        }
    }
    if there {
        return Ok(());
    }
    host.add_address(lo.index, resolver, AddressScope::Host, Some(LABEL)).await
}

/// How the resolver's address is known as ours.
const LABEL: &str = "lo:raftsman";

fn is_resolver(message: &AddressMessage) -> bool {
    message.attributes.iter().any(|a| matches!(a, AddressAttribute::Label(label) if label == LABEL))
}

/// Routes to the other nodes' pods; those that are not wanted any more are removed. One bad peer does not stop the others.
pub async fn set_peers(host: &Conn, place: &Place, peers: &[PeerNode]) -> Result<(), NetworkError> {
    let mut errors = Vec::new();
    let mut wanted = BTreeSet::new();
    for peer in peers {
        match peer_route(peer, place) {
            Ok(Some(route)) => {
                wanted.insert(route);
            }
            Ok(None) => {}
            Err(error) => errors.push(error.to_string()),
        }
    }
    let there = host.routes().await?;
    let known = |route: &Route| there.iter().any(|r| r.destination == route.destination && r.gateway == route.gateway);
    for route in wanted.iter().filter(|route| !known(route)) {
        if let Err(error) = host.put_route(route).await {
            errors.push(format!("{error}; host-gw needs the nodes on one link"));
        }
    }
    for stale in there.iter().filter(|route| route.gateway.is_some()) {
        if !wanted.iter().any(|w| w.destination == stale.destination)
            && let Err(error) = host.delete_route(stale).await
        {
            errors.push(error.to_string());
        }
    }
    join(errors, "routes to other nodes")
}

fn peer_route(peer: &PeerNode, place: &Place) -> Result<Option<Route>, NetworkError> {
    let gateway = rules::address(&format!("node {}", peer.name), peer.ip)?;
    let destination: Ipv4Net = rules::range(&format!("pod CIDR of node {}", peer.name), peer.pod_cidr)?;
    if gateway == place.node || destination == place.pods {
        return Ok(None);
    }
    Ok(Some(Route { destination, gateway: Some(gateway), link: 0, source: Some(place.node) }))
}

/// Takes away the routes and the resolver's address.
pub async fn teardown(host: &Conn) -> Result<(), NetworkError> {
    let mut errors = Vec::new();
    for route in host.routes().await? {
        errors.extend(host.delete_route(&route).await.err().map(|e| e.to_string()));
    }
    let links = host.links().await?;
    let lo = links.iter().find(|l| l.name == "lo").map(|l| l.index);
    for message in host.addresses().await?.into_iter().filter(|a| Some(a.header.index) == lo) {
        if is_resolver(&message) {
            errors.extend(host.delete_address(message).await.err().map(|e| e.to_string()));
        }
    }
    join(errors, "teardown of routes and addresses")
}

/// One error of many.
pub fn join(errors: Vec<String>, what: &str) -> Result<(), NetworkError> {
    if errors.is_empty() {
        return Ok(());
    }
    Err(NetworkError::Kernel { what: what.to_owned(), reason: errors.join("; ") })
}

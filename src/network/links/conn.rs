//! A route netlink connection of one namespace, with the few requests that we make.

use crate::border::NetworkError;
use crate::links::namespace::Namespace;
use futures::TryStreamExt;
use ipnet::Ipv4Net;
use rtnetlink::packet_route::AddressFamily;
use rtnetlink::packet_route::address::{AddressAttribute, AddressMessage, AddressScope, CacheInfo};
use rtnetlink::packet_route::link::{LinkAttribute, LinkMessage, State};
use rtnetlink::packet_route::route::{
    RouteAddress, RouteAttribute, RouteHeader, RouteMessage, RouteProtocol, RouteScope, RouteType,
};
use rtnetlink::{Handle, LinkUnspec};
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

/// The protocol number of our routes (`ip route` shows `proto 82`), by which stale ones are found.
pub const PROTOCOL: RouteProtocol = RouteProtocol::Other(82);

/// A link as far as we look at it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// Its index.
    pub index: u32,
    /// Its name.
    pub name: String,
    /// Its alias.
    pub alias: Option<String>,
    /// The peer's index, for a veth.
    pub peer: Option<u32>,
    /// The MTU.
    pub mtu: u32,
    /// It passes packets.
    pub operational: bool,
}

/// A route of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Route {
    /// Where to.
    pub destination: Ipv4Net,
    /// By which router.
    pub gateway: Option<Ipv4Addr>,
    /// By which link; 0: the kernel finds it by the gateway.
    pub link: u32,
    /// The address that this host sends from.
    pub source: Option<Ipv4Addr>,
}

/// The connection. It ends when this is dropped.
pub struct Conn {
    /// For requests that are made in one place only.
    pub handle: Handle,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Conn {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Conn {
    /// Opens a connection in a namespace.
    pub async fn open(namespace: &Namespace) -> Result<Self, NetworkError> {
        let (connection, handle, _) = namespace
            .run(|| {
                rtnetlink::new_connection().map_err(|e| NetworkError::Kernel {
                    what: "open a route netlink socket".to_owned(),
                    reason: e.to_string(),
                })
            })
            .await?;
        Ok(Self { handle, task: tokio::spawn(connection) })
    }

    /// Every link.
    pub async fn links(&self) -> Result<Vec<Link>, NetworkError> {
        let all: Vec<LinkMessage> =
            self.handle.link().get().execute().try_collect().await.map_err(|e| failed("list links", &e))?;
        Ok(all.into_iter().map(link).collect())
    }

    /// The link of a name.
    pub async fn link(&self, name: &str) -> Result<Option<Link>, NetworkError> {
        let mut found = self.handle.link().get().match_name(name.to_owned()).execute();
        match found.try_next().await {
            Ok(message) => Ok(message.map(link)),
            Err(e) if errno(&e) == Some(libc::ENODEV) => Ok(None),
            Err(e) => Err(failed(&format!("look for interface {name}"), &e)),
        }
    }

    /// Brings a link up.
    pub async fn up(&self, index: u32, name: &str) -> Result<(), NetworkError> {
        let message = LinkUnspec::new_with_index(index).up().build();
        self.handle.link().set(message).execute().await.map_err(|e| failed(&format!("bring up interface {name}"), &e))
    }

    /// Deletes a link; one that is gone is fine.
    pub async fn delete_link(&self, index: u32, name: &str) -> Result<(), NetworkError> {
        match self.handle.link().del(index).execute().await {
            Err(e) if errno(&e) != Some(libc::ENODEV) => Err(failed(&format!("delete interface {name}"), &e)),
            _ => Ok(()),
        }
    }

    /// Every IPv4 address, with its link.
    pub async fn addresses(&self) -> Result<Vec<AddressMessage>, NetworkError> {
        let request = self.handle.address().get();
        let all: Vec<AddressMessage> =
            request.execute().try_collect().await.map_err(|e| failed("list addresses", &e))?;
        Ok(all.into_iter().filter(|a| a.header.family == AddressFamily::Inet).collect())
    }

    /// Gives a link an address that only it has.
    pub async fn add_address(
        &self,
        index: u32,
        ip: Ipv4Addr,
        scope: AddressScope,
        label: Option<&str>,
    ) -> Result<(), NetworkError> {
        let mut request = self.handle.address().add(index, IpAddr::V4(ip), 32).replace();
        request.message_mut().header.scope = scope;
        request.message_mut().attributes.extend(label.map(|l| AddressAttribute::Label(l.to_owned())));
        request.execute().await.map_err(|e| failed(&format!("add address {ip} to interface {index}"), &e))
    }

    /// Gives a link an address that only it has, or renews it, for so long (whole seconds).
    pub async fn hold_address(
        &self,
        index: u32,
        ip: Ipv4Addr,
        scope: AddressScope,
        lifetime: Duration,
    ) -> Result<(), NetworkError> {
        let mut request = self.handle.address().add(index, IpAddr::V4(ip), 32).replace();
        request.message_mut().header.scope = scope;
        let mut times = CacheInfo::default();
        times.ifa_valid = u32::try_from(lifetime.as_secs()).unwrap_or(u32::MAX);
        times.ifa_preferred = times.ifa_valid;
        request.message_mut().attributes.push(AddressAttribute::CacheInfo(times));
        request.execute().await.map_err(|e| failed(&format!("hold address {ip} on interface {index}"), &e))
    }

    /// Takes an address away.
    pub async fn delete_address(&self, message: AddressMessage) -> Result<(), NetworkError> {
        let what = format!("delete address {:?} of interface {}", address(&message), message.header.index);
        match self.handle.address().del(message).execute().await {
            Err(e) if errno(&e) != Some(libc::EADDRNOTAVAIL) => Err(failed(&what, &e)),
            _ => Ok(()),
        }
    }

    /// A permanent neighbour.
    pub async fn add_neighbour(&self, index: u32, ip: Ipv4Addr, mac: &[u8; 6]) -> Result<(), NetworkError> {
        let request = self.handle.neighbours().add(index, IpAddr::V4(ip)).link_layer_address(mac).replace();
        request.execute().await.map_err(|e| failed(&format!("add neighbour {ip} of interface {index}"), &e))
    }

    /// Puts a route in the main table, in place of one to the same destination.
    pub async fn put_route(&self, route: &Route) -> Result<(), NetworkError> {
        let request = self.handle.route().add(message(route)).replace();
        request.execute().await.map_err(|e| {
            let mut what = format!("add route to {}", route.destination);
            if let Some(gateway) = route.gateway {
                what.push_str(&format!(" by {gateway}"));
            }
            failed(&what, &e)
        })
    }

    /// Deletes a route; one that is gone is fine.
    pub async fn delete_route(&self, route: &Route) -> Result<(), NetworkError> {
        match self.handle.route().del(message(route)).execute().await {
            Err(e) if errno(&e) != Some(libc::ESRCH) => {
                Err(failed(&format!("delete route to {}", route.destination), &e))
            }
            _ => Ok(()),
        }
    }

    /// The main table's routes that we put there.
    pub async fn routes(&self) -> Result<Vec<Route>, NetworkError> {
        let mut filter = RouteMessage::default();
        filter.header.address_family = AddressFamily::Inet;
        let all: Vec<RouteMessage> =
            self.handle.route().get(filter).execute().try_collect().await.map_err(|e| failed("list routes", &e))?;
        let ours = all.iter().filter(|m| m.header.protocol == PROTOCOL && m.header.table == RouteHeader::RT_TABLE_MAIN);
        Ok(ours.filter_map(route).collect())
    }
}

/// The address itself.
pub fn address(message: &AddressMessage) -> Option<Ipv4Addr> {
    let find = |pick: fn(&AddressAttribute) -> Option<IpAddr>| message.attributes.iter().find_map(pick);
    let local = find(|a| if let AddressAttribute::Local(ip) = a { Some(*ip) } else { None });
    match local.or_else(|| find(|a| if let AddressAttribute::Address(ip) = a { Some(*ip) } else { None })) {
        Some(IpAddr::V4(ip)) => Some(ip),
        _ => None,
    }
}

/// The kernel's errno.
pub fn errno(error: &rtnetlink::Error) -> Option<i32> {
    match error {
        rtnetlink::Error::NetlinkError(message) => Some(message.raw_code().saturating_neg()),
        _ => None,
    }
}

/// The border's error for a failed request.
pub fn failed(what: &str, error: &rtnetlink::Error) -> NetworkError {
    let reason = match error {
        rtnetlink::Error::NetlinkError(message) => message.to_io().to_string(),
        other => other.to_string(),
    };
    NetworkError::Kernel { what: what.to_owned(), reason }
}

fn link(message: LinkMessage) -> Link {
    let index = message.header.index;
    let mut link = Link { index, name: String::new(), alias: None, peer: None, mtu: 1500, operational: false };
    for attribute in message.attributes {
        match attribute {
            LinkAttribute::IfName(name) => link.name = name,
            LinkAttribute::IfAlias(alias) => link.alias = Some(alias),
            LinkAttribute::Link(peer) => link.peer = Some(peer),
            LinkAttribute::Mtu(mtu) => link.mtu = mtu,
            LinkAttribute::OperState(state) => link.operational = state == State::Up,
            _ => {}
        }
    }
    link
}

fn message(route: &Route) -> RouteMessage {
    let mut message = RouteMessage::default();
    message.header.address_family = AddressFamily::Inet;
    message.header.destination_prefix_length = route.destination.prefix_len();
    message.header.table = RouteHeader::RT_TABLE_MAIN;
    message.header.protocol = PROTOCOL;
    message.header.kind = RouteType::Unicast;
    message.header.scope = if route.gateway.is_some() { RouteScope::Universe } else { RouteScope::Link };
    if route.destination.prefix_len() > 0 {
        message.attributes.push(RouteAttribute::Destination(RouteAddress::Inet(route.destination.network())));
    }
    if let Some(gateway) = route.gateway {
        message.attributes.push(RouteAttribute::Gateway(RouteAddress::Inet(gateway)));
    }
    if route.link != 0 {
        message.attributes.push(RouteAttribute::Oif(route.link));
    }
    if let Some(source) = route.source {
        message.attributes.push(RouteAttribute::PrefSource(RouteAddress::Inet(source)));
    }
    message
}

fn route(message: &RouteMessage) -> Option<Route> {
    let mut destination = Ipv4Addr::UNSPECIFIED;
    let (mut gateway, mut link, mut source) = (None, 0, None);
    for attribute in &message.attributes {
        match attribute {
            RouteAttribute::Destination(RouteAddress::Inet(ip)) => destination = *ip,
            RouteAttribute::Gateway(RouteAddress::Inet(ip)) => gateway = Some(*ip),
            RouteAttribute::PrefSource(RouteAddress::Inet(ip)) => source = Some(*ip),
            RouteAttribute::Oif(index) => link = *index,
            _ => {}
        }
    }
    let destination = Ipv4Net::new(destination, message.header.destination_prefix_length).ok()?;
    Some(Route { destination, gateway, link, source })
}

//! The bridge, and a veth from it into every host's namespace.

use crate::net::namespace::enter;
use crate::plan::{LocalCluster, LocalHost};
use futures::TryStreamExt;
use ipnet::Ipv4Net;
use rtnetlink::packet_route::AddressFamily;
use rtnetlink::packet_route::link::{InfoData, InfoKind, InfoVeth, LinkAttribute, LinkFlags, LinkInfo, LinkMessage};
use rtnetlink::packet_route::route::{RouteAddress, RouteAttribute, RouteMessage};
use rtnetlink::{Handle, LinkBridge, LinkUnspec, RouteMessageBuilder};
use std::fs::File;
use std::net::{IpAddr, Ipv4Addr};
use std::os::fd::AsRawFd;
use std::path::Path;

/// The host's end of its link.
const INSIDE: &str = "eth0";

/// The kernel refused something.
#[derive(Debug, thiserror::Error)]
#[error("{what}: {reason}")]
pub struct LinksError {
    /// What.
    pub what: String,
    /// Why.
    pub reason: String,
}

fn failed(what: String) -> impl FnOnce(rtnetlink::Error) -> LinksError {
    move |error| LinksError {
        what,
        reason: match &error {
            rtnetlink::Error::NetlinkError(message) => message.to_io().to_string(),
            other => other.to_string(),
        },
    }
}

fn is_errno(error: &rtnetlink::Error, errno: i32) -> bool {
    matches!(error, rtnetlink::Error::NetlinkError(message) if message.raw_code() == -errno)
}

/// A locally administered hardware address that belongs to the address: a host that comes back has the one that its
/// neighbours remember.
fn mac(ip: Ipv4Addr) -> Vec<u8> {
    [0x02, 0x52].into_iter().chain(ip.octets()).collect()
}

/// A netlink connection in one namespace.
pub struct Links {
    handle: Handle,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Links {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Links {
    /// In this process's namespace.
    pub fn here() -> Result<Self, LinksError> {
        let socket = |error: std::io::Error| LinksError { what: "netlink".to_owned(), reason: error.to_string() };
        let (connection, handle, _) = rtnetlink::new_connection().map_err(socket)?;
        Ok(Self { handle, task: tokio::spawn(connection) })
    }

    /// In a pinned namespace: the socket is opened by a thread that enters it, and stays there.
    pub async fn inside(namespace: &Path) -> Result<Self, LinksError> {
        let path = namespace.to_owned();
        let what = format!("netlink in {}", namespace.display());
        let refused = |reason: String| LinksError { what: what.clone(), reason };
        let runtime = tokio::runtime::Handle::current();
        let (sender, receiver) = tokio::sync::oneshot::channel();
        std::thread::spawn(move || {
            let _entered = runtime.enter();
            let opened = enter(&path)
                .map_err(|error| format!("{error:#}"))
                .and_then(|()| rtnetlink::new_connection().map_err(|error| error.to_string()));
            // The receiver may have been given up.
            let _ = sender.send(opened);
        });
        let opened = receiver.await.map_err(|error| refused(error.to_string()))?;
        let (connection, handle, _) = opened.map_err(refused)?;
        Ok(Self { handle, task: tokio::spawn(connection) })
    }

    /// Ranges of this machine's routes and addresses.
    pub async fn used(&self) -> Result<Vec<Ipv4Net>, LinksError> {
        let mut filter = RouteMessage::default();
        filter.header.address_family = AddressFamily::Inet;
        let routes: Vec<RouteMessage> =
            self.handle.route().get(filter).execute().try_collect().await.map_err(failed("list routes".to_owned()))?;
        let destination = |route: &RouteMessage| {
            let to = route.attributes.iter().find_map(|attribute| match attribute {
                RouteAttribute::Destination(RouteAddress::Inet(ip)) => Some(*ip),
                _ => None,
            })?;
            Ipv4Net::new(to, route.header.destination_prefix_length).ok()
        };
        Ok(routes.iter().filter_map(destination).collect())
    }

    async fn find(&self, name: &str) -> Result<Option<LinkMessage>, LinksError> {
        match self.handle.link().get().match_name(name.to_owned()).execute().try_next().await {
            Ok(found) => Ok(found),
            Err(error) if is_errno(&error, libc::ENODEV) => Ok(None),
            Err(error) => Err(failed(format!("look for interface {name}"))(error)),
        }
    }

    async fn set(&self, message: LinkMessage, what: String) -> Result<(), LinksError> {
        self.handle.link().set(message).execute().await.map_err(failed(what))
    }

    async fn address(&self, index: u32, name: &str, ip: Ipv4Addr, length: u8) -> Result<(), LinksError> {
        let request = self.handle.address().add(index, IpAddr::V4(ip), length).replace();
        request.execute().await.map_err(failed(format!("give interface {name} address {ip}/{length}")))
    }

    /// The bridge, up, with the machine's own address.
    pub async fn ensure_bridge(&self, cluster: &LocalCluster) -> Result<u32, LinksError> {
        let name = cluster.bridge();
        if self.find(&name).await?.is_none() {
            // Its own: else it would change with the ports, and hosts would go on sending to the old one.
            let message = LinkBridge::new(&name).address(mac(cluster.gateway())).build();
            let request = self.handle.link().add(message);
            request.execute().await.map_err(failed(format!("make bridge {name}")))?;
        }
        let index = self.find(&name).await?.map(|link| link.header.index).ok_or_else(|| LinksError {
            what: format!("make bridge {name}"),
            reason: "it is not there afterwards".to_owned(),
        })?;
        self.set(LinkUnspec::new_with_index(index).up().build(), format!("bring up bridge {name}")).await?;
        self.address(index, &name, cluster.gateway(), cluster.subnet.prefix_len()).await?;
        Ok(index)
    }

    /// The host's link, whole and in the bridge. A host that is cut stays cut.
    pub async fn ensure_host(
        &self,
        cluster: &LocalCluster,
        host: &LocalHost,
        namespace: &Path,
        bridge: u32,
    ) -> Result<(), LinksError> {
        let inside = Self::inside(namespace).await?;
        let outer = cluster.link(host);
        let mut fresh = false;
        let here = self.find(&outer).await?;
        if here.is_none() || inside.find(INSIDE).await?.is_none() {
            if let Some(half) = here {
                self.delete(half.header.index, &outer).await?;
            }
            self.veth(&outer, namespace, host.address).await?;
            fresh = true;
        }
        let Some(link) = self.find(&outer).await? else {
            return Err(LinksError { what: format!("make interface {outer}"), reason: "it is gone again".to_owned() });
        };
        let mut message = LinkUnspec::new_with_index(link.header.index).controller(bridge);
        if fresh {
            message = message.up();
        }
        self.set(message.build(), format!("put interface {outer} into the bridge")).await?;
        inside.configure(host.address, cluster.subnet.prefix_len(), cluster.gateway()).await
    }

    async fn veth(&self, outer: &str, namespace: &Path, ip: Ipv4Addr) -> Result<(), LinksError> {
        let what = format!("make interface {outer}");
        let file = File::open(namespace)
            .map_err(|error| LinksError { what: what.clone(), reason: format!("{}: {error}", namespace.display()) })?;
        let mut peer = LinkMessage::default();
        peer.attributes.push(LinkAttribute::IfName(INSIDE.to_owned()));
        peer.attributes.push(LinkAttribute::NetNsFd(file.as_raw_fd()));
        peer.attributes.push(LinkAttribute::Address(mac(ip)));
        let mut link = LinkMessage::default();
        link.attributes.push(LinkAttribute::IfName(outer.to_owned()));
        link.attributes.push(LinkAttribute::LinkInfo(vec![
            LinkInfo::Kind(InfoKind::Veth),
            LinkInfo::Data(InfoData::Veth(InfoVeth::Peer(peer))),
        ]));
        self.handle.link().add(link).execute().await.map_err(failed(what))
    }

    /// Inside a host's namespace: loopback, address, default route.
    async fn configure(&self, ip: Ipv4Addr, length: u8, gateway: Ipv4Addr) -> Result<(), LinksError> {
        for name in ["lo", INSIDE] {
            let Some(link) = self.find(name).await? else {
                return Err(LinksError { what: format!("interface {name}"), reason: "is not there".to_owned() });
            };
            let index = link.header.index;
            self.set(LinkUnspec::new_with_index(index).up().build(), format!("bring up interface {name}")).await?;
            if name == INSIDE {
                self.address(index, name, ip, length).await?;
            }
        }
        let route = RouteMessageBuilder::<Ipv4Addr>::new().gateway(gateway).build();
        let request = self.handle.route().add(route).replace();
        request.execute().await.map_err(failed(format!("default route by {gateway}")))
    }

    /// Takes the host's end of the bridge down or up: down, every packet to and from it vanishes without a reset.
    pub async fn connect(&self, name: &str, connected: bool) -> Result<(), LinksError> {
        let Some(link) = self.find(name).await? else {
            return Err(LinksError {
                what: format!("interface {name}"),
                reason: "is not there; try `raftsman up`".to_owned(),
            });
        };
        let message = LinkUnspec::new_with_index(link.header.index);
        let message = if connected { message.up() } else { message.down() };
        let word = if connected { "up" } else { "down" };
        self.set(message.build(), format!("bring interface {name} {word}")).await
    }

    /// It is there and down: the host is cut.
    pub async fn is_cut(&self, name: &str) -> Result<bool, LinksError> {
        Ok(self.find(name).await?.is_some_and(|link| !link.header.flags.contains(LinkFlags::Up)))
    }

    /// It is there.
    pub async fn has(&self, name: &str) -> Result<bool, LinksError> {
        Ok(self.find(name).await?.is_some())
    }

    /// Removes an interface; true if it was there.
    pub async fn remove(&self, name: &str) -> Result<bool, LinksError> {
        let Some(link) = self.find(name).await? else {
            return Ok(false);
        };
        self.delete(link.header.index, name).await?;
        Ok(true)
    }

    /// Names of all interfaces that begin like this.
    pub async fn names(&self, prefix: &str) -> Result<Vec<String>, LinksError> {
        let all: Vec<LinkMessage> =
            self.handle.link().get().execute().try_collect().await.map_err(failed("list interfaces".to_owned()))?;
        let name = |link: LinkMessage| {
            link.attributes.into_iter().find_map(|attribute| match attribute {
                LinkAttribute::IfName(name) => Some(name),
                _ => None,
            })
        };
        Ok(all.into_iter().filter_map(name).filter(|name| name.starts_with(prefix)).collect())
    }

    async fn delete(&self, index: u32, name: &str) -> Result<(), LinksError> {
        match self.handle.link().del(index).execute().await {
            Err(error) if !is_errno(&error, libc::ENODEV) => Err(failed(format!("remove interface {name}"))(error)),
            _ => Ok(()),
        }
    }
}

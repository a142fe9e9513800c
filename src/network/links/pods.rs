//! Pods' interfaces: a routed veth each, no bridge.

use crate::border::{NetworkError, PodInterface};
use crate::links::conn::{Conn, Link, Route, address, errno, failed};
use crate::links::names::{GATEWAY, HOST_MAC, POD_END, alias, host_end, parse_alias, pod_mac};
use crate::links::namespace::Namespace;
use crate::links::sysctl;
use ipnet::Ipv4Net;
use rtnetlink::LinkUnspec;
use rtnetlink::packet_route::address::AddressScope;
use rtnetlink::packet_route::link::{InfoData, InfoKind, InfoVeth, LinkAttribute, LinkInfo, LinkMessage};
use std::fs::File;
use std::net::Ipv4Addr;
use std::os::fd::AsRawFd;
use std::time::Duration;

const CARRIER_TRIES: usize = 1000;
const CARRIER_PAUSE: Duration = Duration::from_millis(2);

/// A pod's interface on the host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attached {
    /// The pod's uid.
    pub uid: String,
    /// The pod's address.
    pub ip: Ipv4Addr,
    /// The host's end.
    pub link: Link,
}

/// What pods' interfaces take over from the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Uplink {
    /// The uplink's MTU.
    pub mtu: u32,
    /// The address that this host sends to its pods from.
    pub node: Ipv4Addr,
}

/// The pods that are attached, and host ends whose making was interrupted.
pub async fn list(host: &Conn, prefix: &str) -> Result<(Vec<Attached>, Vec<Link>), NetworkError> {
    let (mut attached, mut broken) = (Vec::new(), Vec::new());
    for link in host.links().await?.into_iter().filter(|l| is_host_end(&l.name, prefix)) {
        match link.alias.as_deref().and_then(parse_alias) {
            Some((uid, ip)) => attached.push(Attached { uid, ip, link }),
            None => broken.push(link),
        }
    }
    Ok((attached, broken))
}

fn is_host_end(name: &str, prefix: &str) -> bool {
    name.strip_prefix(prefix).is_some_and(|rest| rest.len() == 12 && rest.bytes().all(|b| b.is_ascii_hexdigit()))
}

/// True if the pod's namespace holds the other end of this link, with its address.
pub async fn is_intact(attached: &Attached, pod: &PodInterface) -> Result<bool, NetworkError> {
    let inside = Conn::open(&Namespace::at(&pod.netns)).await?;
    let Some(end) = inside.link(POD_END).await? else {
        return Ok(false);
    };
    let addresses = inside.addresses().await?;
    let has = addresses.iter().any(|a| a.header.index == end.index && address(a) == Some(attached.ip));
    Ok(has && end.peer == Some(attached.link.index) && attached.link.peer == Some(end.index))
}

/// Makes both ends, and everything that lets packets through; repeated, it repairs.
pub async fn make(
    host: &Conn,
    namespace: &Namespace,
    prefix: &str,
    pod: &PodInterface,
    ip: Ipv4Addr,
    uplink: &Uplink,
) -> Result<(), NetworkError> {
    let name = host_end(prefix, &pod.uid);
    create(host, &name, pod, ip, uplink.mtu).await?;
    let made = finish(host, namespace, &name, pod, ip, uplink).await;
    if made.is_err()
        && let Ok(Some(link)) = host.link(&name).await
        && let Err(error) = host.delete_link(link.index, &name).await
    {
        tracing::warn!(interface = name, %error, "an interface that failed half-way stays behind");
    }
    made
}

async fn finish(
    host: &Conn,
    namespace: &Namespace,
    name: &str,
    pod: &PodInterface,
    ip: Ipv4Addr,
    uplink: &Uplink,
) -> Result<(), NetworkError> {
    let link = host.link(name).await?.ok_or_else(|| vanished(name, pod))?;
    let message = LinkUnspec::new_with_index(link.index)
        .append_extra_attribute(LinkAttribute::IfAlias(alias(&pod.uid, ip)))
        .build();
    let what = format!("name interface {name} after pod {}", pod.uid);
    host.handle.link().set(message).execute().await.map_err(|e| failed(&what, &e))?;
    let attached = Attached { uid: pod.uid.clone(), ip, link };
    outside(host, namespace, &attached, uplink).await?;
    inside(pod, ip).await?;
    operational(host, name).await
}

/// The kernel tells the end that came up first of its carrier a little later, and drops packets until then.
async fn operational(host: &Conn, name: &str) -> Result<(), NetworkError> {
    for _ in 0..CARRIER_TRIES {
        if host.link(name).await?.is_none_or(|link| link.operational) {
            return Ok(());
        }
        tokio::time::sleep(CARRIER_PAUSE).await;
    }
    tracing::warn!(interface = name, "the interface has no carrier yet");
    Ok(())
}

fn vanished(name: &str, pod: &PodInterface) -> NetworkError {
    NetworkError::Kernel {
        what: format!("interface {name} of pod {}", pod.uid),
        reason: "it vanished while it was made; has the pod ended?".to_owned(),
    }
}

async fn create(host: &Conn, name: &str, pod: &PodInterface, ip: Ipv4Addr, mtu: u32) -> Result<(), NetworkError> {
    let what = format!("create interface {name} for pod {}", pod.uid);
    let netns = File::open(&pod.netns).map_err(|e| NetworkError::Kernel {
        what: format!("open network namespace {} of pod {}", pod.netns.display(), pod.uid),
        reason: e.to_string(),
    })?;
    let mut peer = LinkMessage::default();
    peer.attributes = vec![
        LinkAttribute::IfName(POD_END.to_owned()),
        LinkAttribute::Address(pod_mac(ip).to_vec()),
        LinkAttribute::Mtu(mtu),
        LinkAttribute::NetNsFd(netns.as_raw_fd()),
    ];
    let mut message = LinkMessage::default();
    message.attributes = vec![
        LinkAttribute::IfName(name.to_owned()),
        LinkAttribute::Address(HOST_MAC.to_vec()),
        LinkAttribute::Mtu(mtu),
        veth(peer),
    ];
    host.handle.link().add(message).execute().await.map_err(|e| refused(&what, &e))
}

/// The pod's side: loopback, address, and a default route by a gateway that exists only as a neighbour.
async fn inside(pod: &PodInterface, ip: Ipv4Addr) -> Result<(), NetworkError> {
    let conn = Conn::open(&Namespace::at(&pod.netns)).await?;
    if let Some(lo) = conn.link("lo").await? {
        conn.up(lo.index, "lo").await?;
    }
    let end = conn.link(POD_END).await?.ok_or_else(|| vanished(POD_END, pod))?;
    conn.add_address(end.index, ip, AddressScope::Universe, None).await?;
    conn.up(end.index, POD_END).await?;
    conn.add_neighbour(end.index, GATEWAY, &HOST_MAC).await?;
    let gateway = Route { destination: GATEWAY.into(), gateway: None, link: end.index, source: None };
    conn.put_route(&gateway).await?;
    let default = Route {
        destination: Ipv4Net::new_assert(Ipv4Addr::UNSPECIFIED, 0),
        gateway: Some(GATEWAY),
        link: end.index,
        source: None,
    };
    conn.put_route(&default).await
}

/// The host's side: up, the pod's neighbour entry, the route. Needs no more of the namespace than the interface's name.
pub async fn outside(
    host: &Conn,
    namespace: &Namespace,
    attached: &Attached,
    uplink: &Uplink,
) -> Result<(), NetworkError> {
    let link = &attached.link;
    let name = link.name.clone();
    // A pod may not send from another's address.
    namespace.run(move || sysctl::set_quietly(&format!("net/ipv4/conf/{name}/rp_filter"), "1")).await?;
    host.up(link.index, &link.name).await?;
    host.add_neighbour(link.index, attached.ip, &pod_mac(attached.ip)).await?;
    let route = Route { destination: attached.ip.into(), gateway: None, link: link.index, source: Some(uplink.node) };
    host.put_route(&route).await
}

/// Fails if the kernel has no veth interfaces. Such a pair is made and deleted, both ends in this namespace.
pub async fn probe(host: &Conn) -> Result<(), NetworkError> {
    let name = format!("rmp{}", std::process::id());
    let mut peer = LinkMessage::default();
    peer.attributes = vec![LinkAttribute::IfName(format!("{name}p"))];
    let mut message = LinkMessage::default();
    message.attributes = vec![LinkAttribute::IfName(name.clone()), veth(peer)];
    host.handle.link().add(message).execute().await.map_err(|e| refused("make a veth interface", &e))?;
    match host.link(&name).await? {
        Some(link) => host.delete_link(link.index, &name).await,
        None => Ok(()),
    }
}

fn veth(peer: LinkMessage) -> LinkAttribute {
    let data = LinkInfo::Data(InfoData::Veth(InfoVeth::Peer(peer)));
    LinkAttribute::LinkInfo(vec![LinkInfo::Kind(InfoKind::Veth), data])
}

fn refused(what: &str, error: &rtnetlink::Error) -> NetworkError {
    match errno(error) {
        Some(libc::EEXIST) => NetworkError::Kernel {
            what: what.to_owned(),
            reason: format!("an interface of that name, or {POD_END} in the pod's network namespace, exists already"),
        },
        Some(libc::EOPNOTSUPP) => NetworkError::Unsupported {
            what: "veth interfaces".to_owned(),
            hint: "load the module veth, or boot a kernel with CONFIG_VETH".to_owned(),
        },
        _ => failed(what, error),
    }
}

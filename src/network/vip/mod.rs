//! The control plane's virtual address on the interface that has the host's own.

mod arp;

use crate::border::{NetworkError, SendFrame, VirtualAddress};
use crate::links::{Conn, Namespace, address};
use futures::TryStreamExt as _;
use rtnetlink::packet_route::address::AddressScope;
use rtnetlink::packet_route::link::LinkAttribute;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Mutex;
use std::time::Duration;

/// The address on a link of this process's network namespace.
pub struct LinkAddress {
    address: Ipv4Addr,
    beside: Ipv4Addr,
    conn: Conn,
    send: SendFrame,
    link: Mutex<Option<Uplink>>,
}

#[derive(Debug, Clone, Copy)]
struct Uplink {
    index: u32,
    mac: Option<[u8; 6]>,
}

impl LinkAddress {
    /// The virtual `address`, on the interface that has the address `beside`. Changes nothing yet.
    ///
    /// # Errors
    /// `Invalid` for IPv6, which has no virtual address so far; `Kernel` when route netlink cannot be opened.
    pub async fn new(address: IpAddr, beside: IpAddr, send: SendFrame) -> Result<Self, NetworkError> {
        let v4 = |what: &str, ip: IpAddr| match ip {
            IpAddr::V4(ip) => Ok(ip),
            IpAddr::V6(ip) => Err(NetworkError::Invalid(format!(
                "vip {address}: {what} {ip} is IPv6, and the virtual address works with IPv4 only: give an IPv4 address, or \
                 leave the vip out and put a load balancer before the masters"
            ))),
        };
        let (address, beside) = (v4("the address", address)?, v4("this host's address", beside)?);
        let conn = Conn::open(&Namespace::new(None)).await?;
        Ok(Self { address, beside, conn, send, link: Mutex::new(None) })
    }

    fn known(&self) -> Option<Uplink> {
        self.link.lock().map_or(None, |link| *link)
    }

    fn remember(&self, found: Option<Uplink>) {
        if let Ok(mut link) = self.link.lock() {
            *link = found;
        }
    }

    /// The interface with the host's own address.
    async fn uplink(&self) -> Result<Uplink, NetworkError> {
        if let Some(link) = self.known() {
            return Ok(link);
        }
        let addresses = self.conn.addresses().await?;
        let home = addresses.iter().find(|found| address(found) == Some(self.beside));
        let index = home.map(|found| found.header.index).ok_or_else(|| {
            NetworkError::Invalid(format!("vip {}: no interface has this host's address {}", self.address, self.beside))
        })?;
        let failed = |error: rtnetlink::Error| crate::links::failed(&format!("look at interface {index}"), &error);
        let link = self.conn.handle.link().get().match_index(index).execute().try_next().await.map_err(failed)?;
        let mac = link.iter().flat_map(|link| &link.attributes).find_map(|attribute| match attribute {
            LinkAttribute::Address(mac) => mac.as_slice().try_into().ok(),
            _ => None,
        });
        let found = Uplink { index, mac };
        self.remember(Some(found));
        Ok(found)
    }
}

#[async_trait::async_trait]
impl VirtualAddress for LinkAddress {
    async fn hold(&self, lifetime: Duration) -> Result<(), NetworkError> {
        let index = self.uplink().await?.index;
        let held = self.conn.hold_address(index, self.address, AddressScope::Universe, lifetime).await;
        if held.is_err() {
            // Another one may have the host's address now.
            self.remember(None);
        }
        held
    }

    async fn announce(&self) -> Result<(), NetworkError> {
        let Uplink { index, mac } = self.uplink().await?;
        // A link without link layer addresses has no neighbours to tell.
        let Some(mac) = mac else { return Ok(()) };
        (self.send)(index, &arp::announcement(mac, self.address)).map_err(|error| {
            self.remember(None);
            NetworkError::Kernel { what: format!("announce address {}", self.address), reason: error.to_string() }
        })
    }

    async fn release(&self) -> Result<(), NetworkError> {
        for message in self.conn.addresses().await? {
            if address(&message) == Some(self.address) {
                self.conn.delete_address(message).await?;
            }
        }
        Ok(())
    }
}

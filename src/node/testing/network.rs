use async_trait::async_trait;
use parking_lot::Mutex;
use raftsman_network::border::{HostPort, Network, NetworkError, NodeNetwork, PeerNode, PodInterface, ServiceEntry};
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

/// Remembers what it was asked for.
#[derive(Default)]
pub struct FakeNetwork {
    pub node: Mutex<Option<NodeNetwork>>,
    pub peers: Mutex<Vec<PeerNode>>,
    pub attached: Mutex<BTreeMap<String, IpAddr>>,
    pub services: Mutex<Vec<Arc<ServiceEntry>>>,
    pub host_ports: Mutex<Vec<HostPort>>,
    /// Held: the kernel is slow.
    pub busy: tokio::sync::Mutex<()>,
}

#[async_trait]
impl Network for FakeNetwork {
    async fn configure(&self, node: &NodeNetwork) -> Result<(), NetworkError> {
        let _turn = self.busy.lock().await;
        *self.node.lock() = Some(node.clone());
        Ok(())
    }

    async fn set_peers(&self, peers: &[PeerNode]) -> Result<(), NetworkError> {
        *self.peers.lock() = peers.to_vec();
        Ok(())
    }

    async fn attach(&self, pod: &PodInterface) -> Result<IpAddr, NetworkError> {
        let mut attached = self.attached.lock();
        let next = u8::try_from(attached.len()).unwrap() + 2;
        let fresh = pod.previous.unwrap_or(IpAddr::V4(Ipv4Addr::new(10, 244, 1, next)));
        Ok(*attached.entry(pod.uid.clone()).or_insert(fresh))
    }

    async fn detach(&self, uid: &str) -> Result<(), NetworkError> {
        self.attached.lock().remove(uid);
        Ok(())
    }

    async fn attached(&self) -> Result<Vec<(String, IpAddr)>, NetworkError> {
        Ok(self.attached.lock().iter().map(|(uid, ip)| (uid.clone(), *ip)).collect())
    }

    async fn set_services(
        &self,
        services: &[Arc<ServiceEntry>],
        _changed: Option<&[(String, String)]>,
    ) -> Result<(), NetworkError> {
        *self.services.lock() = services.to_vec();
        Ok(())
    }

    async fn set_host_ports(&self, ports: &[HostPort]) -> Result<(), NetworkError> {
        *self.host_ports.lock() = ports.to_vec();
        Ok(())
    }

    async fn verify(&self) -> Result<(), NetworkError> {
        Ok(())
    }

    async fn teardown(&self) -> Result<(), NetworkError> {
        Ok(())
    }
}

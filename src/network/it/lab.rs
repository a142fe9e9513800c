//! A machine room: one namespace with a bridge, a namespace per host, a namespace per pod.

use futures::TryStreamExt;
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, setns, unshare};
use raftsman_network::border::{
    Affinity, Endpoint, Network, NodeNetwork, PeerNode, PodInterface, Protocol, ServiceEntry, ServicePort,
};
use raftsman_network::{LinuxConfig, LinuxNetwork};
use rtnetlink::{LinkBridge, LinkUnspec, LinkVeth};
use std::fs::File;
use std::net::{IpAddr, Ipv4Addr};
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A namespace pinned to a file until this is dropped.
pub struct Netns(PathBuf);

impl Netns {
    pub fn new(dir: &Path, name: &str) -> Self {
        let path = dir.join(name);
        File::create(&path).unwrap();
        let target = path.clone();
        let pin = move || {
            unshare(CloneFlags::CLONE_NEWNET).expect("these tests need root");
            mount(Some("/proc/thread-self/ns/net"), &target, None::<&str>, MsFlags::MS_BIND, None::<&str>).unwrap();
        };
        std::thread::spawn(pin).join().unwrap();
        Self(path)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Runs on a thread inside, with the caller's runtime at hand.
    pub fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> T {
        let path = self.0.clone();
        let runtime = tokio::runtime::Handle::current();
        let inside = move || {
            let _entered = runtime.enter();
            setns(File::open(path).unwrap(), CloneFlags::CLONE_NEWNET).unwrap();
            work()
        };
        let thread = std::thread::spawn(inside);
        tokio::task::block_in_place(|| thread.join()).unwrap()
    }

    /// Runs on a blocking thread inside, beside everything else.
    pub fn start<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> tokio::task::JoinHandle<T> {
        let path = self.0.clone();
        let (sender, receiver) = tokio::sync::oneshot::channel();
        std::thread::spawn(move || {
            setns(File::open(path).unwrap(), CloneFlags::CLONE_NEWNET).unwrap();
            let _ = sender.send(work());
        });
        tokio::spawn(async move { receiver.await.expect("the work panicked") })
    }

    pub fn handle(&self) -> rtnetlink::Handle {
        let (connection, handle, _) = self.run(|| rtnetlink::new_connection().unwrap());
        tokio::spawn(connection);
        handle
    }

    /// What the namespace has: interface names, our routes, local /32 addresses.
    pub async fn inventory(&self) -> Vec<String> {
        let handle = self.handle();
        let mut found = Vec::new();
        let links: Vec<_> = handle.link().get().execute().try_collect().await.unwrap();
        found.extend(links.iter().flat_map(|l| &l.attributes).filter_map(|a| match a {
            rtnetlink::packet_route::link::LinkAttribute::IfName(name) => Some(format!("link {name}")),
            _ => None,
        }));
        let mut filter = rtnetlink::packet_route::route::RouteMessage::default();
        filter.header.address_family = rtnetlink::packet_route::AddressFamily::Inet;
        let routes: Vec<_> = handle.route().get(filter).execute().try_collect().await.unwrap();
        found.extend(routes.iter().filter(|r| r.header.table == 254).map(|r| format!("route {:?}", r.attributes)));
        let addresses: Vec<_> = handle.address().get().execute().try_collect().await.unwrap();
        found.extend(addresses.iter().filter(|a| a.header.prefix_len == 32).map(|a| format!("{:?}", a.attributes)));
        found.sort();
        found
    }
}

impl Drop for Netns {
    fn drop(&mut self) {
        umount2(&self.0, MntFlags::MNT_DETACH).ok();
        std::fs::remove_file(&self.0).ok();
    }
}

/// A node: its namespace and its network.
pub struct Host {
    pub ip: Ipv4Addr,
    pub number: u8,
    pub netns: Netns,
    pub network: LinuxNetwork,
}

impl Host {
    pub async fn restart(&mut self) {
        self.network = network(&self.netns).await;
    }

    pub fn node(&self) -> NodeNetwork {
        NodeNetwork {
            node_ip: IpAddr::V4(self.ip),
            pod_cidr: format!("10.244.{}.0/24", self.number).parse().unwrap(),
            cluster_cidr: "10.244.0.0/16".parse().unwrap(),
            service_cidr: "10.96.0.0/16".parse().unwrap(),
            dns_ip: "10.96.0.10".parse().unwrap(),
            cluster_domain: "cluster.local".to_owned(),
            upstream_dns: vec!["10.89.0.1:53".parse().unwrap()],
        }
    }

    pub async fn serve(&self, services: &[ServiceEntry]) {
        let services: Vec<_> = services.iter().map(|s| Arc::new(local(s, self.number))).collect();
        self.network.set_services(&services, None).await.unwrap();
    }
}

async fn network(netns: &Netns) -> LinuxNetwork {
    let netns = Some(netns.path().to_owned());
    LinuxNetwork::new(LinuxConfig { netns, ..LinuxConfig::default() }).await.unwrap()
}

/// A pod: a namespace with an address.
pub struct Pod {
    pub ip: Ipv4Addr,
    pub uid: String,
    pub netns: Netns,
}

impl Pod {
    pub fn interface(&self) -> PodInterface {
        PodInterface { uid: self.uid.clone(), netns: self.netns.path().to_owned(), previous: None }
    }
}

pub struct Lab {
    pub hosts: Vec<Host>,
    /// The machine that the hosts are on; not part of the cluster.
    pub outside: Netns,
    dir: tempfile::TempDir,
}

pub const OUTSIDE: Ipv4Addr = Ipv4Addr::new(10, 89, 0, 1);

impl Lab {
    /// So many hosts, configured, each with routes to the others.
    pub async fn new(hosts: u8) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let outside = Netns::new(dir.path(), "outside");
        let handle = outside.handle();
        handle.link().add(LinkBridge::new("br0").up().build()).execute().await.unwrap();
        up(&handle, "lo", None).await;
        up(&handle, "br0", Some(OUTSIDE)).await;
        let mut lab = Self { hosts: Vec::new(), outside, dir };
        for number in 1..=hosts {
            let host = lab.host(number).await;
            host.network.configure(&host.node()).await.unwrap();
            lab.hosts.push(host);
        }
        let peers = lab.peers();
        for host in &lab.hosts {
            host.network.set_peers(&peers).await.unwrap();
        }
        lab
    }

    pub fn peers(&self) -> Vec<PeerNode> {
        let peer = |h: &Host| PeerNode { name: format!("n{}", h.number), ip: h.ip.into(), pod_cidr: h.node().pod_cidr };
        self.hosts.iter().map(peer).collect()
    }

    pub async fn host(&self, number: u8) -> Host {
        let netns = Netns::new(self.dir.path(), &format!("n{number}"));
        let ip = Ipv4Addr::new(10, 89, 0, 20 + number);
        let outer = self.outside.handle();
        let name = format!("v{number}");
        outer.link().add(LinkVeth::new(&name, "eth0x").build()).execute().await.unwrap();
        let file = File::open(netns.path()).unwrap();
        let inner = LinkUnspec::new_with_name("eth0x").setns_by_fd(file.as_raw_fd()).build();
        outer.link().set(inner).execute().await.unwrap();
        let bridge = index(&outer, "br0").await;
        let port = LinkUnspec::new_with_index(index(&outer, &name).await).controller(bridge).up().build();
        outer.link().set(port).execute().await.unwrap();
        let handle = netns.handle();
        up(&handle, "lo", None).await;
        up(&handle, "eth0x", Some(ip)).await;
        let default = rtnetlink::RouteMessageBuilder::<Ipv4Addr>::new().gateway(OUTSIDE).build();
        handle.route().add(default).execute().await.unwrap();
        let network = network(&netns).await;
        Host { ip, number, netns, network }
    }

    pub async fn pod(&self, host: usize, name: &str) -> Pod {
        let netns = Netns::new(self.dir.path(), &format!("pod-{name}"));
        let mut pod = Pod { ip: Ipv4Addr::UNSPECIFIED, uid: format!("uid-of-{name}"), netns };
        match self.hosts[host].network.attach(&pod.interface()).await.unwrap() {
            IpAddr::V4(ip) => pod.ip = ip,
            IpAddr::V6(ip) => panic!("{ip}"),
        }
        pod
    }

    pub async fn serve(&self, services: &[ServiceEntry]) {
        for host in &self.hosts {
            host.serve(services).await;
        }
    }

    /// An empty namespace with nothing attached.
    pub fn bare(&self, name: &str) -> Netns {
        Netns::new(self.dir.path(), name)
    }
}

async fn index(handle: &rtnetlink::Handle, name: &str) -> u32 {
    let mut links = handle.link().get().match_name(name.to_owned()).execute();
    links.try_next().await.unwrap().unwrap().header.index
}

async fn up(handle: &rtnetlink::Handle, name: &str, ip: Option<Ipv4Addr>) {
    let index = index(handle, name).await;
    handle.link().set(LinkUnspec::new_with_index(index).up().build()).execute().await.unwrap();
    if let Some(ip) = ip {
        handle.address().add(index, ip.into(), 24).execute().await.unwrap();
    }
}

/// The service as a host sees it: its own pods are local.
pub fn local(service: &ServiceEntry, number: u8) -> ServiceEntry {
    let mut service = service.clone();
    for endpoint in service.ports.iter_mut().flat_map(|p| &mut p.endpoints) {
        endpoint.local = matches!(endpoint.ip, IpAddr::V4(ip) if ip.octets()[..3] == [10, 244, number]);
    }
    service
}

pub fn endpoint(ip: Ipv4Addr, port: u16) -> Endpoint {
    Endpoint { ip: ip.into(), port, local: false, hostname: None, ready: true, serving: true, terminating: false }
}

/// A service of one port: 80 leads to port 8080 of the pods.
pub fn service(name: &str, vip: &str, pods: &[&Pod]) -> ServiceEntry {
    ServiceEntry {
        namespace: "default".to_owned(),
        name: name.to_owned(),
        cluster_ips: vec![vip.parse().unwrap()],
        external_ips: Vec::new(),
        external_name: None,
        affinity: Affinity::None,
        internal_local: false,
        external_local: false,
        publish_not_ready: false,
        ports: vec![ServicePort {
            name: "web".to_owned(),
            protocol: Protocol::Tcp,
            port: 80,
            node_port: None,
            endpoints: pods.iter().map(|pod| endpoint(pod.ip, 8080)).collect(),
        }],
    }
}

/// What a program says, where it is installed: nothing of ours needs it, so elsewhere less is proved. Where everything is
/// to be proved, it must be there.
pub fn program(name: &str, arguments: &[&str]) -> Option<std::process::Output> {
    match std::process::Command::new(name).args(arguments).output() {
        Ok(output) => Some(output),
        Err(error) if std::env::var_os("CI").is_none() => {
            eprintln!("*** NOT PROVED ON THIS MACHINE: {name} {}: {error} ***", arguments.join(" "));
            None
        }
        Err(error) => panic!("{name}: {error}: install it, or unset CI"),
    }
}

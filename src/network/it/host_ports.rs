//! Ports of a host that lead to its pods.

use crate::lab::{Host, Lab, Pod, service};
use crate::traffic::{ask, tcp_server, try_ask, udp_ask, udp_client, udp_server};
use raftsman_network::border::{HostPort, Network, Protocol};
use std::net::{IpAddr, SocketAddr};

fn host_port(pod: &Pod, protocol: Protocol, port: u16, address: Option<IpAddr>) -> HostPort {
    HostPort { uid: pod.uid.clone(), protocol, port, address, to: SocketAddr::new(pod.ip.into(), 8080) }
}

async fn set(host: &Host, ports: &[HostPort]) {
    host.network.set_host_ports(ports).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_port_is_served_by_its_node_alone() {
    let lab = Lab::new(2).await;
    let (a, near, far) = (lab.pod(0, "a").await, lab.pod(0, "near").await, lab.pod(1, "far").await);
    tcp_server(&a.netns, "a", 8080);
    lab.serve(&[]).await;
    set(&lab.hosts[0], &[host_port(&a, Protocol::Tcp, 8000, None)]).await;
    let to = format!("{}:8000", lab.hosts[0].ip);
    let (first, second) = (lab.hosts[0].ip.to_string(), lab.hosts[1].ip.to_string());
    for (from, client, what) in [
        (&lab.outside, crate::lab::OUTSIDE.to_string(), "an outside client keeps its address"),
        (&near.netns, near.ip.to_string(), "a pod of the node keeps its address"),
        (&far.netns, second.clone(), "a pod of another node comes as its node"),
        (&a.netns, first.clone(), "a connection to itself is masqueraded"),
        (&lab.hosts[0].netns, first.clone(), "the node itself"),
        (&lab.hosts[1].netns, second, "another node"),
    ] {
        let seen = ask(from, &to);
        assert_eq!((seen.server.as_str(), seen.client), ("a", client), "{what}");
    }
    assert!(try_ask(&lab.outside, &format!("{}:8000", lab.hosts[1].ip)).is_err(), "the other node has no such port");
    assert!(try_ask(&lab.outside, &format!("{first}:8001")).is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn host_ports_come_and_go_beside_services() {
    let mut lab = Lab::new(1).await;
    let (a, b) = (lab.pod(0, "a").await, lab.pod(0, "b").await);
    tcp_server(&a.netns, "a", 8080);
    tcp_server(&b.netns, "b", 8080);
    udp_server(&b.netns, "b", 8080);
    let mut web = service("web", "10.96.1.1", &[&b]);
    web.ports[0].node_port = Some(30001);
    // Known before the services are: they come with them.
    let old = host_port(&a, Protocol::Tcp, 8000, None);
    set(&lab.hosts[0], std::slice::from_ref(&old)).await;
    lab.serve(std::slice::from_ref(&web)).await;
    let node = lab.hosts[0].ip;
    let at = |port: u16| format!("{node}:{port}");
    assert_eq!(ask(&lab.outside, &at(8000)).server, "a");
    assert_eq!(ask(&lab.outside, &at(30001)).server, "b");
    // All services anew: the ports stay.
    lab.serve(std::slice::from_ref(&web)).await;
    assert_eq!(ask(&lab.outside, &at(8000)).server, "a");
    // The port goes over to another pod while the first still has it, and when it gives it up.
    let new = HostPort { to: SocketAddr::new(b.ip.into(), 8080), uid: b.uid.clone(), ..old.clone() };
    let udp = HostPort { protocol: Protocol::Udp, port: 8053, ..new.clone() };
    set(&lab.hosts[0], &[old, new.clone(), udp.clone()]).await;
    assert_eq!(ask(&lab.outside, &at(8000)).server, "a", "the first that came has it");
    let client = udp_client(&lab.outside, &at(8053));
    assert_eq!(tokio::task::block_in_place(|| udp_ask(&client)).unwrap(), "b");
    set(&lab.hosts[0], &[new.clone(), udp]).await;
    assert_eq!(ask(&lab.outside, &at(8000)).server, "b");
    set(&lab.hosts[0], std::slice::from_ref(&new)).await;
    assert!(tokio::task::block_in_place(|| udp_ask(&client)).is_err(), "the flow ends with its port");
    // A new process: the table serves on, and the first services take nothing away.
    lab.hosts[0].restart().await;
    lab.hosts[0].network_ready().await;
    assert_eq!(ask(&lab.outside, &at(8000)).server, "b");
    set(&lab.hosts[0], &[new]).await;
    lab.serve(std::slice::from_ref(&web)).await;
    assert_eq!(ask(&lab.outside, &at(8000)).server, "b");
    set(&lab.hosts[0], &[]).await;
    assert!(try_ask(&lab.outside, &at(8000)).is_err());
    assert_eq!(ask(&lab.outside, &at(30001)).server, "b");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_ip_keeps_the_port_to_itself() {
    let lab = Lab::new(1).await;
    let a = lab.pod(0, "a").await;
    tcp_server(&a.netns, "a", 8080);
    lab.serve(&[]).await;
    let node = lab.hosts[0].ip;
    set(&lab.hosts[0], &[host_port(&a, Protocol::Tcp, 8000, Some(node.into()))]).await;
    assert_eq!(ask(&lab.outside, &format!("{node}:8000")).server, "a");
    set(&lab.hosts[0], &[host_port(&a, Protocol::Tcp, 8000, Some("192.0.2.9".parse().unwrap()))]).await;
    assert!(try_ask(&lab.outside, &format!("{node}:8000")).is_err(), "the node has another address");
}

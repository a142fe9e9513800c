//! Who reaches whom, and as whom.

use crate::lab::{Lab, OUTSIDE, endpoint, program, service};
use crate::traffic::{ask, ask_often, distinct, tcp_server, try_ask, udp_ask, udp_client, udp_server};
use raftsman_network::border::{Network, Protocol};
use std::time::{Duration, Instant};

#[tokio::test(flavor = "multi_thread")]
async fn pods_and_hosts_reach_pods_without_translation() {
    let lab = Lab::new(2).await;
    let (a, b, c) = (lab.pod(0, "a").await, lab.pod(0, "b").await, lab.pod(1, "c").await);
    for (pod, name) in [(&b, "b"), (&c, "c"), (&a, "a")] {
        tcp_server(&pod.netns, name, 8080);
    }
    let same = ask(&a.netns, &format!("{}:8080", b.ip));
    assert_eq!((same.server.as_str(), same.client), ("b", a.ip.to_string()));
    let across = ask(&a.netns, &format!("{}:8080", c.ip));
    assert_eq!((across.server.as_str(), across.client), ("c", a.ip.to_string()));
    let host = ask(&lab.hosts[0].netns, &format!("{}:8080", b.ip));
    assert_eq!(host.client, lab.hosts[0].ip.to_string());
    let other = ask(&lab.hosts[0].netns, &format!("{}:8080", c.ip));
    assert_eq!(other.client, lab.hosts[0].ip.to_string());
    let own = ask(&a.netns, &format!("{}:8080", a.ip));
    assert_eq!(own.client, a.ip.to_string());
}

#[tokio::test(flavor = "multi_thread")]
async fn pods_leave_the_cluster_as_their_host() {
    let lab = Lab::new(1).await;
    let a = lab.pod(0, "a").await;
    tcp_server(&lab.outside, "outside", 9000);
    tcp_server(&lab.hosts[0].netns, "host", 9000);
    assert_eq!(ask(&a.netns, &format!("{OUTSIDE}:9000")).client, lab.hosts[0].ip.to_string());
    assert_eq!(ask(&a.netns, &format!("{}:9000", lab.hosts[0].ip)).client, a.ip.to_string());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_address_leads_to_every_endpoint_from_pods_and_hosts() {
    let lab = Lab::new(2).await;
    let (a, b, client) = (lab.pod(0, "a").await, lab.pod(1, "b").await, lab.pod(0, "client").await);
    tcp_server(&a.netns, "a", 8080);
    tcp_server(&b.netns, "b", 8080);
    lab.serve(&[service("web", "10.96.1.1", &[&a, &b])]).await;
    for from in [&client.netns, &lab.hosts[0].netns, &lab.hosts[1].netns, &a.netns] {
        assert_eq!(distinct(ask_often(from, "10.96.1.1:80", 40)), ["a", "b"]);
    }
    let seen = ask(&client.netns, "10.96.1.1:80");
    assert_eq!(seen.client, client.ip.to_string(), "pods keep their address");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pod_reaches_itself_through_its_service() {
    let lab = Lab::new(1).await;
    let a = lab.pod(0, "a").await;
    tcp_server(&a.netns, "a", 8080);
    lab.serve(&[service("web", "10.96.1.1", &[&a])]).await;
    let seen = ask(&a.netns, "10.96.1.1:80");
    assert_eq!(seen.client, lab.hosts[0].ip.to_string(), "a hairpin connection is masqueraded");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_port_is_served_by_every_node() {
    let lab = Lab::new(2).await;
    let a = lab.pod(0, "a").await;
    tcp_server(&a.netns, "a", 8080);
    let mut web = service("web", "10.96.1.1", &[&a]);
    web.ports[0].node_port = Some(30001);
    lab.serve(&[web]).await;
    for host in &lab.hosts {
        let to = format!("{}:30001", host.ip);
        assert_eq!(ask(&lab.outside, &to).client, host.ip.to_string(), "the answer must come back through the node");
        for from in [&a.netns, &lab.hosts[0].netns, &lab.hosts[1].netns] {
            assert_eq!(ask(from, &to).server, "a");
        }
    }
    // The client is not sent away to the endpoint's node.
    let (second, first) = (format!("{}:30001", lab.hosts[1].ip), lab.hosts[0].ip);
    assert_eq!(ask_often(&lab.outside, &second, 60).len(), 60);
    let way = lab.outside.run(move || {
        let found = program("ip", &["route", "get", &second[..second.len() - 6]])?;
        Some(String::from_utf8_lossy(&found.stdout).into_owned())
    });
    assert!(way.is_none_or(|way| !way.contains(&format!("via {first}"))));
}

#[tokio::test(flavor = "multi_thread")]
async fn hosts_can_be_endpoints_and_external_addresses_lead_in() {
    let lab = Lab::new(2).await;
    let a = lab.pod(0, "a").await;
    tcp_server(&lab.outside, "api", 6443);
    tcp_server(&a.netns, "a", 8080);
    let mut api = service("kubernetes", "10.96.0.1", &[]);
    api.ports[0].endpoints = vec![endpoint(OUTSIDE, 6443)];
    let mut web = service("web", "10.96.1.1", &[&a]);
    web.external_ips = vec!["10.99.0.7".parse().unwrap()];
    tcp_server(&lab.hosts[0].netns, "host", 7000);
    let mut hosted = service("hosted", "10.96.1.2", &[]);
    hosted.ports[0].endpoints = vec![endpoint(lab.hosts[0].ip, 7000)];
    lab.serve(&[api, web, hosted]).await;
    let b = lab.pod(1, "b").await;
    for from in [&a.netns, &b.netns, &lab.hosts[0].netns, &lab.hosts[1].netns] {
        assert_eq!(ask(from, "10.96.1.2:80").server, "host");
    }
    assert_eq!(ask(&a.netns, "10.96.0.1:80").server, "api");
    assert_eq!(ask(&lab.hosts[1].netns, "10.96.0.1:80").server, "api");
    assert_eq!(ask(&a.netns, "10.99.0.7:80").client, lab.hosts[0].ip.to_string());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_without_endpoints_refuses_at_once() {
    let lab = Lab::new(1).await;
    let client = lab.pod(0, "client").await;
    let mut empty = service("empty", "10.96.1.1", &[]);
    empty.ports[0].node_port = Some(30002);
    empty.external_ips = vec!["10.99.0.7".parse().unwrap()];
    lab.serve(std::slice::from_ref(&empty)).await;
    let host = format!("{}:30002", lab.hosts[0].ip);
    // The last is an address that no service has.
    for to in ["10.96.1.1:80", "10.99.0.7:80", &host, "10.96.200.200:443"] {
        for from in [&client.netns, &lab.hosts[0].netns] {
            let begun = Instant::now();
            let error = try_ask(from, to).unwrap_err();
            assert_eq!(error.kind(), std::io::ErrorKind::ConnectionRefused, "{to}: {error}");
            assert!(begun.elapsed() < Duration::from_millis(900), "{to} was refused late");
        }
    }
    empty.ports[0].endpoints = vec![endpoint(client.ip, 8080)];
    empty.ports[0].endpoints[0].ready = false;
    lab.serve(std::slice::from_ref(&empty)).await;
    assert!(try_ask(&client.netns, "10.96.1.1:80").is_err(), "endpoints that are not ready carry no traffic");
    tcp_server(&client.netns, "late", 8080);
    empty.ports[0].endpoints[0].ready = true;
    lab.serve(&[empty]).await;
    assert_eq!(ask(&lab.hosts[0].netns, "10.96.1.1:80").server, "late");
}

#[tokio::test(flavor = "multi_thread")]
async fn udp_flows_move_when_their_endpoint_goes() {
    let lab = Lab::new(2).await;
    let (a, b, client) = (lab.pod(0, "a").await, lab.pod(1, "b").await, lab.pod(0, "client").await);
    udp_server(&a.netns, "a", 8080);
    udp_server(&b.netns, "b", 8080);
    let mut both = service("dns", "10.96.1.1", &[&a, &b]);
    both.ports[0].protocol = Protocol::Udp;
    both.ports[0].node_port = Some(30053);
    lab.serve(std::slice::from_ref(&both)).await;
    let node = format!("{}:30053", lab.hosts[0].ip);
    let sockets: Vec<_> = ["10.96.1.1:80", &node].map(|to| udp_client(&client.netns, to)).into();
    let outside = udp_client(&lab.outside, &node);
    for socket in sockets.iter().chain([&outside]) {
        let first = tokio::task::block_in_place(|| udp_ask(socket)).unwrap();
        assert_eq!(tokio::task::block_in_place(|| udp_ask(socket)).unwrap(), first, "a flow stays where it is");
    }
    for (gone, left) in [(0, "b"), (1, "a")] {
        let mut one = both.clone();
        one.ports[0].endpoints.remove(gone);
        lab.serve(&[one]).await;
        for socket in sockets.iter().chain([&outside]) {
            assert_eq!(tokio::task::block_in_place(|| udp_ask(socket)).unwrap(), left);
        }
    }
    // Without endpoints, then with: the client's port is the same all the time.
    lab.serve(&[service("dns", "10.96.9.9", &[])]).await;
    assert!(tokio::task::block_in_place(|| udp_ask(&outside)).is_err());
    lab.serve(&[both]).await;
    assert!(tokio::task::block_in_place(|| udp_ask(&outside)).is_ok());
    lab.hosts[0].network.teardown().await.unwrap();
}

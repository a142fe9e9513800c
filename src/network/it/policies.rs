//! Session affinity and traffic policies.

use crate::lab::{Lab, service};
use crate::traffic::{ask, ask_often, distinct, tcp_server, try_ask};
use raftsman_network::border::Affinity;

#[tokio::test(flavor = "multi_thread")]
async fn a_client_with_affinity_stays_until_its_endpoint_goes() {
    let mut lab = Lab::new(2).await;
    let (a, b, c) = (lab.pod(0, "a").await, lab.pod(1, "b").await, lab.pod(1, "c").await);
    for (pod, name) in [(&a, "a"), (&b, "b"), (&c, "c")] {
        tcp_server(&pod.netns, name, 8080);
    }
    let mut web = service("web", "10.96.1.1", &[&a, &b, &c]);
    web.affinity = Affinity::ClientIp(600);
    web.ports[0].node_port = Some(30001);
    lab.serve(std::slice::from_ref(&web)).await;
    let node = format!("{}:30001", lab.hosts[0].ip);
    let first = distinct(ask_often(&lab.hosts[0].netns, "10.96.1.1:80", 30));
    assert_eq!(first.len(), 1, "{first:?}");
    assert_eq!(distinct(ask_often(&lab.outside, &node, 30)).len(), 1);
    // A new process of the agent remembers.
    lab.hosts[0].restart().await;
    lab.hosts[0].network_ready().await;
    lab.serve(std::slice::from_ref(&web)).await;
    assert_eq!(distinct(ask_often(&lab.hosts[0].netns, "10.96.1.1:80", 10)), first);
    let gone = [&a, &b, &c].into_iter().find(|p| p.uid.ends_with(&first[0])).unwrap().ip;
    web.ports[0].endpoints.retain(|e| e.ip != gone);
    lab.serve(&[web]).await;
    let second = distinct(ask_often(&lab.hosts[0].netns, "10.96.1.1:80", 30));
    assert_eq!(second.len(), 1);
    assert_ne!(second, first);
}

#[tokio::test(flavor = "multi_thread")]
async fn local_policies_keep_traffic_on_its_node() {
    let lab = Lab::new(3).await;
    let (a, b) = (lab.pod(0, "a").await, lab.pod(1, "b").await);
    let (on_first, on_third) = (lab.pod(0, "x").await, lab.pod(2, "y").await);
    tcp_server(&a.netns, "a", 8080);
    tcp_server(&b.netns, "b", 8080);
    let mut inner = service("inner", "10.96.1.1", &[&a, &b]);
    inner.internal_local = true;
    let mut outer = service("outer", "10.96.1.2", &[&a, &b]);
    outer.external_local = true;
    outer.ports[0].node_port = Some(30001);
    lab.serve(&[inner, outer]).await;
    assert_eq!(distinct(ask_often(&on_first.netns, "10.96.1.1:80", 20)), ["a"]);
    let error = try_ask(&on_third.netns, "10.96.1.1:80").unwrap_err();
    assert!(matches!(error.kind(), std::io::ErrorKind::TimedOut | std::io::ErrorKind::WouldBlock), "{error}");
    // From outside: each node its own, with the client's own address; a node without any drops.
    for (host, name) in [(0, "a"), (1, "b")] {
        let to = format!("{}:30001", lab.hosts[host].ip);
        assert_eq!(distinct(ask_often(&lab.outside, &to, 20)), [name]);
        assert_eq!(ask(&lab.outside, &to).client, "10.89.0.1");
    }
    let third = format!("{}:30001", lab.hosts[2].ip);
    assert!(try_ask(&lab.outside, &third).is_err());
    // From inside, all endpoints.
    assert_eq!(distinct(ask_often(&on_third.netns, &third, 40)), ["a", "b"]);
    assert_eq!(distinct(ask_often(&lab.hosts[2].netns, &third, 40)), ["a", "b"]);
    assert_eq!(distinct(ask_often(&on_third.netns, "10.96.1.2:80", 40)), ["a", "b"]);
}

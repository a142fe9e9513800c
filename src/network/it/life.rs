//! Attaching, restarts, teardown.

use crate::lab::{Host, Lab, program, service};
use crate::traffic::{ask, connect, greeting, tcp_server, try_ask};
use raftsman_network::border::{Network, NetworkError, PodInterface};
use std::io::{Read, Write};
use std::net::IpAddr;

impl Host {
    /// What the agent does first.
    pub async fn network_ready(&self) {
        self.network.configure(&self.node()).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn attach_is_idempotent_and_the_kernel_remembers() {
    let mut lab = Lab::new(1).await;
    let (a, b) = (lab.pod(0, "a").await, lab.pod(0, "b").await);
    assert_ne!(a.ip, b.ip);
    let again = lab.hosts[0].network.attach(&a.interface()).await.unwrap();
    assert_eq!(again, IpAddr::V4(a.ip));
    lab.hosts[0].restart().await;
    lab.hosts[0].network_ready().await;
    let network = &lab.hosts[0].network;
    let mut attached = network.attached().await.unwrap();
    attached.sort();
    assert_eq!(attached, [(a.uid.clone(), IpAddr::V4(a.ip)), (b.uid.clone(), IpAddr::V4(b.ip))]);
    tcp_server(&b.netns, "b", 8080);
    assert_eq!(ask(&a.netns, &format!("{}:8080", b.ip)).server, "b");
    network.detach(&b.uid).await.unwrap();
    network.detach("never seen").await.unwrap();
    assert_eq!(network.attached().await.unwrap().len(), 1);
    let c = lab.pod(0, "c").await;
    assert_ne!(c.ip, b.ip, "an address is not used again at once");
    // The same pod in a new namespace gets its address back.
    let fresh = lab.bare("fresh");
    let moved = PodInterface { uid: a.uid.clone(), netns: fresh.path().to_owned(), previous: Some(IpAddr::V4(a.ip)) };
    assert_eq!(network.attach(&moved).await.unwrap(), IpAddr::V4(a.ip));
    tcp_server(&fresh, "moved", 8080);
    assert_eq!(ask(&c.netns, &format!("{}:8080", a.ip)).server, "moved");
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_requests_are_refused_with_a_reason() {
    let lab = Lab::new(1).await;
    let network = &lab.hosts[0].network;
    let nowhere = PodInterface { uid: "u".to_owned(), netns: "/nonexistent/ns".into(), previous: None };
    let error = network.attach(&nowhere).await.unwrap_err().to_string();
    assert!(error.contains("/nonexistent/ns"), "{error}");
    assert!(network.attached().await.unwrap().is_empty());
    let first = lab.pod(0, "first").await;
    let taken = PodInterface { netns: first.netns.path().to_owned(), ..nowhere.clone() };
    let error = network.attach(&taken).await.unwrap_err().to_string();
    assert!(error.contains("eth0") && error.contains("exists"), "{error}");
    let own = PodInterface { netns: lab.hosts[0].netns.path().to_owned(), ..nowhere.clone() };
    assert!(matches!(network.attach(&own).await, Err(NetworkError::Invalid(_))), "the host is no pod");
    let mut node = lab.hosts[0].node();
    node.node_ip = "10.1.2.3".parse().unwrap();
    let error = network.configure(&node).await.unwrap_err();
    assert!(matches!(&error, NetworkError::Invalid(text) if text.contains("10.1.2.3")), "{error}");
    let fresh = lab.host(9).await;
    assert!(matches!(fresh.network.attach(&nowhere).await, Err(NetworkError::Invalid(_))));
    assert!(matches!(fresh.network.set_services(&[], None).await, Err(NetworkError::Invalid(_))));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_breaks_no_connection_and_no_service() {
    let mut lab = Lab::new(2).await;
    let (a, client) = (lab.pod(1, "a").await, lab.pod(0, "client").await);
    tcp_server(&a.netns, "a", 8080);
    let mut web = service("web", "10.96.1.1", &[&a]);
    web.ports[0].node_port = Some(30001);
    lab.serve(std::slice::from_ref(&web)).await;
    let node = format!("{}:30001", lab.hosts[0].ip);
    let open = |from: &crate::lab::Netns, to: &str| {
        let to = to.parse().unwrap();
        from.run(move || {
            let mut stream = connect(to).unwrap();
            greeting(&mut stream).unwrap();
            stream
        })
    };
    let mut streams = vec![open(&client.netns, "10.96.1.1:80"), open(&lab.hosts[0].netns, "10.96.1.1:80")];
    streams.push(open(&lab.outside, &node));
    lab.hosts[0].restart().await;
    lab.hosts[0].network_ready().await;
    assert_eq!(ask(&client.netns, "10.96.1.1:80").server, "a", "the old table serves until the services are known");
    lab.serve(&[web]).await;
    for stream in &mut streams {
        stream.write_all(b"ping").unwrap();
        let mut buffer = [0; 4];
        tokio::task::block_in_place(|| stream.read_exact(&mut buffer)).unwrap();
        assert_eq!(&buffer, b"ping");
    }
    assert_eq!(ask(&client.netns, "10.96.1.1:80").server, "a");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_somebody_flushed_comes_back() {
    let lab = Lab::new(1).await;
    let (a, client) = (lab.pod(0, "a").await, lab.pod(0, "client").await);
    tcp_server(&a.netns, "a", 8080);
    let web = service("web", "10.96.1.1", &[&a]);
    lab.serve(std::slice::from_ref(&web)).await;
    let other = lab.hosts[0].netns.path().to_owned();
    let config = raftsman_network::LinuxConfig { netns: Some(other), ..Default::default() };
    let vandal = raftsman_network::LinuxNetwork::new(config).await.unwrap();
    // Also takes the routes and pods' interfaces away.
    vandal.teardown().await.unwrap();
    assert!(try_ask(&client.netns, "10.96.1.1:80").is_err());
    lab.hosts[0].network_ready().await;
    for pod in [&a, &client] {
        assert_eq!(
            lab.hosts[0]
                .network
                .attach(&PodInterface { previous: Some(pod.ip.into()), ..pod.interface() })
                .await
                .unwrap(),
            IpAddr::V4(pod.ip)
        );
    }
    assert_eq!(ask(&client.netns, "10.96.1.1:80").server, "a");
    // The table alone, and nothing but a change of services to notice it.
    vandal.teardown().await.unwrap();
    let mut second = web.clone();
    second.name = "second".to_owned();
    second.cluster_ips = vec!["10.96.1.2".parse().unwrap()];
    lab.serve(&[web, second]).await;
    lab.hosts[0].network_ready().await;
    for pod in [&a, &client] {
        lab.hosts[0].network.attach(&PodInterface { previous: Some(pod.ip.into()), ..pod.interface() }).await.unwrap();
    }
    assert_eq!(ask(&client.netns, "10.96.1.1:80").server, "a");
    assert_eq!(ask(&client.netns, "10.96.1.2:80").server, "a");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_somebody_took_away_is_put_back_without_being_told() {
    let lab = Lab::new(2).await;
    let (a, b, client) = (lab.pod(0, "a").await, lab.pod(1, "b").await, lab.pod(0, "client").await);
    tcp_server(&a.netns, "a", 8080);
    tcp_server(&b.netns, "b", 8080);
    let web = service("web", "10.96.1.1", &[&a]);
    let mut other = service("other", "10.96.1.2", &[&a, &b, &client]);
    other.affinity = raftsman_network::border::Affinity::ClientIp(60);
    (other.external_local, other.ports[0].node_port) = (true, Some(30001));
    lab.serve(&[web.clone(), other.clone()]).await;
    // Chains of before stay.
    other.ports[0].endpoints.pop();
    lab.serve(&[web, other]).await;
    let host = &lab.hosts[0];
    let whole = async || {
        assert_eq!(ask(&client.netns, "10.96.1.1:80").server, "a");
        assert_eq!(ask(&client.netns, &format!("{}:8080", b.ip)).server, "b");
        assert_eq!(ask(&host.netns, &format!("{}:8080", a.ip)).server, "a");
    };
    // Addresses tell when they were given.
    let inventory = async || {
        let mut all = host.netns.inventory().await;
        all.iter_mut().for_each(|line| *line = line.split(", CacheInfo").next().unwrap_or_default().to_owned());
        all
    };
    let handles = || host.netns.run(|| program("nft", &["-a", "list", "table", "ip", "raftsman"])).map(|it| it.stdout);
    let (before, rules) = (inventory().await, handles());
    host.network.verify().await.unwrap();
    assert_eq!((inventory().await, handles() == rules), (before.clone(), true), "what is whole stays as it is");
    whole().await;
    // All but the pods' interfaces, which are called otherwise.
    let (netns, prefix) = (Some(host.netns.path().to_owned()), "zz".to_owned());
    let config = raftsman_network::LinuxConfig { netns, prefix, ..Default::default() };
    let vandal = raftsman_network::LinuxNetwork::new(config).await.unwrap();
    vandal.teardown().await.unwrap();
    assert!(try_ask(&client.netns, "10.96.1.1:80").is_err());
    host.network.verify().await.unwrap();
    assert_eq!(inventory().await, before);
    whole().await;
    // The rules alone, of a table that stays.
    if host.netns.run(|| program("nft", &["flush", "table", "ip", "raftsman"])).is_some_and(|it| it.status.success()) {
        assert!(try_ask(&client.netns, "10.96.1.1:80").is_err());
        host.network.verify().await.unwrap();
        whole().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn teardown_leaves_nothing() {
    let lab = Lab::new(2).await;
    let spare = lab.host(7).await;
    let before = spare.netns.inventory().await;
    spare.network_ready().await;
    spare.network.set_peers(&lab.peers()).await.unwrap();
    let netns = lab.bare("pod");
    let pod = PodInterface { uid: "u".to_owned(), netns: netns.path().to_owned(), previous: None };
    spare.network.attach(&pod).await.unwrap();
    spare.serve(&[service("web", "10.96.1.1", &[])]).await;
    assert!(spare.netns.inventory().await.len() >= before.len() + 6);
    spare.network.teardown().await.unwrap();
    assert_eq!(spare.netns.inventory().await, before);
    spare.network.teardown().await.unwrap();
    if let Some(listing) = nft(&spare) {
        assert_eq!(listing.trim(), "");
    }
}

/// `nft list ruleset`, where the program is installed; nothing of ours needs it.
pub fn nft(host: &Host) -> Option<String> {
    host.netns.run(|| {
        let output = program("nft", &["list", "ruleset"])?;
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        assert_eq!(String::from_utf8_lossy(&output.stderr), "");
        Some(String::from_utf8_lossy(&output.stdout).into_owned())
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn peers_that_left_lose_their_routes() {
    let lab = Lab::new(3).await;
    let (a, b, c) = (lab.pod(0, "a").await, lab.pod(1, "b").await, lab.pod(2, "c").await);
    tcp_server(&b.netns, "b", 8080);
    tcp_server(&c.netns, "c", 8080);
    let network = &lab.hosts[0].network;
    let mut peers = lab.peers();
    peers.remove(1);
    network.set_peers(&peers).await.unwrap();
    assert!(try_ask(&a.netns, &format!("{}:8080", b.ip)).is_err());
    assert_eq!(ask(&a.netns, &format!("{}:8080", c.ip)).server, "c");
    let mut bad = lab.peers();
    bad[2].ip = "203.0.113.9".parse().unwrap();
    bad[2].name = "far".to_owned();
    let error = network.set_peers(&bad).await.unwrap_err().to_string();
    assert!(error.contains("203.0.113.9"), "{error}");
    assert_eq!(ask(&a.netns, &format!("{}:8080", b.ip)).server, "b", "one bad peer does not stop the others");
}

#[tokio::test(flavor = "multi_thread")]
async fn this_kernel_has_what_is_needed_and_the_check_leaves_nothing() {
    let lab = Lab::new(0).await;
    let before = lab.outside.inventory().await;
    let network = lab.outside.run(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(raftsman_network::LinuxNetwork::preflight())
    });
    network.unwrap();
    assert_eq!(lab.outside.inventory().await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_pods_are_attached_at_once() {
    let lab = std::sync::Arc::new(Lab::new(1).await);
    let begun = std::time::Instant::now();
    let tasks: Vec<_> = (0..20)
        .map(|n| {
            let lab = std::sync::Arc::clone(&lab);
            tokio::spawn(async move { lab.pod(0, &format!("p{n}")).await })
        })
        .collect();
    let mut pods = Vec::new();
    for task in tasks {
        pods.push(task.await.unwrap());
    }
    println!("20 pods: {:?}", begun.elapsed());
    let ips: std::collections::BTreeSet<_> = pods.iter().map(|pod| pod.ip).collect();
    assert_eq!(ips.len(), 20);
    for pod in &pods {
        tcp_server(&pod.netns, &pod.uid, 8080);
    }
    for (from, to) in pods.iter().zip(pods.iter().skip(1)) {
        assert_eq!(ask(&from.netns, &format!("{}:8080", to.ip)).server, to.uid);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_inside_its_namespace_needs_no_path() {
    let lab = Lab::new(0).await;
    let pod = lab.bare("pod");
    let interface = PodInterface { uid: "u".to_owned(), netns: pod.path().to_owned(), previous: None };
    let spare = lab.host(1).await;
    let mut node = spare.node();
    node.node_ip = crate::lab::OUTSIDE.into();
    let before = lab.outside.inventory().await;
    let attached = lab.outside.run(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async move {
            let config = raftsman_network::LinuxConfig::default();
            let network = raftsman_network::LinuxNetwork::new(config).await.unwrap();
            network.configure(&node).await.unwrap();
            let ip = network.attach(&interface).await.unwrap();
            network.set_services(&[], None).await.unwrap();
            let attached = network.attached().await.unwrap();
            network.teardown().await.unwrap();
            (ip, attached)
        })
    });
    assert_eq!(attached.1, [("u".to_owned(), attached.0)]);
    assert_eq!(lab.outside.inventory().await, before);
}

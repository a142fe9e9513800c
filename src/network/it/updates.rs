//! Changes under load, and many services.

use crate::lab::{Lab, endpoint, service};
use crate::life::nft;
use crate::traffic::{ask, connect, greeting, tcp_server};
use raftsman_network::border::{Affinity, Network, Protocol};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

#[tokio::test(flavor = "multi_thread")]
async fn endpoints_come_and_go_without_a_failed_connection() {
    let lab = Lab::new(1).await;
    let mut pods = Vec::new();
    for name in ["a", "b", "c", "d"] {
        let pod = lab.pod(0, name).await;
        tcp_server(&pod.netns, name, 8080);
        pods.push(pod);
    }
    let client = lab.pod(0, "client").await;
    let with = |mask: usize| {
        let chosen: Vec<_> = pods.iter().enumerate().filter(|(i, _)| mask & (1 << i) != 0).map(|(_, p)| p).collect();
        Arc::new(service("web", "10.96.1.1", &chosen))
    };
    let host = &lab.hosts[0];
    host.network.set_services(&[with(15)], None).await.unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let made = Arc::new(AtomicUsize::new(0));
    let clients: Vec<_> = (0..3)
        .map(|_| {
            let (stop, made) = (Arc::clone(&stop), Arc::clone(&made));
            client.netns.start(move || {
                let to: SocketAddrV4 = "10.96.1.1:80".parse().unwrap();
                let mut failed = Vec::new();
                while !stop.load(Ordering::Relaxed) {
                    // A lost SYN is sent again after a second: that is a failure too.
                    let begun = Instant::now();
                    match connect(to).and_then(|mut stream| greeting(&mut stream)) {
                        Ok(_) if begun.elapsed() < Duration::from_millis(900) => {}
                        Ok(_) => failed.push("late".to_owned()),
                        Err(error) => failed.push(error.to_string()),
                    }
                    made.fetch_add(1, Ordering::Relaxed);
                }
                failed
            })
        })
        .collect();
    let key = [("default".to_owned(), "web".to_owned())];
    let mut round = 0usize;
    while made.load(Ordering::Relaxed) < 8000 {
        // Never empty, and every size from 1 to 4.
        let mask = (round * 7 + round / 15) % 15 + 1;
        host.network.set_services(&[with(mask)], Some(&key)).await.unwrap();
        round += 1;
    }
    stop.store(true, Ordering::Relaxed);
    for client in clients {
        assert_eq!(client.await.unwrap(), Vec::<String>::new(), "after {round} changes");
    }
    println!("{round} changes, {} connections", made.load(Ordering::Relaxed));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_services_load_and_change() {
    let lab = Lab::new(1).await;
    let (a, client) = (lab.pod(0, "a").await, lab.pod(0, "client").await);
    tcp_server(&a.netns, "a", 8080);
    let mut services: Vec<_> = (0..1000u16)
        .map(|i| {
            let mut entry = service(&format!("s{i}"), &format!("10.96.{}.{}", 10 + i / 250, 1 + i % 250), &[&a]);
            entry.ports[0].node_port = (i < 500).then_some(30000 + i);
            entry.ports[0].endpoints.extend((0..i % 3).map(|n| endpoint(Ipv4Addr::new(10, 244, 1, 200), 9000 + n)));
            Arc::new(entry)
        })
        .collect();
    let begun = std::time::Instant::now();
    lab.hosts[0].network.set_services(&services, None).await.unwrap();
    println!("1,000 services: {:?}", begun.elapsed());
    assert_eq!(ask(&client.netns, "10.96.10.1:80").server, "a");
    assert_eq!(ask(&lab.outside, &format!("{}:30000", lab.hosts[0].ip)).server, "a");
    let mut changed = (*services[0]).clone();
    changed.cluster_ips = vec!["10.96.99.99".parse().unwrap()];
    services[0] = Arc::new(changed);
    let begun = std::time::Instant::now();
    let key = ("default".to_owned(), "s0".to_owned());
    lab.hosts[0].network.set_services(&services, Some(&[key])).await.unwrap();
    println!("one change: {:?}", begun.elapsed());
    assert_eq!(ask(&client.netns, "10.96.99.99:80").server, "a");
    assert_eq!(ask(&client.netns, "10.96.13.1:80").server, "a");
    let begun = std::time::Instant::now();
    lab.hosts[0].network.set_services(&[], None).await.unwrap();
    println!("all gone: {:?}", begun.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_nft_program_lists_our_table() {
    let lab = Lab::new(1).await;
    let (a, b) = (lab.pod(0, "a").await, lab.pod(0, "b").await);
    tcp_server(&a.netns, "a", 8080);
    let mut sticky = service("sticky", "10.96.1.1", &[&a, &b]);
    sticky.affinity = Affinity::ClientIp(10_800);
    sticky.ports[0].node_port = Some(30001);
    sticky.ports[0].endpoints.truncate(1);
    let mut outer = service("outer", "10.96.1.2", &[&a, &b]);
    outer.external_local = true;
    outer.external_ips = vec!["10.99.0.1".parse().unwrap()];
    let mut udp = service("udp", "10.96.1.3", &[]);
    udp.ports[0].protocol = Protocol::Udp;
    lab.serve(&[sticky, outer, udp]).await;
    assert_eq!(ask(&b.netns, "10.96.1.1:80").server, "a");
    assert_eq!(ask(&lab.outside, &format!("{}:30001", lab.hosts[0].ip)).server, "a");
    if let Some(listing) = nft(&lab.hosts[0]) {
        for part in ["10.96.1.1 . tcp . 80 : goto lb-aff10800-1", "10.96.1.3 . udp . 80", "random mod 2"] {
            assert!(listing.contains(part), "no {part:?} in\n{listing}");
        }
        assert!(!listing.contains("invalid type"), "{listing}");
    }
}

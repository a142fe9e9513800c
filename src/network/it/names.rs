//! The resolver, asked by UDP and TCP from pods and hosts.

use crate::lab::{Lab, Netns, OUTSIDE, service};
use crate::traffic::PATIENCE;
use hickory_proto::op::{Message, MessageType, OpCode, Query, ResponseCode};
use hickory_proto::rr::{Name, RData, RecordType};
use raftsman_network::border::Network;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream, UdpSocket};

fn question(name: &str, kind: RecordType) -> Vec<u8> {
    let mut message = Message::new(77, MessageType::Query, OpCode::Query);
    message.metadata.recursion_desired = true;
    message.add_query(Query::query(Name::from_ascii(name).unwrap(), kind));
    message.to_vec().unwrap()
}

fn by_udp(from: &Netns, name: &str, kind: RecordType) -> Message {
    let packet = question(name, kind);
    from.run(move || {
        let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        socket.connect("10.96.0.10:53").unwrap();
        socket.send(&packet).unwrap();
        let mut buffer = [0; 4096];
        let length = socket.recv(&mut buffer).unwrap();
        Message::from_vec(&buffer[..length]).unwrap()
    })
}

fn by_tcp(from: &Netns, name: &str, kind: RecordType) -> Message {
    let packet = question(name, kind);
    from.run(move || {
        let mut stream = TcpStream::connect("10.96.0.10:53").unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(&(packet.len() as u16).to_be_bytes()).unwrap();
        stream.write_all(&packet).unwrap();
        let mut length = [0; 2];
        stream.read_exact(&mut length).unwrap();
        let mut buffer = vec![0; usize::from(u16::from_be_bytes(length))];
        stream.read_exact(&mut buffer).unwrap();
        Message::from_vec(&buffer).unwrap()
    })
}

fn addresses(message: &Message) -> Vec<String> {
    let mut found: Vec<String> = message
        .answers
        .iter()
        .filter_map(|record| if let RData::A(a) = &record.data { Some(a.0.to_string()) } else { None })
        .collect();
    found.sort();
    found
}

/// A name server outside the cluster that knows one address for every name.
fn upstream(netns: &Netns) {
    let socket = netns.run(|| UdpSocket::bind((OUTSIDE, 53)).unwrap());
    std::thread::spawn(move || {
        let mut buffer = [0; 1500];
        while let Ok((length, client)) = socket.recv_from(&mut buffer) {
            let Ok(request) = Message::from_vec(&buffer[..length]) else {
                continue;
            };
            let mut answer = Message::new(request.metadata.id, MessageType::Response, OpCode::Query);
            answer.add_queries(request.queries.clone());
            let name = request.queries[0].name().clone();
            let data = RData::A(hickory_proto::rr::rdata::A(Ipv4Addr::new(198, 51, 100, 7)));
            answer.add_answer(hickory_proto::rr::Record::from_rdata(name, 60, data));
            let _ = socket.send_to(&answer.to_vec().unwrap(), client);
        }
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn names_are_answered_to_pods_and_hosts() {
    let lab = Lab::new(2).await;
    upstream(&lab.outside);
    let (a, b) = (lab.pod(0, "a").await, lab.pod(1, "b").await);
    let mut headless = service("db", "10.96.1.1", &[&a, &b]);
    headless.cluster_ips.clear();
    headless.ports[0].endpoints[0].hostname = Some("db-0".to_owned());
    let mut alias = service("out", "10.96.1.9", &[]);
    alias.cluster_ips.clear();
    alias.external_name = Some("www.example.org".to_owned());
    lab.serve(&[service("web", "10.96.1.2", &[&a]), headless, alias]).await;
    let host = &lab.hosts[1];
    for from in [&a.netns, &b.netns, &lab.hosts[0].netns] {
        assert_eq!(addresses(&by_udp(from, "web.default.svc.cluster.local.", RecordType::A)), ["10.96.1.2"]);
        assert_eq!(addresses(&by_tcp(from, "web.default.svc.cluster.local.", RecordType::A)), ["10.96.1.2"]);
        assert_eq!(addresses(&by_udp(from, "www.example.org.", RecordType::A)), ["198.51.100.7"]);
    }
    let both = by_udp(&a.netns, "DB.default.svc.cluster.local.", RecordType::A);
    let mut expected = vec![a.ip.to_string(), b.ip.to_string()];
    expected.sort();
    assert_eq!(addresses(&both), expected);
    let named = by_udp(&a.netns, "db-0.db.default.svc.cluster.local.", RecordType::A);
    assert_eq!(addresses(&named), [a.ip.to_string()]);
    let missing = by_udp(&a.netns, "nothing.default.svc.cluster.local.", RecordType::A);
    assert_eq!(missing.metadata.response_code, ResponseCode::NXDomain);
    assert_eq!(missing.authorities.len(), 1);
    let chased = by_udp(&a.netns, "out.default.svc.cluster.local.", RecordType::A);
    assert_eq!(chased.answers.len(), 2);
    assert_eq!(addresses(&chased), ["198.51.100.7"]);
    // One service changes; the resolver follows.
    let web = std::sync::Arc::new(service("web", "10.96.7.7", &[]));
    let key = [("default".to_owned(), "web".to_owned())];
    host.network.set_services(&[web], Some(&key)).await.unwrap();
    assert_eq!(addresses(&by_udp(&b.netns, "web.default.svc.cluster.local.", RecordType::A)), ["10.96.7.7"]);
    assert_eq!(addresses(&by_udp(&b.netns, "db.default.svc.cluster.local.", RecordType::A)).len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_burst_of_questions_is_answered() {
    let lab = Lab::new(1).await;
    let a = lab.pod(0, "a").await;
    lab.serve(&[service("web", "10.96.1.2", &[&a])]).await;
    let clients: Vec<_> = (0..8)
        .map(|_| {
            a.netns.start(|| {
                let packet = question("web.default.svc.cluster.local.", RecordType::A);
                let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap();
                socket.set_read_timeout(Some(PATIENCE)).unwrap();
                socket.connect("10.96.0.10:53").unwrap();
                let mut buffer = [0; 512];
                for _ in 0..250 {
                    socket.send(&packet).unwrap();
                    socket.recv(&mut buffer).unwrap();
                }
            })
        })
        .collect();
    for client in clients {
        client.await.unwrap();
    }
}

/// A name server that has more to say than fits a datagram.
fn talkative(netns: &Netns) {
    let (udp, tcp) = netns.run(|| {
        let udp = UdpSocket::bind((OUTSIDE, 53)).unwrap();
        (udp, std::net::TcpListener::bind((OUTSIDE, 53)).unwrap())
    });
    let reply = |request: &Message, count: u8| {
        let mut answer = Message::new(request.metadata.id, MessageType::Response, OpCode::Query);
        answer.add_queries(request.queries.clone());
        answer.metadata.truncation = count == 0;
        for last in 0..count {
            let data = RData::A(hickory_proto::rr::rdata::A(Ipv4Addr::new(198, 51, 100, last)));
            let name = request.queries[0].name().clone();
            answer.add_answer(hickory_proto::rr::Record::from_rdata(name, 60, data));
        }
        answer.to_vec().unwrap()
    };
    std::thread::spawn(move || {
        let mut buffer = [0; 1500];
        while let Ok((length, client)) = udp.recv_from(&mut buffer) {
            let request = Message::from_vec(&buffer[..length]).unwrap();
            let _ = udp.send_to(&reply(&request, 0), client);
        }
    });
    std::thread::spawn(move || {
        for stream in tcp.incoming() {
            let mut stream = stream.unwrap();
            let mut length = [0; 2];
            stream.read_exact(&mut length).unwrap();
            let mut buffer = vec![0; usize::from(u16::from_be_bytes(length))];
            stream.read_exact(&mut buffer).unwrap();
            let bytes = reply(&Message::from_vec(&buffer).unwrap(), 200);
            let _ = stream.write_all(&(bytes.len() as u16).to_be_bytes());
            let _ = stream.write_all(&bytes);
        }
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn upstream_is_asked_by_tcp_for_more_and_the_next_where_one_fails() {
    let lab = Lab::new(1).await;
    let a = lab.pod(0, "a").await;
    talkative(&lab.outside);
    let mut node = lab.hosts[0].node();
    // Nobody is at the first; asking ourselves would never end.
    node.upstream_dns =
        ["10.89.0.1:5353", "10.96.0.10:53", "10.89.0.1:53"].map(|server| server.parse().unwrap()).to_vec();
    lab.hosts[0].network.configure(&node).await.unwrap();
    let mut alias = service("out", "10.96.1.9", &[]);
    alias.cluster_ips.clear();
    alias.external_name = Some("many.example.org".to_owned());
    lab.serve(&[alias]).await;
    let short = by_udp(&a.netns, "many.example.org.", RecordType::A);
    assert!(short.metadata.truncation);
    let whole = by_tcp(&a.netns, "many.example.org.", RecordType::A);
    assert_eq!(whole.answers.len(), 200);
    let chased = by_tcp(&a.netns, "out.default.svc.cluster.local.", RecordType::A);
    assert_eq!(chased.answers.len(), 201);
    node.upstream_dns.truncate(1);
    lab.hosts[0].network.configure(&node).await.unwrap();
    let failed = by_udp(&a.netns, "many.example.org.", RecordType::A);
    assert_eq!(failed.metadata.response_code, ResponseCode::ServFail);
}

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use crate::border::{Affinity, Endpoint, Protocol, ServiceEntry, ServicePort};
use crate::dns::answer::{Answer, answer};
use crate::dns::table::Table;
use crate::dns::wire::{Reply, Transport, UDP_PAYLOAD, handle};
use hickory_proto::op::{Edns, Message, MessageType, OpCode, Query, ResponseCode};
use hickory_proto::rr::{Name, RecordType};
use proptest::prelude::*;
use std::net::Ipv4Addr;
use std::sync::Arc;

fn entry(name: &str, ips: &[&str]) -> ServiceEntry {
    ServiceEntry {
        namespace: "shop".to_owned(),
        name: name.to_owned(),
        cluster_ips: ips.iter().map(|ip| ip.parse().unwrap()).collect(),
        external_ips: Vec::new(),
        external_name: None,
        affinity: Affinity::None,
        internal_local: false,
        external_local: false,
        publish_not_ready: false,
        ports: vec![ServicePort {
            name: "sql".to_owned(),
            protocol: Protocol::Tcp,
            port: 3306,
            node_port: None,
            endpoints: Vec::new(),
        }],
    }
}

fn endpoint(last: u8, hostname: Option<&str>, ready: bool) -> Endpoint {
    let ip = Ipv4Addr::new(10, 244, 1, last).into();
    Endpoint {
        ip,
        port: 33060,
        local: false,
        hostname: hostname.map(str::to_owned),
        ready,
        serving: ready,
        terminating: false,
    }
}

fn table() -> Table {
    let mut headless = entry("db", &[]);
    headless.ports[0].endpoints =
        vec![endpoint(2, Some("db-0"), true), endpoint(3, None, true), endpoint(4, Some("db-2"), false)];
    let mut early = headless.clone();
    early.name = "early".to_owned();
    early.publish_not_ready = true;
    let mut outside = entry("outside", &[]);
    outside.external_name = Some("www.example.org".to_owned());
    let mut alias = entry("alias", &[]);
    alias.external_name = Some("web.shop.svc.cluster.local".to_owned());
    let mut circle = entry("circle", &[]);
    circle.external_name = Some("circle.shop.svc.cluster.local".to_owned());
    let mut large = entry("large", &[]);
    large.ports[0].endpoints = (1..=200).map(|last| endpoint(last, None, true)).collect();
    let all = [entry("web", &["10.96.1.1"]), headless, early, outside, alias, circle, large];
    let mut table = Table::default();
    table.configure("Cluster.Local.", vec!["10.96.0.0/16".parse().unwrap(), "10.244.0.0/16".parse().unwrap()]);
    table.update(&all.map(Arc::new), None);
    table
}

/// The answer in one line: code, then records.
fn say(table: &Table, name: &str, kind: RecordType) -> String {
    match answer(table, &Name::from_ascii(name).unwrap(), kind) {
        Answer::Forward => "forward".to_owned(),
        Answer::Chase { records, target } => format!("{} then {target}", records.len()),
        Answer::Local { code, records, soa, .. } => {
            assert_eq!(soa.is_some(), records.is_empty());
            let mut data: Vec<String> = records.iter().map(|r| r.data.to_string()).collect();
            data.insert(0, format!("{code:?}"));
            data.join(" ")
        }
    }
}

#[test]
fn names_of_the_specification() {
    use RecordType::{A, AAAA, ANY, CNAME, NS, PTR, SRV, TXT};
    let table = table();
    for (name, kind, expected) in [
        ("web.shop.svc.cluster.local.", A, "NoError 10.96.1.1"),
        ("WEB.Shop.SVC.cluster.LOCAL.", A, "NoError 10.96.1.1"),
        ("web.shop.svc.cluster.local.", ANY, "NoError 10.96.1.1"),
        ("web.shop.svc.cluster.local.", AAAA, "NoError"),
        ("web.shop.svc.cluster.local.", TXT, "NoError"),
        ("db.shop.svc.cluster.local.", A, "NoError 10.244.1.2 10.244.1.3"),
        ("early.shop.svc.cluster.local.", A, "NoError 10.244.1.2 10.244.1.3 10.244.1.4"),
        ("db-0.db.shop.svc.cluster.local.", A, "NoError 10.244.1.2"),
        ("10-244-1-3.db.shop.svc.cluster.local.", A, "NoError 10.244.1.3"),
        ("db-2.db.shop.svc.cluster.local.", A, "NXDomain"),
        ("x.web.shop.svc.cluster.local.", A, "NXDomain"),
        ("_sql._tcp.web.shop.svc.cluster.local.", SRV, "NoError 0 100 3306 web.shop.svc.cluster.local."),
        (
            "_sql._tcp.db.shop.svc.cluster.local.",
            SRV,
            "NoError 0 100 33060 10-244-1-3.db.shop.svc.cluster.local. 0 100 33060 db-0.db.shop.svc.cluster.local.",
        ),
        ("_sql._udp.web.shop.svc.cluster.local.", SRV, "NXDomain"),
        ("_tcp.web.shop.svc.cluster.local.", SRV, "NoError"),
        ("outside.shop.svc.cluster.local.", A, "1 then www.example.org."),
        ("outside.shop.svc.cluster.local.", CNAME, "NoError www.example.org."),
        ("alias.shop.svc.cluster.local.", A, "NoError web.shop.svc.cluster.local. 10.96.1.1"),
        ("circle.shop.svc.cluster.local.", A, "ServFail"),
        ("1-2-3-4.shop.pod.cluster.local.", A, "NoError 1.2.3.4"),
        ("1-2-3-4.nowhere.pod.cluster.local.", A, "NXDomain"),
        ("1-2-3.shop.pod.cluster.local.", A, "NXDomain"),
        ("shop.svc.cluster.local.", A, "NoError"),
        ("svc.cluster.local.", A, "NoError"),
        ("none.shop.svc.cluster.local.", A, "NXDomain"),
        ("a.b.c.d.e.cluster.local.", A, "NXDomain"),
        ("cluster.local.", NS, "NoError ns.dns.cluster.local."),
        ("dns-version.cluster.local.", TXT, "NoError 1.1.0"),
        ("1.1.96.10.in-addr.arpa.", PTR, "NoError web.shop.svc.cluster.local."),
        ("9.9.96.10.in-addr.arpa.", PTR, "NXDomain"),
        ("8.8.8.8.in-addr.arpa.", PTR, "forward"),
        ("96.10.in-addr.arpa.", PTR, "NXDomain"),
        ("www.example.org.", A, "forward"),
        (".", NS, "forward"),
        ("local.", A, "forward"),
    ] {
        assert_eq!(say(&table, name, kind), expected, "{name} {kind}");
    }
    let reverse = say(&table, "2.1.244.10.in-addr.arpa.", PTR);
    assert!(reverse.contains("db-0.db.shop.svc.cluster.local."), "{reverse}");
}

#[test]
fn only_what_changed_is_taken_in() {
    let mut table = table();
    let (web, ghost) = (entry("web", &["10.96.1.9"]), entry("ghost", &["10.96.1.8"]));
    let key = |name: &str| ("shop".to_owned(), name.to_owned());
    table.update(&[Arc::new(web), Arc::new(ghost)], Some(&[key("web"), key("db")]));
    assert_eq!(say(&table, "web.shop.svc.cluster.local.", RecordType::A), "NoError 10.96.1.9");
    assert_eq!(say(&table, "db.shop.svc.cluster.local.", RecordType::A), "NXDomain");
    assert_eq!(say(&table, "ghost.shop.svc.cluster.local.", RecordType::A), "NXDomain");
    assert_eq!(say(&table, "1.1.96.10.in-addr.arpa.", RecordType::PTR), "NXDomain");
    table.update(&[], None);
    assert_eq!(say(&table, "shop.svc.cluster.local.", RecordType::A), "NXDomain");
}

fn ask(name: &str, payload: Option<u16>, transport: Transport) -> Message {
    let mut request = Message::new(4711, MessageType::Query, OpCode::Query);
    request.add_query(Query::query(Name::from_ascii(name).unwrap(), RecordType::A));
    if let Some(payload) = payload {
        let mut edns = Edns::new();
        edns.set_max_payload(payload);
        request.set_edns(edns);
    }
    let Reply::Send(bytes) = handle(&request.to_vec().unwrap(), &table(), transport) else { panic!("no answer") };
    if transport == Transport::Udp {
        assert!(bytes.len() <= usize::from(payload.unwrap_or(512).clamp(512, UDP_PAYLOAD)));
    }
    Message::from_vec(&bytes).unwrap()
}

#[test]
fn long_answers_are_truncated_by_udp_only() {
    let name = "large.shop.svc.cluster.local.";
    for payload in [None, Some(100), Some(512), Some(1232), Some(65535)] {
        let short = ask(name, payload, Transport::Udp);
        assert!(short.metadata.truncation && short.answers.is_empty());
        assert_eq!(short.edns.is_some(), payload.is_some());
    }
    let whole = ask(name, None, Transport::Tcp);
    assert!(!whole.metadata.truncation);
    assert_eq!(whole.answers.len(), 200);
    let small = ask("db.shop.svc.cluster.local.", None, Transport::Udp);
    assert_eq!((small.metadata.id, small.metadata.authoritative, small.answers.len()), (4711, true, 2));
    assert!(small.answers.iter().all(|record| record.ttl == 5));
}

#[test]
fn what_is_no_question_gets_its_code() {
    let code = |packet: &[u8]| match handle(packet, &table(), Transport::Udp) {
        Reply::Send(bytes) => Message::from_vec(&bytes).unwrap().metadata.response_code,
        other => panic!("{other:?}"),
    };
    let mut update = Message::new(1, MessageType::Query, OpCode::Update);
    update.add_query(Query::query(Name::from_ascii("web.shop.svc.cluster.local.").unwrap(), RecordType::A));
    assert_eq!(code(&update.to_vec().unwrap()), ResponseCode::NotImp);
    assert_eq!(code(&Message::new(1, MessageType::Query, OpCode::Query).to_vec().unwrap()), ResponseCode::FormErr);
    assert_eq!(code(&[0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 200]), ResponseCode::FormErr);
    let answer = Message::new(1, MessageType::Response, OpCode::Query).to_vec().unwrap();
    assert_eq!(handle(&answer, &table(), Transport::Udp), Reply::Ignore);
    assert_eq!(handle(&[1, 2, 3], &table(), Transport::Udp), Reply::Ignore);
}

proptest! {
    #[test]
    fn any_packet_is_handled(packet in prop::collection::vec(any::<u8>(), 0..300)) {
        handle(&packet, &table(), Transport::Udp);
    }

    #[test]
    fn a_damaged_question_is_handled(flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6)) {
        let mut request = Message::new(7, MessageType::Query, OpCode::Query);
        request.add_query(Query::query(Name::from_ascii("db.shop.svc.cluster.local.").unwrap(), RecordType::A));
        request.set_edns(Edns::new());
        let mut packet = request.to_vec().unwrap();
        for (at, value) in flips {
            let at = at.index(packet.len());
            packet[at] = value;
        }
        if let Reply::Send(bytes) = handle(&packet, &table(), Transport::Udp) {
            prop_assert!(bytes.len() >= 12 && bytes.len() <= 1232);
            prop_assert_eq!(&bytes[..2], &packet[..2]);
        }
    }
}

//! From a question to its answer. Pure. The names are those of the Kubernetes DNS specification 1.1.0.

use crate::border::{Endpoint, Protocol, ServiceEntry, ServicePort};
use crate::dns::table::{Table, is_headless};
use hickory_proto::op::ResponseCode;
use hickory_proto::rr::rdata::{A, AAAA, CNAME, NS, PTR, SOA, SRV, TXT};
use hickory_proto::rr::{Name, RData, Record, RecordType};
use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};

/// Seconds that answers may be kept.
pub const TTL: u32 = 5;
const SCHEMA_VERSION: &str = "1.1.0";
/// CNAMEs followed inside the cluster's domain.
const CHAIN: usize = 8;

/// What to do about a question.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// Answer with authority.
    Local {
        /// `NoError` or `NXDomain`.
        code: ResponseCode,
        /// The answers.
        records: Vec<Record>,
        /// The answers' further data.
        additionals: Vec<Record>,
        /// For answers without records: how long to remember that.
        soa: Option<Box<Record>>,
    },
    /// A name outside: these records, then what upstream says about `target`.
    Chase {
        /// CNAMEs that led there.
        records: Vec<Record>,
        /// The name outside.
        target: Name,
    },
    /// Ask upstream.
    Forward,
}

/// What a name stands for.
enum Found {
    /// No such name.
    Nothing,
    /// The name exists; these are all its records.
    Records(Vec<RData>),
}

/// Answers a question of class IN.
pub fn answer(table: &Table, name: &Name, kind: RecordType) -> Answer {
    let mut records: Vec<Record> = Vec::new();
    let mut current = name.clone();
    for _ in 0..CHAIN {
        let found = match look_up(table, &current) {
            Some(found) => found,
            None if records.is_empty() => return Answer::Forward,
            None => {
                return Answer::Chase { records, target: current };
            }
        };
        let Found::Records(all) = found else {
            // The CNAME exists, so the first name does.
            let code = if records.is_empty() { ResponseCode::NXDomain } else { ResponseCode::NoError };
            return local(table, code, records, Vec::new());
        };
        let alias =
            all.iter().find_map(|data| if let RData::CNAME(CNAME(to)) = data { Some(to.clone()) } else { None });
        if let (Some(to), true) = (alias, kind != RecordType::CNAME) {
            records.push(Record::from_rdata(current, TTL, RData::CNAME(CNAME(to.clone()))));
            current = to;
            continue;
        }
        let wanted = all.into_iter().filter(|data| kind == RecordType::ANY || data.record_type() == kind);
        let found: Vec<Record> = wanted.map(|data| Record::from_rdata(current.clone(), TTL, data)).collect();
        let additionals = targets(table, &found);
        records.extend(found);
        return local(table, ResponseCode::NoError, records, additionals);
    }
    local(table, ResponseCode::ServFail, Vec::new(), Vec::new())
}

fn local(table: &Table, code: ResponseCode, records: Vec<Record>, additionals: Vec<Record>) -> Answer {
    let soa = if records.is_empty() { soa(table).map(Box::new) } else { None };
    Answer::Local { code, records, additionals, soa }
}

/// The addresses of the hosts that SRV records name, so that nobody has to ask again.
fn targets(table: &Table, records: &[Record]) -> Vec<Record> {
    let mut seen = BTreeSet::new();
    let mut found = Vec::new();
    for record in records {
        let RData::SRV(srv) = &record.data else {
            continue;
        };
        if !seen.insert(srv.target.to_string()) {
            continue;
        }
        if let Some(Found::Records(all)) = look_up(table, &srv.target) {
            let addresses = all.into_iter().filter(|d| matches!(d, RData::A(_) | RData::AAAA(_)));
            found.extend(addresses.map(|data| Record::from_rdata(srv.target.clone(), TTL, data)));
        }
    }
    found
}

fn soa(table: &Table) -> Option<Record> {
    let zone = in_zone(table, &[])?;
    Some(Record::from_rdata(zone, TTL, soa_data(table)?))
}

fn soa_data(table: &Table) -> Option<RData> {
    let (ns, mail) = (in_zone(table, &["ns", "dns"])?, in_zone(table, &["hostmaster"])?);
    Some(RData::SOA(SOA::new(ns, mail, 1, 7200, 1800, 86_400, TTL)))
}

fn in_zone(table: &Table, labels: &[&str]) -> Option<Name> {
    let domain = table.domain().split('.').filter(|label| !label.is_empty());
    let mut name = Name::from_labels(labels.iter().copied().chain(domain).map(str::as_bytes)).ok()?;
    name.set_fqdn(true);
    Some(name)
}

/// The records of a name; none if it is not for us to say.
fn look_up(table: &Table, name: &Name) -> Option<Found> {
    let labels: Vec<String> = name.iter().map(|label| String::from_utf8_lossy(label).to_ascii_lowercase()).collect();
    let labels: Vec<&str> = labels.iter().map(String::as_str).collect();
    if let [.., "in-addr" | "ip6", "arpa"] = labels[..] {
        return reverse(table, name);
    }
    let domain: Vec<&str> = table.domain().split('.').filter(|label| !label.is_empty()).collect();
    let inner = labels.strip_suffix(domain.as_slice()).filter(|_| !domain.is_empty())?;
    Some(forward(table, inner).map_or(Found::Nothing, Found::Records))
}

fn forward(table: &Table, labels: &[&str]) -> Option<Vec<RData>> {
    match *labels {
        [] => {
            Some(soa_data(table).into_iter().chain(in_zone(table, &["ns", "dns"]).map(|n| RData::NS(NS(n)))).collect())
        }
        ["dns-version"] => Some(vec![RData::TXT(TXT::new(vec![SCHEMA_VERSION.to_owned()]))]),
        ["svc" | "pod"] => Some(Vec::new()),
        [namespace, "svc" | "pod"] => table.has_namespace(namespace).then(Vec::new),
        [dashed, namespace, "pod"] => {
            let ip = dashed_ip(dashed).filter(|_| table.has_namespace(namespace))?;
            Some(vec![RData::A(A(ip))])
        }
        [service, namespace, "svc"] => table.service(namespace, service).map(service_records),
        [first, second, service, namespace, "svc"] => {
            let entry = table.service(namespace, service)?;
            port_records(table, entry, first.strip_prefix('_')?, second.strip_prefix('_')?)
        }
        [first, service, namespace, "svc"] => {
            let entry = table.service(namespace, service)?;
            match first.strip_prefix('_') {
                // `_tcp` alone names nothing, but something is below it.
                Some(protocol) => entry.ports.iter().any(|p| protocol_name(p) == protocol).then(Vec::new),
                None => host_records(entry, first),
            }
        }
        _ => None,
    }
}

fn dashed_ip(label: &str) -> Option<Ipv4Addr> {
    label.replace('-', ".").parse().ok()
}

fn service_records(entry: &ServiceEntry) -> Vec<RData> {
    if let Some(external) = &entry.external_name {
        // What is no name could not have been stored; if it was, there is no record.
        let alias = Name::from_ascii(external).ok().map(|mut name| {
            name.set_fqdn(true);
            RData::CNAME(CNAME(name))
        });
        return alias.into_iter().collect();
    }
    if is_headless(entry) {
        return published(entry)
            .map(|(_, endpoint)| endpoint.ip)
            .collect::<BTreeSet<_>>()
            .into_iter()
            .map(ip)
            .collect();
    }
    entry.cluster_ips.iter().copied().map(ip).collect()
}

fn ip(ip: IpAddr) -> RData {
    match ip {
        IpAddr::V4(ip) => RData::A(A(ip)),
        IpAddr::V6(ip) => RData::AAAA(AAAA(ip)),
    }
}

fn published(entry: &ServiceEntry) -> impl Iterator<Item = (&ServicePort, &Endpoint)> {
    let all = entry.ports.iter().flat_map(|port| port.endpoints.iter().map(move |endpoint| (port, endpoint)));
    all.filter(|(_, endpoint)| endpoint.ready || entry.publish_not_ready)
}

/// An endpoint's own label: its hostname, or its address with dashes.
fn host_label(endpoint: &Endpoint) -> String {
    match &endpoint.hostname {
        Some(hostname) if !hostname.is_empty() => hostname.to_ascii_lowercase(),
        _ => endpoint.ip.to_string().replace(['.', ':'], "-"),
    }
}

fn host_records(entry: &ServiceEntry, host: &str) -> Option<Vec<RData>> {
    if !is_headless(entry) {
        return None;
    }
    let hosts = published(entry).filter(|(_, endpoint)| host_label(endpoint) == host);
    let ips: BTreeSet<IpAddr> = hosts.map(|(_, endpoint)| endpoint.ip).collect();
    (!ips.is_empty()).then(|| ips.into_iter().map(ip).collect())
}

fn protocol_name(port: &ServicePort) -> &'static str {
    match port.protocol {
        Protocol::Tcp => "tcp",
        Protocol::Udp => "udp",
        Protocol::Sctp => "sctp",
    }
}

fn port_records(table: &Table, entry: &ServiceEntry, port: &str, protocol: &str) -> Option<Vec<RData>> {
    let named = |p: &ServicePort| p.name.eq_ignore_ascii_case(port) && protocol_name(p) == protocol;
    if port.is_empty() || !entry.ports.iter().any(named) {
        return None;
    }
    let (namespace, name) = (entry.namespace.as_str(), entry.name.as_str());
    let srv = |port, target| RData::SRV(SRV::new(0, 100, port, target));
    if is_headless(entry) {
        let hosts: BTreeSet<(String, u16)> = published(entry)
            .filter(|(p, _)| named(p))
            .map(|(_, endpoint)| (host_label(endpoint), endpoint.port))
            .collect();
        let target = |host: &str| in_zone(table, &[host, name, namespace, "svc"]);
        return Some(hosts.iter().filter_map(|(host, port)| Some(srv(*port, target(host)?))).collect());
    }
    let target = in_zone(table, &[name, namespace, "svc"])?;
    let ports = entry.ports.iter().filter(|p| named(p));
    Some(ports.map(|p| srv(p.port, target.clone())).collect())
}

fn reverse(table: &Table, name: &Name) -> Option<Found> {
    let net = name.parse_arpa_name().ok()?;
    let ip = net.addr();
    let mut names = Vec::new();
    for entry in table.owners(ip).filter(|_| net.prefix_len() == net.max_prefix_len()) {
        let (namespace, name) = (entry.namespace.as_str(), entry.name.as_str());
        if is_headless(entry) {
            let hosts: BTreeSet<String> =
                published(entry).filter(|(_, e)| e.ip == ip).map(|(_, e)| host_label(e)).collect();
            names.extend(hosts.iter().filter_map(|host| in_zone(table, &[host, name, namespace, "svc"])));
        } else {
            names.extend(in_zone(table, &[name, namespace, "svc"]));
        }
    }
    if !names.is_empty() {
        return Some(Found::Records(names.into_iter().map(|name| RData::PTR(PTR(name))).collect()));
    }
    table.is_ours(ip).then_some(Found::Nothing)
}

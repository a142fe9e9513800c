//! The content of a pod's `/etc/resolv.conf` (`dnsPolicy`, `dnsConfig`).

use super::host_dns::{is_loopback, servers};
use k8s_openapi::api::core::v1::Pod;
use std::net::IpAddr;

/// What resolvers there are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolver {
    /// The cluster's resolver.
    pub cluster: IpAddr,
    /// The cluster's domain.
    pub domain: String,
    /// The host's own `/etc/resolv.conf`.
    pub host: String,
}

const MOST_SERVERS: usize = 3;
const MOST_SEARCHES: usize = 32;

#[derive(Default)]
struct Parts {
    servers: Vec<String>,
    searches: Vec<String>,
    options: Vec<String>,
}

/// What the host has, for a pod on its network.
fn host(text: &str) -> Parts {
    let mut parts = Parts { servers: servers(text).map(str::to_owned).collect(), ..Parts::default() };
    for line in text.lines() {
        let mut words = line.split_whitespace();
        let rest = |words: std::str::SplitWhitespace<'_>| words.map(str::to_owned).collect::<Vec<_>>();
        match words.next() {
            Some("search" | "domain") => parts.searches = rest(words),
            Some("options") => parts.options = rest(words),
            _ => {}
        }
    }
    parts
}

/// The same for another pod, which has a loopback of its own: the cluster's resolver asks those whom only the host reaches.
fn from_pod(resolver: &Resolver) -> Parts {
    let mut parts = host(&resolver.host);
    parts.servers.retain(|server| !is_loopback(server));
    if parts.servers.is_empty() {
        parts.servers.push(resolver.cluster.to_string());
    }
    parts
}

/// The file that this pod's containers see.
pub fn resolv_conf(pod: &Pod, resolver: &Resolver) -> String {
    let spec = pod.spec.as_ref();
    let policy = spec.and_then(|spec| spec.dns_policy.as_deref()).unwrap_or("ClusterFirst");
    let host_network = spec.and_then(|spec| spec.host_network).unwrap_or(false);
    let mut parts = match policy {
        "None" => Parts::default(),
        "Default" if !host_network => from_pod(resolver),
        "Default" => host(&resolver.host),
        "ClusterFirst" if host_network => host(&resolver.host),
        _ => {
            let (namespace, domain) = (pod.metadata.namespace.as_deref().unwrap_or("default"), &resolver.domain);
            let mut searches = vec![format!("{namespace}.svc.{domain}"), format!("svc.{domain}"), domain.clone()];
            searches.extend(host(&resolver.host).searches);
            Parts { servers: vec![resolver.cluster.to_string()], searches, options: vec!["ndots:5".to_owned()] }
        }
    };
    if let Some(config) = spec.and_then(|spec| spec.dns_config.as_ref()) {
        parts.servers.extend(config.nameservers.iter().flatten().cloned());
        parts.searches.extend(config.searches.iter().flatten().cloned());
        for option in config.options.iter().flatten() {
            let name = option.name.clone().unwrap_or_default();
            parts.options.retain(|known| known.split(':').next() != Some(name.as_str()));
            parts.options.push(match option.value.as_deref().filter(|value| !value.is_empty()) {
                Some(value) => format!("{name}:{value}"),
                None => name,
            });
        }
    }
    render(parts)
}

fn unique(list: Vec<String>, most: usize) -> Vec<String> {
    let mut kept: Vec<String> = Vec::new();
    for entry in list {
        if !kept.contains(&entry) && kept.len() < most {
            kept.push(entry);
        }
    }
    kept
}

fn render(parts: Parts) -> String {
    let mut text = String::new();
    let searches = unique(parts.searches, MOST_SEARCHES);
    if !searches.is_empty() {
        text.push_str(&format!("search {}\n", searches.join(" ")));
    }
    for server in unique(parts.servers, MOST_SERVERS) {
        text.push_str(&format!("nameserver {server}\n"));
    }
    let options = unique(parts.options, usize::MAX);
    if !options.is_empty() {
        text.push_str(&format!("options {}\n", options.join(" ")));
    }
    text
}

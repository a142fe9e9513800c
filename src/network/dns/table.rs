//! The names that the services make. The records themselves are made when somebody asks.

use crate::border::ServiceEntry;
use crate::rules::ServiceKey;
use ipnet::IpNet;
use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;
use std::sync::Arc;

/// The services by name, and the owners of addresses.
#[derive(Debug, Default)]
pub struct Table {
    /// The cluster's domain, lower case, without dots at its ends.
    domain: String,
    /// Addresses whose names only we know.
    ranges: Vec<IpNet>,
    services: HashMap<ServiceKey, Arc<ServiceEntry>>,
    namespaces: HashMap<String, usize>,
    addresses: HashMap<IpAddr, BTreeSet<ServiceKey>>,
}

impl Table {
    /// Sets the domain and the ranges that reverse look-ups are answered for.
    pub fn configure(&mut self, domain: &str, ranges: Vec<IpNet>) {
        self.domain = domain.trim_matches('.').to_ascii_lowercase();
        self.ranges = ranges;
    }

    /// The cluster's domain.
    pub fn domain(&self) -> &str {
        &self.domain
    }

    /// Takes the services in; `changed` bounds what is looked at.
    pub fn update(&mut self, services: &[Arc<ServiceEntry>], changed: Option<&[ServiceKey]>) {
        match changed {
            Some(changed) => {
                changed.iter().for_each(|key| self.remove(key));
                let changed: BTreeSet<(&str, &str)> =
                    changed.iter().map(|(ns, name)| (ns.as_str(), name.as_str())).collect();
                for service in services {
                    if changed.contains(&(service.namespace.as_str(), service.name.as_str())) {
                        self.insert((service.namespace.clone(), service.name.clone()), service);
                    }
                }
            }
            None => {
                self.services.clear();
                self.namespaces.clear();
                self.addresses.clear();
                for service in services {
                    self.insert((service.namespace.clone(), service.name.clone()), service);
                }
            }
        }
    }

    /// The service of a name, lower case.
    pub fn service(&self, namespace: &str, name: &str) -> Option<&ServiceEntry> {
        // Keys are pairs of owned strings; a look-up has to make one.
        self.services.get(&(namespace.to_owned(), name.to_owned())).map(Arc::as_ref)
    }

    /// True if some service is in the namespace.
    pub fn has_namespace(&self, namespace: &str) -> bool {
        self.namespaces.contains_key(namespace)
    }

    /// The services that an address belongs to: as ClusterIP, or as an endpoint of a headless one.
    pub fn owners(&self, ip: IpAddr) -> impl Iterator<Item = &ServiceEntry> {
        let keys = self.addresses.get(&ip).into_iter().flatten();
        keys.filter_map(|key| self.services.get(key)).map(Arc::as_ref)
    }

    /// True if nobody else knows the address's name.
    pub fn is_ours(&self, ip: IpAddr) -> bool {
        self.ranges.iter().any(|range| range.contains(&ip))
    }

    fn insert(&mut self, key: ServiceKey, service: &Arc<ServiceEntry>) {
        self.remove(&key);
        for ip in addresses(service) {
            self.addresses.entry(ip).or_default().insert(key.clone());
        }
        *self.namespaces.entry(key.0.clone()).or_default() += 1;
        self.services.insert(key, Arc::clone(service));
    }

    fn remove(&mut self, key: &ServiceKey) {
        let Some(service) = self.services.remove(key) else {
            return;
        };
        if let Some(count) = self.namespaces.get_mut(&key.0) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.namespaces.remove(&key.0);
            }
        }
        for ip in addresses(&service) {
            if let Some(owners) = self.addresses.get_mut(&ip) {
                owners.remove(key);
                if owners.is_empty() {
                    self.addresses.remove(&ip);
                }
            }
        }
    }
}

/// True if the service's name leads to its endpoints.
pub fn is_headless(service: &ServiceEntry) -> bool {
    service.cluster_ips.is_empty() && service.external_name.is_none()
}

fn addresses(service: &ServiceEntry) -> BTreeSet<IpAddr> {
    if !is_headless(service) {
        return service.cluster_ips.iter().copied().collect();
    }
    service.ports.iter().flat_map(|port| &port.endpoints).map(|endpoint| endpoint.ip).collect()
}

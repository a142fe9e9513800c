//! What a host's certificate says.

use raftsman_api::config::Role;
use std::net::IpAddr;

/// Days that a host's certificate is good for.
pub const HOST_DAYS: i64 = 5 * 365;
/// Days that a person's certificate is good for.
pub const CLIENT_DAYS: i64 = 365;

/// A host as its certificate names it (see `raftsman_api::config::Pki`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostProfile {
    /// Host name.
    pub name: String,
    /// What it does.
    pub roles: Vec<Role>,
    /// Its addresses.
    pub addresses: Vec<IpAddr>,
    /// The address of the Service `kubernetes`.
    pub kubernetes: Option<IpAddr>,
    /// The cluster's domain.
    pub domain: String,
    /// Further names and addresses: of a load balancer, for example.
    pub extra: Vec<String>,
}

impl HostProfile {
    /// Common name: the node's where the host is one.
    pub fn common_name(&self) -> String {
        if self.roles.contains(&Role::Node) {
            format!("system:node:{}", self.name)
        } else {
            format!("raftsman:master:{}", self.name)
        }
    }

    /// Organisations, one per role.
    pub fn organisations(&self) -> Vec<&'static str> {
        let mut all = Vec::new();
        if self.roles.contains(&Role::Master) {
            all.push("raftsman:masters");
        }
        if self.roles.contains(&Role::Node) {
            all.push("system:nodes");
        }
        all
    }

    /// Subject alternative names, each once.
    pub fn names(&self) -> Vec<String> {
        let mut names = vec![self.name.clone()];
        names.extend(self.addresses.iter().map(IpAddr::to_string));
        names.extend(["localhost", "127.0.0.1"].map(str::to_owned));
        if self.roles.contains(&Role::Master) {
            names.extend(["kubernetes", "kubernetes.default", "kubernetes.default.svc"].map(str::to_owned));
            names.push(format!("kubernetes.default.svc.{}", self.domain));
            names.extend(self.kubernetes.map(|ip| ip.to_string()));
        }
        names.extend(self.extra.iter().cloned());
        let mut seen = std::collections::BTreeSet::new();
        names.retain(|name| seen.insert(name.clone()));
        names
    }
}

//! The list of controllers, and what they must be told.

use crate::deployment::Deployments;
use crate::endpoints::{EndpointSliceMirroring, EndpointSlices, Endpoints};
use crate::event_ttl::EventTtl;
use crate::garbage::Garbage;
use crate::job::Jobs;
use crate::job_ttl::JobTtl;
use crate::namespace::Namespaces;
use crate::node_ipam::NodeIpam;
use crate::node_leases::NodeLeases;
use crate::node_lifecycle::NodeLifecycle;
use crate::pod_gc::PodGc;
use crate::replicas::Replicas;
use crate::root_ca::RootCa;
use crate::service_accounts::ServiceAccounts;
use crate::stateful_set::StatefulSets;
use crate::taint_eviction::TaintEviction;
use crate::volumes::Volumes;
use crate::{Controller, Heartbeats};
use ipnet::IpNet;
use raftsman_api::fencing::FencingRule;
use std::sync::Arc;
use std::time::Duration;

/// What controllers must be told.
pub struct Settings {
    /// PEM of the cluster's CA certificates.
    pub ca_pem: String,
    /// Signs of life of nodes under this leadership.
    pub heartbeats: Arc<dyn Heartbeats>,
    /// A node that was not heard of for so long is lost.
    pub node_grace: Duration,
    /// Which pods are fenced by their nodes, and for how long a promise holds.
    pub fencing: FencingRule,
    /// Range of all pods' addresses.
    pub pod_cidr: IpNet,
    /// Prefix length of one node's part of it.
    pub node_prefix: u8,
    /// How long Events are kept.
    pub event_ttl: Duration,
    /// Ended pods kept.
    pub terminated_pods: usize,
}

/// All controllers of a new leadership.
pub fn all(settings: Settings) -> Vec<Arc<dyn Controller>> {
    vec![
        Arc::new(Namespaces),
        Arc::new(ServiceAccounts),
        Arc::new(RootCa { pem: settings.ca_pem }),
        Arc::new(NodeLeases { heartbeats: settings.heartbeats.clone() }),
        Arc::new(NodeLifecycle { heartbeats: settings.heartbeats.clone(), grace: settings.node_grace }),
        Arc::new(NodeIpam { cluster: settings.pod_cidr, prefix: settings.node_prefix }),
        Arc::new(TaintEviction),
        Arc::new(Deployments),
        Arc::new(Replicas::replica_sets()),
        Arc::new(Replicas::replication_controllers()),
        Arc::new(StatefulSets),
        Arc::new(Jobs),
        Arc::new(JobTtl),
        Arc::new(Volumes),
        Arc::new(Endpoints),
        Arc::new(EndpointSlices),
        Arc::new(EndpointSliceMirroring),
        Arc::new(Garbage),
        Arc::new(PodGc {
            terminated_threshold: settings.terminated_pods,
            heartbeats: settings.heartbeats,
            rule: settings.fencing,
        }),
        Arc::new(EventTtl { ttl: settings.event_ttl }),
    ]
}

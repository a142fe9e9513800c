//! What a host that joins asks, and what it is told.

use crate::config::{BackupConfig, HostConfig, MasterAddress, NetworkConfig, Ports, Role, Timing};
use serde::{Deserialize, Serialize};
use std::net::IpAddr;

/// `POST /raftsman/v1/join`, with the token as `Authorization: Bearer ID.SECRET`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct JoinRequest {
    /// The host's name.
    pub name: String,
    /// Its address, reached by all others.
    pub address: IpAddr,
    /// What it is to be.
    pub role: Role,
    /// A master that only learns, until somebody promotes it.
    #[serde(default)]
    pub learner: bool,
    /// Its request for a certificate (PKCS#10), PEM.
    pub request: String,
    /// Its clock, in seconds since 1970: certificates and tokens lean on clocks that agree.
    pub time: i64,
}

/// The answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Joined {
    /// The cluster's name.
    pub cluster: String,
    /// Its id.
    pub cluster_id: String,
    /// The host's certificate, PEM.
    pub certificate: String,
    /// All masters, the host included if it is one.
    pub masters: Vec<MasterAddress>,
    /// The control plane's virtual address.
    #[serde(default)]
    pub vip: Option<IpAddr>,
    /// Settings that all hosts share.
    pub ports: Ports,
    /// Settings that all hosts share.
    pub network: NetworkConfig,
    /// Settings that all hosts share.
    pub timing: Timing,
    /// What masters do as leaders; paths are the same on all of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backup: Option<BackupConfig>,
}

impl Joined {
    /// What a host shares with all others, of its own configuration.
    pub fn of(config: &HostConfig, certificate: String, masters: Vec<MasterAddress>) -> Self {
        Self {
            cluster: config.cluster.clone(),
            cluster_id: config.cluster_id.clone(),
            certificate,
            masters,
            vip: config.vip,
            ports: config.ports,
            network: config.network.clone(),
            timing: config.timing,
            backup: config.backup.clone(),
        }
    }
}

/// `GET /raftsman/v1/ca`, for everybody: the authority, which a host compares with its token's pin.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuthorityAnswer {
    /// The authority's certificate, PEM.
    pub certificate: String,
}

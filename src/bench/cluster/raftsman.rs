//! Members of this store.

use super::launch::{Member, ports};
use crate::member::{Peer, Settings};
use raftsman_api::config::Role;
use raftsman_pki::{Authority, HostProfile, write_private};
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;

/// Makes directories, certificates and settings.
pub(super) fn members(directory: &Path, size: u64) -> anyhow::Result<Vec<Member>> {
    let authority = Authority::generate("bench")?;
    let (peer_ports, client_ports) = ports(size)?;
    let peers: Vec<Peer> =
        (1..=size).zip(peer_ports).map(|(id, address)| Peer { id, name: format!("m{id}"), address }).collect();
    let program = std::env::current_exe()?;
    peers
        .iter()
        .zip(client_ports)
        .map(|(peer, clients)| {
            let credentials = authority.issue_host(&host(&peer.name))?;
            let data = directory.join(&peer.name);
            let settings = Settings {
                member: peer.id,
                peers: peers.clone(),
                data: data.clone(),
                clients,
                ca: authority.certificate().to_owned(),
                certificate: credentials.certificate,
                key: credentials.key,
            };
            let path = directory.join(format!("{}.json", peer.name));
            write_private(&path, &serde_json::to_string(&settings)?)?;
            Ok(Member {
                program: program.clone(),
                args: vec!["bench".into(), "member".into(), path.display().to_string()],
                data,
                log: directory.join(format!("{}.log", peer.name)),
                clients,
                process: None,
            })
        })
        .collect()
}

pub(super) fn host(name: &str) -> HostProfile {
    HostProfile {
        name: name.to_owned(),
        roles: vec![Role::Master],
        addresses: vec![IpAddr::V4(Ipv4Addr::LOCALHOST)],
        kubernetes: None,
        domain: "cluster.local".into(),
        extra: Vec::new(),
    }
}

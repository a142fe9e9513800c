//! The cluster's keys, fetched once by a master that has joined.

use crate::members::service::remote;
use crate::peers::Peers;
use raftsman_api::config::Pki;
use raftsman_pki::write_private;
use raftsman_proto::v1::membership_client::MembershipClient;
use raftsman_proto::v1::{KeysRequest, KeysResponse};
use raftsman_store::border::Members;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// When no master gives the keys, they are asked again after this.
const AGAIN: Duration = Duration::from_secs(1);

/// Whether this host has them.
pub fn has_keys(pki: &Path) -> bool {
    pki.join("ca.key").exists() && pki.join("sa.key").exists()
}

/// Asks the other masters until one gives the keys, and writes them (mode 0600). Nothing to do where they are.
pub async fn fetch_keys(pki: Pki, me: u64, peers: Arc<Peers>, mut members: watch::Receiver<Arc<Members>>) {
    let mut said = String::new();
    while !has_keys(&pki.dir) {
        let others: Vec<u64> = members.borrow_and_update().all.iter().map(|m| m.id).filter(|id| *id != me).collect();
        let mut why = "no other master is known".to_owned();
        for other in others {
            match ask(&peers, me, other).await.and_then(|keys| write(&pki, &keys)) {
                Ok(()) => return tracing::info!(from = other, "fetched the cluster's keys: this master can sign"),
                Err(error) => why = error,
            }
        }
        if why != said {
            tracing::info!(why, "the cluster's keys could not be fetched yet");
            said = why;
        }
        // Either somebody new may have them, or those that are there may answer later.
        let _ = tokio::time::timeout(AGAIN, members.changed()).await;
    }
}

async fn ask(peers: &Peers, me: u64, other: u64) -> Result<KeysResponse, String> {
    let channel = peers.patient(other).ok_or("it cannot be reached")?;
    let mut client = MembershipClient::new(channel);
    let asked = client.keys(remote(KeysRequest { member: me }, Duration::from_secs(5)));
    Ok(asked.await.map_err(|status| status.message().to_owned())?.into_inner())
}

fn write(pki: &Pki, keys: &KeysResponse) -> Result<(), String> {
    if keys.ca_key.is_empty() || keys.sa_key.is_empty() {
        return Err("it does not have them".to_owned());
    }
    let file = |name: &str, text: &str| write_private(&pki.dir.join(name), text).map_err(|error| error.to_string());
    file("sa.key", &keys.sa_key)?;
    file("ca.key", &keys.ca_key)
}

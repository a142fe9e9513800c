//! What a master says of itself, and the picture of all of them.

use crate::Pems;
use crate::members::keys::has_keys;
use crate::members::service::remote;
use crate::peers::Peers;
use futures::future::join_all;
use raftsman_pki::days_left;
use raftsman_proto::v1::membership_client::MembershipClient;
use raftsman_proto::v1::{DescribeRequest, DescribeResponse};
use raftsman_state::level;
use raftsman_store::RaftStore;
use raftsman_store::border::{Store, StoreStatus};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// A master that has not answered within this is shown without its facts.
const PATIENCE: Duration = Duration::from_secs(1);

/// What it takes to tell.
pub struct Facts {
    /// This master's store.
    pub store: Arc<RaftStore>,
    /// The way to the others.
    pub peers: Arc<Peers>,
    /// This host's certificates.
    pub pems: Pems,
    /// Where its keys are.
    pub pki: PathBuf,
    /// Where its state is.
    pub data_dir: PathBuf,
}

impl Facts {
    /// Of this master.
    pub fn own(&self) -> DescribeResponse {
        let health = self.store.health().borrow().clone();
        let now = jiff::Timestamp::now().as_second();
        let days = |certificate: &str| days_left(certificate, now).unwrap_or_default();
        let disk = nix::sys::statvfs::statvfs(&self.data_dir).ok();
        let bytes = |blocks: u64| disk.map_or(0, |disk| blocks.saturating_mul(disk.fragment_size()));
        DescribeResponse {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            store: serde_json::to_vec(&self.store.status()).unwrap_or_default().into(),
            ready: health.ready,
            reason: health.reason,
            certificate_days: days(&self.pems.cert),
            authority_days: days(&self.pems.ca),
            disk_free: bytes(disk.map_or(0, |disk| disk.blocks_available())),
            disk_total: bytes(disk.map_or(0, |disk| disk.blocks())),
            signs: has_keys(&self.pki),
        }
    }

    async fn of(&self, member: u64) -> Result<DescribeResponse, String> {
        if member == self.store.status().member {
            return Ok(self.own());
        }
        let channel = self.peers.patient(member).ok_or("it cannot be reached")?;
        let mut client = MembershipClient::new(channel);
        let asked = client.describe(remote(DescribeRequest {}, PATIENCE));
        match tokio::time::timeout(PATIENCE, asked).await {
            Ok(Ok(answer)) => Ok(answer.into_inner()),
            Ok(Err(status)) => Err(status.message().to_owned()),
            Err(_) => Err(format!("no answer within {} s", PATIENCE.as_secs())),
        }
    }

    /// All masters: what the leader knows of each and what each says of itself.
    pub async fn all(&self) -> Value {
        // Changes that were acknowledged anywhere are seen; without a quorum it is what is known here.
        let _ = tokio::time::timeout(PATIENCE, self.store.read()).await;
        let own = self.store.status();
        let members = self.store.members().borrow().clone();
        let view = self.store.view();
        let said = join_all(members.all.iter().map(|member| self.of(member.id))).await;
        let statuses: Vec<Option<StoreStatus>> =
            said.iter().map(|said| serde_json::from_slice(&said.as_ref().ok()?.store).ok()).collect();
        // The leader of the newest term, as somebody who answers has it: this master may have been left behind.
        let newest =
            statuses.iter().flatten().max_by_key(|status| (status.term, status.leader.is_some())).unwrap_or(&own);
        let (term, leader) = (newest.term, newest.leader);
        let leads = |status: &&StoreStatus| Some(status.member) == leader && status.term == term;
        let leading = statuses.iter().flatten().find(leads);
        let rows: Vec<Value> = members
            .all
            .iter()
            .zip(said.iter().zip(&statuses))
            .map(|(member, (said, status))| {
                let role = match (member.voter, Some(member.id) == leader) {
                    (_, true) => "leader",
                    (true, _) => "voter",
                    (false, _) => "learner",
                };
                let seen = leading.and_then(|leading| leading.members.iter().find(|seen| seen.id == member.id));
                let lag = seen.and_then(|seen| Some(leading?.last_log.saturating_sub(seen.matched?)));
                let mut row = json!({
                    "id": member.id, "name": member.name, "address": member.address, "role": role, "voter": member.voter,
                    "lag": lag, "lastSeenMillis": seen.and_then(|seen| seen.silent_ms), "level": level::member_level(&view, member.id),
                });
                match said {
                    Ok(said) => {
                        row["version"] = said.version.as_str().into();
                        row["ready"] = said.ready.into();
                        row["reason"] = said.reason.as_str().into();
                        row["certificateDays"] = said.certificate_days.into();
                        row["authorityDays"] = said.authority_days.into();
                        row["diskFree"] = said.disk_free.into();
                        row["diskTotal"] = said.disk_total.into();
                        row["signs"] = said.signs.into();
                    }
                    Err(why) => row["error"] = why.as_str().into(),
                }
                if let Some(status) = status {
                    row["term"] = status.term.into();
                    row["applied"] = status.applied.into();
                    row["revision"] = status.revision.into();
                }
                row
            })
            .collect();
        json!({ "leader": leader, "term": term, "members": rows })
    }
}

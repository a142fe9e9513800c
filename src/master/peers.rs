//! gRPC channels to the other masters, as the membership has them now.

use crate::Pems;
use parking_lot::Mutex;
use raftsman_store::border::{MemberAt, Members};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tonic::transport::{Channel, Endpoint};

/// One lazy channel per other master, by member id; another one when its name or address has changed.
pub struct Peers {
    pems: Pems,
    members: watch::Receiver<Arc<Members>>,
    channels: Mutex<BTreeMap<u64, (MemberAt, Channels)>>,
}

#[derive(Clone)]
struct Channels {
    /// Every request is given up after a second.
    prompt: Channel,
    /// Requests say themselves how long they may take.
    patient: Channel,
}

impl Peers {
    /// Channels to all masters; they connect when first used and again after a break.
    pub fn new(pems: &Pems, members: watch::Receiver<Arc<Members>>) -> Self {
        Self { pems: pems.clone(), members, channels: Mutex::default() }
    }

    /// The channel to a member, for what takes no time.
    pub fn channel(&self, member: u64) -> Option<Channel> {
        self.channels(member).map(|channels| channels.prompt)
    }

    /// The channel to a member, for requests that say how long they may take.
    pub fn patient(&self, member: u64) -> Option<Channel> {
        self.channels(member).map(|channels| channels.patient)
    }

    fn channels(&self, id: u64) -> Option<Channels> {
        let members = self.members.borrow().clone();
        let mut channels = self.channels.lock();
        channels.retain(|id, _| members.get(*id).is_some());
        let member = members.get(id)?;
        if let Some((known, channels)) = channels.get(&id)
            && known.name == member.name
            && known.address == member.address
        {
            return Some(channels.clone());
        }
        let made = match self.connect(member) {
            Ok(made) => made,
            Err(error) => {
                tracing::warn!(%error, name = member.name, address = member.address, "this master cannot be reached");
                return None;
            }
        };
        channels.insert(id, (member.clone(), made.clone()));
        Some(made)
    }

    fn connect(&self, member: &MemberAt) -> Result<Channels, tonic::transport::Error> {
        let endpoint = Endpoint::from_shared(format!("https://{}", member.address))?
            .tls_config(self.pems.client(&member.name))?
            .connect_timeout(Duration::from_millis(500))
            .http2_keep_alive_interval(Duration::from_secs(1))
            .keep_alive_timeout(Duration::from_secs(1));
        let prompt = endpoint.clone().timeout(Duration::from_secs(1)).connect_lazy();
        Ok(Channels { prompt, patient: endpoint.connect_lazy() })
    }
}

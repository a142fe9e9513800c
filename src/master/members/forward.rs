//! Changes on their way to the leader, wherever it is.

use crate::members::service::remote;
use crate::peers::Peers;
use raftsman_proto::v1::ChangeRequest;
use raftsman_proto::v1::membership_client::MembershipClient;
use raftsman_store::RaftStore;
use raftsman_store::border::{Change, ChangeError, Changed, Store};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// How long a change may take, with elections and hand-overs in between.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long one leader may take.
const ATTEMPT: Duration = Duration::from_secs(45);

/// Without a leader, or after one that could not be reached, it is looked for again after this.
const PAUSE: Duration = Duration::from_millis(50);

/// Has changes made by whoever leads.
pub struct Changer {
    /// This master's store.
    pub store: Arc<RaftStore>,
    /// The way to the others.
    pub peers: Arc<Peers>,
}

impl Changer {
    /// Has a change made. It is asked for again when the leader goes away meanwhile: asked twice, a change is made once.
    ///
    /// # Errors
    /// [`ChangeError`], [`ChangeError::NotLeader`] when nobody leads.
    pub async fn change(&self, change: &Change) -> Result<Changed, ChangeError> {
        let deadline = Instant::now() + PATIENCE;
        let mut leadership = self.store.leadership();
        loop {
            let now = *leadership.borrow_and_update();
            let done = match now.leader {
                Some(leader) if leader == self.store.status().member => self.store.change_members(change.clone()).await,
                Some(leader) => self.ask(leader, change).await,
                None => Err(ChangeError::NotLeader { leader: None }),
            };
            match done {
                Err(ChangeError::NotLeader { .. } | ChangeError::Lost(_)) if Instant::now() < deadline => {
                    let _ = tokio::time::timeout(PAUSE, leadership.changed()).await;
                }
                done => return done,
            }
        }
    }

    async fn ask(&self, leader: u64, change: &Change) -> Result<Changed, ChangeError> {
        let lost = |why: String| ChangeError::Lost(why);
        let channel = self.peers.patient(leader).ok_or(ChangeError::NotLeader { leader: None })?;
        let change = serde_json::to_vec(change).map_err(|error| ChangeError::Refused(error.to_string()))?;
        let mut client = MembershipClient::new(channel);
        let asked = client.change(remote(ChangeRequest { change: change.into() }, ATTEMPT));
        let mut leadership = self.store.leadership();
        let answer = tokio::select! {
            answer = asked => answer.map_err(|status| lost(status.message().to_owned()))?.into_inner(),
            _ = leadership.wait_for(|now| now.leader != Some(leader)) => return Err(lost("the leader changed".into())),
        };
        let read = |error: serde_json::Error| lost(format!("the leader's answer makes no sense: {error}"));
        if !answer.changed.is_empty() {
            return serde_json::from_slice(&answer.changed).map_err(read);
        }
        Err(serde_json::from_slice(&answer.error).map_err(read)?)
    }
}

//! Whom a member listens to. A certificate of a master is not enough: its host must be a member, or one that this member
//! has not heard of yet.

use crate::member::{is_gone, is_gone_by_name};
use crate::peers::{Door, Refusal};
use openraft::async_runtime::watch::WatchReceiver;

/// Who asks, as its request says and its certificate proves.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Caller {
    /// Its member id; 0 if the request names none.
    pub(crate) member: u64,
    /// The names that its certificate carries.
    pub(crate) names: Vec<String>,
}

impl Caller {
    fn carries(&self, name: &str) -> bool {
        self.names.iter().any(|carried| carried == name)
    }
}

/// What is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asked {
    /// Raft's own requests. One that lags may be asked by members that it has not heard of, or knows by another name:
    /// refusing them would keep it behind for ever.
    ByRaft,
    /// What only the leader answers, who knows every member.
    OfLeader,
}

impl Door {
    /// Admits one of Raft's own requests: its terms and indexes must mean what they mean here.
    pub(crate) fn enter(&self, caller: &Caller, lineage: Option<u64>) -> Result<(), Refusal> {
        self.admit(caller, Asked::ByRaft)?;
        if lineage == Some(self.lineage()) {
            return Ok(());
        }
        Err(Refusal::Foreign(
            "the cluster was restored or recovered, and one of the two masters holds what was before: empty that one's data \
             directory"
                .into(),
        ))
    }

    /// Admits a caller, or says why not.
    ///
    /// That a member was removed is certain only when the membership without it is committed and its record says so; it
    /// never comes back under its id, so it is told to give up.
    pub(crate) fn admit(&self, caller: &Caller, asked: Asked) -> Result<(), Refusal> {
        let Ok(raft) = self.raft() else { return Ok(()) };
        let (name, committed, named) = {
            let metrics = raft.metrics();
            let metrics = metrics.borrow_watched();
            let present = &metrics.membership_config;
            let name = present.get_node(&caller.member).map(|member| member.name.clone());
            let committed = metrics.committed_membership_config.get_node(&caller.member).is_some();
            let named = present.nodes().any(|(_, member)| caller.carries(&member.name));
            (name, committed, named)
        };
        if name.as_ref().is_some_and(|name| caller.carries(name)) {
            return Ok(());
        }
        let view = self.published().view();
        let gone = name.is_none() && !committed && is_gone(&view, caller.member);
        if gone || (!named && caller.names.iter().any(|name| is_gone_by_name(&view, name))) {
            return Err(Refusal::Removed(format!("member {} was removed from this cluster", caller.member)));
        }
        match asked {
            Asked::ByRaft => Ok(()),
            Asked::OfLeader => Err(Refusal::Denied(format!(
                "the certificate carries {}, and that is not member {} of this cluster",
                caller.names.join(", "),
                caller.member
            ))),
        }
    }
}

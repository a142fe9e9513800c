//! A cluster out of this host's data directory alone.

use crate::serve::own_store;
use crate::{MasterError, Pems};
use raftsman_api::config::HostConfig;
use raftsman_store::RecoverPlan;
use std::fmt::Write as _;

/// A recovery that was planned.
pub struct Recovery(raftsman_store::Recovery);

fn store(error: raftsman_store::border::StoreError) -> MasterError {
    MasterError::Store(error.to_string())
}

impl Recovery {
    /// Finds out what there is, and changes nothing.
    ///
    /// # Errors
    /// The master runs, the directory holds nothing, or the cluster has its quorum.
    pub async fn plan(config: &HostConfig) -> Result<Self, MasterError> {
        let pems = Pems::read(&config.pki)?;
        raftsman_store::Recovery::plan(&own_store(config, &pems)?).await.map(Self).map_err(store)
    }

    /// What it would do and what could be lost, in words.
    pub fn describe(&self) -> String {
        describe(self.0.planned())
    }

    /// Does it.
    ///
    /// # Errors
    /// The disk fails; then it is done again.
    pub async fn carry_out(self) -> Result<RecoverPlan, MasterError> {
        self.0.carry_out().await.map_err(store)
    }

    /// Leaves everything as it is.
    ///
    /// # Errors
    /// The disk fails.
    pub async fn close(self) -> Result<(), MasterError> {
        self.0.close().await.map_err(store)
    }
}

fn describe(plan: &RecoverPlan) -> String {
    let mut text = String::new();
    let given_up: Vec<String> =
        plan.given_up.iter().map(|(id, name, address)| format!("{name} (member {id}, {address})")).collect();
    // Writing into a string does not fail.
    let _ = writeln!(
        text,
        "{} (member {}) would be the only voter. Its log ends at entry {} of term {}, revision {}.",
        plan.name, plan.member, plan.last_log, plan.last_term, plan.revision
    );
    if plan.last_log > plan.committed {
        let _ = writeln!(
            text,
            "It knows entries up to {} to be committed; the {} after it are kept, though they may never have been acknowledged.",
            plan.committed,
            plan.last_log - plan.committed
        );
    }
    if given_up.is_empty() {
        let _ = writeln!(text, "No other voter is given up.");
    } else {
        let _ = writeln!(text, "Given up: {}.", given_up.join(", "));
        let _ = writeln!(
            text,
            "Could be lost: what they acknowledged after entry {} without this master. If one of their disks can still be \
             read, recover on the host whose log ends last.",
            plan.last_log
        );
        let _ = writeln!(text, "If these still run anywhere, there will be two clusters: make sure that they are off.");
    }
    if !plan.answering.is_empty() {
        let _ = writeln!(text, "Of those {} answer: stop them first.", plan.answering.join(", "));
    }
    let _ = writeln!(
        text,
        "A new epoch would begin at revision {}: clients list anew, nodes keep their pods until told.",
        plan.next_revision
    );
    if !given_up.is_empty() {
        let _ = writeln!(
            text,
            "The others' data directories must be emptied before they start again: they are taken in as learners, and what \
             they held is refused."
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_that_are_given_up_must_be_off() {
        let off = "make sure that they are off";
        let plan = RecoverPlan { member: 1, name: "m1".into(), ..RecoverPlan::default() };
        assert!(!describe(&plan).contains(off), "there is nobody else");
        let given_up = vec![(2, "m2".to_owned(), "10.0.0.2:6444".to_owned())];
        let text = describe(&RecoverPlan { given_up, ..plan });
        assert!(text.contains("m2 (member 2, 10.0.0.2:6444)") && text.contains(off), "{text}");
    }
}

//! Fencing: a pod with an identity never runs twice, and none stays stuck on a dead node.
//!
//! A node renews its promise with the leader; a *fenced* pod runs only while the promise holds, and is frozen when it does
//! not. The leader gives the pod's identity away (deletes the pod for good) only later than that. The rule, with `D` the
//! deadline:
//!
//! 1. The node sends a renewal at `s` on its CLOCK_BOOTTIME. The leader notes it at `r` on its own clock, *then* has a
//!    majority confirm its leadership, then answers. The node's promise holds until `s + D`.
//! 2. An answer that arrives while the promise holds moves it on. After a break every fenced pod needs a leader's word: a
//!    write to the pod that is sent after the first new answer. A row of renewals without a break is an epoch.
//! 3. The leader gives a pod away not before [`FencingRule::give_away_after`] since the newest `r` of its node, a new leader
//!    not before that since its own beginning. The deletion compares the revision of the pod as it was *before* the
//!    leader looked at its notes, so that a word that was given in between makes it fail.
//!
//! Why no identity runs twice: `s ≤ r`, so the leader's wait ends after the node's promise. Who leads later was elected after
//! the majority confirmed, so after `s`, and waits in full. A word and a deletion are ordered by the pod's revision.

use crate::config::{FencingMode, HostConfig};
use k8s_openapi::api::core::v1::Pod;
use std::time::Duration;

/// A pod's own choice, [`FREEZE`] or [`KUBERNETES`]; and on a Node, what its agent does with pods that chose nothing.
pub const ANNOTATION: &str = "raftsman.io/fencing";
/// On a Node: the longest that its agent lets a promise hold, in seconds.
pub const DEADLINE_ANNOTATION: &str = "raftsman.io/fencing-deadline-seconds";
/// Frozen at the deadline, and given away after it.
pub const FREEZE: &str = "freeze";
/// Never frozen and never given away.
pub const KUBERNETES: &str = "kubernetes";
/// The condition that a leader's word puts on a pod: this pod is fenced by its node.
pub const CONDITION: &str = "raftsman.io/Fenced";

/// Clocks of two machines gain on each other by less than this many parts per thousand (NTP slews by 0.5, RFC 5905).
const CLOCK_RATE: u32 = 20;
/// From the deadline until the last process of a pod is frozen on a loaded machine, and what is still under way in the
/// kernel is done.
const FREEZE_WITHIN: Duration = Duration::from_secs(3);

/// Which pods are fenced, and how long a promise holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FencingRule {
    /// Pods with an identity are fenced unless they chose otherwise.
    pub freeze: bool,
    /// How long a promise holds, from the sending of the renewal.
    pub deadline: Duration,
}

impl FencingRule {
    /// A cluster's, as its hosts are configured.
    pub fn of(config: &HostConfig) -> Self {
        let freeze = match config.timing.fencing {
            FencingMode::Auto => config.masters.len() > 1,
            FencingMode::Freeze => true,
            FencingMode::Kubernetes => false,
        };
        Self { freeze, deadline: Duration::from_secs(config.timing.fencing_deadline_seconds.into()) }
    }

    /// As the annotations of a Node say of its agent; a deadline is never shorter than this rule's.
    pub fn declared<'a>(self, annotation: impl Fn(&str) -> Option<&'a str>) -> Self {
        let freeze = match annotation(ANNOTATION) {
            Some(FREEZE) => true,
            Some(KUBERNETES) => false,
            _ => self.freeze,
        };
        let seconds = annotation(DEADLINE_ANNOTATION).and_then(|seconds| seconds.parse::<u32>().ok());
        let declared = seconds.map(|seconds| Duration::from_secs(seconds.into()));
        Self { freeze, deadline: declared.map_or(self.deadline, |declared| declared.max(self.deadline)) }
    }

    /// The word for [`ANNOTATION`].
    pub fn word(self) -> &'static str {
        if self.freeze { FREEZE } else { KUBERNETES }
    }

    /// Whether this pod is fenced.
    pub fn fences(self, pod: &Pod) -> bool {
        let chosen = pod.metadata.annotations.as_ref().and_then(|all| all.get(ANNOTATION)).map(String::as_str);
        match chosen {
            Some(FREEZE) => true,
            Some(KUBERNETES) => false,
            _ => self.freeze && has_identity(pod),
        }
    }

    /// The leader's wait since the newest renewal that it noted: the deadline, the clocks' rates, and the freezing itself.
    pub fn give_away_after(self) -> Duration {
        self.deadline + self.deadline * CLOCK_RATE / 1000 + FREEZE_WITHIN
    }
}

/// It has a StatefulSet's identity, or a volume that another pod may hold as well.
pub fn has_identity(pod: &Pod) -> bool {
    let owners = pod.metadata.owner_references.iter().flatten();
    let mut controllers = owners.filter(|owner| owner.controller == Some(true));
    let set = controllers.any(|owner| owner.kind == "StatefulSet" && owner.api_version.starts_with("apps/"));
    let volumes = pod.spec.iter().flat_map(|spec| spec.volumes.iter().flatten());
    let mut claims = volumes.filter(|volume| volume.persistent_volume_claim.is_some() || volume.ephemeral.is_some());
    set || claims.next().is_some()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::{Value, json};

    fn pod(metadata: Value, volumes: Value) -> Pod {
        serde_json::from_value(json!({ "metadata": metadata, "spec": { "containers": [], "volumes": volumes } }))
            .unwrap()
    }

    #[test]
    fn identities_are_fenced_and_a_pod_may_choose() {
        let rule = |freeze| FencingRule { freeze, deadline: Duration::from_secs(30) };
        let owned = |kind: &str| json!({ "ownerReferences": [{ "apiVersion": "apps/v1", "kind": kind, "name": "x", "uid": "u", "controller": true }] });
        let claim = json!([{ "name": "v", "persistentVolumeClaim": { "claimName": "c" } }]);
        let scratch = json!([{ "name": "v", "emptyDir": {} }]);
        let chosen = |word: &str| json!({ "annotations": { ANNOTATION: word } });
        for (metadata, volumes, with, without) in [
            (owned("StatefulSet"), json!([]), true, false),
            (owned("ReplicaSet"), json!([]), false, false),
            (json!({}), claim.clone(), true, false),
            (json!({}), scratch, false, false),
            (chosen(FREEZE), json!([]), true, true),
            (chosen(KUBERNETES), claim, false, false),
        ] {
            let pod = pod(metadata, volumes);
            assert_eq!((rule(true).fences(&pod), rule(false).fences(&pod)), (with, without), "{pod:?}");
        }
    }

    #[test]
    fn the_leader_waits_longer_than_any_node() {
        for seconds in [5, 30, 3600] {
            let rule = FencingRule { freeze: true, deadline: Duration::from_secs(seconds) };
            assert!(rule.give_away_after() >= rule.deadline.mul_f64(1.02) + FREEZE_WITHIN);
        }
        let rule = FencingRule { freeze: true, deadline: Duration::from_secs(30) };
        let said = |seconds| move |name: &str| (name == DEADLINE_ANNOTATION).then_some(seconds);
        assert_eq!(rule.declared(said("60")).deadline, Duration::from_secs(60));
        assert_eq!(rule.declared(said("10")).deadline, Duration::from_secs(30), "never below the leader's own");
        assert_eq!(rule.declared(said("soon")).deadline, Duration::from_secs(30));
    }
}

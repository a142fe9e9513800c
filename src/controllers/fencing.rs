//! When an identity may be given away: the one rule that stands between a lost node and two pods of one name.
//!
//! A pod of a StatefulSet is unique by its name, and its name is free when its object is gone. Its own node removes the
//! object when it has ended; a node that is not heard of says nothing, and its pods may well run on. This rule says when
//! somebody else may remove the object; what makes it safe is in [`raftsman_api::fencing`].

use crate::Now;
use k8s_openapi::api::core::v1::{Node, Pod};
use raftsman_api::fencing::{CONDITION, FencingRule};
use std::time::Duration;

/// Taint by which an administrator says that a node is down and its pods have ended (KEP-2268).
pub const OUT_OF_SERVICE: &str = "node.kubernetes.io/out-of-service";

/// What a node has promised: to stop its fenced pods when nobody has acknowledged its renewals for so long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Promise {
    /// When the last acknowledged renewal was sent, at the latest; on the leadership's clock ([`Now::mono`]).
    pub renewed: Duration,
    /// The node's pods are stopped so long after that.
    pub deadline: Duration,
    /// What is added for clocks that run at different speeds and for the stopping itself.
    pub margin: Duration,
}

/// The verdict on one pod.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It has ended or will never run: its object may be removed.
    Now,
    /// It is known to have ended after this long, if nothing is heard of its node until then.
    After(Duration),
    /// Nobody knows: it stays as it is until its node, or an administrator, says something.
    Never,
}

/// Whether the name of a pod that is being deleted may be given to another one. `node` is the pod's node as the cluster
/// has it, `None` if it was removed from it; `promise` is what that node has promised, if it fences at all.
pub fn may_give_away(pod: &Pod, node: Option<&Node>, now: &Now, promise: Option<&Promise>) -> Verdict {
    if crate::pods::node_name(pod).is_none() {
        return Verdict::Now;
    }
    if let Some(node) = node.filter(|node| !is_ready(node)) {
        let taints = node.spec.as_ref().and_then(|spec| spec.taints.as_deref()).unwrap_or_default();
        if taints.iter().any(|taint| taint.key == OUT_OF_SERVICE) {
            return Verdict::Now;
        }
    }
    match (promise, node) {
        // A node that lives goes on giving signs: its own word comes first.
        (Some(promise), _) => {
            let over = promise.renewed.saturating_add(promise.deadline).saturating_add(promise.margin);
            match over.saturating_sub(now.mono) {
                Duration::ZERO => Verdict::Now,
                left => Verdict::After(left),
            }
        }
        // Removing a node from the cluster says that it is no more.
        (None, None) => Verdict::Now,
        (None, Some(_)) => Verdict::Never,
    }
}

/// What a pod's node has promised of it, given what was heard of the node last; `None` if the pod is not fenced there.
pub fn promise(pod: &Pod, node: Option<&Node>, last_seen: Option<Duration>, rule: FencingRule) -> Option<Promise> {
    let annotations = node.and_then(|node| node.metadata.annotations.as_ref());
    let rule = rule.declared(|name| annotations.and_then(|all| all.get(name)).map(String::as_str));
    let admitted = crate::pods::condition(pod, CONDITION).is_some_and(|word| word.status == "True");
    // A node starts no fenced pod without a leader's word. One that runs without was not fenced when it was started.
    let unborn = pod.status.as_ref().is_none_or(|status| status.start_time.is_none());
    (rule.fences(pod) && (admitted || unborn)).then(|| Promise {
        // A new leader knows of no renewal before its own beginning.
        renewed: last_seen.unwrap_or(Duration::ZERO),
        deadline: rule.deadline,
        margin: rule.give_away_after().saturating_sub(rule.deadline),
    })
}

fn is_ready(node: &Node) -> bool {
    let conditions = node.status.as_ref().and_then(|status| status.conditions.as_deref()).unwrap_or_default();
    conditions.iter().any(|condition| condition.type_ == "Ready" && condition.status == "True")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use serde_json::{Value, json};

    fn node(ready: &str, taints: Value) -> Node {
        serde_json::from_value(json!({
            "metadata": {"name": "n1"}, "spec": {"taints": taints},
            "status": {"conditions": [{"type": "Ready", "status": ready}]},
        }))
        .unwrap()
    }

    #[test]
    fn a_name_is_given_away_only_when_its_pod_is_known_to_have_ended() {
        let secs = Duration::from_secs;
        let placed: Pod = serde_json::from_value(json!({"spec": {"containers": [], "nodeName": "n1"}})).unwrap();
        let unplaced: Pod = serde_json::from_value(json!({"spec": {"containers": []}})).unwrap();
        let out = json!([{"key": OUT_OF_SERVICE, "effect": "NoExecute"}]);
        let (alive, lost) = (node("True", json!([])), node("Unknown", json!([])));
        let (alive_out, lost_out) = (node("True", out.clone()), node("Unknown", out));
        let promise = Promise { renewed: secs(100), deadline: secs(30), margin: secs(5) };
        let at = |mono| Now { time: "2026-01-02T03:04:05Z".parse().unwrap(), mono, seed: 0, failure: None };
        for (what, pod, node, mono, promise, expected) in [
            ("never placed", &unplaced, None, 0, None, Verdict::Now),
            ("its node was removed", &placed, None, 0, None, Verdict::Now),
            ("its node was removed and promised", &placed, None, 120, Some(&promise), Verdict::After(secs(15))),
            ("its node lives", &placed, Some(&alive), 101, Some(&promise), Verdict::After(secs(34))),
            ("its node lives and promised nothing", &placed, Some(&alive), 1000, None, Verdict::Never),
            ("a taint does not end a living node", &placed, Some(&alive_out), 1000, None, Verdict::Never),
            ("its node is lost", &placed, Some(&lost), 1000, None, Verdict::Never),
            ("an administrator vouches", &placed, Some(&lost_out), 0, None, Verdict::Now),
            ("before the deadline", &placed, Some(&lost), 130, Some(&promise), Verdict::After(secs(5))),
            ("at the deadline", &placed, Some(&lost), 135, Some(&promise), Verdict::Now),
        ] {
            assert_eq!(may_give_away(pod, node, &at(secs(mono)), promise), expected, "{what}");
        }
    }
}

//! How a node's word changes an object: pure functions over JSON.

use raftsman_api::fencing;
use serde_json::{Map, Value, json};

/// The pod with the agent's status in it. `None` if the report is about another pod of that name.
///
/// Conditions are merged by type; an ended pod stays ended.
pub fn pod_status(pod: &Value, uid: &str, reported: &Value) -> Option<Value> {
    if pod["metadata"]["uid"] != uid {
        return None;
    }
    let mut merged = pod.clone();
    let old = &pod["status"];
    let mut status = reported.clone();
    if let Some(phase) = old["phase"].as_str().filter(|phase| matches!(*phase, "Succeeded" | "Failed"))
        && status["phase"] != phase
    {
        // Whoever ended it said why, and the agent does not know of it yet.
        for kept in ["phase", "reason", "message"] {
            status[kept] = old[kept].clone();
        }
        if let Some(status) = status.as_object_mut() {
            status.retain(|_, value| !value.is_null());
        }
    }
    status["conditions"] = conditions(&old["conditions"], &reported["conditions"]);
    for kept in ["nominatedNodeName", "resourceClaimStatuses", "qosClass"] {
        if status.get(kept).is_none_or(Value::is_null)
            && let Some(value) = old.get(kept)
        {
            status[kept] = value.clone();
        }
    }
    merged["status"] = status;
    Some(merged)
}

/// The pod with a leader's word that its node may run it under this promise. Another promise is always another pod: what
/// was decided about it before the word must not be carried out after it.
pub fn admitted(pod: &Value, promise: &str, now: jiff::Timestamp) -> Value {
    let mut admitted = pod.clone();
    let word = json!([{
        "type": fencing::CONDITION, "status": "True", "reason": "Admitted",
        "message": format!("frozen when its node's renewals reach no leader for too long; admitted for {promise}"),
        "lastTransitionTime": raftsman_api::time::seconds(now),
    }]);
    admitted["status"]["conditions"] = conditions(&pod["status"]["conditions"], &word);
    admitted
}

/// The conditions after a report: reported types replace, others stay; `lastTransitionTime` moves with `status` only.
pub fn conditions(old: &Value, reported: &Value) -> Value {
    let empty = Vec::new();
    let old = old.as_array().unwrap_or(&empty);
    let reported = reported.as_array().unwrap_or(&empty);
    let same_type = |a: &Value, b: &Value| a["type"] == b["type"];
    let mut merged: Vec<Value> =
        old.iter().filter(|was| !reported.iter().any(|now| same_type(was, now))).cloned().collect();
    for now in reported {
        let mut now = now.clone();
        if let Some(was) = old.iter().find(|was| same_type(was, &now) && was["status"] == now["status"])
            && let Some(since) = was.get("lastTransitionTime").filter(|since| !since.is_null())
        {
            now["lastTransitionTime"] = since.clone();
        }
        merged.push(now);
    }
    Value::Array(merged)
}

/// The node with the labels and annotations that its agent owns.
pub fn node_metadata(node: &Value, reported: &Value) -> Value {
    let mut merged = node.clone();
    for part in ["labels", "annotations"] {
        let Some(own) = reported["metadata"][part].as_object() else { continue };
        let all = merged["metadata"][part].take();
        let mut all = match all {
            Value::Object(all) => all,
            _ => Map::new(),
        };
        all.extend(own.clone());
        merged["metadata"][part] = Value::Object(all);
    }
    merged
}

/// The node with its agent's status in it.
pub fn node_status(node: &Value, reported: &Value) -> Value {
    let mut merged = node.clone();
    let mut status = reported.get("status").cloned().unwrap_or_else(|| json!({}));
    status["conditions"] = conditions(&node["status"]["conditions"], &reported["status"]["conditions"]);
    merged["status"] = status;
    merged
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_keep_foreign_types_and_the_time_of_the_last_change() {
        let old = json!([
            {"type": "Ready", "status": "True", "lastTransitionTime": "then"},
            {"type": "DisruptionTarget", "status": "True"},
            {"type": "Initialized", "status": "False", "lastTransitionTime": "then"},
        ]);
        let now = json!([
            {"type": "Ready", "status": "True", "lastTransitionTime": "now"},
            {"type": "Initialized", "status": "True", "lastTransitionTime": "now"},
        ]);
        let expected = json!([
            {"type": "DisruptionTarget", "status": "True"},
            {"type": "Ready", "status": "True", "lastTransitionTime": "then"},
            {"type": "Initialized", "status": "True", "lastTransitionTime": "now"},
        ]);
        assert_eq!(conditions(&old, &now), expected);
    }

    #[test]
    fn a_word_changes_the_pod_once_for_each_promise() {
        let now = jiff::Timestamp::UNIX_EPOCH;
        let pod = json!({"metadata": {"uid": "a"}, "status": {"conditions": [{"type": "Ready", "status": "True"}]}});
        let first = admitted(&pod, "one", now);
        assert_ne!(first, pod);
        assert_eq!(admitted(&first, "one", now + jiff::SignedDuration::from_secs(9)), first);
        assert_ne!(admitted(&first, "two", now), first);
        assert_eq!(first["status"]["conditions"][0]["type"], "Ready");
    }

    #[test]
    fn a_report_on_an_older_pod_of_the_same_name_changes_nothing() {
        let pod = json!({"metadata": {"uid": "b"}, "status": {"phase": "Pending"}});
        assert_eq!(pod_status(&pod, "a", &json!({"phase": "Running"})), None);
    }

    #[test]
    fn an_ended_pod_stays_ended() {
        let ended = json!({"phase": "Failed", "reason": "Evicted", "conditions": []});
        let pod = json!({"metadata": {"uid": "a"}, "status": ended});
        let merged = pod_status(&pod, "a", &json!({"phase": "Running"}));
        assert_eq!(merged.map(|pod| pod["status"].clone()), Some(ended));
    }
}

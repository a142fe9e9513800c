//! What a lost node's conditions become.

use crate::{Action, Now, objects};
use k8s_openapi::api::core::v1::{Node, NodeCondition};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use raftsman_api::kind::Subresource;
use raftsman_state::Object;
use serde_json::json;

/// What only the node itself can say.
const ITS_WORD: &[&str] = &["Ready", "MemoryPressure", "DiskPressure", "PIDPressure"];

/// The status of its condition `Ready`.
pub(super) fn ready(node: &Node) -> Option<&str> {
    condition(node, "Ready")
}

/// The status of a condition.
pub(super) fn condition<'a>(node: &'a Node, kind: &str) -> Option<&'a str> {
    let conditions = node.status.as_ref()?.conditions.as_ref()?;
    conditions.iter().find(|condition| condition.type_ == kind).map(|condition| condition.status.as_str())
}

/// Nobody knows how it is.
pub(super) fn lost(object: &Object, node: &Node, now: &Now) -> Vec<Action> {
    let mut conditions = node.status.as_ref().and_then(|status| status.conditions.clone()).unwrap_or_default();
    for kind in ITS_WORD {
        match conditions.iter_mut().find(|condition| condition.type_ == *kind) {
            Some(condition) => {
                condition.status = "Unknown".to_owned();
                condition.reason = Some("NodeStatusUnknown".to_owned());
                condition.message = Some("Kubelet stopped posting node status.".to_owned());
                condition.last_transition_time = Some(Time(now.time));
            }
            None => conditions.push(NodeCondition {
                type_: (*kind).to_owned(),
                status: "Unknown".to_owned(),
                reason: Some("NodeStatusNeverUpdated".to_owned()),
                message: Some("Kubelet never posted node status.".to_owned()),
                last_transition_time: Some(Time(now.time)),
                ..NodeCondition::default()
            }),
        }
    }
    let name = object.key.name();
    vec![
        Action::Patch {
            key: object.key.clone(),
            uid: object.meta.uid.clone(),
            revision: Some(object.revision),
            patch: json!({ "status": { "conditions": conditions } }),
            part: Some(Subresource::Status),
        },
        objects::event(
            object,
            ("v1", "Node"),
            true,
            "NodeNotReady",
            format!("Node {name} status is now: NodeNotReady"),
        ),
    ]
}

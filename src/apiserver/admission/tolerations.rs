//! How long a pod stays on a node that is lost, unless it says so itself.

use super::{Admission, Operation, Review};
use raftsman_api::status::Status;
use raftsman_api::value::{At, set};
use serde_json::{Value, json};

/// Upstream's `DefaultTolerationSeconds`.
pub(super) struct DefaultTolerationSeconds;

const TAINTS: [&str; 2] = ["node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"];

impl Admission for DefaultTolerationSeconds {
    fn name(&self) -> &'static str {
        "DefaultTolerationSeconds"
    }

    fn admit(&self, review: &mut Review<'_>) -> Result<(), Status> {
        let applies = matches!(review.operation, Operation::Create | Operation::Update);
        if applies && review.target.is_core("pods") && review.target.part.is_none() {
            add_missing(review.object, review.config.default_toleration_seconds);
        }
        Ok(())
    }
}

fn add_missing(pod: &mut Value, seconds: i64) {
    let mut tolerations = pod.list("spec.tolerations").to_vec();
    let had = tolerations.len();
    for taint in TAINTS {
        if !tolerations.iter().any(|toleration| tolerates(toleration, taint)) {
            tolerations.push(json!({
                "key": taint, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": seconds,
            }));
        }
    }
    if tolerations.len() > had {
        set(pod, "spec.tolerations", tolerations);
    }
}

fn tolerates(toleration: &Value, taint: &str) -> bool {
    matches!(toleration.text("key"), "")
        && toleration.text("operator") == "Exists"
        && matches!(toleration.text("effect"), "" | "NoExecute")
        || toleration.text("key") == taint && matches!(toleration.text("effect"), "" | "NoExecute")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_added_is_as_long_as_configured() {
        let own = json!({ "key": TAINTS[1], "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 7 });
        for seconds in [0, 300] {
            let mut pod = json!({ "spec": { "tolerations": [own] } });
            add_missing(&mut pod, seconds);
            let added =
                json!({ "key": TAINTS[0], "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": seconds });
            assert_eq!(pod["spec"]["tolerations"], json!([own, added]));
        }
    }

    #[test]
    fn explicit_tolerations_win() {
        for (own, added) in [
            (json!([]), 2),
            (json!([{ "key": TAINTS[0], "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 60 }]), 1),
            (json!([{ "operator": "Exists" }]), 0),
            (json!([{ "key": TAINTS[0], "effect": "NoSchedule", "operator": "Exists" }]), 2),
        ] {
            let had = own.as_array().map_or(0, Vec::len);
            let mut pod = json!({ "spec": { "tolerations": own } });
            add_missing(&mut pod, 0);
            assert_eq!(pod.list("spec.tolerations").len(), had + added);
            let once = pod.clone();
            add_missing(&mut pod, 0);
            assert_eq!(pod, once);
        }
    }
}

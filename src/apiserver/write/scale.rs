//! The part `scale` of workloads (`autoscaling/v1 Scale`).

use raftsman_api::selector::Selector;
use raftsman_api::status::{Cause, Status};
use raftsman_api::value::{At, copy, set};
use serde_json::{Value, json};

/// The scale of a workload.
pub(crate) fn scale_of(object: &Value) -> Value {
    let mut scale = json!({
        "kind": "Scale", "apiVersion": "autoscaling/v1", "metadata": {},
        "spec": { "replicas": object.int("spec.replicas").unwrap_or(0) },
        "status": { "replicas": object.int("status.replicas").unwrap_or(0) },
    });
    for field in ["name", "namespace", "uid", "resourceVersion", "creationTimestamp"] {
        copy(&mut scale, object, &format!("metadata.{field}"));
    }
    let selector = selector(object.at("spec.selector"));
    if !selector.is_empty() {
        set(&mut scale, "status.selector", selector);
    }
    scale
}

/// A selector as text: `a=b,c in (d,e)`. Replication controllers have a plain map. Empty if there is none.
fn selector(selector: &Value) -> String {
    if selector.is_null() {
        return String::new();
    }
    Selector::from_json(selector).map(|selector| selector.to_string()).unwrap_or_default()
}

/// The body is a Scale.
///
/// # Errors
/// 400 and 422.
pub(super) fn check(scale: &Value) -> Result<(), Status> {
    if !matches!(scale.text("kind"), "" | "Scale") {
        return Err(Status::bad_request(format!("the body must be a Scale, not a {}", scale.text("kind"))));
    }
    match scale.at("spec.replicas") {
        Value::Null => Ok(()),
        value => match value.as_i64() {
            Some(count) if (0..=i64::from(i32::MAX)).contains(&count) => Ok(()),
            _ => {
                let cause = Cause::invalid("spec.replicas", value.clone(), "must be greater than or equal to 0");
                Err(Status::invalid("autoscaling", "Scale", scale.text("metadata.name"), vec![cause]))
            }
        },
    }
}

/// The workload with the scale's replicas.
///
/// # Errors
/// 400, 422 as [`check`].
pub(super) fn applied(object: &Value, scale: &Value) -> Result<Value, Status> {
    check(scale)?;
    let mut scaled = object.clone();
    set(&mut scaled, "spec.replicas", scale.int("spec.replicas").unwrap_or(0));
    for field in ["metadata.resourceVersion", "metadata.uid"] {
        // What the scale says of them is compared; silence compares nothing.
        copy(&mut scaled, scale, field);
    }
    Ok(scaled)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn selectors_become_text() {
        assert_eq!(selector(&json!({ "app": "x" })), "app=x");
        let structured = json!({ "matchLabels": { "app": "x" }, "matchExpressions": [
            { "key": "tier", "operator": "In", "values": ["b", "a"] }, { "key": "old", "operator": "DoesNotExist" },
        ]});
        assert_eq!(selector(&structured), "app=x,tier in (a,b),!old");
        assert_eq!(selector(&Value::Null), "");
    }
}

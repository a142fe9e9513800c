//! How many pods more or fewer a rollout may have.

use k8s_openapi::api::apps::v1::DeploymentSpec;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

fn rolling(spec: &DeploymentSpec) -> bool {
    spec.strategy.as_ref().and_then(|strategy| strategy.type_.as_deref()) != Some("Recreate")
}

fn resolve(value: Option<&IntOrString>, of: i32, up: bool) -> i32 {
    match value {
        Some(IntOrString::Int(count)) => *count,
        Some(IntOrString::String(percent)) => {
            let percent: i64 = percent.strip_suffix('%').and_then(|number| number.parse().ok()).unwrap_or(0);
            let product = i64::from(of) * percent;
            i32::try_from(if up { (product + 99) / 100 } else { product / 100 }).unwrap_or(i32::MAX)
        }
        // What defaulting would have written.
        None => resolve(Some(&IntOrString::String("25%".to_owned())), of, up),
    }
}

/// Surge (rounded up) and unavailable (rounded down); never both zero, or nothing could move.
fn both(spec: &DeploymentSpec) -> (i32, i32) {
    let update = spec.strategy.as_ref().and_then(|strategy| strategy.rolling_update.as_ref());
    let replicas = spec.replicas.unwrap_or(1);
    let surge = resolve(update.and_then(|update| update.max_surge.as_ref()), replicas, true);
    let unavailable = resolve(update.and_then(|update| update.max_unavailable.as_ref()), replicas, false);
    if surge == 0 && unavailable == 0 { (0, 1) } else { (surge, unavailable) }
}

/// Pods above the wanted number.
pub(super) fn surge(spec: &DeploymentSpec) -> i32 {
    if rolling(spec) { both(spec).0 } else { 0 }
}

/// Pods below the wanted number.
pub(super) fn unavailable(spec: &DeploymentSpec) -> i32 {
    let replicas = spec.replicas.unwrap_or(1);
    if !rolling(spec) || replicas == 0 { 0 } else { both(spec).1.min(replicas) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use serde_json::json;

    #[test]
    fn fenceposts() {
        for (replicas, surge_, unavailable_, expected) in [
            (4, json!("25%"), json!("25%"), (1, 1)),
            (3, json!("25%"), json!("25%"), (1, 0)),
            (1, json!("25%"), json!("25%"), (1, 0)),
            (10, json!(0), json!("5%"), (0, 1)),
            (2, json!(0), json!(5), (0, 2)),
            (0, json!(1), json!(1), (1, 0)),
        ] {
            let spec: DeploymentSpec = serde_json::from_value(json!({
                "replicas": replicas, "selector": {}, "template": {},
                "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": surge_, "maxUnavailable": unavailable_}},
            }))
            .unwrap();
            assert_eq!((surge(&spec), unavailable(&spec)), expected, "{spec:?}");
        }
    }
}

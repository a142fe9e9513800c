//! What several rooms ask of a pod's JSON.

use crate::meta;
use crate::quantity::Quantity;
use crate::value::At;
use serde_json::Value;
use std::collections::BTreeMap;

/// The condition `Ready` is true.
pub fn is_ready(pod: &Value) -> bool {
    meta::condition_is_true(pod, "Ready")
}

/// It has ended: phase `Succeeded` or `Failed`.
pub fn is_terminal(pod: &Value) -> bool {
    matches!(pod.text("status.phase"), "Succeeded" | "Failed")
}

/// It counts for its controller: not ended, not being deleted.
pub fn is_active(pod: &Value) -> bool {
    !is_terminal(pod) && !meta::is_deleting(pod)
}

/// It has been ready for so many seconds (`minReadySeconds`).
pub fn is_available(pod: &Value, min_ready_seconds: i64, now: &str) -> bool {
    let Some(ready) = meta::condition(pod, "Ready").filter(|ready| ready.text("status") == "True") else {
        return false;
    };
    min_ready_seconds == 0
        || crate::time::elapsed(ready.text("lastTransitionTime"), now)
            .is_some_and(|seconds| seconds >= min_ready_seconds)
}

/// A container that starts with the init containers and stays.
pub fn is_sidecar(container: &Value) -> bool {
    container.text("restartPolicy") == "Always"
}

/// Amounts by resource name.
pub type Resources = BTreeMap<String, Quantity>;

fn amounts(container: &Value, field: &str) -> Resources {
    let map = container.at("resources").get(field).and_then(Value::as_object);
    map.into_iter()
        .flatten()
        .filter_map(|(name, amount)| Some((name.clone(), amount.as_str()?.parse().ok()?)))
        .collect()
}

fn add(total: &mut Resources, more: &Resources) {
    for (name, amount) in more {
        *total.entry(name.clone()).or_default() += *amount;
    }
}

fn at_least(total: &mut Resources, least: &Resources) {
    for (name, amount) in least {
        let have = total.entry(name.clone()).or_default();
        if *have < *amount {
            *have = *amount;
        }
    }
}

fn effective(spec: &Value, field: &str) -> Resources {
    let mut running = Resources::new();
    for container in spec.list("containers") {
        add(&mut running, &amounts(container, field));
    }
    // Init containers run one after the other, beside the sidecars that started before them.
    let (mut sidecars, mut starting) = (Resources::new(), Resources::new());
    for container in spec.list("initContainers") {
        let own = amounts(container, field);
        if is_sidecar(container) {
            add(&mut running, &own);
            add(&mut sidecars, &own);
            at_least(&mut starting, &sidecars);
        } else {
            let mut now = sidecars.clone();
            add(&mut now, &own);
            at_least(&mut starting, &now);
        }
    }
    at_least(&mut running, &starting);
    for (name, amount) in spec.map("overhead").into_iter().flatten() {
        if let Some(amount) = amount.as_str().and_then(|text| text.parse::<Quantity>().ok()) {
            *running.entry(name.clone()).or_default() += amount;
        }
    }
    running
}

/// What the scheduler counts for a pod spec: containers together, or the largest init phase, plus overhead (KEP-753).
pub fn requests(spec: &Value) -> Resources {
    effective(spec, "requests")
}

/// The same of its limits.
pub fn limits(spec: &Value) -> Resources {
    effective(spec, "limits")
}

/// `Guaranteed`, `Burstable` or `BestEffort` of a pod spec.
pub fn qos_class(spec: &Value) -> &'static str {
    let containers = || spec.list("containers").iter().chain(spec.list("initContainers"));
    let counted = |map: Resources| -> Resources {
        map.into_iter()
            .filter(|(name, amount)| matches!(name.as_str(), "cpu" | "memory") && !amount.is_zero())
            .collect()
    };
    let all: Vec<(Resources, Resources)> = containers()
        .map(|container| (counted(amounts(container, "requests")), counted(amounts(container, "limits"))))
        .collect();
    if all.iter().all(|(requests, limits)| requests.is_empty() && limits.is_empty()) {
        return "BestEffort";
    }
    let guaranteed = all.iter().all(|(requests, limits)| {
        ["cpu", "memory"].iter().all(|name| match (requests.get(*name), limits.get(*name)) {
            (Some(request), Some(limit)) => request == limit,
            (None, Some(_)) => true,
            _ => false,
        })
    });
    if guaranteed { "Guaranteed" } else { "Burstable" }
}

/// All ports that a pod's containers take on their host: (`hostIP`, protocol, port).
pub fn host_ports(spec: &Value) -> Vec<(String, String, i64)> {
    let ports = spec
        .list("containers")
        .iter()
        .chain(spec.list("initContainers").iter().filter(|container| is_sidecar(container)))
        .flat_map(|container| container.list("ports"));
    ports
        .filter_map(|port| {
            let number = port.int("hostPort").filter(|number| *number > 0)?;
            let protocol = if port.text("protocol").is_empty() { "TCP" } else { port.text("protocol") };
            Some((port.text("hostIP").to_owned(), protocol.to_owned(), number))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;

    fn container(cpu: &str, memory: &str) -> Value {
        json!({ "resources": { "requests": { "cpu": cpu, "memory": memory } } })
    }

    #[test]
    fn init_containers_count_by_their_largest() {
        let mut sidecar = container("50m", "10Mi");
        sidecar["restartPolicy"] = "Always".into();
        let spec = json!({
            "containers": [container("100m", "64Mi"), container("200m", "64Mi")],
            "initContainers": [container("1", "10Mi"), sidecar, container("900m", "10Mi")],
            "overhead": { "cpu": "10m" },
        });
        let requests = requests(&spec);
        // Running: 300m and the sidecar; starting: 1, then 950m.
        assert_eq!(requests["cpu"].milli_value(), 1010);
        assert_eq!(requests["memory"].to_string(), "138Mi");
    }

    #[test]
    fn classes() {
        let both = |requests: Value, limits: Value| json!({ "containers": [{ "resources": { "requests": requests, "limits": limits } }] });
        assert_eq!(qos_class(&json!({ "containers": [{}] })), "BestEffort");
        assert_eq!(qos_class(&both(json!({ "cpu": "1" }), json!({}))), "Burstable");
        let full = json!({ "cpu": "1", "memory": "1Gi" });
        assert_eq!(qos_class(&both(full.clone(), full.clone())), "Guaranteed");
        assert_eq!(qos_class(&both(json!({ "cpu": "500m", "memory": "1Gi" }), full)), "Burstable");
    }

    #[test]
    fn availability_waits() {
        let pod = json!({ "status": { "conditions": [
            { "type": "Ready", "status": "True", "lastTransitionTime": "2026-01-01T00:00:00Z" },
        ] } });
        assert!(is_available(&pod, 0, "2026-01-01T00:00:00Z"));
        assert!(!is_available(&pod, 10, "2026-01-01T00:00:09Z"));
        assert!(is_available(&pod, 10, "2026-01-01T00:00:10Z"));
    }
}

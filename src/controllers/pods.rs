//! What a pod's status says.

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Pod, PodCondition};
use std::time::Duration;

/// Its phase; the empty string before there is one.
pub fn phase(pod: &Pod) -> &str {
    pod.status.as_ref().and_then(|status| status.phase.as_deref()).unwrap_or("")
}

/// It ran to its end.
pub fn is_terminal(pod: &Pod) -> bool {
    matches!(phase(pod), "Succeeded" | "Failed")
}

/// Being deleted.
pub fn is_deleting(pod: &Pod) -> bool {
    pod.metadata.deletion_timestamp.is_some()
}

/// It counts as a replica: neither ended nor being deleted.
pub fn is_active(pod: &Pod) -> bool {
    !is_terminal(pod) && !is_deleting(pod)
}

/// A condition by type.
pub fn condition<'a>(pod: &'a Pod, kind: &str) -> Option<&'a PodCondition> {
    pod.status.as_ref()?.conditions.as_ref()?.iter().find(|condition| condition.type_ == kind)
}

/// The condition `Ready` is true.
pub fn is_ready(pod: &Pod) -> bool {
    condition(pod, "Ready").is_some_and(|ready| ready.status == "True")
}

/// Since when it is ready.
pub fn ready_since(pod: &Pod) -> Option<Timestamp> {
    let ready = condition(pod, "Ready").filter(|ready| ready.status == "True")?;
    ready.last_transition_time.as_ref().map(|time| time.0)
}

/// Available: ready for at least `min_ready`. `Err` says after how long it will be.
pub fn available(pod: &Pod, min_ready: Duration, now: Timestamp) -> Result<bool, Duration> {
    if !is_ready(pod) {
        return Ok(false);
    }
    if min_ready.is_zero() {
        return Ok(true);
    }
    let Some(since) = ready_since(pod) else {
        return Ok(false);
    };
    let ready_for = Duration::try_from(now.duration_since(since)).unwrap_or(Duration::ZERO);
    match min_ready.checked_sub(ready_for) {
        Some(left) if !left.is_zero() => Err(left),
        _ => Ok(true),
    }
}

/// The node it was given to.
pub fn node_name(pod: &Pod) -> Option<&str> {
    pod.spec.as_ref()?.node_name.as_deref().filter(|name| !name.is_empty())
}

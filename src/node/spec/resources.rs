//! Requests and limits: quality of service, cgroup limits, `oom_score_adj`.

use k8s_openapi::api::core::v1::{Container, Pod};
use raftsman_api::quantity::Quantity;
use raftsman_runtime::border::{Limits, QosClass};

const PERIOD: i64 = 100_000;
const LEAST_QUOTA: i64 = 1_000;
const LEAST_SHARES: u64 = 2;
const MOST_SHARES: u64 = 262_144;

/// What a container asks for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Wants {
    /// `requests.cpu` in thousandths.
    pub cpu_request: Option<i64>,
    /// `limits.cpu` in thousandths.
    pub cpu_limit: Option<i64>,
    /// `requests.memory` in bytes.
    pub memory_request: Option<i64>,
    /// `limits.memory` in bytes.
    pub memory_limit: Option<i64>,
}

/// What this container asks for; an absent request is its limit.
pub fn wants(container: &Container) -> Wants {
    let resources = container.resources.as_ref();
    let amount = |limits: bool, name: &str| -> Option<Quantity> {
        let list = resources.and_then(|all| if limits { all.limits.as_ref() } else { all.requests.as_ref() })?;
        list.get(name)?.0.parse().ok()
    };
    let cpu_limit = amount(true, "cpu").map(Quantity::milli_value).filter(|amount| *amount > 0);
    let memory_limit = amount(true, "memory").map(Quantity::value).filter(|amount| *amount > 0);
    Wants {
        cpu_request: amount(false, "cpu").map(Quantity::milli_value).or(cpu_limit),
        cpu_limit,
        memory_request: amount(false, "memory").map(Quantity::value).or(memory_limit),
        memory_limit,
    }
}

fn all(pod: &Pod) -> Vec<Wants> {
    let spec = pod.spec.as_ref();
    let init = spec.and_then(|spec| spec.init_containers.as_deref()).unwrap_or_default();
    let main = spec.map(|spec| spec.containers.as_slice()).unwrap_or_default();
    init.iter().chain(main).map(wants).collect()
}

/// The pod's class.
pub fn qos(pod: &Pod) -> QosClass {
    let wants = all(pod);
    let some = |amount: Option<i64>| amount.is_some_and(|amount| amount > 0);
    if !wants.iter().any(|w| some(w.cpu_request) || some(w.cpu_limit) || some(w.memory_request) || some(w.memory_limit))
    {
        return QosClass::BestEffort;
    }
    let full = |w: &Wants| {
        w.cpu_limit.is_some()
            && w.memory_limit.is_some()
            && w.cpu_request == w.cpu_limit
            && w.memory_request == w.memory_limit
    };
    if wants.iter().all(full) { QosClass::Guaranteed } else { QosClass::Burstable }
}

/// `status.qosClass`.
pub fn qos_name(class: QosClass) -> &'static str {
    match class {
        QosClass::Guaranteed => "Guaranteed",
        QosClass::Burstable => "Burstable",
        QosClass::BestEffort => "BestEffort",
    }
}

/// cgroup v1 `cpu.shares` of so many thousandths.
pub fn shares(milli: i64) -> u64 {
    let milli = u64::try_from(milli).unwrap_or(0);
    (milli.saturating_mul(1024) / 1000).clamp(LEAST_SHARES, MOST_SHARES)
}

/// CFS quota, in microseconds per 100 ms, of so many thousandths.
pub fn quota(milli: i64) -> i64 {
    (milli.saturating_mul(PERIOD) / 1000).max(LEAST_QUOTA)
}

/// The container's cgroup limits; `memory` is what the machine has, in bytes.
pub fn limits(pod: &Pod, container: &Container, memory: u64) -> Limits {
    let wants = wants(container);
    Limits {
        cpu_shares: Some(shares(wants.cpu_request.unwrap_or(0))),
        cpu_quota: wants.cpu_limit.map(quota),
        cpu_period: wants.cpu_limit.map(|_| PERIOD.unsigned_abs()),
        memory: wants.memory_limit,
        pids: None,
        oom_score_adj: Some(oom_score_adj(qos(pod), wants.memory_request.unwrap_or(0), memory)),
    }
}

/// Who dies first when memory runs out (kubelet's rule).
pub fn oom_score_adj(class: QosClass, request: i64, capacity: u64) -> i32 {
    match class {
        QosClass::Guaranteed => -997,
        QosClass::BestEffort => 1000,
        QosClass::Burstable => {
            let capacity = i128::from(capacity.max(1));
            let adjusted = 1000 - 1000 * i128::from(request) / capacity;
            i32::try_from(adjusted.clamp(3, 999)).unwrap_or(999)
        }
    }
}

/// Limits of the pod's own cgroup: shares, quota, memory. The last two only if every container has them.
pub fn pod_limits(pod: &Pod) -> (Option<u64>, Option<i64>, Option<i64>) {
    let spec = pod.spec.as_ref();
    let init = spec.and_then(|spec| spec.init_containers.as_deref()).unwrap_or_default();
    let main = spec.map(|spec| spec.containers.as_slice()).unwrap_or_default();
    let largest = |of: fn(&Wants) -> Option<i64>, every: bool| -> Option<i64> {
        let sidecars = init.iter().filter(|container| container.restart_policy.as_deref() == Some("Always"));
        let long: Vec<Option<i64>> = main.iter().chain(sidecars).map(|container| of(&wants(container))).collect();
        let first: Vec<Option<i64>> = init.iter().map(|container| of(&wants(container))).collect();
        if every && long.iter().chain(&first).any(Option::is_none) {
            return None;
        }
        let sum = long.into_iter().flatten().fold(0_i64, i64::saturating_add);
        Some(first.into_iter().flatten().max().unwrap_or(0).max(sum))
    };
    let cpu = largest(|w| w.cpu_request, false).map(shares);
    (cpu, largest(|w| w.cpu_limit, true).map(quota), largest(|w| w.memory_limit, true))
}

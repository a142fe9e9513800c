//! `status` of a pod, as the agent reports it.

use super::conditions::conditions;
use super::container::{Containers, Kind};
use super::container_status::{Seen, container_status};
use super::phase::phase;
use super::planner::terminal;
use super::{Input, runs};
use crate::spec::resources;
use crate::time::seconds;
use k8s_openapi::api::core::v1::{HostIP, PodIP, PodStatus};

/// What became of the pod.
pub fn status(input: &Input<'_>) -> PodStatus {
    // What the masters hold stands in for what this agent said before it was started again.
    let before = input.memory.status.as_ref().or(input.pod.status.as_ref());
    let stopped = !Containers::of(input.pod)
        .any(|(_, container)| runs(input.observed, input.memory, &container.name).iter().any(super::Run::running));
    let ended = input.memory.ended.is_some() || terminal(input);
    let ending = input.ending() || ended;
    let mut seen: Vec<Seen> = Vec::new();
    for (kind, container) in Containers::of(input.pod) {
        let initialized = seen.iter().all(Seen::initialized);
        seen.push(container_status(input, kind, container, initialized, ending));
    }
    // A pod without a trace here that has ended elsewhere in time keeps what is known of it.
    if ended
        && input.observed.is_none()
        && let Some(before) = before.filter(|before| before.container_statuses.is_some())
    {
        return before.clone();
    }
    let phase = phase(input, &seen, stopped);
    let conditions = conditions(input, &seen, phase, before);
    let address = match input.host_network() {
        true => Some(input.host_ip).filter(|_| input.observed.is_some()),
        false => input.observed.and_then(|pod| pod.address),
    };
    let kept_ip = before.and_then(|before| before.pod_ip.clone()).filter(|_| ending);
    let pod_ip = address.map(|ip| ip.to_string()).or(kept_ip);
    let known_start = input.pod.status.as_ref().and_then(|status| status.start_time.clone());
    let started = before.and_then(|before| before.start_time.clone()).or(known_start);
    let (reason, message) = match &input.memory.ended {
        Some((reason, message)) => (Some(reason.clone()), Some(message.clone())),
        None if ended => before.map_or((None, None), |before| (before.reason.clone(), before.message.clone())),
        None => (None, None),
    };
    let (init, main): (Vec<Seen>, Vec<Seen>) = seen.into_iter().partition(|seen| seen.kind != Kind::Main);
    let statuses = |seen: Vec<Seen>| seen.into_iter().map(|seen| seen.status).collect::<Vec<_>>();
    PodStatus {
        conditions: Some(conditions),
        container_statuses: Some(statuses(main)),
        host_ip: Some(input.host_ip.to_string()),
        host_ips: Some(vec![HostIP { ip: input.host_ip.to_string() }]),
        init_container_statuses: Some(statuses(init)).filter(|all| !all.is_empty()),
        message,
        observed_generation: input.pod.metadata.generation,
        phase: Some(phase.to_owned()),
        pod_ips: pod_ip.as_ref().map(|ip| vec![PodIP { ip: ip.clone() }]),
        pod_ip,
        qos_class: Some(resources::qos_name(resources::qos(input.pod)).to_owned()),
        reason,
        start_time: Some(started.unwrap_or_else(|| seconds(input.memory.first_seen))),
        ..PodStatus::default()
    }
}

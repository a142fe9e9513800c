//! `kubectl get pods`, as upstream's `printPod` does it.

use crate::duration;
use crate::kind::Column;
use crate::kinds::columns::{AGE, NAME, age, name, or_none, text, wide};
use crate::meta;
use crate::value::At;
use serde_json::Value;

pub const COLUMNS: &[Column] = &[
    NAME,
    text("Ready", "The aggregate readiness state of this pod for accepting traffic."),
    text("Status", "The aggregate status of the containers in this pod."),
    text(
        "Restarts",
        "The number of times the containers in this pod have been restarted and when the last container in this pod has restarted.",
    ),
    AGE,
    wide("IP", "IP address allocated to the pod. Routable at least within the cluster. Empty if not yet allocated."),
    wide("Node", "NodeName indicates in which node this pod is scheduled."),
    wide("Nominated Node", "nominatedNodeName is set only when this pod preempts other pods on the node."),
    wide("Readiness Gates", "If specified, all readiness gates will be evaluated for pod readiness."),
];

#[derive(Default)]
struct Restarts {
    count: i64,
    last: String,
}

impl Restarts {
    fn add(&mut self, container: &Value) {
        self.count += container.int("restartCount").unwrap_or(0);
        // RFC 3339 in UTC with seconds: the order of texts is the order of times.
        let finished = container.text("lastState.terminated.finishedAt");
        if finished > self.last.as_str() {
            self.last = finished.to_owned();
        }
    }

    fn shown(&self, now: &str) -> String {
        if self.count == 0 || self.last.is_empty() {
            return self.count.to_string();
        }
        format!("{} ({} ago)", self.count, duration::age(&self.last, now))
    }
}

struct Row {
    reason: String,
    ready: usize,
    total: usize,
    restarts: Restarts,
}

fn ended(terminated: &Value) -> String {
    match (terminated.text("reason"), terminated.int("signal").unwrap_or(0)) {
        ("", 0) => format!("ExitCode:{}", terminated.int("exitCode").unwrap_or(0)),
        ("", signal) => format!("Signal:{signal}"),
        (reason, _) => reason.to_owned(),
    }
}

fn is_sidecar(pod: &Value, name: &str) -> bool {
    let found = pod.list("spec.initContainers").iter().find(|container| container.text("name") == name);
    found.is_some_and(|container| container.text("restartPolicy") == "Always")
}

fn row(pod: &Value) -> Row {
    let inits = pod.list("spec.initContainers");
    let sidecars = inits.iter().filter(|container| container.text("restartPolicy") == "Always").count();
    let mut row = Row {
        reason: pod.text("status.phase").to_owned(),
        ready: 0,
        total: pod.list("spec.containers").len() + sidecars,
        restarts: Restarts::default(),
    };
    if pod.has("status.reason") {
        row.reason = pod.text("status.reason").to_owned();
    }
    if meta::condition(pod, "PodScheduled").is_some_and(|found| found.text("reason") == "SchedulingGated") {
        row.reason = "SchedulingGated".to_owned();
    }
    let (initializing, sidecar_restarts) = init_containers(pod, &mut row, inits.len());
    if !initializing || meta::condition_is_true(pod, "Initialized") {
        row.restarts = sidecar_restarts;
        containers(pod, &mut row);
    }
    if meta::is_deleting(pod) {
        if pod.text("status.reason") == "NodeLost" {
            row.reason = "Unknown".to_owned();
        } else if !crate::pod::is_terminal(pod) {
            row.reason = "Terminating".to_owned();
        }
    }
    row
}

fn init_containers(pod: &Value, row: &mut Row, count: usize) -> (bool, Restarts) {
    let mut sidecar_restarts = Restarts::default();
    for (index, container) in pod.list("status.initContainerStatuses").iter().enumerate() {
        row.restarts.add(container);
        let sidecar = is_sidecar(pod, container.text("name"));
        if sidecar {
            sidecar_restarts.add(container);
        }
        let (terminated, waiting) = (container.at("state.terminated"), container.text("state.waiting.reason"));
        if !terminated.is_null() && terminated.int("exitCode").unwrap_or(0) == 0 {
            continue;
        }
        if sidecar && container.flag("started") {
            row.ready += usize::from(container.flag("ready"));
            continue;
        }
        row.reason = if !terminated.is_null() {
            format!("Init:{}", ended(terminated))
        } else if !waiting.is_empty() && waiting != "PodInitializing" {
            format!("Init:{waiting}")
        } else {
            format!("Init:{index}/{count}")
        };
        return (true, sidecar_restarts);
    }
    (false, sidecar_restarts)
}

fn containers(pod: &Value, row: &mut Row) {
    let mut running = false;
    for container in pod.list("status.containerStatuses").iter().rev() {
        row.restarts.add(container);
        let (waiting, terminated) = (container.text("state.waiting.reason"), container.at("state.terminated"));
        if !waiting.is_empty() {
            row.reason = waiting.to_owned();
        } else if !terminated.is_null() {
            row.reason = ended(terminated);
        } else if container.flag("ready") && container.has("state.running") {
            running = true;
            row.ready += 1;
        }
    }
    if row.reason == "Completed" && running {
        row.reason = if crate::pod::is_ready(pod) { "Running" } else { "NotReady" }.to_owned();
    }
}

fn readiness_gates(pod: &Value) -> Value {
    let gates = pod.list("spec.readinessGates");
    if gates.is_empty() {
        return or_none("");
    }
    let met = gates.iter().filter(|gate| meta::condition_is_true(pod, gate.text("conditionType"))).count();
    format!("{met}/{}", gates.len()).into()
}

pub fn cells(pod: &Value, now: &str) -> Vec<Value> {
    let row = row(pod);
    let ip = pod.list("status.podIPs").first().map_or_else(|| pod.text("status.podIP"), |first| first.text("ip"));
    vec![
        name(pod),
        format!("{}/{}", row.ready, row.total).into(),
        row.reason.into(),
        row.restarts.shown(now).into(),
        age(pod, now),
        or_none(ip),
        or_none(pod.text("spec.nodeName")),
        or_none(pod.text("status.nominatedNodeName")),
        readiness_gates(pod),
    ]
}

//! The scheduler: where a pod runs, and why it does not.

use crate::cluster::Cluster;
use crate::figures::Figures;
use crate::steps::{BUSYBOX, pod};
use anyhow::{Result, ensure};
use std::collections::BTreeMap;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(30);

/// What a pod that is not placed is told.
fn told(c: &Cluster, pod: &str) -> Result<String> {
    let says = |field: &str| c.field(&format!("pod {pod}"), field);
    let why = says(".status.conditions[?(@.type=='PodScheduled')].message")?;
    ensure!(says(".status.phase")? == "Pending" && says(".spec.nodeName")?.is_empty(), "{pod} is placed: {why}");
    Ok(why)
}

/// Pending, with the count and the reason of each filter.
pub fn unschedulable(c: &Cluster, _: &mut Figures) -> Result<()> {
    let waits = |pod: &str, reasons: &[&str]| {
        c.wait(&format!("the reasons of {pod}"), PATIENCE, || {
            let told = told(c, pod)?;
            ensure!(told.starts_with("0/3 nodes are available: "), "{told}");
            ensure!(reasons.iter().all(|reason| told.contains(reason)), "{told}");
            Ok(true)
        })
    };
    let big = pod("big", "sleep 1").replace("\"command\"", r#""resources":{"requests":{"cpu":"1000"}},"command""#);
    c.apply(&big)?;
    waits("big", &["3 Insufficient cpu"])?;
    c.wait("an Event", PATIENCE, || Ok(c.k("describe pod big")?.contains("FailedScheduling")))?;

    // One port of a host for each of three; the fourth finds none.
    let port = |name: &str| {
        pod(name, "sleep 1000").replace("\"command\"", r#""ports":[{"containerPort":80,"hostPort":20080}],"command""#)
    };
    for name in ["port-1", "port-2", "port-3"] {
        c.apply(&port(name))?;
    }
    c.k("wait --for=condition=Ready pod/port-1 pod/port-2 pod/port-3 --timeout=60s")?;
    let on = c.k("get pods port-1 port-2 port-3 -ojsonpath={.items[*].spec.nodeName}")?;
    ensure!(
        on.split_whitespace().collect::<std::collections::BTreeSet<_>>().len() == 3,
        "one port twice on a node: {on}"
    );
    c.apply(&port("port-4"))?;
    waits("port-4", &["3 node(s) didn't have free ports for the requested pod ports"])?;
    c.k("delete pod port-2 --timeout=30s")?;
    c.k("wait --for=condition=Ready pod/port-4 --timeout=60s")?;
    c.k("delete pod port-1 port-3 port-4 --timeout=60s")?;

    let picky =
        pod("picky", "sleep 1000").replace("\"spec\":{", r#""spec":{"nodeSelector":{"disk":"made-of-cheese"},"#);
    c.apply(&picky)?;
    waits("picky", &["3 node(s) didn't match Pod's node affinity/selector"])?;
    c.k("label node n2 disk=made-of-cheese")?;
    c.k("wait --for=condition=Ready pod/picky --timeout=60s")?;
    ensure!(c.field("pod picky", ".spec.nodeName")? == "n2", "it runs on another node than it asked for");
    c.k("label node n2 disk-")?;

    c.k("cordon n1 n2")?;
    c.k("taint node n3 key=value:NoSchedule")?;
    c.apply(&pod("small", "sleep 1000"))?;
    waits("small", &["2 node(s) were unschedulable", "1 node(s) had untolerated taint {key: value}"])?;
    c.k("uncordon n1 n2")?;
    c.k("taint node n3 key-")?;
    c.k("wait --for=condition=Ready pod/small --timeout=60s")?;
    c.k("delete pod big small picky --timeout=30s").map(drop)
}

/// Six replicas on three nodes: two each.
pub fn spread(c: &Cluster, _: &mut Figures) -> Result<()> {
    c.apply(&format!(
        r#"
apiVersion: apps/v1
kind: Deployment
metadata: {{name: spread}}
spec:
  replicas: 6
  selector: {{matchLabels: {{app: spread}}}}
  template:
    metadata: {{labels: {{app: spread}}}}
    spec: {{terminationGracePeriodSeconds: 0, containers: [{{name: c, image: {BUSYBOX}, command: [sleep, "1000"]}}]}}
"#
    ))?;
    c.k("rollout status deployment/spread --timeout=60s")?;
    let nodes = c.k("get pods -l app=spread -ojsonpath={.items[*].spec.nodeName}")?;
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    nodes.split_whitespace().for_each(|node| *counts.entry(node).or_default() += 1);
    ensure!(counts.len() == 3 && counts.values().all(|count| *count == 2), "six replicas on three nodes: {counts:?}");
    c.k("delete deployment spread --cascade=foreground --timeout=60s").map(drop)
}

//! Controllers and the scheduler.

use crate::cluster::Cluster;
use crate::figures::Figures;
use crate::steps::{BUSYBOX, pod};
use anyhow::{Result, ensure};
use std::time::Duration;

/// create, scale, set image, rollout status, history, undo.
pub fn deployment(c: &Cluster, _: &mut Figures) -> Result<()> {
    c.kubectl(&[
        "create",
        "deployment",
        "web",
        &format!("--image={BUSYBOX}"),
        "--replicas=3",
        "--",
        "sh",
        "-c",
        "trap exit TERM; while true; do sleep 0.1; done",
    ])?
    .ok()?;
    c.k("rollout status deployment/web --timeout=60s")?;
    c.k("set env deployment/web COLOUR=green")?;
    c.k("rollout status deployment/web --timeout=60s")?;
    ensure!(c.k("exec deploy/web -- env")?.contains("COLOUR=green"), "the new template");
    ensure!(
        c.k("rollout history deployment/web")?.lines().filter(|l| l.starts_with(['1', '2'])).count() == 2,
        "two revisions"
    );
    c.k("rollout undo deployment/web")?;
    c.k("rollout status deployment/web --timeout=60s")?;
    ensure!(!c.k("exec deploy/web -- env")?.contains("COLOUR"), "undo left the new template");
    c.k("scale deployment/web --replicas=1")?;
    c.wait("one replica", Duration::from_secs(30), || Ok(c.k("get pods -l app=web -oname")?.lines().count() == 1))?;
    let table = c.k("get deployment web -owide")?;
    ensure!(table.contains("1/1"), "the table: {table}");
    c.k("delete deployment web --cascade=foreground --timeout=40s")?;
    ensure!(c.k("get rs,pods -l app=web -oname")?.is_empty(), "foreground deletion left dependents");
    Ok(())
}

/// Replacement of what dies, adoption and release by label, the three ways of deletion.
pub fn replicas(c: &Cluster, _: &mut Figures) -> Result<()> {
    c.apply(&format!(
        r#"
apiVersion: v1
kind: ReplicationController
metadata: {{name: rc}}
spec:
  replicas: 2
  selector: {{app: rc}}
  template:
    metadata: {{labels: {{app: rc}}}}
    spec: {{terminationGracePeriodSeconds: 0, containers: [{{name: c, image: {BUSYBOX}, command: [sleep, "1000"]}}]}}
"#
    ))?;
    let ready = |count: &str| {
        let wanted = count.to_owned();
        c.wait("replicas", Duration::from_secs(40), || Ok(c.field("rc rc", ".status.readyReplicas")? == wanted))
    };
    ready("2")?;
    let first = c.k("get pods -l app=rc -oname")?.lines().next().unwrap_or_default().to_owned();
    c.k(&format!("delete {first} --wait=false"))?;
    c.wait("a replacement", Duration::from_secs(30), || Ok(!c.k("get pods -l app=rc -oname")?.contains(&first)))?;
    ready("2")?;
    let second = c.k("get pods -l app=rc -oname")?.lines().next().unwrap_or_default().to_owned();
    c.k(&format!("label {second} app=free --overwrite"))?;
    c.wait("release", Duration::from_secs(20), || Ok(c.field(&second, ".metadata.ownerReferences")?.is_empty()))?;
    ready("2")?;
    c.k("delete rc rc --cascade=orphan")?;
    c.wait("orphans", Duration::from_secs(20), || {
        Ok(c.kubectl(&["get", "rc", "rc"])?.code != 0
            && c.k("get pods -l app=rc -ojsonpath={.items[*].metadata.ownerReferences}")?.is_empty())
    })?;
    ensure!(c.k("get pods -l app=rc -oname")?.lines().count() == 2, "orphans were deleted");
    c.k("delete pods -l app=rc --timeout=30s")?;
    c.k(&format!("delete {second} --timeout=30s")).map(drop)
}

/// Pending, with the count and the reason of each filter.
pub fn unschedulable(c: &Cluster, _: &mut Figures) -> Result<()> {
    let big = pod("big", "sleep 1").replace("\"command\"", r#""resources":{"requests":{"cpu":"1000"}},"command""#);
    c.apply(&big)?;
    let told = || c.field("pod big", ".status.conditions[?(@.type=='PodScheduled')].message");
    c.wait("a reason", Duration::from_secs(10), || {
        Ok(told()?.starts_with("0/3 nodes are available: 3 Insufficient cpu"))
    })?;
    ensure!(c.k("describe pod big")?.contains("FailedScheduling"), "no Event");
    for node in ["n1", "n2"] {
        c.k(&format!("cordon {node}"))?;
    }
    c.k("taint node n3 key=value:NoSchedule")?;
    c.apply(&pod("small", "sleep 1000"))?;
    let told = || c.field("pod small", ".status.conditions[?(@.type=='PodScheduled')].message");
    c.wait("both reasons", Duration::from_secs(10), || {
        let told = told()?;
        Ok(told.contains("2 node(s) were unschedulable") && told.contains("1 node(s) had untolerated taint"))
    })?;
    for node in ["n1", "n2"] {
        c.k(&format!("uncordon {node}"))?;
    }
    c.k("taint node n3 key-")?;
    c.k("wait --for=condition=Ready pod/small --timeout=30s")?;
    c.k("delete pod big small --timeout=30s").map(drop)
}

//! StatefulSets: names, order, updates, and an identity on a node that nobody hears of.

use crate::cluster::Cluster;
use crate::figures::Figures;
use crate::steps::BUSYBOX;
use anyhow::{Result, ensure};
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(30);
/// A member on a node that is cut off is frozen after 30 s. It is looked at for less than that, with time for the look.
const UNFROZEN: Duration = Duration::from_secs(20);

/// A set of three that serves its own names.
fn manifest(extra: &str, env: &str) -> String {
    format!(
        r#"
apiVersion: v1
kind: Service
metadata: {{name: peers}}
spec: {{clusterIP: None, selector: {{app: member}}, ports: [{{name: http, port: 8080}}]}}
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {{name: member}}
spec:
  replicas: 3
  serviceName: peers
  {extra}
  selector: {{matchLabels: {{app: member}}}}
  template:
    metadata: {{labels: {{app: member}}}}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
      - name: c
        image: {BUSYBOX}
        env: [{{name: COLOUR, value: {env}}}]
        command: [sh, -c, "mkdir /www; hostname > /www/index.html; exec httpd -f -p 8080 -h /www"]
        ports: [{{containerPort: 8080}}]
        readinessProbe: {{httpGet: {{port: 8080}}, periodSeconds: 1}}
"#
    )
}

fn uid(c: &Cluster, pod: &str) -> Result<String> {
    c.field(&format!("pod {pod}"), ".metadata.uid")
}

/// Names and DNS, scaling in order, rollout, history, undo, restart, partition.
pub fn life(c: &Cluster, figures: &mut Figures) -> Result<()> {
    let began = Instant::now();
    c.apply(&manifest("", "blue"))?;
    c.k("rollout status statefulset/member --timeout=60s")?;
    figures.add("three pods of a StatefulSet, one after the other", began.elapsed());
    let times = c.k("get pods -l app=member -ojsonpath={.items[*].metadata.creationTimestamp}")?;
    ensure!(times.split_whitespace().is_sorted(), "not in order: {times}");
    let table = c.k("get sts member")?;
    ensure!(table.contains("3/3"), "the table: {table}");
    for (from, to) in [("member-0", "member-2"), ("member-2", "member-0")] {
        c.wait(&format!("{to} by its name from {from}"), PATIENCE, || {
            Ok(c.k(&format!("exec {from} -- timeout 3 wget -qO- http://{to}.peers:8080/"))?.trim() == to)
        })?;
    }
    let fqdn = c.k("exec member-1 -- hostname -f")?;
    ensure!(fqdn.trim() == "member-1.peers.default.svc.cluster.local", "its own full name: {fqdn}");
    let label = c.field("pod member-1", ".metadata.labels.apps\\.kubernetes\\.io/pod-index")?;
    ensure!(label == "1", "the ordinal's label: {label}");
    c.k("scale sts/member --replicas=1")?;
    c.k("wait --for=delete pod/member-1 pod/member-2 --timeout=30s")?;
    c.k("scale sts/member --replicas=3")?;
    c.k("rollout status statefulset/member --timeout=60s")?;
    let first = uid(c, "member-0")?;
    c.k("patch sts member --type=merge -p {\"spec\":{\"updateStrategy\":{\"rollingUpdate\":{\"partition\":2}}}}")?;
    c.k("set env sts/member COLOUR=green")?;
    c.wait("the pod above the partition", Duration::from_secs(60), || {
        Ok(c.field("sts member", ".status.updatedReplicas")? == "1"
            && c.field("sts member", ".status.readyReplicas")? == "3")
    })?;
    ensure!(uid(c, "member-0")? == first, "a pod below the partition was replaced");
    ensure!(c.k("exec member-2 -- env")?.contains("COLOUR=green"), "the new template");
    c.k("patch sts member --type=merge -p {\"spec\":{\"updateStrategy\":{\"rollingUpdate\":{\"partition\":0}}}}")?;
    c.k("rollout status statefulset/member --timeout=60s")?;
    ensure!(c.k("exec member-0 -- env")?.contains("COLOUR=green"), "the new template");
    let history = c.k("rollout history statefulset/member")?;
    ensure!(history.lines().filter(|line| line.starts_with(['1', '2'])).count() == 2, "the history: {history}");
    c.k("rollout undo statefulset/member")?;
    c.k("rollout status statefulset/member --timeout=60s")?;
    ensure!(c.k("exec member-0 -- env")?.contains("COLOUR=blue"), "undo left the new template");
    let before = uid(c, "member-1")?;
    c.k("rollout restart statefulset/member")?;
    c.k("rollout status statefulset/member --timeout=60s")?;
    ensure!(uid(c, "member-1")? != before, "restart left a pod");
    c.wait("an Event", PATIENCE, || Ok(c.k("describe sts member")?.contains("SuccessfulCreate")))?;
    c.kubectl(&["patch", "sts", "member", "--type=merge", "-p", r#"{"spec":{"serviceName":"other"}}"#])?
        .refused("updates to statefulset spec for fields other than")?;
    c.k("delete sts member --cascade=foreground --timeout=60s")?;
    ensure!(
        c.k("get pods,controllerrevisions -l app=member -oname")?.is_empty(),
        "foreground deletion left dependents"
    );
    c.k("delete service peers").map(drop)
}

/// A node is cut off: its member is away and its name is nobody's, until the node is back or is taken out of the cluster.
pub fn lost_node(c: &Cluster, _: &mut Figures) -> Result<()> {
    c.apply(&manifest("podManagementPolicy: Parallel", "blue"))?;
    c.k("rollout status statefulset/member --timeout=60s")?;
    let pod = "member-0";
    let (before, node) = (uid(c, pod)?, c.field(&format!("pod {pod}"), ".spec.nodeName")?);
    let cut = Instant::now();
    c.host("cut", &node)?;
    c.wait("the lost node's member is to end", UNFROZEN, || {
        Ok(!c.field(&format!("pod {pod}"), ".metadata.deletionTimestamp")?.is_empty())
    })?;
    // It has no second self as long as it may run.
    loop {
        let now = uid(c, pod)?;
        // What is seen later may be right.
        if cut.elapsed() > UNFROZEN {
            break;
        }
        ensure!(now == before, "a second {pod} was made {:?} after the cut, while the first may run", cut.elapsed());
        std::thread::sleep(Duration::from_millis(200));
    }
    c.host("heal", &node)?;
    c.wait("a new self after the old one has ended", Duration::from_secs(60), || {
        Ok(uid(c, pod).is_ok_and(|now| now != before) && c.field("sts member", ".status.readyReplicas")? == "3")
    })?;
    c.wait("the node is back", PATIENCE, || Ok(c.k(&format!("get node {node}"))?.contains(" Ready")))?;
    c.k("delete sts member --cascade=foreground --timeout=60s")?;
    c.k("delete service peers").map(drop)
}

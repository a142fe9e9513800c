//! A whole node goes: its process and its pods, or its place in the cluster.

use crate::cluster::Cluster;
use crate::figures::Figures;
use crate::steps::watching::Watching;
use crate::steps::{BUSYBOX, pod};
use anyhow::{Context, Result, ensure};
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(60);
/// Within this a lost node's pods run elsewhere, and no Service leads to them.
const PROMISE: Duration = Duration::from_secs(10);

fn manifest(name: &str, replicas: u8) -> String {
    format!(
        r#"
apiVersion: apps/v1
kind: Deployment
metadata: {{name: {name}}}
spec:
  replicas: {replicas}
  selector: {{matchLabels: {{app: {name}}}}}
  template:
    metadata: {{labels: {{app: {name}}}}}
    spec:
      terminationGracePeriodSeconds: 0
      containers:
      - name: c
        image: {BUSYBOX}
        command: [sh, -c, "mkdir /www; hostname > /www/index.html; exec httpd -f -p 8080 -h /www"]
        readinessProbe: {{httpGet: {{port: 8080}}, periodSeconds: 1}}
---
apiVersion: v1
kind: Service
metadata: {{name: {name}}}
spec: {{type: NodePort, selector: {{app: {name}}}, ports: [{{port: 80, targetPort: 8080}}]}}
"#
    )
}

/// A pod on a node that stays for some seconds after the node is lost.
fn patient(name: &str, node: &str, seconds: u32) -> String {
    let spec = format!(
        r#""spec":{{"nodeName":"{node}","tolerations":[{{"key":"node.kubernetes.io/unreachable","operator":"Exists","effect":"NoExecute","tolerationSeconds":{seconds}}}],"#
    );
    pod(name, "sleep 100000").replace("\"spec\":{", &spec)
}

/// Within ten seconds its pods run elsewhere and the Service sends nothing to the dead; pods that tolerate it stay as long.
pub fn moves(c: &Cluster, figures: &mut Figures) -> Result<()> {
    let victim = "n2";
    c.apply(&manifest("moving", 6))?;
    c.apply(&patient("stays", victim, 3600))?;
    c.apply(&patient("leaves", victim, 12))?;
    c.k("rollout status deployment/moving --timeout=60s")?;
    c.k("wait --for=condition=Ready pod/stays pod/leaves --timeout=60s")?;
    let on_victim = c.k(&format!("get pods -l app=moving --field-selector spec.nodeName={victim} -oname"))?;
    ensure!(on_victim.lines().count() > 0, "nothing runs on {victim}");
    let dead_cidr = c.field(&format!("node {victim}"), ".spec.podCIDR")?;
    let dead = dead_cidr.rsplit_once('.').map(|(net, _)| format!("{net}.")).context("no podCIDR")?;
    let port = c.field("service moving", ".spec.ports[0].nodePort")?;
    let urls: Vec<String> = c
        .nodes()
        .into_iter()
        .filter(|node| *node != victim)
        .map(|node| Ok(format!("http://{}:{port}/", c.address(node)?)))
        .collect::<Result<_>>()?;
    for url in &urls {
        c.wait("the node port answers", PATIENCE, || c.http(url).map(|_| true))?;
    }
    let nodes = Watching::kubectl(c, "nodes", "{.metadata.name} {.status.conditions[?(@.type=='Ready')].status}")?;
    let available = Watching::kubectl(c, "deployment moving", "{.status.availableReplicas}")?;
    let endpoints = Watching::kubectl(c, "endpoints moving", "[{.subsets[*].addresses[*].ip}]")?;
    let leaving = Watching::kubectl(c, "pod leaves", "{.metadata.name} {.metadata.deletionTimestamp}")?;
    let killed = Instant::now();
    c.host("kill", victim)?;
    let gone = Instant::now();
    let unknown = format!("{victim} Unknown");
    let lost = nodes.wait(c, "the node is lost", PATIENCE, killed, |line| line == unknown)?;
    figures.add("node killed to Ready=Unknown", lost - killed);
    let alive = |line: &str| {
        let ips: Vec<&str> = line.trim_matches(['[', ']']).split_whitespace().collect();
        ips.len() == 6 && !ips.iter().any(|ip| ip.starts_with(&dead))
    };
    let served = endpoints.wait(c, "six endpoints, and none is dead", PATIENCE, lost, alive)?;
    let whole = available.wait(c, "six pods run", PATIENCE, lost, |line| line == "6")?.max(served);
    figures.add("node lost to all its pods running elsewhere", whole - killed);
    for url in &urls {
        // The nodes' rules follow the endpoints; from the first success on every request is answered.
        let begun = Instant::now();
        c.wait("the node port answers", Duration::from_secs(5), || c.http(url).map(|_| true))?;
        figures.add("endpoints without the dead to the first answer through a node port", begun.elapsed());
        for _ in 0..30 {
            c.http(url)?;
        }
    }
    let left = leaving.wait(c, "the pod that stays 12 s leaves", PATIENCE, lost, |line| {
        line.strip_prefix("leaves ").is_some_and(|time| !time.is_empty())
    })?;
    let took = left - lost;
    ensure!(
        c.field("pod stays", ".metadata.deletionTimestamp")?.is_empty(),
        "a pod left that tolerates it for an hour"
    );
    let uid = c.field("pod stays", ".metadata.uid")?;
    c.host("start", victim)?;
    c.k(&format!("wait --for=condition=Ready node/{victim} --timeout=60s"))?;
    c.wait("the old pods are gone", PATIENCE, || Ok(c.k("get pods -l app=moving -oname")?.lines().count() == 6))?;
    c.k("wait --for=delete pod/leaves --timeout=60s")?;
    // It is started again where it is: its machine had lost its power.
    c.k("wait --for=condition=Ready pod/stays --timeout=60s")?;
    ensure!(c.field("pod stays", ".metadata.uid")? == uid, "the pod that stays was replaced");
    c.k("delete pod/stays deployment/moving service/moving --timeout=60s")?;
    ensure!(whole - killed < PROMISE, "it took {:?}", whole - killed);
    // Five seconds without a heartbeat, of which there is one a second.
    ensure!(lost - killed > Duration::from_millis(3900), "lost after {:?} already", lost - killed);
    ensure!(lost - gone < Duration::from_secs(7), "lost after {:?}", lost - gone);
    let range = Duration::from_secs(11)..Duration::from_secs(16);
    ensure!(range.contains(&took), "tolerated for 12 s, it left after {took:?}");
    Ok(())
}

/// `kubectl delete node` for a host that is stopped: its pods run elsewhere; started, it is a node again, with a range of
/// addresses that nobody else has.
pub fn deleted(c: &Cluster, _: &mut Figures) -> Result<()> {
    c.apply(&manifest("removed", 3))?;
    c.k("rollout status deployment/removed --timeout=60s")?;
    // Not where the sample keeps its rows.
    let kept = c.k("get pods -l app=mysql -ojsonpath={.items[*].spec.nodeName}")?;
    let victim = c.nodes().into_iter().find(|node| !kept.contains(node)).context("no node")?;
    c.apply(&pod("bare", "sleep 100000").replace("\"spec\":{", &format!("\"spec\":{{\"nodeName\":\"{victim}\",")))?;
    c.k("wait --for=condition=Ready pod/bare --timeout=60s")?;
    let uid = c.field(&format!("node {victim}"), ".metadata.uid")?;
    c.host("stop", victim)?;
    c.k(&format!("delete node {victim} --timeout=60s"))?;
    c.k("wait --for=delete pod/bare --timeout=60s")?;
    let there = || c.k(&format!("get pods -A --field-selector spec.nodeName={victim} -oname"));
    c.wait("its pods are gone", PATIENCE, || Ok(there()?.is_empty()))?;
    c.k("rollout status deployment/removed --timeout=60s")?;
    c.wait("they run elsewhere", PATIENCE, || Ok(c.ready_pods("app=removed")?.len() == 3))?;
    c.host("start", victim)?;
    let node = format!("node {victim}");
    c.wait("the node is back", PATIENCE, || {
        let ready = c.field(&node, ".status.conditions[?(@.type=='Ready')].status")?;
        Ok(ready == "True" && c.field(&node, ".metadata.uid")? != uid)
    })?;
    let ranges = c.k("get nodes -ojsonpath={.items[*].spec.podCIDR}")?;
    let ranges: Vec<&str> = ranges.split_whitespace().collect();
    ensure!(ranges.len() == 3 && ranges.iter().collect::<BTreeSet<_>>().len() == 3, "ranges of addresses: {ranges:?}");
    // What ran there when it was stopped is gone from the machine, too; what is placed there now is reached.
    c.apply(
        &pod("bare", "mkdir /www; hostname > /www/index.html; exec httpd -f -p 8080 -h /www")
            .replace("\"spec\":{", &format!("\"spec\":{{\"nodeName\":\"{victim}\",")),
    )?;
    c.k("wait --for=condition=Ready pod/bare --timeout=60s")?;
    let address = c.field("pod bare", ".status.podIP")?;
    let from = c.ready_pods("app=removed")?.into_iter().next().context("no pod")?;
    c.wait("a pod on the node that came back is reached", PATIENCE, || {
        Ok(c.k(&format!("exec {from} -- timeout 3 wget -qO- http://{address}:8080/"))?.trim() == "bare")
    })?;
    c.wait("the machine has only what the cluster says", PATIENCE, || {
        let groups = c.dir().join(victim).join("node/pods");
        let kept = std::fs::read_dir(&groups)
            .map_or(0, |entries| entries.flatten().filter(|e| e.path().join("pod.json").exists()).count());
        let said = there()?.lines().count();
        ensure!(kept == said, "{victim} has {kept} pods, and {said} are there");
        Ok(true)
    })?;
    c.k("delete pod/bare deployment/removed service/removed --timeout=60s").map(drop)
}

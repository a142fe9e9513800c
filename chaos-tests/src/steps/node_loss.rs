//! A whole node goes: its process and its pods.

use crate::cluster::Cluster;
use crate::figures::Figures;
use crate::steps::BUSYBOX;
use anyhow::{Result, ensure};
use std::time::{Duration, Instant};

/// Within ten seconds its pods run elsewhere and the Service sends nothing to the dead.
pub fn moves(c: &Cluster, figures: &mut Figures) -> Result<()> {
    c.apply(&format!(
        r#"
apiVersion: apps/v1
kind: Deployment
metadata: {{name: moving}}
spec:
  replicas: 6
  selector: {{matchLabels: {{app: moving}}}}
  template:
    metadata: {{labels: {{app: moving}}}}
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
metadata: {{name: moving}}
spec: {{type: NodePort, selector: {{app: moving}}, ports: [{{port: 80, targetPort: 8080}}]}}
"#
    ))?;
    c.k("rollout status deployment/moving --timeout=60s")?;
    let victim = "n2";
    let on_victim = c.k(&format!("get pods -l app=moving --field-selector spec.nodeName={victim} -oname"))?;
    ensure!(on_victim.lines().count() > 0, "nothing runs on {victim}");
    let dead_cidr = c.field(&format!("node {victim}"), ".spec.podCIDR")?;
    let dead = dead_cidr.rsplit_once('.').map(|(net, _)| format!("{net}.")).unwrap_or_default();
    let killed = Instant::now();
    c.host("kill", victim)?;
    c.wait("six pods run elsewhere and no endpoint is dead", Duration::from_secs(15), || {
        let ready = c.field("deployment moving", ".status.availableReplicas")? == "6";
        let endpoints = c.field("endpoints moving", ".subsets[*].addresses[*].ip")?;
        let elsewhere = endpoints.split_whitespace().filter(|ip| !ip.starts_with(&dead)).count();
        Ok(ready && elsewhere == 6 && elsewhere == endpoints.split_whitespace().count())
    })?;
    let took = killed.elapsed();
    figures.add("node lost to all its pods running elsewhere", took);
    let port = c.field("service moving", ".spec.ports[0].nodePort")?;
    let url = format!("http://{}:{port}/", c.address("n1")?);
    for _ in 0..30 {
        c.http(&url)?;
    }
    ensure!(c.k("get nodes")?.contains("NotReady"), "the node is not shown as lost");
    c.host("start", victim)?;
    c.k(&format!("wait --for=condition=Ready node/{victim} --timeout=30s"))?;
    c.wait("the old pods are gone", Duration::from_secs(30), || {
        Ok(c.k("get pods -l app=moving -oname")?.lines().count() == 6)
    })?;
    c.k("delete deployment/moving service/moving --timeout=30s")?;
    ensure!(took < Duration::from_secs(10), "it took {took:?}");
    Ok(())
}

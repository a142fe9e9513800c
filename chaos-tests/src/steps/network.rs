//! Pods, Services and names.

use crate::cluster::Cluster;
use crate::figures::Figures;
use crate::steps::BUSYBOX;
use anyhow::{Result, ensure};
use std::collections::BTreeSet;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(30);

/// ClusterIP from a pod, hairpin, node ports through every node, DNS, the API from inside.
pub fn services(c: &Cluster, _: &mut Figures) -> Result<()> {
    let mut manifest = String::new();
    for node in c.nodes() {
        manifest += &format!(
            r#"
apiVersion: v1
kind: Pod
metadata: {{name: web-{node}, labels: {{app: netweb}}}}
spec:
  nodeName: {node}
  terminationGracePeriodSeconds: 0
  containers:
  - name: c
    image: {BUSYBOX}
    command: [sh, -c, "mkdir /www; hostname > /www/index.html; exec httpd -f -p 8080 -h /www"]
    ports: [{{containerPort: 8080}}]
    readinessProbe: {{httpGet: {{port: 8080}}, periodSeconds: 1}}
---"#
        );
    }
    c.apply(&manifest)?;
    c.k("wait --for=condition=Ready pod -l app=netweb --timeout=60s")?;
    c.k("expose pod web-n1 --name=netweb --port=80 --target-port=8080 --selector=app=netweb --type=NodePort")?;
    let ip = c.field("service netweb", ".spec.clusterIP")?;
    let port = c.field("service netweb", ".spec.ports[0].nodePort")?;
    c.wait("three endpoints", PATIENCE, || {
        Ok(c.field("endpoints netweb", ".subsets[0].addresses[*].ip")?.split_whitespace().count() == 3)
    })?;
    let from = |node: &str, url: &str| c.k(&format!("exec web-{node} -- timeout 3 wget -qO- {url}"));
    for node in c.nodes() {
        // From each pod to all, itself included: cross-node, same-node and hairpin.
        let mut seen = BTreeSet::new();
        c.wait("every endpoint was reached from a pod", PATIENCE, || {
            seen.insert(from(node, &format!("http://{ip}/"))?);
            Ok(seen.len() == 3)
        })?;
        for name in ["netweb", "netweb.default", "netweb.default.svc.cluster.local"] {
            c.wait(&format!("by name {name} from {node}"), PATIENCE, || {
                from(node, &format!("http://{name}/")).map(|_| true)
            })?;
        }
        let mut seen = BTreeSet::new();
        let url = format!("http://{}:{port}/", c.address(node)?);
        c.wait("every endpoint was reached through a node port", PATIENCE, || {
            seen.insert(c.http(&url)?);
            Ok(seen.len() == 3)
        })?;
        let pod = format!("web-{node}");
        let knock = "nc -w 2 kubernetes.default 443 </dev/null && echo reached";
        c.wait(&format!("the API from a pod on {node}"), PATIENCE, || {
            Ok(c.kubectl(&["exec", &pod, "--", "sh", "-c", knock])?.ok()?.trim() == "reached")
        })?;
    }
    c.wait("the Service kubernetes leads to three masters", PATIENCE, || {
        let masters = c.field("endpointslice -n default kubernetes", ".endpoints[*].addresses[0]")?;
        ensure!(masters.split_whitespace().count() == 3, "it leads to {masters}");
        Ok(true)
    })?;
    c.k("delete pod -l app=netweb --timeout=30s")?;
    c.k("delete service netweb").map(drop)
}

/// `raftsman check` finds everything in order, says what to do about what is not, and leaves nothing.
pub fn check(c: &Cluster, figures: &mut Figures) -> Result<()> {
    // From pods to the outside: another host, by the node's address.
    let outside = format!("{}:6443", c.address("m1")?);
    let begun = std::time::Instant::now();
    let said = c.raftsman(&format!("check --image {BUSYBOX} --egress {outside}"))?.ok()?;
    figures.add("raftsman check on three nodes", begun.elapsed());
    let mut topics: Vec<(&str, &str)> =
        ["same node", "across nodes", "by address", "by name", "to API", "to the outside"]
            .map(|it| (it, "(3 of 3)"))
            .into();
    // From each node's pod, and from here.
    topics.push(("virtual address", "(4 of 4)"));
    for (topic, all) in topics {
        let fine = said.lines().any(|line| line.starts_with("ok") && line.contains(topic) && line.ends_with(all));
        ensure!(fine, "nothing good about {topic}: {said}");
    }
    let failed = c.raftsman(&format!("check --image {BUSYBOX} --nodes n1 --egress {}:9", c.address("m1")?))?;
    let failed = failed.refused("FAILED  pod to the outside (0 of 1)")?;
    ensure!(failed.is_empty(), "an error beside the report: {failed}");
    c.raftsman("check --nodes n9")?.refused("there is no node \"n9\"; there are n1, n2, n3")?;
    c.raftsman("check --image 127.0.0.1:9/none:1 --nodes n1 --timeout 4")?.refused("ErrImage")?;
    c.wait("nothing is left", PATIENCE, || Ok(!c.k("get namespaces")?.contains("raftsman-check-"))).map(drop)
}

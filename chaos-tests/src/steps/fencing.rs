//! Nodes that outlive their masters, and identities that are never there twice.

use crate::cluster::Cluster;
use crate::figures::Figures;
use crate::steps::BUSYBOX;
use crate::steps::diary::{Diary, uptime};
use anyhow::{Context, Result, ensure};
use serde_json::json;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// The pods as they are: where, which, how often restarted, with what address.
fn pods(c: &Cluster) -> Result<String> {
    let path = "-ojsonpath={range .items[*]}{.metadata.namespace}/{.metadata.name} {.spec.nodeName} {.metadata.uid} {.status.podIP}{\"\\n\"}{end}";
    let text = c.kubectl(&["get", "pods", "-A", "--field-selector", "status.phase=Running", path])?.ok()?;
    let mut lines: Vec<&str> = text.lines().map(str::trim).filter(|line| line.contains('/')).collect();
    lines.sort_unstable();
    Ok(lines.join("\n"))
}

/// A node is cut off, and lives: its stateless pods run elsewhere within ten seconds, its fenced pod is frozen before
/// another one takes its place, and when it comes back it is cleaned without running again.
pub fn cut_off(c: &Cluster, figures: &mut Figures) -> Result<()> {
    let diary = Diary::new(c)?;
    c.apply(&diary.pod("keeper", "freeze"))?;
    c.apply(&format!(
        r#"
apiVersion: apps/v1
kind: Deployment
metadata: {{name: many}}
spec:
  replicas: 6
  selector: {{matchLabels: {{app: many}}}}
  template:
    metadata: {{labels: {{app: many}}}}
    spec:
      terminationGracePeriodSeconds: 0
      containers: [{{name: c, image: {BUSYBOX}, command: [sleep, "100000"]}}]
"#
    ))?;
    c.k("wait --for=condition=Ready pod/keeper --timeout=30s")?;
    c.k("rollout status deployment/many --timeout=60s")?;
    c.wait("it writes", Duration::from_secs(10), || Ok(diary.last("keeper").is_ok()))?;
    let first = diary.last("keeper")?;
    let cut = uptime()?;
    let begun = Instant::now();
    c.host("cut", &first.node)?;
    c.wait("stateless pods run elsewhere", Duration::from_secs(20), || {
        let path = "-ojsonpath={range .items[*]}{.spec.nodeName} {.metadata.deletionTimestamp}{\"\\n\"}{end}";
        let rows = c.kubectl(&["get", "pods", "-l", "app=many", path])?.ok()?;
        // A row of one word: not on its way out.
        let there = rows.lines().any(|row| row.trim() == first.node);
        let ready = c.field("deployment many", ".status.availableReplicas")? == "6";
        Ok(ready && !there)
    })?;
    let moved = begun.elapsed();
    figures.add("node cut off to all its stateless pods running elsewhere", moved);
    // Whoever wants the name gets it as soon as the masters give it away.
    let manifest = diary.pod("keeper", "freeze");
    c.wait("the identity is given away", Duration::from_secs(60), || {
        Ok(c.kubectl_with(&["create", "-f", "-"], &manifest)?.code == 0)
    })?;
    figures.add("node cut off to its fenced pod given away", begun.elapsed());
    c.wait("the other one writes", Duration::from_secs(20), || Ok(diary.last("keeper")?.node != first.node))?;
    let lines = diary.lines("keeper");
    let last = lines.iter().rfind(|line| line.node == first.node).context("no line")?.clone();
    let other = lines.iter().find(|line| line.node != first.node).context("no line")?.clone();
    ensure!(last.at < other.at, "two of one name: {last:?} and {other:?}");
    ensure!(last.at > cut + 20.0, "it was frozen after {} s already", last.at - cut);
    figures.add("node cut off to its fenced pod frozen", Duration::from_secs_f64((last.at - cut).max(0.0)));
    figures.add("fenced pod frozen to another in its place", Duration::from_secs_f64(other.at - last.at));
    let events = c.k("get events --field-selector involvedObject.name=keeper")?;
    ensure!(events.contains("GivenAway"), "no Event says why: {events}");
    c.host("heal", &first.node)?;
    c.k(&format!("wait --for=condition=Ready node/{} --timeout=30s", first.node))?;
    c.wait("the node has cleaned up", Duration::from_secs(20), || Ok(!remembers(c, &first.node, "keeper")?))?;
    let lines = diary.lines("keeper");
    ensure!(lines.iter().rfind(|line| line.node == first.node) == Some(&last), "it ran again on its old node");
    ensure!(diary.silent("keeper")? < 5.0, "the new one does not write");
    c.k("delete pod/keeper deployment/many --timeout=30s")?;
    ensure!(moved < Duration::from_secs(10), "it took {moved:?}");
    Ok(())
}

/// A StatefulSet's node is cut off, and lives: its member gets a second self without anybody's help, and only when the
/// first is frozen. The old one never runs again.
pub fn member_given_away(c: &Cluster, figures: &mut Figures) -> Result<()> {
    let diary = Diary::new(c)?;
    let labels = json!({"app": "keeper"});
    let set = json!({
        "apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "keeper"},
        "spec": {
            "serviceName": "keeper", "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": diary.spec("member")},
        },
    });
    c.apply(&set.to_string())?;
    c.k("rollout status statefulset/keeper --timeout=60s")?;
    c.wait("it writes", Duration::from_secs(10), || Ok(diary.last("member").is_ok()))?;
    let first = diary.last("member")?;
    let (cut, begun) = (uptime()?, Instant::now());
    c.host("cut", &first.node)?;
    c.wait("its second self writes", Duration::from_secs(90), || Ok(diary.last("member")?.node != first.node))?;
    figures.add("node cut off to a StatefulSet's member running elsewhere", begun.elapsed());
    let lines = diary.lines("member");
    let last = lines.iter().rfind(|line| line.node == first.node).context("no line")?.clone();
    let other = lines.iter().find(|line| line.node != first.node).context("no line")?.clone();
    ensure!(last.at < other.at, "two of one name: {last:?} and {other:?}");
    ensure!(last.at > cut + 20.0, "it was frozen after {} s already", last.at - cut);
    ensure!(other.at > cut + 25.0, "its name was given away after {} s already", other.at - cut);
    c.host("heal", &first.node)?;
    c.k(&format!("wait --for=condition=Ready node/{} --timeout=30s", first.node))?;
    c.wait("the set is whole", Duration::from_secs(30), || Ok(c.field("sts keeper", ".status.readyReplicas")? == "1"))?;
    c.wait("the node has cleaned up", Duration::from_secs(20), || Ok(!remembers(c, &first.node, "keeper-0")?))?;
    let lines = diary.lines("member");
    ensure!(lines.iter().rfind(|line| line.node == first.node) == Some(&last), "it ran again on its old node");
    ensure!(diary.silent("member")? < 5.0, "the new one does not write");
    c.k("delete statefulset/keeper --cascade=foreground --timeout=40s").map(drop)
}

/// Whether a node still has a pod of this name.
fn remembers(c: &Cluster, node: &str, pod: &str) -> Result<bool> {
    let group = c.dir().join(node).join("node/pods");
    let mut records = std::fs::read_dir(&group)?.flatten().map(|entry| entry.path().join("pod.json"));
    let named = |path: PathBuf| std::fs::read_to_string(path).is_ok_and(|text| text.contains(&format!("\"{pod}\"")));
    Ok(records.any(named))
}

/// All masters are gone: fenced pods freeze at their deadline, everything else goes on; when they are back the same
/// containers go on, and nothing is started again or moved.
pub fn no_masters(c: &Cluster, figures: &mut Figures) -> Result<()> {
    let diary = Diary::new(c)?;
    for (name, annotation) in [("keeper", "freeze"), ("free", "kubernetes")] {
        c.apply(&diary.pod(name, annotation))?;
    }
    c.apply(&format!(
        r#"
apiVersion: v1
kind: Pod
metadata: {{name: crashing, labels: {{app: crashing}}}}
spec:
  terminationGracePeriodSeconds: 0
  volumes: [{}]
  containers:
  - name: main
    image: {BUSYBOX}
    command: [sh, -c, "echo 1 run 1 >> /diary/crashing; sleep 20; exit 1"]
    volumeMounts: [{{name: diary, mountPath: /diary}}]
---
apiVersion: v1
kind: Pod
metadata: {{name: served, labels: {{app: served}}}}
spec:
  terminationGracePeriodSeconds: 0
  containers:
  - name: main
    image: {BUSYBOX}
    command: [sh, -c, "mkdir /www; echo served > /www/index.html; exec httpd -f -p 8080 -h /www"]
---
apiVersion: v1
kind: Service
metadata: {{name: served}}
spec: {{type: NodePort, selector: {{app: served}}, ports: [{{port: 80, targetPort: 8080}}]}}
---
apiVersion: v1
kind: Pod
metadata: {{name: asks}}
spec:
  terminationGracePeriodSeconds: 0
  volumes: [{}]
  containers:
  - name: main
    image: {BUSYBOX}
    command: [sh, -c, "while true; do read up rest < /proc/uptime; timeout 2 wget -q -O /dev/null http://served.default.svc.cluster.local && echo $up asks 1 >> /diary/asks; sleep 0.5; done"]
    volumeMounts: [{{name: diary, mountPath: /diary}}]
"#,
        diary.volume(),
        diary.volume()
    ))?;
    c.k("wait --for=condition=Ready pod/keeper pod/free pod/served pod/asks --timeout=30s")?;
    let all = ["keeper", "free", "asks"];
    c.wait("all write", Duration::from_secs(15), || Ok(all.iter().all(|name| diary.last(name).is_ok())))?;
    let before = pods(c)?;
    let first = diary.last("keeper")?;
    let restarts = diary.lines("crashing").len();
    let down = uptime()?;
    for master in c.masters() {
        c.host("kill", master)?;
    }
    c.wait("the fenced pod is frozen", Duration::from_secs(60), || Ok(diary.silent("keeper")? > 3.0))?;
    let frozen = diary.last("keeper")?.at - down;
    figures.add("all masters down to fenced pods frozen", Duration::from_secs_f64(frozen.max(0.0)));
    ensure!((20.0..34.0).contains(&frozen), "frozen after {frozen} s");
    ensure!(diary.silent("free")? < 1.0, "another pod does not run on");
    ensure!(diary.silent("asks")? < 4.0, "DNS or Services do not work");
    ensure!(diary.lines("crashing").len() > restarts, "a crashed container was not started again");
    for master in c.masters() {
        c.host("start", master)?;
    }
    let back = Instant::now();
    c.wait("the fenced pod goes on", Duration::from_secs(60), || Ok(diary.silent("keeper")? < 1.0))?;
    figures.add("masters started to fenced pods thawed", back.elapsed());
    let thawed = diary.last("keeper")?;
    ensure!((&thawed.node, &thawed.life) == (&first.node, &first.life), "it was started again: {first:?}, {thawed:?}");
    c.wait("kubectl answers", Duration::from_secs(30), || Ok(c.kubectl(&["get", "nodes"])?.code == 0))?;
    c.wait("all nodes are ready", Duration::from_secs(30), || {
        Ok(!c.k("get nodes --no-headers")?.contains("NotReady"))
    })?;
    // Longer than the grace of a new leader, in which it must move nothing.
    std::thread::sleep(Duration::from_secs(8));
    c.wait("everything is as it was", Duration::from_secs(30), || {
        let after = pods(c)?;
        ensure!(after == before, "before:\n{before}\nafter:\n{after}");
        Ok(true)
    })?;
    let counts = c.field("pod keeper", ".status.containerStatuses[0].restartCount")?;
    ensure!(counts == "0", "restarted {counts} times");
    c.k("delete pod/keeper pod/free pod/crashing pod/served pod/asks service/served --timeout=30s").map(drop)
}

/// Everything loses its power at once, with the data kept: it comes back by itself to the same state.
pub fn power_cut(c: &Cluster, figures: &mut Figures) -> Result<()> {
    let diary = Diary::new(c)?;
    c.apply(&diary.pod("keeper", "freeze"))?;
    c.apply(&diary.pod("free", "kubernetes"))?;
    c.k("wait --for=condition=Ready pod/keeper pod/free --timeout=30s")?;
    c.wait("both write", Duration::from_secs(10), || Ok(diary.last("keeper").is_ok() && diary.last("free").is_ok()))?;
    let before = pods(c)?;
    let old = (diary.last("keeper")?.life, diary.last("free")?.life);
    let hosts: Vec<&str> = c.masters().into_iter().chain(c.nodes()).collect();
    for host in &hosts {
        c.host("kill", host)?;
    }
    for host in &hosts {
        c.host("start", host)?;
    }
    let begun = Instant::now();
    c.wait("all pods run again", Duration::from_secs(90), || {
        Ok(diary.last("keeper")?.life != old.0 && diary.last("free")?.life != old.1)
    })?;
    c.wait("the same pods in the same places", Duration::from_secs(60), || {
        let ready = c.k("get pods -A --no-headers")?;
        ensure!(!ready.contains("0/"), "not ready:\n{ready}");
        let after = pods(c)?;
        ensure!(after == before, "before:\n{before}\nafter:\n{after}");
        Ok(true)
    })?;
    figures.add("power cut of everything to the same state", begun.elapsed());
    c.k("delete pod/keeper pod/free --timeout=30s").map(drop)
}

/// Both processors are busy and the nodes' streams are flooded: nobody is declared dead, and nothing is frozen.
pub fn overloaded(c: &Cluster, _: &mut Figures) -> Result<()> {
    let diary = Diary::new(c)?;
    c.apply(&diary.pod("keeper", "freeze"))?;
    c.k("wait --for=condition=Ready pod/keeper --timeout=30s")?;
    c.wait("it writes", Duration::from_secs(10), || Ok(diary.last("keeper").is_ok()))?;
    let first = diary.last("keeper")?;
    let lost = |c: &Cluster| -> Result<usize> {
        Ok(c.k("get events -A --field-selector reason=NodeNotReady,involvedObject.kind=Node --no-headers")?
            .lines()
            .count())
    };
    let before = lost(c)?;
    let spinners = std::thread::available_parallelism().map_or(4, |cores| cores.get() * 2);
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..spinners {
            scope.spawn(|| {
                while !done.load(Relaxed) {
                    std::hint::spin_loop();
                }
            });
        }
        let flooded = flood(c);
        done.store(true, Relaxed);
        flooded
    })?;
    c.k("delete services -l flood=yes-it-is --timeout=60s")?;
    ensure!(lost(c)? == before, "a living node was declared dead");
    let last = diary.last("keeper")?;
    ensure!((&last.node, &last.life) == (&first.node, &first.life), "the fenced pod was started again");
    let gap = diary.lines("keeper").windows(2).map(|pair| pair[1].at - pair[0].at).fold(0.0, f64::max);
    ensure!(gap < 5.0, "the fenced pod stood still for {gap} s");
    c.k("delete pod/keeper --timeout=30s").map(drop)
}

/// Writes much that goes to every node.
fn flood(c: &Cluster) -> Result<()> {
    let filler = "x".repeat(20_000);
    let begun = Instant::now();
    let mut round = 0;
    while begun.elapsed() < Duration::from_secs(15) {
        let service = |n: u32| {
            format!(
                "---\napiVersion: v1\nkind: Service\nmetadata: {{name: flood-{n}, labels: {{flood: yes-it-is}}, annotations: {{round: \"{round}\", filler: {filler}}}}}\nspec: {{clusterIP: None, selector: {{app: nobody}}, ports: [{{port: 80}}]}}\n"
            )
        };
        let all: String = (0..40).map(service).collect();
        c.kubectl_with(&["apply", "--server-side", "-f", "-"], &all)?.ok()?;
        round += 1;
    }
    Ok(())
}

//! Nodes that outlive their masters, and identities that are never there twice.

use crate::cluster::Cluster;
use crate::figures::Figures;
use crate::steps::BUSYBOX;
use crate::steps::diary::{Diary, Line, uptime};
use crate::steps::watching::Watching;
use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(30);

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
    c.k("wait --for=condition=Ready pod/keeper --timeout=60s")?;
    c.k("rollout status deployment/many --timeout=60s")?;
    c.wait("it writes", PATIENCE, || Ok(diary.last("keeper").is_ok()))?;
    let first = diary.last("keeper")?;
    let there = c.k(&format!("get pods -l app=many --field-selector spec.nodeName={} -oname", first.node))?;
    ensure!(!there.is_empty(), "no stateless pod runs on {}", first.node);
    let available = Watching::kubectl(c, "deployment many", "{.status.availableReplicas}")?;
    let cut = uptime()?;
    let begun = Instant::now();
    c.host("cut", &first.node)?;
    let lost = available.wait(c, "pods of the lost node do not count", PATIENCE, begun, |line| line != "6")?;
    let moved = available.wait(c, "six pods run", PATIENCE, lost, |line| line == "6")? - begun;
    c.wait("stateless pods run elsewhere", PATIENCE, || {
        let path = "-ojsonpath={range .items[*]}{.spec.nodeName} {.metadata.deletionTimestamp}{\"\\n\"}{end}";
        let rows = c.kubectl(&["get", "pods", "-l", "app=many", path])?.ok()?;
        // A row of one word: not on its way out.
        let there = rows.lines().any(|row| row.trim() == first.node);
        Ok(!there)
    })?;
    figures.add("node cut off to all its stateless pods running elsewhere", moved);
    // Whoever wants the name gets it as soon as the masters give it away.
    let manifest = diary.pod("keeper", "freeze");
    c.wait("the identity is given away", Duration::from_secs(60), || {
        Ok(c.kubectl_with(&["create", "-f", "-"], &manifest)?.code == 0)
    })?;
    figures.add("node cut off to its fenced pod given away", begun.elapsed());
    c.wait("the other one writes", PATIENCE, || Ok(diary.last("keeper")?.node != first.node))?;
    let lines = diary.lines("keeper");
    let last = lines.iter().rfind(|line| line.node == first.node).context("no line")?.clone();
    let other = lines.iter().find(|line| line.node != first.node).context("no line")?.clone();
    ensure!(last.at < other.at, "two of one name: {last:?} and {other:?}");
    ensure!(last.at > cut + 20.0, "it was frozen after {} s already", last.at - cut);
    figures.add("node cut off to its fenced pod frozen", Duration::from_secs_f64((last.at - cut).max(0.0)));
    figures.add("fenced pod frozen to another in its place", Duration::from_secs_f64(other.at - last.at));
    c.wait("an Event says why", PATIENCE, || {
        let events = c.k("get events --field-selector involvedObject.name=keeper")?;
        ensure!(events.contains("GivenAway"), "{events}");
        Ok(true)
    })?;
    c.host("heal", &first.node)?;
    c.k(&format!("wait --for=condition=Ready node/{} --timeout=60s", first.node))?;
    c.wait("the node has cleaned up", PATIENCE, || Ok(!remembers(c, &first.node, "keeper")?))?;
    let lines = diary.lines("keeper");
    ensure!(lines.iter().rfind(|line| line.node == first.node) == Some(&last), "it ran again on its old node");
    writes(c, &diary, "keeper")?;
    c.k("delete pod/keeper deployment/many --timeout=30s")?;
    ensure!(moved < Duration::from_secs(10), "it took {moved:?}");
    Ok(())
}

/// A name writes now.
fn writes(c: &Cluster, diary: &Diary, name: &str) -> Result<()> {
    c.wait(&format!("{name} writes"), PATIENCE, || Ok(diary.silent(name)? < 1.0)).map(drop)
}

/// A StatefulSet of one member that writes under the set's own name, with more in its pod's spec and annotations.
fn set(diary: &Diary, name: &str, annotations: Value, more: Value) -> String {
    let labels = json!({"app": name});
    let mut spec = diary.spec(name);
    for (field, value) in more.as_object().into_iter().flatten() {
        spec[field] = value.clone();
    }
    let set = json!({
        "apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": name},
        "spec": {
            "serviceName": name, "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels, "annotations": annotations}, "spec": spec},
        },
    });
    set.to_string()
}

/// What a name wrote last on a node, and first on another one: in this order.
fn handed_over(diary: &Diary, name: &str, node: &str) -> Result<(Line, Line)> {
    let lines = diary.lines(name);
    let last = lines.iter().rfind(|line| line.node == node).context("no line")?.clone();
    let other = lines.iter().find(|line| line.node != node).context("no line")?.clone();
    ensure!(last.at < other.at, "two of one name: {last:?} and {other:?}");
    Ok((last, other))
}

/// One node is cut off and lives, another one is killed: a member of a StatefulSet gets a second self without anybody's help,
/// and only when the first is frozen, or would be. The old one never runs again. A member that chose Kubernetes' way is
/// neither frozen nor given away.
pub fn member_given_away(c: &Cluster, figures: &mut Figures) -> Result<()> {
    let diary = Diary::new(c)?;
    c.apply(&set(&diary, "keeper", json!({}), json!({})))?;
    c.k("rollout status statefulset/keeper --timeout=60s")?;
    let cut_node = c.field("pod keeper-0", ".spec.nodeName")?;
    let requirement = json!({"key": "kubernetes.io/hostname", "operator": "NotIn", "values": [cut_node]});
    let elsewhere = json!({"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {
        "nodeSelectorTerms": [{"matchExpressions": [requirement]}],
    }}});
    c.apply(&set(&diary, "killed", json!({}), json!({"affinity": elsewhere})))?;
    // It runs on and on where it is, so that is where it must be.
    let kubernetes = json!({"raftsman.io/fencing": "kubernetes"});
    c.apply(&set(&diary, "free", kubernetes, json!({"nodeSelector": {"kubernetes.io/hostname": cut_node}})))?;
    for name in ["killed", "free"] {
        c.k(&format!("rollout status statefulset/{name} --timeout=60s"))?;
    }
    for name in ["keeper", "killed", "free"] {
        writes(c, &diary, name)?;
    }
    let (first, dead, free) = (diary.last("keeper")?, diary.last("killed")?, diary.last("free")?);
    ensure!(first.node == cut_node && free.node == cut_node && dead.node != cut_node, "they run elsewhere");
    let uid = c.field("pod free-0", ".metadata.uid")?;
    let (cut, begun) = (uptime()?, Instant::now());
    c.host("cut", &cut_node)?;
    let (killed, begun_killed) = (uptime()?, Instant::now());
    c.host("kill", &dead.node)?;
    let both = [("keeper", &cut_node, begun, "cut off"), ("killed", &dead.node, begun_killed, "killed")];
    for (name, node, begun, how) in both {
        c.wait(&format!("the second self of {name} writes"), Duration::from_secs(120), || {
            Ok(diary.last(name)?.node != *node)
        })?;
        figures.add(&format!("node {how} to a StatefulSet's member running elsewhere"), begun.elapsed());
    }
    let (last, other) = handed_over(&diary, "keeper", &cut_node)?;
    ensure!(last.at > cut + 20.0, "it was frozen after {} s already", last.at - cut);
    ensure!(other.at > cut + 25.0, "its name was given away after {} s already", other.at - cut);
    let (old, new) = handed_over(&diary, "killed", &dead.node)?;
    ensure!(new.at > killed + 25.0, "its name was given away after {} s already", new.at - killed);
    // The one that chose Kubernetes' way has gone on, and is nobody else.
    let gap = longest(&diary.lines("free"));
    ensure!(gap < 10.0, "a pod that is never frozen stood still for {gap} s");
    ensure!(diary.silent("free")? < 3.0, "a pod that is never frozen does not write");
    ensure!(diary.last("free")?.life == free.life && diary.last("free")?.node == cut_node, "it was started again");
    ensure!(c.field("pod free-0", ".metadata.uid")? == uid, "a pod that is never given away was");
    c.host("heal", &cut_node)?;
    c.host("start", &dead.node)?;
    for node in [&cut_node, &dead.node] {
        c.k(&format!("wait --for=condition=Ready node/{node} --timeout=60s"))?;
    }
    for name in ["keeper", "killed", "free"] {
        c.wait(&format!("the set {name} is whole"), Duration::from_secs(60), || {
            Ok(c.field(&format!("sts {name}"), ".status.readyReplicas")? == "1")
        })?;
    }
    for (name, node, last) in [("keeper", &cut_node, &last), ("killed", &dead.node, &old)] {
        c.wait("the node has cleaned up", PATIENCE, || Ok(!remembers(c, node, &format!("{name}-0"))?))?;
        let lines = diary.lines(name);
        ensure!(lines.iter().rfind(|line| line.node == *node) == Some(last), "{name} ran again on its old node");
        writes(c, &diary, name)?;
    }
    // Deleted while its node was away, it ends when the node is back, and only then has it a second self.
    writes(c, &diary, "free")?;
    let lives: Vec<String> = diary.lines("free").into_iter().map(|line| line.life).collect();
    let ends = lives.iter().rposition(|life| *life == free.life);
    let begins = lives.iter().position(|life| *life != free.life);
    ensure!(begins.is_none_or(|begins| ends < Some(begins)), "two of one name, of a pod that is never frozen");
    c.k("delete statefulset keeper killed free --cascade=foreground --timeout=60s")?;
    settled(c)
}

/// The longest pause between two lines, in seconds.
fn longest(lines: &[Line]) -> f64 {
    lines.windows(2).map(|pair| pair[1].at - pair[0].at).fold(0.0, f64::max)
}

/// Waits until every pod is ready, and none is on its way out.
fn settled(c: &Cluster) -> Result<()> {
    c.wait("all pods are ready", Duration::from_secs(180), || {
        let path = "-ojsonpath={range .items[*]}{.metadata.name} [{.metadata.deletionTimestamp}] {.status.conditions[?(@.type=='Ready')].status}{\"\\n\"}{end}";
        let pods = c.kubectl(&["get", "pods", "-A", path])?.ok()?;
        let odd = pods.lines().map(str::trim).find(|line| !line.is_empty() && !line.ends_with(" [] True"));
        ensure!(odd.is_none(), "{odd:?}");
        Ok(true)
    })
    .map(drop)
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
    c.k("wait --for=condition=Ready pod/keeper pod/free pod/served pod/asks pod/crashing --timeout=60s")?;
    let all = ["keeper", "free", "asks", "crashing"];
    c.wait("all write", PATIENCE, || Ok(all.iter().all(|name| diary.last(name).is_ok())))?;
    // The sample is everybody's: one that still comes up would be a change of its own.
    c.wait("the sample is ready", Duration::from_secs(180), || {
        Ok(c.ready_pods("app=mysql")?.len() == 1 && c.ready_pods("app=myweb")?.len() == 2)
    })?;
    let before = pods(c)?;
    let first = diary.last("keeper")?;
    let restarts = diary.lines("crashing").len();
    let [m1, m2, m3] = c.masters();
    c.host("kill", m1)?;
    c.host("kill", m2)?;
    // From here on no renewal is acknowledged.
    let down = uptime()?;
    c.host("kill", m3)?;
    c.wait("the fenced pod is frozen", Duration::from_secs(90), || Ok(diary.silent("keeper")? > 3.0))?;
    let frozen = diary.last("keeper")?.at - down;
    figures.add("all masters down to fenced pods frozen", Duration::from_secs_f64(frozen.max(0.0)));
    ensure!((20.0..34.0).contains(&frozen), "frozen after {frozen} s");
    ensure!(diary.silent("free")? < 3.0, "another pod does not run on");
    ensure!(longest(&diary.lines("free")) < 10.0, "another pod stood still");
    let asked = uptime()?;
    c.wait("DNS and Services work", PATIENCE, || Ok(diary.last("asks")?.at > asked))?;
    c.wait("a crashed container is started again", Duration::from_secs(60), || {
        Ok(diary.lines("crashing").len() > restarts)
    })?;
    for master in c.masters() {
        c.host("start", master)?;
    }
    let back = Instant::now();
    c.wait("the fenced pod goes on", Duration::from_secs(60), || Ok(diary.silent("keeper")? < 1.0))?;
    figures.add("masters started to fenced pods thawed", back.elapsed());
    let thawed = diary.last("keeper")?;
    ensure!((&thawed.node, &thawed.life) == (&first.node, &first.life), "it was started again: {first:?}, {thawed:?}");
    c.wait("kubectl answers", Duration::from_secs(60), || Ok(c.kubectl(&["get", "nodes"])?.code == 0))?;
    c.wait("all nodes are ready", Duration::from_secs(60), || {
        Ok(!c.k("get nodes --no-headers")?.contains("NotReady"))
    })?;
    // Longer than the grace of a new leader, in which it must move nothing.
    std::thread::sleep(Duration::from_secs(8));
    c.wait("everything is as it was", Duration::from_secs(60), || {
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
    c.k("wait --for=condition=Ready pod/keeper pod/free --timeout=60s")?;
    settled(c)?;
    c.wait("both write", PATIENCE, || Ok(diary.last("keeper").is_ok() && diary.last("free").is_ok()))?;
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
    c.wait("all pods run again", Duration::from_secs(120), || {
        Ok(diary.last("keeper")?.life != old.0 && diary.last("free")?.life != old.1)
    })?;
    c.wait("the same pods in the same places", Duration::from_secs(180), || {
        let ready = c.k("get pods -A --no-headers")?;
        ensure!(!ready.contains(" 0/"), "not ready:\n{ready}");
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
    c.k("wait --for=condition=Ready pod/keeper --timeout=60s")?;
    c.wait("it writes", PATIENCE, || Ok(diary.last("keeper").is_ok()))?;
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
    let gap = longest(&diary.lines("keeper"));
    ensure!(gap < 10.0, "the fenced pod stood still for {gap} s");
    c.k("delete pod/keeper --timeout=30s").map(drop)
}

/// Writes much that goes to every node.
fn flood(c: &Cluster) -> Result<()> {
    let filler = "x".repeat(20_000);
    let begun = Instant::now();
    let (mut round, mut carried, mut last) = (0, 0u32, None);
    while begun.elapsed() < Duration::from_secs(15) {
        let service = |n: u32| {
            format!(
                "---\napiVersion: v1\nkind: Service\nmetadata: {{name: flood-{n}, labels: {{flood: yes-it-is}}, annotations: {{round: \"{round}\", filler: {filler}}}}}\nspec: {{clusterIP: None, selector: {{app: nobody}}, ports: [{{port: 80}}]}}\n"
            )
        };
        let all: String = (0..40).map(service).collect();
        // A master that has too much to do may say so.
        let said = c.kubectl_with(&["apply", "--server-side", "-f", "-"], &all)?.ok();
        carried += u32::from(said.is_ok());
        last = said.err();
        round += 1;
    }
    ensure!(carried > 0, "nothing was written: {last:?}");
    Ok(())
}

//! Our own CLI: kubectl's verbs, and moving on by itself when a master is down.

use crate::cluster::Cluster;
use crate::figures::Figures;
use crate::steps::watching::Watching;
use crate::steps::{BUSYBOX, pod};
use anyhow::{Context, Result, ensure};
use std::collections::BTreeMap;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(30);

/// apply, create, get, describe, logs, exec, scale, delete.
pub fn verbs(c: &Cluster, _: &mut Figures) -> Result<()> {
    let said = |line: &str| c.raftsman(line)?.ok().with_context(|| format!("raftsman {line}"));
    c.raftsman_with("apply -f -", &pod("mine", "echo hello; sleep 1000"))?.ok()?;
    c.k("wait --for=condition=Ready pod/mine --timeout=30s")?;
    ensure!(said("get pods mine")?.contains("Running"), "get");
    ensure!(said("get pod mine -o yaml")?.contains("kind: Pod"), "get -o yaml");
    ensure!(said("get pods -A -o wide")?.contains("mine"), "get -A -o wide");
    ensure!(said("describe pod mine")?.contains("Events"), "describe");
    c.wait("logs", PATIENCE, || Ok(said("logs mine")? == "hello\n"))?;
    ensure!(said("exec mine -- hostname")?.trim() == "mine", "exec");
    ensure!(c.raftsman("exec mine -- false")?.code == 1, "exec passes the exit code on");
    terminal(c)?;
    objects(c)?;
    scaling(c)?;
    logs(c)?;
    described(c)?;
    table(c)?;
    said("delete pod mine --grace-period=1")?;
    c.raftsman("get pod mine")?.refused("not found").map(drop)
}

/// exec -it has a terminal of our own terminal's size.
fn terminal(c: &Cluster) -> Result<()> {
    let line = format!(
        "stty rows 33 cols 111; KUBECONFIG={} {} exec -it mine -- sh -c 'sleep 1; tty; stty size'",
        c.dir().join("admin.kubeconfig").display(),
        c.raftsman.display()
    );
    let mut script = Command::new("script");
    let typed = script.args(["-qec", &line, "/dev/null"]).stdin(Stdio::null()).output().context("script")?;
    let shown = String::from_utf8_lossy(&typed.stdout).into_owned();
    ensure!(shown.contains("/dev/pts") && shown.contains("33 111"), "exec -it shows {shown}");
    Ok(())
}

/// A second apply says what it did, create makes only what is not there, delete takes files and selectors.
fn objects(c: &Cluster) -> Result<()> {
    let with = |line: &str, input: &str| c.raftsman_with(line, input)?.ok().with_context(|| format!("raftsman {line}"));
    let map = |name: &str, value: &str| {
        format!(
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}, labels: {{by: us}}}}\ndata: {{k: {value}}}\n"
        )
    };
    ensure!(with("apply -f -", &map("ours", "one"))?.trim() == "configmap/ours created", "apply");
    ensure!(with("apply -f -", &map("ours", "one"))?.trim() == "configmap/ours unchanged", "apply again");
    ensure!(with("apply -f -", &map("ours", "two"))?.trim() == "configmap/ours configured", "apply of another value");
    ensure!(c.field("configmap ours", ".data.k")? == "two", "what was applied");
    c.raftsman_with("create -f -", &map("ours", "three"))?.refused("already exists")?;
    ensure!(c.field("configmap ours", ".data.k")? == "two", "create changed what is there");
    ensure!(with("create -f -", &map("theirs", "one"))?.trim() == "configmap/theirs created", "create");
    with("delete -f -", &map("theirs", "one"))?;
    c.kubectl(&["get", "configmap", "theirs"])?.refused("NotFound")?;
    ensure!(c.field("configmap ours", ".data.k")? == "two", "delete -f took another one");
    c.k("create configmap other")?;
    c.raftsman("delete configmaps -l by=us")?.ok()?;
    c.kubectl(&["get", "configmap", "ours"])?.refused("NotFound")?;
    c.k("delete configmap other").context("delete -l took another one").map(drop)
}

/// scale, with and without a look at what is there.
fn scaling(c: &Cluster) -> Result<()> {
    c.apply(&format!(
        r#"
apiVersion: v1
kind: ReplicationController
metadata: {{name: sized}}
spec:
  replicas: 1
  selector: {{app: sized}}
  template:
    metadata: {{labels: {{app: sized}}}}
    spec: {{terminationGracePeriodSeconds: 0, containers: [{{name: c, image: {BUSYBOX}, command: [sleep, "1000"]}}]}}
"#
    ))?;
    let replicas = || c.field("rc sized", ".spec.replicas");
    let said = c.raftsman("scale rc/sized --replicas=2")?.ok()?;
    ensure!(said.contains("sized scaled") && replicas()? == "2", "scale: {said}");
    c.raftsman("scale rc sized --current-replicas=5 --replicas=9")?.refused("expected 5 replicas, there are 2")?;
    ensure!(replicas()? == "2", "it was scaled though it was not as expected");
    c.raftsman("scale rc sized --current-replicas=2 --replicas=3")?.ok()?;
    ensure!(replicas()? == "3", "it was not scaled though it was as expected");
    c.wait("three run", PATIENCE, || Ok(c.ready_pods("app=sized")?.len() == 3))?;
    c.raftsman("scale service/kubernetes --replicas=2")?.refused("cannot be scaled")?;
    let described = c.raftsman("describe rc sized")?.ok()?;
    ensure!(described.contains("3 current / 3 desired") && described.contains("SuccessfulCreate"), "{described}");
    c.raftsman("delete rc sized")?.ok()?;
    c.wait("its pods are gone", PATIENCE, || Ok(c.k("get pods -l app=sized -oname")?.is_empty())).map(drop)
}

/// logs of one container of several, of the one before, and the last lines only.
fn logs(c: &Cluster) -> Result<()> {
    let two = pod("lines", "for i in 1 2 3 4 5; do echo first $i; done; sleep 1000").replace(
        "\"containers\":[",
        &format!(
            r#""containers":[{{"name":"again","image":"{BUSYBOX}","command":["sh","-c","if test -e /kept/once; then echo second life; sleep 1000; fi; touch /kept/once; echo first life; exit 1"],"volumeMounts":[{{"name":"kept","mountPath":"/kept"}}]}},"#
        ),
    );
    c.apply(&two.replace("\"spec\":{", r#""spec":{"volumes":[{"name":"kept","emptyDir":{}}],"#))?;
    let says = |line: &str, wanted: &str| {
        c.wait(&format!("raftsman {line}"), Duration::from_secs(60), || {
            let said = c.raftsman(line)?.ok()?;
            ensure!(said == wanted, "it says {said:?}");
            Ok(true)
        })
    };
    says("logs lines -c again", "second life\n")?;
    says("logs lines -c again --previous", "first life\n")?;
    says("logs lines -c main --tail=2", "first 4\nfirst 5\n")?;
    says("logs lines main --tail=1", "first 5\n")?;
    c.raftsman("logs lines -c main --previous")?.refused("previous")?;
    c.raftsman("logs lines -c none")?.refused("none")?;
    c.raftsman("delete pod lines --now")?.ok().map(drop)
}

/// What describe says of other kinds than pods.
fn described(c: &Cluster) -> Result<()> {
    let cidr = c.field("node n1", ".spec.podCIDR")?;
    let cluster_ip = c.field("service myweb", ".spec.clusterIP")?;
    for (what, words) in [
        ("node n1", vec![cidr, "Allocatable".to_owned(), c.address("n1")?, "Ready".to_owned()]),
        ("service myweb", vec![cluster_ip, "30001/TCP".to_owned(), "app=myweb".to_owned(), "8080/TCP".to_owned()]),
        ("rc myweb", vec!["app=myweb".to_owned(), "desired".to_owned(), "raftsman.local/tomcat-sample:1".to_owned()]),
    ] {
        let text = c.raftsman(&format!("describe {what}"))?.ok()?;
        let missing = words.iter().find(|word| !text.contains(word.as_str()));
        ensure!(missing.is_none(), "describe {what} does not say {missing:?}: {text}");
    }
    Ok(())
}

/// `get -w` is one table that goes on.
fn table(c: &Cluster) -> Result<()> {
    let begun = Instant::now();
    let watch = Watching::start(c.raftsman_command("get pods -w"))?;
    watch.wait(c, "the first rows", PATIENCE, begun, |line| line.starts_with("mine "))?;
    let from = Instant::now();
    c.apply(&pod("comes", "sleep 1000"))?;
    let row = |status: &'static str| move |line: &str| line.starts_with("comes ") && line.contains(status);
    watch.wait(c, "a row of the new pod", PATIENCE, from, row("Running"))?;
    c.raftsman("delete pod comes --now")?.ok()?;
    let headers = watch.lines().iter().filter(|line| line.starts_with("NAME ")).count();
    ensure!(headers == 1, "{headers} head lines: {:?}", watch.lines());
    Ok(())
}

/// `get -w` and `logs -f` go on while each master is killed once, and while each is cut off.
pub fn outlives(c: &Cluster, figures: &mut Figures) -> Result<()> {
    c.apply(&pod("talks", "i=0; while true; do i=$((i+1)); echo $i; sleep 0.1; done"))?;
    c.k("wait --for=condition=Ready pod/talks --timeout=30s")?;
    c.k("create configmap seen-first")?;
    let begun = Instant::now();
    let logs = Watching::start(c.raftsman_command("logs -f talks"))?;
    let watch = Watching::start(c.raftsman_command("get configmaps -w -o name"))?;
    watch.wait(c, "the watch has begun", PATIENCE, begun, |line| line.ends_with("/seen-first"))?;
    for master in c.masters() {
        survives(c, figures, &logs, &watch, master, "killed").with_context(|| format!("{master} was killed"))?;
    }
    for master in c.masters() {
        survives(c, figures, &logs, &watch, master, "cut").with_context(|| format!("{master} was cut off"))?;
    }
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    watch
        .lines()
        .into_iter()
        .filter(|line| line.contains("/seen-"))
        .for_each(|line| *seen.entry(line).or_default() += 1);
    ensure!(seen.len() == 7, "not every object was seen: {seen:?}");
    // As kubectl with names: an object is named when it is made, and when it is deleted.
    let wanted = |name: &String| if name.ends_with("/seen-first") { 1 } else { 2 };
    ensure!(seen.iter().all(|(name, times)| *times == wanted(name)), "not every event was seen once: {seen:?}");
    let numbers: Vec<u64> = logs.lines().iter().filter_map(|line| line.parse().ok()).collect();
    ensure!(numbers.iter().enumerate().all(|(at, number)| *number == at as u64 + 1), "lines came twice or never");
    c.k("delete configmap seen-first")?;
    c.k("delete pod talks --timeout=30s").map(drop)
}

fn survives(
    c: &Cluster,
    figures: &mut Figures,
    logs: &Watching,
    watch: &Watching,
    master: &str,
    how: &str,
) -> Result<()> {
    let other = c.masters().into_iter().find(|other| *other != master).context("one master")?;
    let name = format!("seen-{how}-{master}");
    let path = format!("configmap/{name}");
    let at = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        c.kubectl_at(other, &words)?.ok().with_context(|| format!("kubectl {line} through {other}"))
    };
    let begun = Instant::now();
    if how == "cut" {
        c.host("cut", master)?
    } else {
        c.kill_process(master)?
    }
    let tried = (|| {
        c.wait("another master answers", PATIENCE, || match at(&format!("create configmap {name}")) {
            // It was made, and its answer was lost.
            Err(error) if format!("{error:#}").contains("already exists") => Ok(true),
            made => made.map(|_| true),
        })?;
        let seen = watch.wait(c, "the watch goes on", PATIENCE, begun, |line| line == path)?;
        figures.add(&format!("master {how} to the next event of get -w"), seen - begun);
        // What the pod says now, by another way: what was under way when the master went is not enough.
        let now: u64 = at("logs talks --tail=1")?.trim().parse().context("the pod's last line")?;
        let later = |line: &str| line.parse().is_ok_and(|number: u64| number > now);
        logs.wait(c, &format!("a line after {now}"), PATIENCE, begun, later)?;
        let from = Instant::now();
        at(&format!("delete configmap {name}"))?;
        watch.wait(c, "the watch sees the end", PATIENCE, from, |line| line == path).map(drop)
    })();
    let healed = c.host(if how == "cut" { "heal" } else { "start" }, master);
    tried?;
    healed?;
    c.masters_ready(&[master])
}

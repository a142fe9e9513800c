//! kill -9 of masters, the leader first of all.

use crate::cluster::Cluster;
use crate::figures::Figures;
use crate::steps::BUSYBOX;
use crate::steps::poller::Poller;
use crate::writer::{Verb, Writer, none_lost};
use anyhow::{Context, Result, bail, ensure};
use std::collections::BTreeSet;
use std::process::Command;
use std::time::{Duration, Instant};

/// Kills of the leader.
const LEADER_KILLS: usize = 10;
/// Within this the surviving masters answer.
const PROMISE: Duration = Duration::from_secs(1);
/// Within this a test gives up waiting.
const PATIENCE: Duration = Duration::from_secs(30);
/// Kubernetes's API through the Service, so often that a dead master among three would be met.
const KNOCK: &str = "for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do \
                     nc -w 2 kubernetes.default 443 </dev/null || { echo knock $i failed; exit 1; }; done; echo reached";

/// No acknowledged write is lost, the others answer within a second, a scale command right after is carried out, pods and the
/// node port answer throughout, and no container is touched.
pub fn masters(c: &Cluster, figures: &mut Figures) -> Result<()> {
    c.apply(&workload(c))?;
    for what in ["rc mysql", "rc myweb"] {
        let wanted = c.field(what, ".spec.replicas")?;
        c.wait(what, Duration::from_secs(120), || Ok(c.field(what, ".status.readyReplicas")? == wanted))?;
    }
    for what in ["rc/scaled", "pods"] {
        let waited =
            if what == "pods" { "--for=condition=Ready --all" } else { "--for=jsonpath={.status.readyReplicas}=2" };
        c.k(&format!("-n failover wait {what} {waited} --timeout=60s"))?;
    }
    let pages = |node: &&str| -> Result<Vec<String>> {
        let at = format!("http://{}:30001/", c.address(node)?);
        // Mostly without the database, which each visit makes work.
        Ok(vec![at.clone(), format!("{at}healthz.txt"), format!("{at}healthz.txt"), format!("{at}healthz.txt")])
    };
    let lists: Vec<Vec<String>> = c.nodes().iter().map(pages).collect::<Result<_>>()?;
    for page in lists.iter().flatten() {
        c.wait("the sample answers", PATIENCE, || c.http(page).map(|_| true))?;
    }
    // A pod's first page takes long: it is compiled.
    let wanted = c.ready_pods("app=myweb")?.len();
    let mut seen = BTreeSet::new();
    c.wait("each pod of the sample has answered", Duration::from_secs(120), || {
        let page = c.http(lists.iter().flatten().next().context("no page")?)?;
        seen.extend(page.lines().find(|line| line.contains("Answered by pod")).map(str::to_owned));
        Ok(seen.len() >= wanted)
    })?;
    let before = containers(c)?;
    let poller = Poller::start(c, lists);
    for round in 0..LEADER_KILLS {
        let leader = c.leader()?;
        one(c, figures, &leader, "leader", round, &poller).with_context(|| format!("kill {round}, of {leader}"))?;
    }
    for follower in 0..2 {
        let leader = c.leader()?;
        let victims: Vec<&str> = c.masters().into_iter().filter(|master| *master != leader).collect();
        let victim = victims.get(follower).copied().context("no follower")?;
        one(c, figures, victim, "follower", LEADER_KILLS + follower, &poller)
            .with_context(|| format!("kill of the follower {victim}"))?;
    }
    let asked = poller.end().context("the sample through the nodes' ports")?;
    ensure!(asked > 100, "the sample was asked {asked} times only");
    let after = containers(c)?;
    ensure!(before == after, "containers of the sample, before:\n{before}after:\n{after}");
    c.k("delete namespace failover --timeout=60s").map(drop)
}

/// Something to scale, and a pod on each node that asks the API.
fn workload(c: &Cluster) -> String {
    let mut manifest = format!(
        r#"
apiVersion: v1
kind: Namespace
metadata: {{name: failover}}
---
apiVersion: v1
kind: ReplicationController
metadata: {{name: scaled, namespace: failover}}
spec:
  replicas: 2
  selector: {{app: scaled}}
  template:
    metadata: {{labels: {{app: scaled}}}}
    spec: {{terminationGracePeriodSeconds: 0, containers: [{{name: c, image: {BUSYBOX}, command: [sleep, "100000"]}}]}}
"#
    );
    for node in c.nodes() {
        manifest += &format!(
            r#"---
apiVersion: v1
kind: Pod
metadata: {{name: knocks-{node}, namespace: failover}}
spec:
  nodeName: {node}
  terminationGracePeriodSeconds: 0
  containers: [{{name: c, image: {BUSYBOX}, command: [sleep, "100000"]}}]
"#
        );
    }
    manifest
}

/// The sample's containers, and how often each was restarted.
fn containers(c: &Cluster) -> Result<String> {
    let path =
        "-ojsonpath={range .items[*].status.containerStatuses[*]}{.name} {.containerID} {.restartCount}{\"\\n\"}{end}";
    c.kubectl(&["get", "pods", "-l", "app in (mysql,myweb)", "--sort-by=.metadata.name", path])?.ok()
}

fn one(c: &Cluster, figures: &mut Figures, victim: &str, role: &str, round: usize, poller: &Poller) -> Result<()> {
    let others: Vec<&str> = c.masters().into_iter().filter(|master| *master != victim).collect();
    let writer = Writer::start(c, "failover", &format!("w-{round}"), &others);
    let asks: Vec<(&str, Verb)> =
        others.iter().flat_map(|other| [(*other, Verb::Write), (*other, Verb::Read)]).collect();
    let answers = |moment: Instant| -> Option<Vec<Duration>> {
        asks.iter().map(|(master, verb)| writer.first_after(moment, master, *verb)).collect()
    };
    let begun = Instant::now();
    c.wait("the first answers", PATIENCE, || Ok(answers(begun).is_some()))?;
    c.kill_process(victim)?;
    let killed = Instant::now();
    let wanted = if round.is_multiple_of(2) { "3" } else { "2" };
    let other = others.first().copied().context("no other master")?;
    let at = |line: &str| {
        let words: Vec<&str> = ["-n", "failover"].into_iter().chain(line.split_whitespace()).collect();
        c.kubectl_at(other, &words)?.ok().with_context(|| format!("kubectl {line} through {other}"))
    };
    at(&format!("scale rc/scaled --replicas={wanted}")).context("right after the kill")?;
    c.wait("an answer of each after the kill", PATIENCE, || Ok(answers(killed).is_some()))?;
    let took = answers(killed).context("no answer")?;
    for ((_, verb), took) in asks.iter().zip(&took) {
        let what = if *verb == Verb::Write { "acknowledged write" } else { "answered read" };
        figures.add(&format!("kill of a {role} to the next {what} of each other master"), *took);
    }
    c.wait("the scale is carried out", PATIENCE, || {
        Ok(at("get rc scaled -ojsonpath={.status.readyReplicas}")? == wanted)
    })?;
    forgotten(c, victim, other)?;
    for node in c.nodes() {
        let said =
            c.kubectl_at(other, &["-n", "failover", "exec", &format!("knocks-{node}"), "--", "sh", "-c", KNOCK])?;
        ensure!(said.out.trim() == "reached", "the API from a pod on {node}, {victim} dead: {} {}", said.out, said.err);
    }
    let names = writer.stop()?;
    none_lost(c, "failover", &names, &others)?;
    c.host("start", victim)?;
    c.masters_ready(&[victim])?;
    none_lost(c, "failover", &names, &[victim])?;
    c.wait("the Service kubernetes leads to it again", PATIENCE, || Ok(reached(c, other)?.len() == 3))?;
    c.kubectl_at(victim, &["-n", "failover", "delete", "configmaps", "--all", "--wait=false"])?.ok()?;
    poller.fine().context("the sample through the nodes' ports")?;
    for ((master, verb), took) in asks.iter().zip(&took) {
        ensure!(*took < PROMISE, "{victim} was killed, and the first {verb:?} through {master} took {took:?}");
    }
    Ok(())
}

/// The masters that the Service `kubernetes` leads to, as one of them says.
fn reached(c: &Cluster, master: &str) -> Result<Vec<String>> {
    let path = "-ojsonpath={.endpoints[*].addresses[0]}";
    let said = c.kubectl_at(master, &["-n", "default", "get", "endpointslice", "kubernetes", path])?.ok()?;
    Ok(said.split_whitespace().map(str::to_owned).collect())
}

/// Waits until the dead master is in no slice, and in no node's rules.
fn forgotten(c: &Cluster, victim: &str, other: &str) -> Result<()> {
    let address = c.address(victim)?;
    c.wait("the Service kubernetes forgets the dead", PATIENCE, || Ok(!reached(c, other)?.contains(&address)))?;
    for node in c.nodes() {
        let namespace = format!("--net=/run/netns/{}-{node}", c.name);
        c.wait(&format!("{node} forgets the dead"), PATIENCE, || {
            let rules =
                Command::new("nsenter").args([&namespace, "nft", "list", "ruleset"]).output().context("nsenter")?;
            if !rules.status.success() {
                bail!("nft on {node}: {}", String::from_utf8_lossy(&rules.stderr).trim());
            }
            let text = String::from_utf8_lossy(&rules.stdout).into_owned();
            ensure!(text.contains("10."), "{node} has no rules: {text}");
            let named = text.split(|c: char| !c.is_ascii_digit() && c != '.').any(|word| word == address);
            Ok(!named)
        })?;
    }
    Ok(())
}

//! Our own CLI: kubectl's verbs, and moving on by itself when a master is down.

use crate::cluster::Cluster;
use crate::figures::Figures;
use crate::steps::pod;
use anyhow::{Context, Result, ensure};
use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::sync::mpsc;
use std::time::Duration;

/// apply, create, get, describe, logs, exec, scale, delete.
pub fn verbs(c: &Cluster, _: &mut Figures) -> Result<()> {
    let said = |line: &str| c.raftsman(line)?.ok().with_context(|| format!("raftsman {line}"));
    c.raftsman_with("apply -f -", &pod("mine", "echo hello; sleep 1000"))?.ok()?;
    c.k("wait --for=condition=Ready pod/mine --timeout=30s")?;
    ensure!(said("get pods mine")?.contains("Running"), "get");
    ensure!(said("get pod mine -o yaml")?.contains("kind: Pod"), "get -o yaml");
    ensure!(said("get pods -A -o wide")?.contains("mine"), "get -A -o wide");
    ensure!(said("describe pod mine")?.contains("Events"), "describe");
    ensure!(said("logs mine")? == "hello\n", "logs");
    ensure!(said("exec mine -- hostname")?.trim() == "mine", "exec");
    ensure!(c.raftsman("exec mine -- false")?.code == 1, "exec passes the exit code on");
    said("delete pod mine --grace-period=1")?;
    c.raftsman("get pod mine")?.refused("not found").map(drop)
}

/// `get -w` and `logs -f` go on while each master is killed once.
pub fn outlives(c: &Cluster, _: &mut Figures) -> Result<()> {
    c.apply(&pod("talks", "i=0; while true; do i=$((i+1)); echo $i; sleep 0.1; done"))?;
    c.k("wait --for=condition=Ready pod/talks --timeout=30s")?;
    let mut children = Vec::new();
    let mut follow = |line: &str| -> Result<mpsc::Receiver<String>> {
        let mut child = c.raftsman_command(line).stdout(Stdio::piped()).spawn()?;
        let out = child.stdout.take().context("no output")?;
        children.push(child);
        let (lines, received) = mpsc::channel();
        std::thread::spawn(move || {
            BufReader::new(out).lines().map_while(Result::ok).try_for_each(|line| lines.send(line))
        });
        Ok(received)
    };
    let logs = follow("logs -f talks")?;
    let watch = follow("get configmaps -w -o name")?;
    let result = kill_each(c, &logs, &watch);
    for mut child in children {
        child.kill()?;
        child.wait()?;
    }
    result?;
    c.k("delete pod talks --timeout=30s").map(drop)
}

fn kill_each(c: &Cluster, logs: &mpsc::Receiver<String>, watch: &mpsc::Receiver<String>) -> Result<()> {
    let mut last = 0u64;
    for master in c.masters() {
        c.kill_process(master)?;
        let name = format!("seen-{master}");
        let other = c.masters().into_iter().find(|other| *other != master).context("one master")?;
        c.kubectl_at(other, &["create", "configmap", &name])?.ok()?;
        while !watch
            .recv_timeout(Duration::from_secs(10))
            .with_context(|| format!("the watch with {master} down"))?
            .contains(&name)
        {}
        for _ in 0..20 {
            let line =
                logs.recv_timeout(Duration::from_secs(10)).with_context(|| format!("the log with {master} down"))?;
            let number: u64 = line.parse().with_context(|| format!("a line of the log: {line}"))?;
            ensure!(number == last + 1, "after line {last} came {number}");
            last = number;
        }
        c.host("start", master)?;
        c.wait("the master is back", Duration::from_secs(30), || {
            Ok(c.kubectl_at(master, &["get", "--raw", "/readyz", "--request-timeout=2s"])?.code == 0)
        })?;
        c.kubectl_at(other, &["delete", "configmap", &name])?.ok()?;
    }
    Ok(())
}

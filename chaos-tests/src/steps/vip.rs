//! The control plane's virtual address, and starting all masters again.

use crate::cluster::{Cluster, Said};
use crate::figures::Figures;
use anyhow::{Context, Result, bail, ensure};
use std::collections::BTreeSet;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

const NAMESPACE: &str = "vip";
/// Rounds of each fault.
const ROUNDS: usize = 2;

/// One request.
struct Asked {
    begun: Instant,
    ended: Instant,
    /// The name that it created, or why not.
    outcome: Result<String, String>,
}

/// Creates one ConfigMap after the other until it is told to stop.
struct Creator {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Vec<Asked>>,
}

impl Creator {
    fn start(create: impl Fn(&str) -> Result<Said> + Send + 'static, prefix: &'static str) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let over = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            let mut all = Vec::new();
            while !over.load(Ordering::Relaxed) {
                let name = format!("{prefix}-{}", all.len());
                let begun = Instant::now();
                let said = create(&name).and_then(Said::ok);
                all.push(Asked {
                    begun,
                    ended: Instant::now(),
                    outcome: said.map(|_| name).map_err(|e| format!("{e:#}")),
                });
            }
            all
        });
        Self { stop, thread }
    }

    /// By kubectl, which knows the virtual address only.
    fn kubectl(c: &Cluster, prefix: &'static str, patience: &'static str) -> Self {
        let c = c.clone();
        let create = move |name: &str| {
            let timeout = format!("--request-timeout={patience}");
            c.kubectl(&["-n", NAMESPACE, "create", "configmap", name, &timeout])
        };
        Self::start(create, prefix)
    }

    /// By our own command line, which knows all masters.
    fn raftsman(c: &Cluster, prefix: &'static str) -> Self {
        let c = c.clone();
        let create = move |name: &str| {
            let manifest =
                format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}, namespace: {NAMESPACE}}}\n");
            c.raftsman_with("create -f -", &manifest)
        };
        Self::start(create, prefix)
    }

    fn end(self) -> Result<Vec<Asked>> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().map_err(|_| anyhow::anyhow!("a client ended early"))
    }
}

/// What was acknowledged is there, at every master.
fn none_lost(c: &Cluster, asked: &[Asked]) -> Result<()> {
    let acknowledged: Vec<&String> = asked.iter().filter_map(|asked| asked.outcome.as_ref().ok()).collect();
    for master in c.masters() {
        let list = c.kubectl_at(master, &["-n", NAMESPACE, "get", "configmaps", "-oname"])?.ok()?;
        let there: BTreeSet<&str> =
            list.lines().filter_map(|line| line.split_once('/')).map(|(_, name)| name).collect();
        let lost = acknowledged.iter().find(|name| !there.contains(name.as_str()));
        ensure!(lost.is_none(), "{} was acknowledged and is not at {master}", lost.map_or("", |name| name.as_str()));
    }
    Ok(())
}

/// Who answers at the virtual address.
fn carrier(c: &Cluster) -> Result<String> {
    let text = c.k("get --raw /raftsman/v1/status --request-timeout=2s")?;
    let status: serde_json::Value = serde_json::from_str(&text)?;
    let me = status["members"].as_array().into_iter().flatten().find(|member| member["id"] == status["member"]);
    me.and_then(|member| member["name"].as_str()).map(str::to_owned).context("the master does not say who it is")
}

fn signal(c: &Cluster, host: &str, signal: &str) -> Result<()> {
    let pid = std::fs::read_to_string(c.dir().join(host).join("pid")).context("pid file")?;
    ensure!(Command::new("kill").args([signal, pid.trim()]).status()?.success(), "kill {signal} {} failed", pid.trim());
    Ok(())
}

/// The leader is killed, stopped and cut off: the address answers again, from the next leader, and nothing is lost.
pub fn moves(c: &Cluster, figures: &mut Figures) -> Result<()> {
    c.k(&format!("create namespace {NAMESPACE}"))?;
    for round in 0..ROUNDS {
        one(c, figures, "killed", round, |host| c.kill_process(host), |host| c.host("start", host))?;
        one(c, figures, "stopped", round, |host| signal(c, host, "-STOP"), |host| signal(c, host, "-CONT"))?;
        one(c, figures, "cut off", round, |host| c.host("cut", host), |host| c.host("heal", host))?;
    }
    c.k(&format!("delete namespace {NAMESPACE} --timeout=60s")).map(drop)
}

fn one(
    c: &Cluster,
    figures: &mut Figures,
    what: &str,
    round: usize,
    fault: impl Fn(&str) -> Result<()>,
    heal: impl Fn(&str) -> Result<()>,
) -> Result<()> {
    let leader = c.leader()?;
    c.wait("the leader carries the address", Duration::from_secs(5), || Ok(carrier(c)? == leader))?;
    let prefix: &'static str = match (what, round) {
        ("killed", 0) => "killed-a",
        ("killed", _) => "killed-b",
        ("stopped", 0) => "stopped-a",
        ("stopped", _) => "stopped-b",
        (_, 0) => "cut-a",
        _ => "cut-b",
    };
    let client = Creator::kubectl(c, prefix, "1s");
    std::thread::sleep(Duration::from_millis(500));
    let begun = Instant::now();
    let done = fault(&leader);
    let moved = c.wait("another one carries the address", Duration::from_secs(10), || {
        Ok(carrier(c).is_ok_and(|carrier| carrier != leader))
    });
    let asked = client.end();
    let healed = heal(&leader);
    done.and(healed).with_context(|| format!("{leader} {what}"))?;
    moved?;
    let asked = asked?;
    let first = asked.iter().find(|asked| asked.begun > begun && asked.outcome.is_ok());
    let first = first.context("no request was answered after the fault")?;
    figures.add(&format!("leader {what} to the next write by the virtual address"), first.ended - begun);
    c.wait("all masters are ready", Duration::from_secs(20), || {
        let ready = |master: &&str| c.kubectl_at(master, &["get", "--raw", "/readyz", "--request-timeout=2s"]);
        Ok(c.masters().iter().all(|master| ready(master).is_ok_and(|said| said.code == 0)))
    })?;
    none_lost(c, &asked)
}

/// All masters and nodes start again, and no request fails, neither by the virtual address nor by our command line.
pub fn rolling(c: &Cluster, figures: &mut Figures) -> Result<()> {
    c.k(&format!("create namespace {NAMESPACE}"))?;
    let pids = || -> Result<Vec<String>> {
        let hosts = c.masters().into_iter().chain(c.nodes());
        hosts.map(|host| Ok(std::fs::read_to_string(c.dir().join(host).join("pid"))?)).collect()
    };
    let before = pids()?;
    let clients = [Creator::kubectl(c, "kubectl", "20s"), Creator::raftsman(c, "raftsman")];
    std::thread::sleep(Duration::from_millis(500));
    let begun = Instant::now();
    let done = c.raftsman(&format!("host restart --all --name {}", c.name));
    figures.add("all hosts started again, one after the other", begun.elapsed());
    std::thread::sleep(Duration::from_millis(1500));
    let asked: Vec<Vec<Asked>> = clients.into_iter().map(Creator::end).collect::<Result<_>>()?;
    done?.ok()?;
    ensure!(before.iter().zip(pids()?).all(|(old, new)| *old != new), "a process was not started again");
    for asked in &asked {
        if let Some(failed) = asked.iter().find_map(|asked| asked.outcome.as_ref().err()) {
            bail!("a request failed while the masters started again: {failed}");
        }
        for asked in asked {
            figures.add("a write while all hosts start again", asked.ended - asked.begun);
        }
        none_lost(c, asked)?;
    }
    c.k(&format!("delete namespace {NAMESPACE} --timeout=60s")).map(drop)
}

//! The control plane's virtual address, and starting all masters again.

use crate::cluster::{Cluster, Said};
use crate::figures::Figures;
use anyhow::{Context, Result, bail, ensure};
use parking_lot::Mutex;
use std::collections::BTreeSet;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Where clients write.
pub(super) const NAMESPACE: &str = "vip";
const PATIENCE: Duration = Duration::from_secs(30);
/// Rounds of each fault.
const ROUNDS: usize = 2;
/// Who does not lead any more has lost the address after this: its lifetime in the kernel, what a confirmed leadership is
/// worth, and the kernel's own second.
const LOST_WITHIN: Duration = Duration::from_secs(5);

/// One request.
pub(super) struct Asked {
    begun: Instant,
    ended: Instant,
    /// The name that it created, or why not.
    pub(super) outcome: Result<String, String>,
}

/// Creates one ConfigMap after the other, or does something else again and again, until it is told to stop or dropped.
pub(super) struct Creator {
    stop: Arc<AtomicBool>,
    asked: Arc<Mutex<Vec<Asked>>>,
    thread: Option<JoinHandle<()>>,
}

impl Creator {
    pub(super) fn start(create: impl Fn(&str) -> Result<Said> + Send + 'static, prefix: &'static str) -> Self {
        let (stop, asked) = (Arc::new(AtomicBool::new(false)), Arc::new(Mutex::new(Vec::new())));
        let (over, all) = (Arc::clone(&stop), Arc::clone(&asked));
        let thread = std::thread::spawn(move || {
            let mut number = 0;
            while !over.load(Ordering::Relaxed) {
                let name = format!("{prefix}-{number}");
                number += 1;
                let begun = Instant::now();
                let said = create(&name).and_then(Said::ok);
                all.lock().push(Asked {
                    begun,
                    ended: Instant::now(),
                    outcome: said.map(|_| name).map_err(|e| format!("{e:#}")),
                });
            }
        });
        Self { stop, asked, thread: Some(thread) }
    }

    /// When the first request that began after a moment was answered with success.
    pub(super) fn answered(&self, after: Instant) -> Option<Instant> {
        let all = self.asked.lock();
        all.iter().filter(|one| one.begun > after && one.outcome.is_ok()).map(|one| one.ended).min()
    }

    /// By kubectl, which knows the virtual address only.
    pub(super) fn kubectl(c: &Cluster, prefix: &'static str, patience: &'static str) -> Self {
        let c = c.clone();
        let create = move |name: &str| {
            let timeout = format!("--request-timeout={patience}");
            c.kubectl(&["-n", NAMESPACE, "create", "configmap", name, &timeout])
        };
        Self::start(create, prefix)
    }

    /// By our own command line, which knows all masters.
    pub(super) fn raftsman(c: &Cluster, prefix: &'static str) -> Self {
        let c = c.clone();
        let create = move |name: &str| {
            let manifest =
                format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}, namespace: {NAMESPACE}}}\n");
            c.raftsman_with("create -f -", &manifest)
        };
        Self::start(create, prefix)
    }

    pub(super) fn end(mut self) -> Result<Vec<Asked>> {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.join().map_err(|_| anyhow::anyhow!("a client ended early"))?;
        }
        Ok(std::mem::take(&mut *self.asked.lock()))
    }
}

impl Drop for Creator {
    fn drop(&mut self) {
        // Its last request may take as long as it has patience, and nobody wants the answer.
        self.stop.store(true, Ordering::Relaxed);
    }
}

/// What was acknowledged is there, at every master.
pub(super) fn none_lost(c: &Cluster, asked: &[Asked]) -> Result<()> {
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

/// The address that kubectl asks.
fn address(c: &Cluster) -> Result<String> {
    let server = c.k("config view --minify -ojsonpath={.clusters[0].cluster.server}")?;
    let host = server.trim_start_matches("https://");
    Ok(host.split_once(':').map_or(host, |(host, _)| host).to_owned())
}

/// A host has the address in its kernel.
fn holds(c: &Cluster, host: &str, address: &str) -> Result<bool> {
    let namespace = format!("--net=/run/netns/{}-{host}", c.name);
    let output = Command::new("nsenter").args([&namespace, "ip", "-oneline", "-4", "address", "show"]).output()?;
    ensure!(output.status.success(), "ip on {host}: {}", String::from_utf8_lossy(&output.stderr).trim());
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    Ok(text.split([' ', '/']).any(|word| word == address))
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
    c.wait("the leader carries the address", PATIENCE, || Ok(carrier(c)? == leader))?;
    let address = address(c)?;
    ensure!(holds(c, &leader, &address)?, "{address} answers, and the leader {leader} does not have it");
    let prefix: &'static str = match (what, round) {
        ("killed", 0) => "killed-a",
        ("killed", _) => "killed-b",
        ("stopped", 0) => "stopped-a",
        ("stopped", _) => "stopped-b",
        (_, 0) => "cut-a",
        _ => "cut-b",
    };
    let client = Creator::kubectl(c, prefix, "3s");
    let before = Instant::now();
    let ready = c.wait("the first request", PATIENCE, || Ok(client.answered(before).is_some()));
    let begun = Instant::now();
    let done = fault(&leader);
    let done_at = Instant::now();
    let lost = c.wait("the former leader has lost the address", PATIENCE, || Ok(!holds(c, &leader, &address)?));
    let lost = lost.map(|_| done_at.elapsed());
    let moved =
        c.wait("another one carries the address", PATIENCE, || Ok(carrier(c).is_ok_and(|carrier| carrier != leader)));
    let moved_at = Instant::now();
    let answered =
        c.wait("a request after the address has moved", PATIENCE, || Ok(client.answered(moved_at).is_some()));
    let first = client.answered(begun);
    let asked = client.end();
    let healed = heal(&leader);
    ready?;
    done.and(healed).with_context(|| format!("{leader} {what}"))?;
    moved?;
    answered?;
    let lost = lost?;
    let first = first.context("no request was answered after the fault")?;
    figures.add(&format!("leader {what} to the next write by the virtual address"), first - begun);
    figures.add(&format!("leader {what} to the address gone from its kernel"), lost);
    c.masters_ready(&c.masters())?;
    none_lost(c, &asked?)?;
    ensure!(lost < LOST_WITHIN, "{leader} was {what} and had the address for {lost:?}");
    Ok(())
}

/// All masters and nodes start again, and no request fails, neither by the virtual address nor by our command line.
pub fn rolling(c: &Cluster, figures: &mut Figures) -> Result<()> {
    c.k(&format!("create namespace {NAMESPACE}"))?;
    let pids = || -> Result<Vec<String>> {
        let hosts = c.masters().into_iter().chain(c.nodes());
        hosts.map(|host| Ok(std::fs::read_to_string(c.dir().join(host).join("pid"))?)).collect()
    };
    let pids_before = pids()?;
    let clients = [Creator::kubectl(c, "kubectl", "20s"), Creator::raftsman(c, "raftsman")];
    let before = Instant::now();
    c.wait("the first requests", PATIENCE, || Ok(clients.iter().all(|client| client.answered(before).is_some())))?;
    let begun = Instant::now();
    let done = c.raftsman(&format!("host restart --all --name {}", c.name));
    figures.add("all hosts started again, one after the other", begun.elapsed());
    let after = Instant::now();
    let answered =
        c.wait("requests afterwards", PATIENCE, || Ok(clients.iter().all(|client| client.answered(after).is_some())));
    let asked: Vec<Vec<Asked>> = clients.into_iter().map(Creator::end).collect::<Result<_>>()?;
    done?.ok()?;
    answered?;
    ensure!(pids_before.iter().zip(pids()?).all(|(old, new)| *old != new), "a process was not started again");
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

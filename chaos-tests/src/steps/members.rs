//! Masters come and go: grow by joining, replace a dead one, remove the leader; and back to three.

use crate::cluster::Cluster;
use crate::figures::Figures;
use anyhow::{Context, Result, ensure};
use serde_json::Value;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(30);

/// What `raftsman members list` says.
fn list(c: &Cluster) -> Result<Vec<Value>> {
    let said: Value = serde_json::from_str(&c.raftsman("members list -o json")?.ok()?)?;
    Ok(said["members"].as_array().cloned().unwrap_or_default())
}

fn names(all: &[Value], role: impl Fn(&Value) -> bool) -> BTreeSet<String> {
    all.iter().filter(|m| role(m)).filter_map(|m| m["name"].as_str().map(str::to_owned)).collect()
}

fn voters(c: &Cluster) -> Result<BTreeSet<String>> {
    Ok(names(&list(c)?, |m| m["voter"] == true))
}

fn leader(c: &Cluster) -> Result<String> {
    names(&list(c)?, |m| m["role"] == "leader").pop_first().context("nobody leads")
}

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

/// Writers that go on while the members change; how many writes, and how many failed.
struct Load {
    stop: Arc<AtomicBool>,
    written: Arc<AtomicU64>,
    writer: std::thread::JoinHandle<Vec<String>>,
}

impl Load {
    fn begin(c: &Cluster) -> Self {
        let (stop, written) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let (c, ended, count) = (c.clone(), stop.clone(), written.clone());
        let writer = std::thread::spawn(move || {
            let mut failed = Vec::new();
            let mut n = 0;
            while !ended.load(Ordering::Relaxed) {
                n += 1;
                let manifest = format!(
                    "{{apiVersion: v1, kind: ConfigMap, metadata: {{name: members-load}}, data: {{n: '{n}'}}}}"
                );
                match c.raftsman_with("apply -f -", &manifest).and_then(crate::cluster::Said::ok) {
                    Ok(_) => {
                        count.fetch_add(1, Ordering::Relaxed);
                    }
                    Err(error) => failed.push(format!("{n}: {error:#}")),
                }
            }
            failed
        });
        Self { stop, written, writer }
    }

    fn end(self) -> Result<u64> {
        self.stop.store(true, Ordering::Relaxed);
        let failed = self.writer.join().map_err(|_| anyhow::anyhow!("the writer panicked"))?;
        ensure!(failed.is_empty(), "writes failed while the members changed: {}", failed.join("; "));
        Ok(self.written.load(Ordering::Relaxed))
    }
}

fn endpoints(c: &Cluster) -> Result<BTreeSet<String>> {
    let said = c.field("endpoints kubernetes", ".subsets[0].addresses[*].ip")?;
    Ok(said.split_whitespace().map(str::to_owned).collect())
}

/// The Service `kubernetes` leads to so many masters.
fn served_by(c: &Cluster, masters: usize) -> Result<()> {
    c.wait("the Service kubernetes follows the masters", PATIENCE, || Ok(endpoints(c)?.len() == masters)).map(drop)
}

/// From three to five by joining, one replaced, the leader removed, and back to three.
pub fn come_and_go(c: &Cluster, figures: &mut Figures) -> Result<()> {
    ensure!(voters(c)? == set(&["m1", "m2", "m3"]), "it does not begin with three masters");
    refusals(c)?;
    let load = Load::begin(c);
    let done = changes(c, figures);
    let load = load.end();
    done?;
    ensure!(load? > 0, "nothing was written");
    c.k("delete configmap members-load")?;
    Ok(())
}

fn changes(c: &Cluster, figures: &mut Figures) -> Result<()> {
    let name = &c.name;
    let begun = Instant::now();
    c.raftsman(&format!("up --name {name} --masters 5 --no-sample"))?.ok()?;
    figures.add("two masters joined", begun.elapsed());
    c.wait("five masters vote", PATIENCE, || Ok(voters(c)? == set(&["m1", "m2", "m3", "m4", "m5"])))?;
    served_by(c, 5)?;
    // The new ones serve, and hold the keys, for their owner only.
    c.masters_ready(&["m4", "m5"])?;
    c.wait("the new masters hold the keys", PATIENCE, || {
        Ok(c.dir().join("m4/pki/ca.key").exists() && c.dir().join("m5/pki/sa.key").exists())
    })?;
    let mode = std::fs::metadata(c.dir().join("m4/pki/ca.key"))?;
    ensure!(std::os::unix::fs::PermissionsExt::mode(&mode.permissions()) & 0o777 == 0o600, "the key is open to others");

    // A dead master's place is taken by a new host of its name, under a new id.
    let lost = names(&list(c)?, |m| m["role"] == "voter").pop_first().context("no follower")?;
    let old = list(c)?.iter().find(|m| m["name"] == lost.as_str()).and_then(|m| m["id"].as_u64());
    c.host("kill", &lost)?;
    let begun = Instant::now();
    c.host("replace", &lost)?;
    figures.add("a dead master was replaced", begun.elapsed());
    // The old one leaves the membership after the new one votes.
    c.wait("the dead one is gone", PATIENCE, || Ok(list(c)?.iter().all(|m| m["id"].as_u64() != old)))?;
    let all = list(c)?;
    ensure!(names(&all, |m| m["voter"] == true).len() == 5, "the replaced one does not vote");
    let new = all.iter().find(|m| m["name"] == lost.as_str()).and_then(|m| m["id"].as_u64());
    ensure!(new.is_some(), "nobody took the place of {lost}");

    // The leader goes; its host is told and stops by itself.
    let leads = leader(c)?;
    let begun = Instant::now();
    c.raftsman(&format!("members remove {leads}"))?.ok()?;
    figures.add("the leader was removed", begun.elapsed());
    c.wait("another one leads, and the removed one is no voter", PATIENCE, || {
        Ok(leader(c)? != leads && !voters(c)?.contains(&leads))
    })?;
    c.wait("the removed master stops and says why", PATIENCE, || {
        let log = std::fs::read_to_string(c.dir().join(&leads).join("log"))?;
        Ok(log.contains("was removed from the cluster"))
    })?;
    served_by(c, 4)?;
    c.host("remove", &leads)?;
    // Back to three masters, with the names that the next steps know.
    let spare = voters(c)?.into_iter().find(|name| name == "m4" || name == "m5").context("m4 or m5")?;
    c.host("remove", &spare)?;
    for name in ["m1", "m2", "m3"] {
        if !voters(c)?.contains(name) {
            c.raftsman(&format!("host add --name {}", c.name))?.ok()?;
        }
    }
    for extra in voters(c)?.into_iter().filter(|name| name == "m4" || name == "m5") {
        c.host("remove", &extra)?;
    }
    c.wait("it ends with m1, m2 and m3", PATIENCE, || Ok(voters(c)? == set(&["m1", "m2", "m3"])))?;
    served_by(c, 3)
}

/// Each with one clear line.
fn refusals(c: &Cluster) -> Result<()> {
    c.raftsman("members remove m9")?.refused("there is no master \"m9\"; there are m1, m2, m3")?;
    c.raftsman("members add m2 10.99.0.1")?.refused("there is a master \"m2\"")?;
    c.raftsman("members transfer m9")?.refused("there is no master")?;
    let scratch = std::env::temp_dir().join(format!("raftsman-{}-join", c.name));
    let server = format!("{}:6443", c.address("m1")?);
    let join = |token: &str, more: &str| {
        let dir = scratch.display();
        c.raftsman(&format!(
            "serve --join {server} --token {token} --name m8 --address 10.99.0.8 --data-dir {dir} {more}"
        ))
    };
    let token = c.raftsman("members token create --node --ttl 10m")?.ok()?.trim().to_owned();
    let (bearer, pin) = token.rsplit_once('.').context("a token")?;
    let tried = (|| {
        join("nonsense", "")?.refused("was it cut off?")?;
        join(&format!("{bearer}.{}", "0".repeat(64)), "")?.refused("another cluster")?;
        join(&format!("abc123.wrong.{pin}"), "")?.refused("the token is not valid")?;
        join(&token, "")?.refused("the token is for a node")?;
        let id = bearer.split('.').next().unwrap_or_default();
        c.raftsman(&format!("members token revoke {id}"))?.ok()?;
        join(&token, "--node")?.refused("the token is not valid")?;
        ensure!(!c.raftsman("members token list")?.ok()?.contains(id), "the token is still listed");
        Ok(())
    })();
    let _ = std::fs::remove_dir_all(&scratch);
    tried
}

/// Leadership goes where it is sent, and comes back.
pub fn transfer(c: &Cluster, _: &mut Figures) -> Result<()> {
    for name in ["m2", "m3", "m1"] {
        c.raftsman(&format!("members transfer {name}"))?.ok()?;
        c.wait(&format!("{name} leads"), PATIENCE, || Ok(leader(c)? == name))?;
    }
    Ok(())
}

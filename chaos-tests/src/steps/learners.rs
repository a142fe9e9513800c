//! A master that only learns: it joins, serves, is given a vote, loses it, and goes.

use crate::cluster::Cluster;
use crate::figures::Figures;
use anyhow::{Context, Result, ensure};
use serde_json::Value;
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(30);
/// The host that comes and goes.
const NEW: &str = "m4";

/// Joins without a vote, serves reads and forwards writes, is promoted, demoted and removed; what cannot be is refused.
pub fn life(c: &Cluster, figures: &mut Figures) -> Result<()> {
    c.raftsman("members promote m9")?.refused("there is no master \"m9\"; there are m")?;
    c.raftsman("members promote 99")?.refused("99")?;
    let begun = Instant::now();
    c.raftsman(&format!("host add --learner --name {}", c.name))?.ok()?;
    figures.add("a learner joined", begun.elapsed());
    ensure!(role(c, NEW)? == "learner", "it is a {}", role(c, NEW)?);
    let listed = c.raftsman("members list")?.ok()?;
    let row = listed.lines().find(|line| line.split_whitespace().nth(1) == Some(NEW)).context("no row of it")?;
    ensure!(row.contains("learner"), "the table calls it something else: {row}");
    c.masters_ready(&[NEW])?;
    serves(c, "learns")?;
    c.raftsman(&format!("members transfer {NEW}"))?.refused("vote")?;
    quorum(c)?;

    c.raftsman(&format!("members promote {NEW}"))?.ok()?;
    ensure!(role(c, NEW)? == "voter", "after promote it is a {}", role(c, NEW)?);
    let again = c.raftsman(&format!("members promote {NEW}"))?.ok()?;
    ensure!(again.contains("it was so already"), "promoted twice: {again}");
    serves(c, "votes")?;
    c.raftsman(&format!("members transfer {NEW}"))?.ok()?;
    c.wait("it leads", PATIENCE, || Ok(role(c, NEW)? == "leader"))?;
    // The leader loses its vote: it hands over first, and serves on.
    c.raftsman(&format!("members demote {NEW}"))?.ok()?;
    ensure!(role(c, NEW)? == "learner", "after demote it is a {}", role(c, NEW)?);
    serves(c, "learns-again")?;
    c.host("remove", NEW)?;
    ensure!(role(c, NEW).is_err(), "it is still a member");
    c.raftsman(&format!("members demote {NEW}"))?.refused("there is no master").map(drop)
}

/// What the masters say that one is.
fn role(c: &Cluster, name: &str) -> Result<String> {
    let said: Value = serde_json::from_str(&c.raftsman("members list -o json")?.ok()?)?;
    let row = said["members"].as_array().into_iter().flatten().find(|row| row["name"] == name);
    row.and_then(|row| row["role"].as_str()).map(str::to_owned).with_context(|| format!("{name} is no member"))
}

/// What is written through it is read elsewhere at once, and the other way round.
fn serves(c: &Cluster, object: &str) -> Result<()> {
    let at = |master: &str, line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        c.kubectl_at(master, &words)?.ok().with_context(|| format!("kubectl {line} through {master}"))
    };
    at(NEW, &format!("create configmap {object} --from-literal=k=one"))?;
    for (writer, reader, value) in [(NEW, "m1", "two"), ("m2", NEW, "three")] {
        at(writer, &format!("patch configmap {object} --type=merge -p {{\"data\":{{\"k\":\"{value}\"}}}}"))?;
        let read = at(reader, &format!("get configmap {object} -ojsonpath={{.data.k}}"))?;
        ensure!(read == value, "{reader} says {read:?} right after {writer} took {value:?}");
    }
    at(NEW, &format!("delete configmap {object}")).map(drop)
}

/// Of three voters one is dead: the other two stay, the learner gets no vote by that, and still serves.
fn quorum(c: &Cluster) -> Result<()> {
    let leader = c.leader()?;
    // The first is the one that our command line asks first.
    let mut followers = c.masters().into_iter().rev().filter(|name| *name != leader);
    let (dead, other) = followers.next().zip(followers.next()).context("two followers")?;
    c.host("kill", dead)?;
    let tried = (|| {
        c.wait("a change that would cost the quorum is refused", PATIENCE, || {
            let said = c.raftsman(&format!("members remove {other}"))?.refused("would cost the cluster its quorum")?;
            ensure!(!said.contains("repeat"), "advice for something else: {said}");
            Ok(true)
        })?;
        c.raftsman(&format!("members demote {other}"))?.refused("would cost the cluster its quorum")?;
        ensure!(role(c, other)? == "voter", "{other} was refused, and is a {}", role(c, other)?);
        c.kubectl_at(NEW, &["create", "configmap", "two-of-three"])?.ok()?;
        c.kubectl_at(NEW, &["delete", "configmap", "two-of-three"])?.ok()
    })();
    c.host("start", dead)?;
    tried?;
    c.masters_ready(&[dead])
}

//! kill -9 of masters, the leader first of all.

use crate::cluster::Cluster;
use crate::figures::Figures;
use crate::writer::{Writer, none_lost};
use anyhow::{Context, Result, ensure};
use std::time::{Duration, Instant};

/// Kills of the leader, and of each follower.
const LEADER_KILLS: usize = 10;

/// No acknowledged write is lost, the others answer within a second, a scale command right after is carried out.
pub fn masters(c: &Cluster, figures: &mut Figures) -> Result<()> {
    c.k("create namespace failover")?;
    for round in 0..LEADER_KILLS {
        let leader = c.leader()?;
        one(c, figures, &leader, "kill of the leader to the next acknowledged write", round)?;
    }
    for follower in 0..2 {
        let leader = c.leader()?;
        let victims: Vec<&str> = c.masters().into_iter().filter(|master| *master != leader).collect();
        let victim = victims.get(follower).copied().context("no follower")?;
        one(c, figures, victim, "kill of a follower to the next acknowledged write", LEADER_KILLS + follower)?;
    }
    c.k("delete namespace failover --timeout=60s").map(drop)
}

fn one(c: &Cluster, figures: &mut Figures, victim: &str, series: &str, round: usize) -> Result<()> {
    let others: Vec<&str> = c.masters().into_iter().filter(|master| *master != victim).collect();
    let writer = Writer::start(c, "failover", &others);
    let begin = Instant::now();
    c.wait("the first writes", Duration::from_secs(10), || {
        Ok(writer.next_after(begin + Duration::from_millis(300)).is_some())
    })?;
    let web = c.http(&format!("http://{}:30001/", c.address("n1")?));
    let killed = Instant::now();
    c.kill_process(victim)?;
    let wanted = if round.is_multiple_of(2) { "3" } else { "2" };
    let other = others.first().copied().context("no other master")?;
    c.kubectl_at(other, &["scale", "rc/myweb", &format!("--replicas={wanted}")])?
        .ok()
        .context("scale right after the kill")?;
    c.wait("a write after the kill", Duration::from_secs(5), || Ok(writer.next_after(killed).is_some()))?;
    let gap = writer.next_after(killed).context("no write")?;
    figures.add(series, gap);
    if web.is_ok() {
        c.http(&format!("http://{}:30001/", c.address("n2")?)).context("the sample right after the kill")?;
    }
    c.wait("the scale is carried out", Duration::from_secs(20), || {
        Ok(c.kubectl_at(other, &["get", "rc", "myweb", "-ojsonpath={.status.replicas}"])?.ok()? == wanted)
    })?;
    let address = c.address(victim)?;
    let reached = || -> Result<String> {
        let path = "-ojsonpath={.endpoints[*].addresses[0]}";
        c.kubectl_at(other, &["get", "endpointslice", "kubernetes", path])?.ok()
    };
    c.wait("the Service kubernetes forgets the dead", Duration::from_secs(5), || {
        Ok(reached()?.split_whitespace().all(|master| master != address))
    })?;
    let names = writer.stop();
    none_lost(c, "failover", &names, &others)?;
    c.host("start", victim)?;
    c.wait("the killed master is ready again", Duration::from_secs(30), || {
        Ok(c.kubectl_at(victim, &["get", "--raw", "/readyz", "--request-timeout=2s"])?.code == 0)
    })?;
    none_lost(c, "failover", &names, &[victim])?;
    c.wait("the Service kubernetes leads to it again", Duration::from_secs(5), || {
        Ok(reached()?.split_whitespace().count() == 3)
    })?;
    c.kubectl_at(victim, &["-n", "failover", "delete", "configmaps", "--all", "--wait=false"])?.ok()?;
    ensure!(gap < Duration::from_secs(1), "{victim} was killed and the next write took {gap:?}");
    Ok(())
}

//! A cluster under measurement.

use super::process::{Process, Usage};
use super::{etcd, raftsman};
use crate::client::{Client, Status, connect};
use anyhow::Context;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Members of a cluster.
const SIZE: u64 = 3;

/// How long a cluster may take to serve.
const PATIENCE: Duration = Duration::from_secs(60);

/// How often a member is asked while something is waited for.
const ASK: Duration = Duration::from_millis(10);

/// What is measured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum System {
    /// This store.
    Raftsman,
    /// etcd, by its program.
    Etcd(PathBuf),
}

impl System {
    /// The name in reports.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Raftsman => "raftsman",
            Self::Etcd(_) => "etcd",
        }
    }
}

/// A member: how it is started, and its process while it runs.
pub(super) struct Member {
    pub(super) program: PathBuf,
    pub(super) args: Vec<String>,
    pub(super) data: PathBuf,
    pub(super) log: PathBuf,
    pub(super) clients: SocketAddr,
    pub(super) process: Option<Process>,
}

/// Bytes in a member's data directory.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Disk(pub(crate) u64);

/// Three members on loopback, in a directory that goes with it.
pub(crate) struct Cluster {
    pub(crate) system: System,
    members: Vec<Member>,
    // Last: removed after the members have ended.
    _directory: TempDir,
}

impl Cluster {
    /// Starts all members in a new directory under `root` and waits until they serve.
    pub(crate) async fn start(system: System, root: &Path) -> anyhow::Result<Self> {
        let directory = tempfile::Builder::new()
            .prefix("raftsman-bench-")
            .tempdir_in(root)
            .with_context(|| format!("cannot make a directory in {}", root.display()))?;
        let members = match &system {
            System::Raftsman => raftsman::members(directory.path(), SIZE)?,
            System::Etcd(program) => etcd::members(program, directory.path(), SIZE)?,
        };
        let mut cluster = Self { system, members, _directory: directory };
        for member in 0..cluster.members.len() {
            cluster.run(member)?;
        }
        cluster.leader().await?;
        Ok(cluster)
    }

    /// How many members there are.
    pub(crate) fn size(&self) -> usize {
        self.members.len()
    }

    /// Starts a member's process with whatever its directory holds.
    pub(crate) fn run(&mut self, member: usize) -> anyhow::Result<()> {
        let member = &mut self.members[member];
        member.process = Some(Process::spawn(&member.program, &member.args, &member.log)?);
        Ok(())
    }

    /// Ends a member by SIGKILL.
    pub(crate) fn kill(&mut self, member: usize) {
        self.members[member].process = None;
    }

    /// Removes what a member that does not run holds.
    pub(crate) fn wipe(&mut self, member: usize) -> anyhow::Result<()> {
        Ok(std::fs::remove_dir_all(&self.members[member].data)?)
    }

    /// Bytes that a member's files take.
    pub(crate) fn disk(&self, member: usize) -> Disk {
        Disk(bytes_in(&self.members[member].data))
    }

    /// A connection of its own to a member.
    pub(crate) async fn connect(&self, member: usize) -> anyhow::Result<Arc<dyn Client>> {
        connect(&self.system, self.members[member].clients).await
    }

    /// What all members have used so far.
    pub(crate) fn usage(&self) -> Usage {
        let mut total = Usage::default();
        for usage in self.members.iter().filter_map(|member| member.process.as_ref()).map(Process::usage) {
            total.cpu += usage.cpu;
            for (name, cpu) in usage.threads {
                *total.threads.entry(name).or_default() += cpu;
            }
        }
        total
    }

    /// The status of a member, once it answers.
    pub(crate) async fn status(&self, member: usize) -> Option<Status> {
        let client = self.connect(member).await.ok()?;
        tokio::time::timeout(Duration::from_secs(1), client.status()).await.ok()?.ok()
    }

    /// Waits until all running members agree on a leader and serve; gives its place.
    pub(crate) async fn leader(&mut self) -> anyhow::Result<usize> {
        let until = Instant::now() + PATIENCE;
        loop {
            let mut seen = Vec::new();
            for at in 0..self.members.len() {
                if let Some(process) = &mut self.members[at].process {
                    process.check()?;
                    seen.push((at, self.status(at).await));
                }
            }
            if let Some(leader) = agreed(&seen) {
                return Ok(leader);
            }
            let name = self.system.name();
            anyhow::ensure!(Instant::now() < until, "no leader of {name} within {PATIENCE:?}: {}", told(&seen));
            tokio::time::sleep(ASK).await;
        }
    }

    /// A member that follows.
    pub(crate) async fn follower(&mut self) -> anyhow::Result<usize> {
        let leader = self.leader().await?;
        (0..self.size()).find(|at| *at != leader).context("a cluster of one has no follower")
    }

    /// Waits until a member gives linearizable answers.
    pub(crate) async fn serving(&mut self, member: usize) -> anyhow::Result<()> {
        self.serving_within(member, PATIENCE).await
    }

    /// The same, for as long as this.
    pub(crate) async fn serving_within(&mut self, member: usize, patience: Duration) -> anyhow::Result<()> {
        let until = Instant::now() + patience;
        loop {
            if let Some(process) = &mut self.members[member].process {
                process.check()?;
            }
            if let Ok(client) = self.connect(member).await
                && tokio::time::timeout(PATIENCE, client.get("none")).await.is_ok_and(|answer| answer.is_ok())
            {
                return Ok(());
            }
            anyhow::ensure!(Instant::now() < until, "member {member} does not serve within {patience:?}");
            tokio::time::sleep(ASK).await;
        }
    }
}

/// What each member said, for people.
fn told(seen: &[(usize, Option<Status>)]) -> String {
    let each = seen.iter().map(|(at, status)| {
        let said = status.as_ref().map_or_else(|| "did not answer".into(), |status| format!("{status:?}"));
        format!("m{}: {said}", at + 1)
    });
    each.collect::<Vec<_>>().join("; ")
}

/// The leader, if all say the same and serve.
fn agreed(seen: &[(usize, Option<Status>)]) -> Option<usize> {
    let all: Vec<(usize, &Status)> = seen.iter().filter_map(|(at, s)| s.as_ref().map(|s| (*at, s))).collect();
    let (_, first) = all.first()?;
    let same = all.len() == seen.len() && all.iter().all(|(_, s)| s.term == first.term && s.serves);
    let mut leading = all.iter().filter(|(_, s)| s.leads);
    let leader = leading.next().filter(|_| leading.next().is_none() && same);
    leader.map(|(at, _)| *at)
}

/// For each member a port for its peers and one for clients, on loopback: all were bound at the same time and let go.
pub(super) fn ports(members: u64) -> anyhow::Result<(Vec<SocketAddr>, Vec<SocketAddr>)> {
    let held = (0..members * 2).map(|_| TcpListener::bind("127.0.0.1:0")).collect::<Result<Vec<_>, _>>()?;
    let mut peers = held.iter().map(TcpListener::local_addr).collect::<Result<Vec<_>, _>>()?;
    let clients = peers.split_off(held.len() / 2);
    Ok((peers, clients))
}

fn bytes_in(directory: &Path) -> u64 {
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    entries
        .filter_map(|entry| {
            let data = entry.metadata().ok()?;
            Some(if data.is_dir() { bytes_in(&entry.path()) } else { data.len() })
        })
        .sum()
}

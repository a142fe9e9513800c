//! The process of a host: started, found again, asked to stop, killed.

use crate::host::environment::environment_file;
use crate::host::{Cgroups, Launch};
use crate::net::Namespaces;
use crate::plan::{LocalCluster, LocalHost};
use anyhow::{Context, bail};
use nix::fcntl::{Flock, FlockArg};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

/// The leaf of the host's cgroup in which its own process lives.
const LEAF: &str = "host";
const STOP_PATIENCE: Duration = Duration::from_secs(20);

/// What a host's process is, whether it runs or not.
#[derive(Debug, Clone)]
pub struct HostProcess {
    name: String,
    dir: PathBuf,
    netns: PathBuf,
    cgroups: Cgroups,
}

impl HostProcess {
    /// Of a host of a cluster.
    pub fn of(cluster: &LocalCluster, host: &LocalHost, namespaces: &Namespaces) -> anyhow::Result<Self> {
        Ok(Self {
            name: host.name.clone(),
            dir: cluster.host_dir(host),
            netns: namespaces.path(&cluster.link(host)),
            cgroups: Cgroups::at(&cluster.host_cgroup(host))?,
        })
    }

    /// The host's cgroups.
    pub fn cgroups(&self) -> &Cgroups {
        &self.cgroups
    }

    /// Where its output goes.
    pub fn log(&self) -> PathBuf {
        self.dir.join("log")
    }

    /// Its pid, if it runs. A pid that now belongs to something else does not count.
    pub fn pid(&self) -> Option<i32> {
        let pid: i32 = std::fs::read_to_string(self.dir.join("pid")).ok()?.trim().parse().ok()?;
        let zombie = std::fs::read_to_string(format!("/proc/{pid}/stat"))
            .is_ok_and(|stat| stat.rsplit(") ").next().is_some_and(|rest| rest.starts_with(['Z', 'X'])));
        (!zombie && self.cgroups.pids().contains(&pid)).then_some(pid)
    }

    /// Starts it, unless it runs: false. `raftsman` is the program that becomes `program`, of which `check` says that it can.
    pub fn start(
        &self,
        raftsman: &Path,
        program: &[String],
        check: impl FnOnce() -> anyhow::Result<()>,
    ) -> anyhow::Result<bool> {
        let what = || format!("start host {}", self.name);
        // One start at a time: who comes second finds the pid of the first. Whoever ends the host does not wait for this.
        let dir = File::open(&self.dir).with_context(what)?;
        let _lock = Flock::lock(dir, FlockArg::LockExclusive).map_err(|(_, errno)| errno).with_context(what)?;
        if self.pid().is_some() {
            return Ok(false);
        }
        check()?;
        let leaf = self.cgroups.make_leaf(LEAF).with_context(what)?;
        let log = OpenOptions::new().create(true).append(true).open(self.log()).with_context(what)?;
        let mut child = std::process::Command::new(raftsman)
            .args(Launch::arguments(self.netns.clone(), &leaf, &environment_file(&self.dir), program))
            .stdin(Stdio::null())
            .stdout(log.try_clone().with_context(what)?)
            .stderr(log)
            .current_dir("/")
            // A host needs no program but this one: not nft, iptables, ip, mount or any other.
            .env("PATH", "/nonexistent")
            .spawn()
            .with_context(what)?;
        let pid = child.id() as i32;
        std::fs::write(self.dir.join("pid"), format!("{pid}\n")).with_context(what)?;
        // Reaped by a thread as long as we live; by init afterwards.
        std::thread::spawn(move || child.wait());
        // It is the host's process as soon as it has joined the host's cgroup.
        let begin = Instant::now();
        while self.pid().is_none() {
            if !Path::new(&format!("/proc/{pid}")).exists() || begin.elapsed() > Duration::from_secs(5) {
                bail!("host {} did not start: {}", self.name, last_lines(&self.log(), 3));
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(true)
    }

    /// Asks the process to end and waits; its pods stay. False if it did not run.
    pub fn stop(&self) -> anyhow::Result<bool> {
        let Some(pid) = self.pid() else {
            return Ok(false);
        };
        kill(Pid::from_raw(pid), Signal::SIGTERM).with_context(|| format!("stop host {}", self.name))?;
        let begin = Instant::now();
        while self.pid().is_some() {
            if begin.elapsed() > STOP_PATIENCE {
                bail!(
                    "host {} has not ended {} s after SIGTERM; `raftsman host kill --process {}` ends it",
                    self.name,
                    STOP_PATIENCE.as_secs(),
                    self.name
                );
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(true)
    }

    /// kill -9 of the process alone. False if it did not run.
    pub fn kill_process(&self) -> anyhow::Result<bool> {
        let Some(pid) = self.pid() else {
            return Ok(false);
        };
        kill(Pid::from_raw(pid), Signal::SIGKILL).with_context(|| format!("kill host {}", self.name))?;
        let begin = Instant::now();
        while self.pid().is_some() && begin.elapsed() < Duration::from_secs(5) {
            std::thread::sleep(Duration::from_millis(1));
        }
        Ok(true)
    }

    /// kill -9 of everything that the host runs, pods included: the machine has lost power.
    pub fn kill_all(&self) -> anyhow::Result<()> {
        self.cgroups.kill().with_context(|| format!("kill host {}", self.name))
    }
}

/// The end of a log, for an error.
pub fn last_lines(log: &Path, count: usize) -> String {
    let text = std::fs::read(log).unwrap_or_default();
    let tail = String::from_utf8_lossy(&text[text.len().saturating_sub(8192)..]).into_owned();
    let lines: Vec<&str> = tail.lines().filter(|line| !line.trim().is_empty()).collect();
    let last = &lines[lines.len().saturating_sub(count)..];
    if last.is_empty() {
        format!("{} is empty", log.display())
    } else {
        format!("{}: {}", log.display(), last.join(" | "))
    }
}

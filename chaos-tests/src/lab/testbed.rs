//! The cluster that is tested.

use crate::cluster::Cluster;
use crate::lab::{Claims, Clocks, Disks, Rules, clock, try_run};
use anyhow::{Context, Result, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

/// Longest until a process that was killed has gone.
const DYING: Duration = Duration::from_secs(20);
/// What the guard of a fenced pod calls itself.
const GUARD: &str = "fence-guard";

/// What faults work on.
pub struct Lab {
    /// The cluster.
    pub cluster: Cluster,
    /// Disks of hosts.
    pub disks: Disks,
    /// Links.
    pub rules: Rules,
    /// Clocks of hosts, if they can be moved.
    pub clocks: Option<Clocks>,
    /// What faults have in hand.
    pub claims: Claims,
    /// Only one command at a time may do something to a host.
    hosts: parking_lot::Mutex<()>,
    /// Likewise to the membership; this takes long, and may need that meanwhile a host is started.
    members: parking_lot::Mutex<()>,
}

impl Lab {
    /// For a cluster that does not exist yet. `clocks`: its hosts get clocks that can be moved.
    ///
    /// # Errors
    /// There is one, or something that it needs is missing.
    pub fn new(cluster: Cluster, clocks: bool) -> Result<Self> {
        if cluster.dir().join("cluster.yaml").exists() {
            let name = &cluster.name;
            bail!("there is a cluster {name:?} already; `raftsman down --name {name}` removes it");
        }
        let version = Command::new(&cluster.kubectl).args(["version", "--client"]).output();
        if !version.is_ok_and(|output| output.status.success()) {
            let kubectl = cluster.kubectl.display();
            bail!("{kubectl} does not run: install kubectl, or name it in the environment variable KUBECTL");
        }
        let clocks =
            clocks.then(|| Clocks::new(&PathBuf::from("/run/raftsman-clocks").join(&cluster.name))).transpose()?;
        Ok(Self {
            disks: Disks::of(&cluster.name),
            rules: Rules::of(&cluster.name),
            clocks,
            claims: Claims::default(),
            hosts: parking_lot::Mutex::new(()),
            members: parking_lot::Mutex::new(()),
            cluster,
        })
    }

    /// Brings it up, from nothing. `disks`: its hosts get disks of their own.
    ///
    /// # Errors
    /// What did not work; what was made stays until [`Lab::down`].
    pub fn up(&self, images: &Path, disks: bool) -> Result<()> {
        self.rules.begin()?;
        if let Some(clocks) = &self.clocks {
            std::fs::create_dir_all(self.cluster.dir())?;
            for host in self.hosts() {
                clocks.set(host, 0)?;
                // Whoever starts the host's process gives it these.
                let file = self.cluster.dir().join(format!("{host}.env"));
                std::fs::write(&file, clocks.environment(host)).with_context(|| file.display().to_string())?;
            }
        }
        if disks {
            // Of a run that did not come to its end.
            self.disks.remove();
            for host in self.hosts() {
                self.disks.make(host, &self.cluster.dir().join(host)).with_context(|| format!("a disk for {host}"))?;
            }
        }
        self.raftsman(&format!("up --name {} --no-sample --image-dir {}", self.cluster.name, images.display()))?;
        if disks {
            for host in self.hosts() {
                // What it was installed with is on the disk, as on any machine.
                self.disks.sync(host)?;
            }
        }
        Ok(())
    }

    /// Those that stay from the beginning to the end.
    pub fn hosts(&self) -> impl Iterator<Item = &'static str> + use<> {
        self.cluster.masters().into_iter().chain(self.cluster.nodes())
    }

    /// A host's directory is on its own disk.
    pub fn on_disk(&self, host: &str) -> bool {
        self.disks.holds(host, &self.cluster.dir().join(host))
    }

    /// A host's process obeys the host's clock, however it was started.
    pub fn obeys_clock(&self, host: &str) -> bool {
        let environment = self.pid(host).and_then(|pid| std::fs::read(format!("/proc/{pid}/environ")).ok());
        environment.is_some_and(|environment| clock::obeyed(&environment))
    }

    /// Our own command line for what changes the cluster as a whole, one command at a time.
    ///
    /// # Errors
    /// It fails.
    pub fn raftsman(&self, line: &str) -> Result<String> {
        let _one = self.members.lock();
        self.cluster.raftsman(line)?.ok().with_context(|| format!("raftsman {line}"))
    }

    /// `raftsman host VERB HOST`.
    ///
    /// # Errors
    /// It fails.
    pub fn host(&self, verb: &str, host: &str) -> Result<()> {
        let _one = self.hosts.lock();
        self.cluster.host(verb, host)
    }

    /// `raftsman host start HOST`.
    ///
    /// # Errors
    /// It fails.
    pub fn start(&self, host: &str) -> Result<()> {
        self.host("start", host)
    }

    /// `raftsman host stop HOST`.
    ///
    /// # Errors
    /// It fails.
    pub fn stop(&self, host: &str) -> Result<()> {
        self.host("stop", host)
    }

    /// The pid of a host's own process, if it runs.
    pub fn pid(&self, host: &str) -> Option<i32> {
        let pid: i32 = std::fs::read_to_string(self.cluster.dir().join(host).join("pid")).ok()?.trim().parse().ok()?;
        self.pids(&format!("{host}/host")).contains(&pid).then_some(pid)
    }

    /// What runs in a cgroup below the cluster's.
    pub fn pids(&self, below: &str) -> Vec<i32> {
        self.groups(below).into_values().flatten().collect()
    }

    /// The cgroups below one of the cluster's, itself included, with what runs in each.
    pub fn groups(&self, below: &str) -> BTreeMap<String, Vec<i32>> {
        let mut found: BTreeMap<String, Vec<i32>> = BTreeMap::new();
        for root in ["/sys/fs/cgroup", "/sys/fs/cgroup/unified", "/sys/fs/cgroup/pids"] {
            let mut open = vec![Path::new(root).join("raftsman").join(&self.cluster.name).join(below)];
            while let Some(dir) = open.pop() {
                let entries = std::fs::read_dir(&dir).into_iter().flatten().flatten();
                open.extend(entries.filter(|entry| entry.path().is_dir()).map(|entry| entry.path()));
                let list = std::fs::read_to_string(dir.join("cgroup.procs")).unwrap_or_default();
                let pids: Vec<i32> = list.lines().filter_map(|line| line.parse().ok()).collect();
                if let (Ok(name), false) = (dir.strip_prefix(root), pids.is_empty()) {
                    found.insert(name.to_string_lossy().into_owned(), pids);
                }
            }
        }
        found
    }

    /// A host's process was killed and is still there: it waits in the kernel.
    pub fn dying(&self, host: &str) -> bool {
        let status = self.pid(host).and_then(|pid| std::fs::read_to_string(format!("/proc/{pid}/status")).ok());
        let pending = |status: String| {
            let masks = status.lines().filter_map(|line| {
                Some(line.strip_prefix("SigPnd:").or(line.strip_prefix("ShdPnd:"))?.trim().to_owned())
            });
            masks
                .filter_map(|mask| u64::from_str_radix(&mask, 16).ok())
                .any(|mask| mask >> (Signal::SIGKILL as i32 - 1) & 1 == 1)
        };
        status.is_some_and(pending)
    }

    /// A host's process has ended, so that its files are nobody's; what hung in the kernel takes a moment to die.
    ///
    /// # Errors
    /// It has not.
    pub fn await_end(&self, host: &str) -> Result<()> {
        let end = Instant::now() + DYING;
        while self.pid(host).is_some() {
            if Instant::now() > end {
                bail!("the process of {host} has not ended within {} s", DYING.as_secs());
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(())
    }

    /// First processes of a node's containers.
    pub fn containers(&self, node: &str) -> Vec<i32> {
        let groups = self.groups(&format!("{node}/pods"));
        let containers = groups.into_iter().filter(|(name, _)| !name.ends_with("/supervisors"));
        containers.filter_map(|(_, pids)| pids.into_iter().min()).collect()
    }

    /// Supervisors of a node's pods, and the guards of the fenced ones among them.
    pub fn supervisors(&self, node: &str) -> (Vec<i32>, Vec<i32>) {
        let is_guard =
            |pid: &i32| std::fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|it| it.trim() == GUARD);
        let (guards, supervisors) = self.pids(&format!("{node}/pods/supervisors")).into_iter().partition(is_guard);
        (supervisors, guards)
    }

    /// Sends a signal to a host's own process; false if it does not run.
    ///
    /// # Errors
    /// The kernel refuses.
    pub fn signal(&self, host: &str, signal: Signal) -> Result<bool> {
        let Some(pid) = self.pid(host) else { return Ok(false) };
        kill(Pid::from_raw(pid), signal).with_context(|| format!("{signal} to {host}"))?;
        Ok(true)
    }

    /// Undoes whatever any fault may have left, whoever did it, and starts what is down. Waits for nobody to be well.
    ///
    /// # Errors
    /// What could not be undone; the rest was.
    pub fn heal_everything(&self) -> Result<()> {
        let mut failed = Vec::new();
        let mut note = |what: Result<()>| failed.extend(what.err().map(|error| format!("{error:#}")));
        note(self.rules.begin());
        for host in self.hosts() {
            for what in ["loss", "double"] {
                self.rules.clear(host, what);
            }
            try_run("tc", &["qdisc", "del", "dev", &self.rules.link(host), "root"]);
            // It may have ended meanwhile, and is started below.
            let _ = self.signal(host, Signal::SIGCONT);
            for pid in self.pids(&format!("{host}/pods")) {
                // As above.
                let _ = kill(Pid::from_raw(pid), Signal::SIGCONT);
            }
            if let Some(clocks) = &self.clocks {
                note(clocks.set(host, 0));
            }
            note(self.start(host));
            note(self.host("heal", host));
        }
        if failed.is_empty() { Ok(()) } else { bail!("{}", failed.join("; ")) }
    }

    /// Takes it down; nothing stays.
    ///
    /// # Errors
    /// Something stays.
    pub fn down(&self) -> Result<()> {
        self.rules.remove();
        let down = self.raftsman(&format!("down --name {}", self.cluster.name));
        self.disks.remove();
        if self.clocks.is_some() {
            // An empty directory at worst.
            let _ = std::fs::remove_dir_all(PathBuf::from("/run/raftsman-clocks").join(&self.cluster.name));
        }
        down.map(drop)
    }
}

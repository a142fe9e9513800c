//! cgroups of a host in all hierarchies: v2, v1, or both.
//!
//! A process joins in the cgroup2 tree where there is one (also the `unified` one of a hybrid machine), so that `cgroup.kill`
//! takes the host and all that it started; the runtime puts containers below the same path of the v1 controllers.

use anyhow::{Context, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(10);

/// A path below the root of every hierarchy.
#[derive(Debug, Clone)]
pub struct Cgroups {
    roots: Vec<PathBuf>,
    path: String,
}

impl Cgroups {
    /// By its path from the root of each hierarchy, without a slash in front.
    pub fn at(path: &str) -> anyhow::Result<Self> {
        let table = std::fs::read_to_string("/proc/self/mounts").context("/proc/self/mounts")?;
        let mut roots: Vec<(bool, PathBuf)> = Vec::new();
        for line in table.lines() {
            let mut fields = line.split(' ').skip(1);
            let (Some(at), Some(kind)) = (fields.next(), fields.next()) else {
                continue;
            };
            if matches!(kind, "cgroup" | "cgroup2") && !roots.iter().any(|(_, known)| known == Path::new(at)) {
                roots.push((kind == "cgroup2", PathBuf::from(at)));
            }
        }
        if roots.is_empty() {
            bail!("no cgroup hierarchy is mounted; mount one at /sys/fs/cgroup");
        }
        // cgroup2 first: that is where processes join.
        roots.sort_by_key(|(second, _)| !second);
        Ok(Self { roots: roots.into_iter().map(|(_, root)| root).collect(), path: path.to_owned() })
    }

    /// Files that a process writes its pid to, to be in the leaf `name` below this path.
    pub fn make_leaf(&self, name: &str) -> anyhow::Result<Vec<PathBuf>> {
        let Some(root) = self.roots.first() else {
            return Ok(Vec::new());
        };
        let leaf = root.join(&self.path).join(name);
        std::fs::create_dir_all(&leaf).with_context(|| format!("make cgroup {}", leaf.display()))?;
        Ok(vec![leaf.join("cgroup.procs")])
    }

    /// Everything that runs here or below.
    pub fn pids(&self) -> BTreeSet<i32> {
        let mut pids = BTreeSet::new();
        for dir in self.directories() {
            let list = std::fs::read_to_string(dir.join("cgroup.procs")).unwrap_or_default();
            pids.extend(list.lines().filter_map(|line| line.trim().parse::<i32>().ok()));
        }
        pids
    }

    /// Kills everything here and below, and waits until it is gone.
    pub fn kill(&self) -> anyhow::Result<()> {
        let start = Instant::now();
        loop {
            for root in &self.roots {
                let all = root.join(&self.path).join("cgroup.kill");
                if all.exists() {
                    // What it cannot do, the signals below do.
                    let _ = std::fs::write(&all, "1");
                }
            }
            // A frozen process dies only when it thaws; a group that is not frozen does not mind.
            for dir in self.directories() {
                for (file, word) in [("cgroup.freeze", "0"), ("freezer.state", "THAWED")] {
                    if dir.join(file).exists() {
                        let _ = std::fs::write(dir.join(file), word);
                    }
                }
            }
            let left: Vec<i32> = self.pids().into_iter().filter(|pid| *pid > 1).collect();
            if left.is_empty() {
                return Ok(());
            }
            for pid in &left {
                // It may have ended meanwhile.
                let _ = kill(Pid::from_raw(*pid), Signal::SIGKILL);
            }
            if start.elapsed() > PATIENCE {
                bail!("cgroup {}: processes {left:?} do not end after SIGKILL", self.path);
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Removes the groups, the innermost first.
    pub fn remove(&self) -> Vec<String> {
        let mut errors = Vec::new();
        let mut all = self.directories();
        all.sort_by_key(|dir| std::cmp::Reverse(dir.components().count()));
        for dir in all {
            errors.extend(remove_group(&dir).err());
        }
        errors
    }

    /// Removes the parents of this path that have become empty.
    pub fn remove_empty_parents(&self) {
        for root in &self.roots {
            let mut parent = Path::new(&self.path).parent();
            while let Some(path) = parent.filter(|path| !path.as_os_str().is_empty()) {
                // In use by another cluster: it stays.
                if std::fs::remove_dir(root.join(path)).is_err() {
                    break;
                }
                parent = path.parent();
            }
        }
    }

    /// This path and all below, in every hierarchy.
    fn directories(&self) -> Vec<PathBuf> {
        let mut found = Vec::new();
        let mut open: Vec<PathBuf> = self.roots.iter().map(|root| root.join(&self.path)).collect();
        while let Some(dir) = open.pop() {
            let Ok(entries) = std::fs::read_dir(&dir) else {
                continue;
            };
            let below = entries.flatten().filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
            open.extend(below.map(|entry| entry.path()));
            found.push(dir);
        }
        found
    }
}

/// A group is busy for a moment after its last process has gone.
fn remove_group(dir: &Path) -> Result<(), String> {
    let start = Instant::now();
    loop {
        match std::fs::remove_dir(dir) {
            Ok(()) => return Ok(()),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            Err(_) if start.elapsed() < Duration::from_secs(3) => std::thread::sleep(Duration::from_millis(20)),
            Err(error) => return Err(format!("remove cgroup {}: {error}", dir.display())),
        }
    }
}

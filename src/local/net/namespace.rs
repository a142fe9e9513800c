//! Network namespaces, pinned where `ip netns` shows them.
//!
//! `ip netns add` makes `/run/netns` a shared mount by binding it over itself, which hides what was bound there before. So we
//! do the same first, if nobody has yet.

use crate::host::{mount_points, real};
use anyhow::{Context, bail};
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, setns, unshare};
use std::fs::File;
use std::path::{Path, PathBuf};

const NONE: Option<&str> = None;

/// A directory of pinned namespaces.
#[derive(Debug, Clone)]
pub struct Namespaces {
    dir: PathBuf,
}

impl Default for Namespaces {
    fn default() -> Self {
        Self { dir: PathBuf::from("/run/netns") }
    }
}

/// Moves the calling thread.
pub fn enter(path: &Path) -> anyhow::Result<()> {
    let file = File::open(path).with_context(|| format!("network namespace {}", path.display()))?;
    setns(file, CloneFlags::CLONE_NEWNET).with_context(|| format!("enter network namespace {}", path.display()))
}

impl Namespaces {
    /// Where one is pinned.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// It is pinned.
    pub fn exists(&self, name: &str) -> bool {
        is_mount_point(&self.path(name))
    }

    /// Makes and pins one; true if it was not there.
    pub fn ensure(&self, name: &str) -> anyhow::Result<bool> {
        if self.exists(name) {
            return Ok(false);
        }
        self.prepare()?;
        let path = self.path(name);
        File::create(&path).with_context(|| format!("{}", path.display()))?;
        let target = path.clone();
        // A thread of its own: it leaves our namespace, and ends.
        let made = std::thread::spawn(move || -> nix::Result<()> {
            unshare(CloneFlags::CLONE_NEWNET)?;
            let own = format!("/proc/self/task/{}/ns/net", nix::unistd::gettid());
            mount(Some(own.as_str()), &target, NONE, MsFlags::MS_BIND, NONE)
        })
        .join();
        match made {
            Ok(Ok(())) => Ok(true),
            Ok(Err(error)) => {
                let _ = std::fs::remove_file(&path);
                Err(error).with_context(|| format!("make network namespace {name}"))
            }
            Err(_) => bail!("make network namespace {name}: the thread ended early"),
        }
    }

    /// Lets one go; true if it was there.
    pub fn remove(&self, name: &str) -> anyhow::Result<bool> {
        let path = self.path(name);
        let mut there = false;
        // Bound more than once is unbound more than once.
        while is_mount_point(&path) {
            umount2(&path, MntFlags::MNT_DETACH).with_context(|| format!("unmount {}", path.display()))?;
            there = true;
        }
        match std::fs::remove_file(&path) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(there),
            Err(error) => Err(error).with_context(|| format!("remove {}", path.display())),
        }
    }

    /// Undoes what the first namespace needed, when it was the last and we had done it.
    pub fn tidy(&self) -> anyhow::Result<()> {
        let marker = self.marker();
        let empty = std::fs::read_dir(&self.dir).is_ok_and(|mut entries| entries.next().is_none());
        if empty && marker.exists() && is_mount_point(&self.dir) {
            umount2(&self.dir, MntFlags::MNT_DETACH).with_context(|| format!("unmount {}", self.dir.display()))?;
        }
        if empty && marker.exists() {
            std::fs::remove_file(&marker).with_context(|| format!("remove {}", marker.display()))?;
        }
        Ok(())
    }

    fn marker(&self) -> PathBuf {
        self.dir.with_file_name("raftsman.netns")
    }

    fn prepare(&self) -> anyhow::Result<()> {
        let what = || format!("prepare {} for namespaces", self.dir.display());
        std::fs::create_dir_all(&self.dir).with_context(what)?;
        if !is_mount_point(&self.dir) {
            mount(Some(&self.dir), &self.dir, NONE, MsFlags::MS_BIND | MsFlags::MS_REC, NONE).with_context(what)?;
            File::create(self.marker()).with_context(what)?;
        }
        mount(NONE, &self.dir, NONE, MsFlags::MS_SHARED | MsFlags::MS_REC, NONE).with_context(what)
    }
}

fn is_mount_point(path: &Path) -> bool {
    mount_points().iter().any(|mounted| *mounted == real(path))
}

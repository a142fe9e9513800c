//! A disk of its own for each host: an ext4 image on a loop device, below a link where the host's directory would be.
//!
//! The link keeps the mount out of the cluster's directory, so that a lost host does not lose its disk.

use crate::lab::shell::{run, try_run};
use anyhow::{Context, Result};
use std::fs::File;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Large enough for a long run; sparse. Nodes have images and containers, too.
const MASTER_BYTES: u64 = 768 << 20;
const NODE_BYTES: u64 = 3 << 30;
/// The host's directory on it: what cleans up below that must not meet the disk's own mount.
const INSIDE: &str = "host";
/// ext4's "go down" (EXT4_IOC_SHUTDOWN) with "do not flush the journal": what was not synced is lost. The ioctl is made by
/// Debian's perl-base, which is always there.
const GO_DOWN: &str =
    "open(my $d, '<', $ARGV[0]) or die $!; my $f = pack('L', 2); ioctl($d, 0x8004587D, $f) or die $!;";

/// The disks of a cluster's hosts.
#[derive(Debug, Clone)]
pub struct Disks {
    root: PathBuf,
}

impl Disks {
    /// Of a cluster.
    pub fn of(cluster: &str) -> Self {
        Self { root: PathBuf::from("/var/lib/raftsman-disks").join(cluster) }
    }

    fn image(&self, host: &str) -> PathBuf {
        self.root.join(format!("{host}.img"))
    }

    /// Where it is mounted.
    pub fn mount_point(&self, host: &str) -> PathBuf {
        self.root.join(host)
    }

    /// The host has one.
    pub fn has(&self, host: &str) -> bool {
        self.image(host).exists()
    }

    /// The host's directory is on it. That of a host which was replaced may be elsewhere.
    pub fn holds(&self, host: &str, dir: &Path) -> bool {
        let device = |path: &Path| std::fs::metadata(path).ok().map(|file| file.dev());
        let own = device(dir);
        own.is_some() && own == device(&self.mount_point(host))
    }

    /// Makes and mounts one, and a link at `dir` to a directory on it.
    ///
    /// # Errors
    /// What the system said.
    pub fn make(&self, host: &str, dir: &Path) -> Result<()> {
        let point = self.mount_point(host);
        std::fs::create_dir_all(&point)?;
        let image = self.image(host);
        let bytes = if host.starts_with('n') { NODE_BYTES } else { MASTER_BYTES };
        File::create(&image)?.set_len(bytes).with_context(|| image.display().to_string())?;
        run("mkfs.ext4", &["-q", "-m0", "-E", "lazy_itable_init=1,lazy_journal_init=1,nodiscard", &text(&image)])?;
        self.mount(host)?;
        let inside = point.join(INSIDE);
        std::fs::create_dir(&inside).with_context(|| inside.display().to_string())?;
        if let Some(parent) = dir.parent() {
            std::fs::create_dir_all(parent)?;
        }
        std::os::unix::fs::symlink(&inside, dir).with_context(|| dir.display().to_string())
    }

    /// Mounts it, on a new device: what pods still hold of an old mount is a file system that has gone down, and stays so.
    ///
    /// # Errors
    /// What the system said.
    pub fn mount(&self, host: &str) -> Result<()> {
        let device = run("losetup", &["-f", "--show", &text(&self.image(host))])?;
        run("mount", &["-o", "errors=remount-ro", device.trim(), &text(&self.mount_point(host))]).map(drop)
    }

    /// Unmounts it; nobody may use it. Its device goes with its last user.
    ///
    /// # Errors
    /// What the system said.
    pub fn unmount(&self, host: &str) -> Result<()> {
        let device = self.device(host)?;
        run("umount", &[&text(&self.mount_point(host))])?;
        try_run("losetup", &["-d", &format!("/dev/{device}")]);
        Ok(())
    }

    /// The kernel's name of its device: loopN.
    ///
    /// # Errors
    /// It has none.
    pub fn device(&self, host: &str) -> Result<String> {
        let source = run("findmnt", &["-n", "-o", "SOURCE", &text(&self.mount_point(host))])?;
        let name = source.trim().strip_prefix("/dev/").context("the disk is no device")?;
        Ok(name.to_owned())
    }

    /// From now on every call fails, and what was not synced is gone.
    ///
    /// # Errors
    /// What the system said.
    pub fn go_down(&self, host: &str) -> Result<()> {
        run("perl", &["-e", GO_DOWN, &text(&self.mount_point(host))]).map(drop)
    }

    /// The file system finds an error and remounts itself read-only.
    ///
    /// # Errors
    /// What the system said.
    pub fn stumble(&self, host: &str) -> Result<()> {
        let file = format!("/sys/fs/ext4/{}/trigger_fs_error", self.device(host)?);
        std::fs::write(&file, "1").context(file)
    }

    /// Everything that was written is on the disk.
    ///
    /// # Errors
    /// What the system said.
    pub fn sync(&self, host: &str) -> Result<()> {
        run("sync", &["-f", &text(&self.mount_point(host))]).map(drop)
    }

    /// Removes all of them.
    pub fn remove(&self) {
        for entry in std::fs::read_dir(&self.root).into_iter().flatten().flatten() {
            if entry.path().is_dir() {
                let point = text(&entry.path());
                try_run("fsfreeze", &["-u", &point]);
                try_run("umount", &["-l", &point]);
            } else {
                let devices = run("losetup", &["-n", "-O", "NAME", "-j", &text(&entry.path())]).unwrap_or_default();
                devices.lines().for_each(|device| try_run("losetup", &["-d", device.trim()]));
            }
        }
        // The images may be gone already.
        let _ = std::fs::remove_dir_all(&self.root);
    }
}

fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_beside_the_disk_is_not_on_it() -> Result<()> {
        let scratch = tempfile::tempdir()?;
        let disks = Disks { root: scratch.path().join("disks") };
        std::fs::create_dir_all(disks.mount_point("m1"))?;
        let link = scratch.path().join("m1");
        std::os::unix::fs::symlink(disks.mount_point("m1"), &link)?;
        assert!(disks.holds("m1", &link));
        // Another file system, and nothing at all.
        assert!(!disks.holds("m1", Path::new("/proc")) && !disks.holds("m1", &scratch.path().join("m2")));
        Ok(())
    }
}

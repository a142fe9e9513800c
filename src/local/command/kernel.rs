//! What the checks before a start ask of this machine.

use crate::net::netfilter;
use nix::sys::statvfs::statvfs;
use std::io;
use std::path::Path;
use std::process::Stdio;

/// A machine to ask.
pub trait Kernel {
    /// We are root.
    fn is_root(&self) -> bool;
    /// /proc/filesystems.
    fn filesystems(&self) -> String;
    /// nf_tables answers.
    fn nf_tables(&self) -> io::Result<()>;
    /// Controllers of cgroup v2, and /proc/cgroups.
    fn controllers(&self) -> (String, String);
    /// Free bytes of the file system that holds a directory, which must exist.
    fn free(&self, dir: &Path) -> io::Result<u64>;
    /// Loads a module if that can be done; what is asked afterwards decides.
    fn load(&self, module: &str);
}

/// This machine.
pub struct Here;

impl Kernel for Here {
    fn is_root(&self) -> bool {
        nix::unistd::geteuid().is_root()
    }

    fn filesystems(&self) -> String {
        std::fs::read_to_string("/proc/filesystems").unwrap_or_default()
    }

    fn nf_tables(&self) -> io::Result<()> {
        /// `NFT_MSG_GETGEN`.
        const GENERATION: u16 = 16;
        netfilter::ask(&netfilter::Message { kind: GENERATION, flags: 0, body: Vec::new() })
    }

    fn controllers(&self) -> (String, String) {
        let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
        (read("/sys/fs/cgroup/cgroup.controllers"), read("/proc/cgroups"))
    }

    fn free(&self, dir: &Path) -> io::Result<u64> {
        let stat = statvfs(dir)?;
        #[allow(clippy::useless_conversion, reason = "the fields' widths differ between architectures")]
        Ok(u64::from(stat.blocks_available()) * u64::from(stat.fragment_size()))
    }

    fn load(&self, module: &str) {
        // modprobe is not everywhere, nor always needed.
        let _ = std::process::Command::new("modprobe")
            .arg(module)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
    }
}

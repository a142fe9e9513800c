//! What must be so before a cluster can start here; each with one line.

use crate::command::kernel::{Here, Kernel};
use anyhow::{Context, bail};
use std::path::Path;

const ROOM: u64 = 2 << 30;
const CONTROLLERS: [&str; 3] = ["cpu", "memory", "pids"];

/// Everything that does not depend on the cluster.
pub fn check(dir: &Path) -> anyhow::Result<()> {
    check_on(&Here, dir)
}

/// As root.
pub fn root() -> anyhow::Result<()> {
    root_on(&Here)
}

fn check_on(kernel: &impl Kernel, dir: &Path) -> anyhow::Result<()> {
    root_on(kernel)?;
    overlayfs(kernel)?;
    nf_tables(kernel)?;
    controllers(kernel)?;
    disk(kernel, dir)
}

fn root_on(kernel: &impl Kernel) -> anyhow::Result<()> {
    if !kernel.is_root() {
        bail!("must run as root: network namespaces, mounts and cgroups need it; try `sudo raftsman ...`");
    }
    Ok(())
}

fn overlayfs(kernel: &impl Kernel) -> anyhow::Result<()> {
    let known = || kernel.filesystems().lines().any(|line| line.split_whitespace().last() == Some("overlay"));
    if !known() {
        kernel.load("overlay");
    }
    if !known() {
        bail!(
            "this kernel has no overlayfs (/proc/filesystems lacks overlay); `modprobe overlay` or use a kernel with it"
        );
    }
    Ok(())
}

fn nf_tables(kernel: &impl Kernel) -> anyhow::Result<()> {
    if kernel.nf_tables().is_ok() {
        return Ok(());
    }
    kernel.load("nf_tables");
    kernel
        .nf_tables()
        .context("this kernel has no nf_tables, which services need; `modprobe nf_tables` or use a kernel with it")
}

fn controllers(kernel: &impl Kernel) -> anyhow::Result<()> {
    let (mut known, first) = kernel.controllers();
    // v1: name, hierarchy, number of groups, enabled. A hierarchy of 0 is not mounted, unless v2 has it.
    for line in first.lines() {
        let fields: Vec<&str> = line.split_whitespace().collect();
        if let [name, hierarchy, _, "1"] = fields[..]
            && hierarchy != "0"
        {
            known.push_str(&format!(" {name}"));
        }
    }
    let missing: Vec<&str> =
        CONTROLLERS.into_iter().filter(|wanted| !known.split_whitespace().any(|name| name == *wanted)).collect();
    if !missing.is_empty() {
        bail!(
            "cgroup controllers are missing: {}; mount them below /sys/fs/cgroup or enable them at boot",
            missing.join(", ")
        );
    }
    Ok(())
}

fn disk(kernel: &impl Kernel, dir: &Path) -> anyhow::Result<()> {
    let there = dir.ancestors().find(|dir| dir.exists()).unwrap_or(Path::new("/"));
    let free = kernel.free(there).with_context(|| there.display().to_string())?;
    if free < ROOM {
        bail!(
            "too little disk: {} has {} MiB free below {}, a cluster needs 2048; free some, or choose another place with --dir",
            dir.display(),
            free >> 20,
            there.display()
        );
    }
    Ok(())
}

/// Nothing listens on any address with this port.
pub fn port_free(address: std::net::Ipv4Addr, port: u16) -> anyhow::Result<()> {
    match std::net::TcpListener::bind((address, port)) {
        Ok(_) => Ok(()),
        Err(error) => {
            bail!("port {port} on {address} is in use ({error}); `ss -ltnp` shows by what")
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::cell::RefCell;

    /// A machine that has everything, but for what a test takes away.
    struct Fake {
        root: bool,
        filesystems: &'static str,
        nf_tables: bool,
        controllers: (&'static str, &'static str),
        free: u64,
        /// A module that can be loaded.
        loadable: &'static str,
        loaded: RefCell<Vec<String>>,
    }

    impl Default for Fake {
        fn default() -> Self {
            Self {
                root: true,
                filesystems: "nodev\tsysfs\n\text4\nnodev\toverlay\n",
                nf_tables: true,
                controllers: ("cpuset cpu io memory pids\n", ""),
                free: ROOM,
                loadable: "",
                loaded: RefCell::default(),
            }
        }
    }

    impl Kernel for Fake {
        fn is_root(&self) -> bool {
            self.root
        }
        fn filesystems(&self) -> String {
            let loaded = self.loaded.borrow().iter().any(|module| module == "overlay");
            format!("{}{}", self.filesystems, if loaded { "nodev\toverlay\n" } else { "" })
        }
        fn nf_tables(&self) -> std::io::Result<()> {
            let loaded = self.loaded.borrow().iter().any(|module| module == "nf_tables");
            if self.nf_tables || loaded { Ok(()) } else { Err(std::io::Error::from_raw_os_error(libc::EINVAL)) }
        }
        fn controllers(&self) -> (String, String) {
            (self.controllers.0.to_owned(), self.controllers.1.to_owned())
        }
        fn free(&self, _: &Path) -> std::io::Result<u64> {
            Ok(self.free)
        }
        fn load(&self, module: &str) {
            if module == self.loadable {
                self.loaded.borrow_mut().push(module.to_owned());
            }
        }
    }

    fn checked(fake: &Fake) -> Result<(), String> {
        check_on(fake, Path::new("/there/is/none")).map_err(|error| format!("{error:#}"))
    }

    #[test]
    fn what_is_missing_is_said_in_one_line() {
        let no_overlay = "nodev\tsysfs\n\toverlayx\n";
        for (fake, words) in [
            (Fake { root: false, ..Fake::default() }, "must run as root"),
            (Fake { filesystems: no_overlay, ..Fake::default() }, "this kernel has no overlayfs"),
            (Fake { nf_tables: false, ..Fake::default() }, "this kernel has no nf_tables"),
            (Fake { controllers: ("cpu io\n", ""), ..Fake::default() }, "cgroup controllers are missing: memory, pids"),
            (Fake { controllers: ("cpu pids\n", "memory 0 9 1\n"), ..Fake::default() }, "are missing: memory;"),
            (Fake { free: ROOM - 1, ..Fake::default() }, "too little disk: /there/is/none has 2047 MiB free below /,"),
        ] {
            let said = checked(&fake).unwrap_err();
            assert!(said.contains(words) && !said.contains('\n'), "{said}");
        }
    }

    #[test]
    fn what_is_there_or_can_be_loaded_will_do() {
        assert_eq!(checked(&Fake::default()), Ok(()));
        assert_eq!(checked(&Fake { filesystems: "\text4\n", loadable: "overlay", ..Fake::default() }), Ok(()));
        assert_eq!(checked(&Fake { nf_tables: false, loadable: "nf_tables", ..Fake::default() }), Ok(()));
        let first = "#subsys_name hierarchy num_cgroups enabled\nmemory 4 9 1\npids 5 9 1\ncpu 2 9 1\n";
        assert_eq!(checked(&Fake { controllers: ("", first), ..Fake::default() }), Ok(()));
    }
}

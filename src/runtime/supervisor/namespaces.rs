//! The pod's namespaces and the supervisor's own surroundings.

use crate::cgroup::Hierarchies;
use crate::supervisor::pause;
use crate::supervisor::protocol::{Boot, ProcessId};
use crate::sys;
use nix::sched::{CloneFlags, setns, unshare};
use std::fs::{self, File};
use std::io;
use std::os::fd::AsRawFd;
use std::path::Path;

/// What was made on the way.
pub(crate) struct Pod {
    /// Pid 1 of the pod's pid namespace, where it has one and this supervisor started it.
    pub pause: Option<ProcessId>,
}

/// Makes or joins the pod's namespaces and leaves the agent's session, cgroup and mounts.
pub(crate) fn enter(directory: &Path, boot: &Boot) -> io::Result<Pod> {
    // A new session: signals to the agent's terminal or group do not come here. Fails only if it is one already.
    let _ = nix::unistd::setsid();
    nix::unistd::setgroups(&[])?;
    sys::become_subreaper()?;
    // The kernel should take a container first. A machine without CAP_SYS_RESOURCE does not allow it.
    let _ = fs::write("/proc/self/oom_score_adj", "-999");
    let pid = std::process::id() as i32;
    Hierarchies::detect()?.enter(&boot.cgroup, pid)?;

    let mut fresh_network = false;
    let kinds = [
        ("net", CloneFlags::CLONE_NEWNET, boot.host_network),
        ("ipc", CloneFlags::CLONE_NEWIPC, boot.host_ipc),
        ("uts", CloneFlags::CLONE_NEWUTS, false),
    ];
    for (name, flag, shared_with_host) in kinds {
        if shared_with_host {
            continue;
        }
        match pinned(&boot.pins.join(name)) {
            Some(pin) => setns(pin, flag)?,
            None => {
                unshare(flag)?;
                fresh_network |= name == "net";
            }
        }
    }
    let pid_pin = pinned(&boot.pins.join("pid"));
    own_mounts(directory, boot)?;
    nix::unistd::sethostname(&boot.hostname)?;
    if fresh_network {
        sys::loopback_up()?;
    }
    for (name, value) in &boot.sysctls {
        let path = format!("/proc/sys/{}", name.replace('.', "/"));
        fs::write(&path, value)
            .map_err(|error| io::Error::new(error.kind(), format!("set sysctl {name} to \"{value}\": {error}")))?;
    }

    if !boot.share_pid || boot.host_pid {
        return Ok(Pod { pause: None });
    }
    let handle = directory.join(pause::HANDLE);
    if let Some(pin) = pid_pin {
        sys::bind_file(Path::new(&format!("/proc/self/fd/{}", pin.as_raw_fd())), &handle)?;
        return Ok(Pod { pause: None });
    }
    let pause = pause::spawn(directory)?;
    sys::bind_file(Path::new(&format!("/proc/{}/ns/pid", pause.pid)), &handle)?;
    Ok(Pod { pause: Some(pause) })
}

/// An open handle on a pinned namespace; `None` if that file is no namespace (any more).
fn pinned(path: &Path) -> Option<File> {
    const NSFS_MAGIC: i64 = 0x6e73_6673;
    let file = File::open(path).ok()?;
    let kind = nix::sys::statfs::fstatfs(&file).ok()?.filesystem_type();
    (kind.0 == NSFS_MAGIC).then_some(file)
}

/// A mount namespace with few mounts: what the host has, this pod's own and no other pod's. Volumes that the agent
/// mounts later arrive, nothing leaves.
fn own_mounts(directory: &Path, boot: &Boot) -> io::Result<()> {
    unshare(CloneFlags::CLONE_NEWNS)?;
    sys::make_slave_tree()?;
    let own = sys::clone_tree(directory)?;
    sys::detach(&boot.pods)?;
    sys::detach(&boot.all_pins)?;
    sys::move_tree(&own, directory)
}

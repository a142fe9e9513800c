//! The pause process: pid 1 of a pid namespace that a pod's containers share. It reaps, and does nothing else.

#![allow(unsafe_code, reason = "fork, and what its child may do")]

use crate::supervisor::protocol::ProcessId;
use crate::sys;
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, setns, unshare};
use nix::sys::signal::{SigSet, Signal};
use nix::unistd::{ForkResult, Gid, Uid, fork};
use std::fs::{self, File};
use std::io;
use std::path::Path;

/// In the pod's directory: a handle on the shared pid namespace, seen in the supervisor's mount namespace alone.
pub(crate) const HANDLE: &str = "pid-namespace";

/// Nobody.
const UID: u32 = 65_535;

/// Starts it. The caller has one thread.
pub(crate) fn spawn(directory: &Path) -> io::Result<ProcessId> {
    let root = directory.join("pause");
    fs::create_dir_all(&root)?;
    let own = File::open("/proc/self/ns/pid")?;
    unshare(CloneFlags::CLONE_NEWPID)?;
    // SAFETY: this process has one thread, so the child may do as it likes.
    match unsafe { fork() }? {
        ForkResult::Child => {
            let code = i32::from(run(&root).is_err());
            // SAFETY: ends the child at once; nothing of the parent's is flushed or dropped.
            unsafe { libc::_exit(code) }
        }
        ForkResult::Parent { child } => {
            setns(own, CloneFlags::CLONE_NEWPID)?;
            let pid = child.as_raw();
            let start_time = sys::start_time(pid).ok_or_else(|| io::Error::other("the pause process ended at once"))?;
            Ok(ProcessId { pid, start_time })
        }
    }
}

/// Gives up everything, so that containers that see this process find nothing behind it.
fn run(root: &Path) -> nix::Result<()> {
    const NONE: Option<&str> = None;
    unshare(CloneFlags::CLONE_NEWNS)?;
    mount(NONE, "/", NONE, MsFlags::MS_PRIVATE | MsFlags::MS_REC, NONE)?;
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    mount(Some("tmpfs"), root, Some("tmpfs"), flags, Some("size=4k,mode=0555"))?;
    nix::unistd::chdir(root)?;
    nix::unistd::pivot_root(".", ".")?;
    umount2(".", MntFlags::MNT_DETACH)?;
    // SAFETY: closes every descriptor above standard error; this process uses none of them.
    unsafe {
        libc::syscall(libc::SYS_close_range, 0, libc::c_uint::MAX, 0);
        libc::prctl(libc::PR_SET_NAME, c"pause".as_ptr());
    }
    nix::unistd::setresgid(Gid::from_raw(UID), Gid::from_raw(UID), Gid::from_raw(UID))?;
    nix::unistd::setresuid(Uid::from_raw(UID), Uid::from_raw(UID), Uid::from_raw(UID))?;
    // SAFETY: plain integers.
    unsafe {
        libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
        libc::prctl(libc::PR_SET_DUMPABLE, 0, 0, 0, 0);
    }
    let mut signals = SigSet::empty();
    signals.add(Signal::SIGCHLD);
    signals.thread_block()?;
    loop {
        while sys::wait_child(-1).is_some() {}
        signals.wait()?;
    }
}

//! The guard of a fenced pod: a second process that freezes it when the promise ends, should its supervisor be stopped,
//! dead, or hang. It never thaws.

#![allow(unsafe_code, reason = "fork, and what its child may do")]

use crate::cgroup::Freezer;
use crate::pods::PromisePage;
use crate::supervisor::fence::Gate;
use crate::supervisor::protocol::ProcessId;
use crate::sys::{self, PidFd};
use nix::unistd::{ForkResult, fork, getppid};
use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::time::Duration;

/// A supervisor that still makes a container so long after its pod was frozen waits for a frozen process.
const HANGS: Duration = Duration::from_secs(2);
/// A guard that its supervisor has forgotten notices within this that its pod is gone.
const LOOK: Duration = Duration::from_secs(60);
/// A freezing that was refused is tried again after this.
const AGAIN: Duration = Duration::from_millis(100);
/// Before everything else on the machine.
const NICE: i32 = -20;

/// Starts it. The caller has one thread.
pub(crate) fn spawn(promise: &PromisePage, gate: &Gate, freezer: &Freezer) -> io::Result<ProcessId> {
    let pid = std::process::id() as i32;
    let supervisor = sys::start_time(pid).and_then(|start| PidFd::open(pid, start));
    let supervisor = supervisor.ok_or_else(|| io::Error::other("/proc is not mounted"))?;
    // SAFETY: this process has one thread, so the child may do as it likes.
    match unsafe { fork() }? {
        ForkResult::Child => {
            alone(&supervisor);
            sys::hurry(NICE);
            watch(promise, gate, freezer, (pid, &supervisor))
        }
        ForkResult::Parent { child } => {
            let pid = child.as_raw();
            let start_time = sys::start_time(pid).ok_or_else(|| io::Error::other("the guard ended at once"))?;
            Ok(ProcessId { pid, start_time })
        }
    }
}

/// Gives up what its parent had open: the agent reads a supervisor's output until its end, and a container's streams end
/// with their last reader.
fn alone(supervisor: &PidFd) {
    if let Ok(null) = File::options().read(true).write(true).open("/dev/null") {
        let _ = nix::unistd::dup2(null.as_raw_fd(), 0);
        let _ = nix::unistd::dup2(null.as_raw_fd(), 1);
    }
    let kept = libc::c_uint::try_from(supervisor.as_raw_fd()).unwrap_or(3);
    // SAFETY: closes descriptors that this process does not use; the name has less than 16 bytes.
    unsafe {
        libc::syscall(libc::SYS_close_range, 3, kept.saturating_sub(1), 0);
        libc::syscall(libc::SYS_close_range, kept.saturating_add(1), libc::c_uint::MAX, 0);
        libc::prctl(libc::PR_SET_NAME, c"fence-guard".as_ptr());
    }
}

/// Without its group there is no pod.
fn end_without(freezer: &Freezer) {
    if !freezer.exists() {
        // SAFETY: ends this process at once; nothing of its parent's is flushed or dropped.
        unsafe { libc::_exit(0) }
    }
}

fn watch(promise: &PromisePage, gate: &Gate, freezer: &Freezer, supervisor: (i32, &PidFd)) -> ! {
    loop {
        let epoch = gate.epoch();
        let promised = promise.read();
        if promised.admits(epoch, sys::boottime()) {
            sys::sleep_until(promised.until);
            continue;
        }
        // Before the gate is shut: from then on nobody looks any more.
        if freezer.freeze().is_err() {
            end_without(freezer);
            std::thread::sleep(AGAIN);
            continue;
        }
        let shut = gate.shut(epoch);
        // Has the supervisor look: to write it down, or to thaw what was admitted meanwhile.
        supervisor.1.kill(libc::SIGCHLD);
        if !shut {
            continue;
        }
        while gate.epoch() == 0 {
            let busy = gate.busy();
            gate.wait_for_word(if busy { HANGS } else { LOOK });
            end_without(freezer);
            if busy && gate.busy() && gate.epoch() == 0 && getppid().as_raw() == supervisor.0 {
                // Containers are not touched by that; the agent starts another one.
                supervisor.1.kill(libc::SIGKILL);
            }
        }
    }
}

//! Processes: pidfds, start times, waiting.

use std::fs;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

/// A process's end, as wait(2) gives it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Waited {
    /// Which process.
    pub pid: i32,
    /// Its exit code, or 128 + signal.
    pub code: i32,
    /// The signal that ended it.
    pub signal: Option<i32>,
}

impl Waited {
    fn from_status(pid: i32, status: i32) -> Self {
        if libc::WIFSIGNALED(status) {
            let signal = libc::WTERMSIG(status);
            Self { pid, code: 128 + signal, signal: Some(signal) }
        } else {
            Self { pid, code: libc::WEXITSTATUS(status), signal: None }
        }
    }
}

/// A stable handle on one process: never means another one after the pid is reused.
#[derive(Debug)]
pub(crate) struct PidFd(OwnedFd);

impl PidFd {
    /// Opens the process `pid` if it is still the one that began at `start_time` (clock ticks since boot).
    pub(crate) fn open(pid: i32, start_time: u64) -> Option<Self> {
        // SAFETY: pidfd_open takes plain integers and returns a new descriptor or -1.
        let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) };
        let fd = i32::try_from(fd).ok().filter(|fd| *fd >= 0)?;
        // SAFETY: the descriptor was just returned to us and belongs to nobody else.
        let handle = Self(unsafe { OwnedFd::from_raw_fd(fd) });
        // Checked after opening, so that a pid reused in between cannot slip in.
        (self::start_time(pid) == Some(start_time)).then_some(handle)
    }

    /// Sends a signal; an ended process is no error.
    pub(crate) fn kill(&self, signal: i32) {
        // SAFETY: plain integers and a null siginfo, as pidfd_send_signal(2) allows.
        unsafe {
            libc::syscall(libc::SYS_pidfd_send_signal, self.0.as_raw_fd(), signal, std::ptr::null::<libc::c_void>(), 0);
        }
    }
}

impl AsFd for PidFd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl AsRawFd for PidFd {
    fn as_raw_fd(&self) -> i32 {
        self.0.as_raw_fd()
    }
}

fn stat_fields(pid: i32) -> Option<Vec<String>> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The command is in parentheses and may contain anything, spaces and parentheses too.
    let rest = stat.get(stat.rfind(')')? + 2..)?;
    Some(rest.split_whitespace().map(str::to_owned).collect())
}

/// When a process began, in clock ticks since boot (proc(5), field 22). With the pid it names a process for good.
pub(crate) fn start_time(pid: i32) -> Option<u64> {
    stat_fields(pid)?.get(19)?.parse().ok()
}

/// The state letter of a process (`Z` for a zombie).
pub(crate) fn state_of(pid: i32) -> Option<char> {
    stat_fields(pid)?.first()?.chars().next()
}

/// The session of a process.
pub(crate) fn session_of(pid: i32) -> Option<i32> {
    stat_fields(pid)?.get(3)?.parse().ok()
}

/// All children of this process, of every thread.
pub(crate) fn children() -> Vec<i32> {
    let Ok(tasks) = fs::read_dir("/proc/self/task") else {
        return Vec::new();
    };
    tasks
        .flatten()
        .filter_map(|task| fs::read_to_string(task.path().join("children")).ok())
        .flat_map(|text| text.split_whitespace().filter_map(|pid| pid.parse().ok()).collect::<Vec<i32>>())
        .collect()
}

/// A child that has ended and is not reaped yet, if there is one. It stays as it is.
pub(crate) fn ended_child() -> Option<Waited> {
    // SAFETY: siginfo_t is plain data for which all zeroes is valid.
    let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
    let options = libc::WEXITED | libc::WNOHANG | libc::WNOWAIT | libc::__WALL;
    // SAFETY: waitid writes through a valid pointer; P_ALL takes no id.
    if unsafe { libc::waitid(libc::P_ALL, 0, &mut info, options) } != 0 {
        return None;
    }
    // SAFETY: waitid fills in these fields; all zeroes means that there is none.
    let (pid, status) = unsafe { (info.si_pid(), info.si_status()) };
    (pid > 0).then_some(match info.si_code {
        libc::CLD_EXITED => Waited { pid, code: status, signal: None },
        _ => Waited { pid, code: 128 + status, signal: Some(status) },
    })
}

/// Reaps a child that has ended: one pid, or any with -1. `None` when there is none (yet).
pub(crate) fn wait_child(pid: i32) -> Option<Waited> {
    let mut status = 0;
    // SAFETY: waitpid writes the status through a valid pointer.
    let reaped = unsafe { libc::waitpid(pid, &mut status, libc::WNOHANG | libc::__WALL) };
    (reaped > 0).then(|| Waited::from_status(reaped, status))
}

/// Sends a signal to a pid, which must be known to be unreaped.
pub(crate) fn kill_pid(pid: i32, signal: i32) {
    // SAFETY: plain integers.
    unsafe {
        libc::kill(pid, signal);
    }
}

/// Orphans below this process become its children.
pub(crate) fn become_subreaper() -> io::Result<()> {
    // SAFETY: plain integers.
    if unsafe { libc::prctl(libc::PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) } == -1 {
        return Err(super::os_error("PR_SET_CHILD_SUBREAPER"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn knows_itself() {
        let me = std::process::id() as i32;
        let start = start_time(me).unwrap();
        assert!(PidFd::open(me, start).is_some());
        assert!(PidFd::open(me, start + 1).is_none());
        assert!(session_of(me).is_some());
    }
}

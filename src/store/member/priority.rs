//! The priority of threads on which elections depend.

/// Of the real-time priorities the lowest: below what a kernel or an audio server uses, above all ordinary work.
const REAL_TIME: libc::c_int = 1;

/// Where real time is not to be had: above everything ordinary of the same session or service.
const NICE: i32 = -10;

/// Lets the calling thread run before ordinary ones, where this process may; otherwise it stays as it is.
///
/// For threads that carry votes and heartbeats or that fsync the log, and for nothing that works long. Niceness alone does
/// not do: a kernel that groups by session or control group weighs it only within the group, so that a few busy processes
/// elsewhere cost the leader its leadership. Corosync schedules its own heartbeats the same way.
pub fn raise_priority() {
    let Err(error) = real_time() else { return };
    tracing::debug!(%error, "this thread is not scheduled in real time");
    // On Linux the calling thread alone: setpriority(2), notes.
    if let Err(error) = rustix::process::setpriority_process(None, NICE) {
        tracing::debug!(%error, "this thread keeps its ordinary priority");
    }
}

/// Threads that this one starts are ordinary again.
fn real_time() -> std::io::Result<()> {
    let priority = libc::sched_param { sched_priority: REAL_TIME };
    // SAFETY: sched_setscheduler(2) reads the priority, which outlives the call; 0 is the calling thread.
    #[allow(unsafe_code)]
    let done = unsafe { libc::sched_setscheduler(0, libc::SCHED_RR | libc::SCHED_RESET_ON_FORK, &raw const priority) };
    if done == 0 { Ok(()) } else { Err(std::io::Error::last_os_error()) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, unsafe_code)]
    use super::*;

    fn policy() -> libc::c_int {
        // SAFETY: sched_getscheduler(2) takes nothing but the number of a thread; 0 is the calling one.
        unsafe { libc::sched_getscheduler(0) }
    }

    #[test]
    fn one_thread_is_raised_and_not_what_it_starts() {
        let raised = std::thread::spawn(|| {
            let may = real_time().is_ok();
            raise_priority();
            (may, policy(), std::thread::spawn(policy).join().unwrap())
        });
        let (may, raised, started) = raised.join().unwrap();
        let wanted = if may { libc::SCHED_RR | libc::SCHED_RESET_ON_FORK } else { libc::SCHED_OTHER };
        assert_eq!(raised, wanted);
        assert_eq!((started, policy()), (libc::SCHED_OTHER, libc::SCHED_OTHER));
    }
}

//! Which threads a busy processor runs first.

use std::io;

/// Of the real-time priorities the lowest: below what a kernel or an audio server uses, above all ordinary work.
const REAL_TIME: libc::c_int = 1;

/// Puts the calling thread before everything ordinary on the machine, where this process may.
pub(crate) fn hurry(nice: i32) {
    // SAFETY: plain integers. On Linux of the calling thread alone: setpriority(2), notes.
    unsafe {
        libc::setpriority(libc::PRIO_PROCESS, 0, nice);
    }
}

/// Puts the calling thread, and none that it starts, before all that is not scheduled in real time.
pub(crate) fn real_time() -> io::Result<()> {
    let priority = libc::sched_param { sched_priority: REAL_TIME };
    // SAFETY: sched_setscheduler(2) reads the priority, which outlives the call; 0 is the calling thread.
    let done = unsafe { libc::sched_setscheduler(0, libc::SCHED_RR | libc::SCHED_RESET_ON_FORK, &raw const priority) };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    fn policy() -> libc::c_int {
        // SAFETY: sched_getscheduler(2) takes nothing but the number of a thread; 0 is the calling one.
        unsafe { libc::sched_getscheduler(0) }
    }

    #[test]
    fn one_thread_is_put_first_and_not_what_it_starts() {
        let raised = std::thread::spawn(|| {
            let may = real_time().is_ok();
            (may, policy(), std::thread::spawn(policy).join().unwrap())
        });
        let (may, raised, started) = raised.join().unwrap();
        let wanted = if may { libc::SCHED_RR | libc::SCHED_RESET_ON_FORK } else { libc::SCHED_OTHER };
        assert_eq!(raised, wanted);
        assert_eq!((started, policy()), (libc::SCHED_OTHER, libc::SCHED_OTHER));
    }
}

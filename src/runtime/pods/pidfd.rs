//! Waiting for a process's end without threads.

use crate::supervisor::protocol::ProcessId;
use crate::sys::{self, PidFd, Waited};
use tokio::io::Interest;

/// Waits until the process has ended. Gives how, if it was this process's child and nobody else has reaped it.
pub(crate) async fn ended(process: ProcessId) -> Option<Waited> {
    let handle = PidFd::open(process.pid, process.start_time)?;
    if let Ok(handle) = sys::register(handle, Interest::READABLE) {
        // Never cleared: an ended process stays readable.
        let _ = handle.readable().await;
    }
    sys::wait_child(process.pid)
}

/// It runs (a zombie does not).
pub(crate) fn is_alive(process: ProcessId) -> bool {
    sys::start_time(process.pid) == Some(process.start_time) && sys::state_of(process.pid) != Some('Z')
}

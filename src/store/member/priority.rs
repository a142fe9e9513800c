//! The priority of threads on which elections depend.

/// Above everything ordinary on the machine, below what belongs to the system.
const NICE: i32 = -10;

/// Gives the calling thread more of a busy processor, where this process may; otherwise it stays as it is.
///
/// For threads that carry votes and heartbeats or that fsync the log, and for nothing that works long.
pub fn raise_priority() {
    // On Linux the calling thread alone: setpriority(2), notes.
    if let Err(error) = rustix::process::setpriority_process(None, NICE) {
        tracing::debug!(%error, "this thread keeps its ordinary priority");
    }
}

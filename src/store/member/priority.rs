//! The priority of threads on which much depends.

/// Above everything ordinary of the same session or service, below what belongs to the system.
const NICE: i32 = -10;

/// Gives the calling thread more of a busy processor, where this process may; otherwise it stays as it is.
///
/// For threads that carry signs of life, and for nothing that works long. A kernel that groups by session or control group
/// weighs it only within the group: threads on which elections depend take what [`crate::StoreConfig::urgent`] does.
pub fn raise_priority() {
    // On Linux the calling thread alone: setpriority(2), notes.
    if let Err(error) = rustix::process::setpriority_process(None, NICE) {
        tracing::debug!(%error, "this thread keeps its ordinary priority");
    }
}

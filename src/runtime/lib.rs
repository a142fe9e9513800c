//! Containers on one machine: images, pod supervisors, libcontainer, cgroups, logs and streams.
//!
//! What lives here: everything that touches a container's processes, root file system, cgroup or log, the pod
//! supervisor (this binary run again, one single-threaded process per pod) and all `unsafe` and fork handling of
//! raftsman. What must not: Kubernetes objects (the agent in `node` translates them into [`border`]'s types),
//! addresses and interfaces (`network`), and any decision about *whether* something should run: the agent plans,
//! this room executes.

pub mod border;
mod cgroup;
mod hex;
mod images;
mod parts;
mod pods;
mod preflight;
pub mod supervisor;
mod sys;

pub use images::{ImageStore, ImageStoreConfig};
pub use parts::mount_part;
pub use pods::{LocalPods, PodsConfig, purge};
pub use preflight::preflight;
pub use sys::send_frame;

/// Time since the machine was started, on CLOCK_BOOTTIME: what promises are measured by.
pub fn boottime() -> std::time::Duration {
    sys::boottime()
}

/// Puts the calling thread before everything ordinary on the machine, where this process may. For a thread on which a
/// promise depends, and that never works for long.
pub fn hurry_this_thread() {
    sys::hurry(-15);
}

/// Puts the calling thread before all that is not scheduled in real time, where this process may; else as
/// [`hurry_this_thread`] does. For threads on which elections depend.
///
/// Niceness alone does not do for them: a kernel that groups by session or control group weighs it only within the group, and
/// a few busy processes elsewhere cost a leader its leadership. Corosync schedules its own heartbeats the same way.
pub fn urge_this_thread() {
    if sys::real_time().is_err() {
        sys::hurry(-15);
    }
}

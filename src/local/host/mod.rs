//! One host's processes, cgroups and mounts.

mod cgroups;
mod environment;
mod launch;
mod mounts;
mod process;

pub use cgroups::Cgroups;
pub use launch::{LAUNCH, Launch};
pub use mounts::{mount_points, real, unmount_below};
pub use process::{HostProcess, last_lines};

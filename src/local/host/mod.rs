//! One host's processes, cgroups and mounts.

mod cgroups;
mod launch;
mod mounts;
mod process;

pub use cgroups::Cgroups;
pub use launch::{LAUNCH, Launch};
pub use mounts::{mount_points, unmount_below};
pub use process::{HostProcess, last_lines};

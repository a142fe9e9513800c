//! Narrow, safe wrappers over the system calls that `nix` lacks. Most of the crate's `unsafe` is here.

#![allow(unsafe_code, reason = "system calls that nix lacks: this module is their safe wrapper")]

mod clock;
mod frame;
mod fsctl;
mod inotify;
mod mounts;
mod page;
mod pipes;
mod priority;
mod process;
mod readiness;
mod sockets;
mod terminal;

pub(crate) use clock::{boottime, sleep_until};
pub use frame::send_frame;
#[cfg(test)]
pub(crate) use fsctl::get_xattr;
pub(crate) use fsctl::{file_lock, open_beneath, open_in_root, set_xattr, write_atomic};
pub(crate) use inotify::Inotify;
pub(crate) use mounts::{
    bind_file, bind_open, clone_tree, detach, is_mount_point, make_private, make_shared, make_slave_tree, mount_tmpfs,
    move_tree, self_bind, unmount_below,
};
pub(crate) use page::{Page, wait_while, wake};
pub(crate) use pipes::{readable, splice};
pub(crate) use priority::{hurry, real_time};
pub(crate) use process::{
    PidFd, Waited, become_subreaper, children, ended_child, kill_pid, session_of, start_time, state_of, wait_child,
};
pub(crate) use readiness::register;
pub(crate) use sockets::{bind_listener, connect_path, loopback_up, recv_with_fds, send_with_fds};
pub(crate) use terminal::set_terminal_size;

/// The last operating system error with what was being done.
pub(crate) fn os_error(what: impl std::fmt::Display) -> std::io::Error {
    let error = std::io::Error::last_os_error();
    std::io::Error::new(error.kind(), format!("{what}: {error}"))
}

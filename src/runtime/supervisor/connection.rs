//! One connection from the agent.

use crate::supervisor::attach::Attachment;
use crate::supervisor::protocol::Reply;
use crate::supervisor::wire::{self, Inbox};
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::net::UnixStream;

/// What a connection is for.
#[derive(Debug)]
pub(crate) enum Role {
    /// Single requests.
    Requests,
    /// Is told of changes.
    Subscriber,
    /// Waits for a command's end; leaving ends the command.
    Exec {
        /// The command's pid, a child that is not reaped yet.
        pid: i32,
    },
    /// Is attached to a container.
    Attached(Attachment),
}

/// One connection.
#[derive(Debug)]
pub(crate) struct Connection {
    /// The socket.
    pub stream: UnixStream,
    /// What has arrived.
    pub inbox: Inbox,
    /// What it is for.
    pub role: Role,
    /// To be dropped.
    pub closed: bool,
}

impl Connection {
    /// A new one.
    pub(crate) fn new(stream: UnixStream) -> Self {
        Self { stream, inbox: Inbox::default(), role: Role::Requests, closed: false }
    }

    /// Sends a reply. A reader that does not keep up is let go.
    pub(crate) fn reply(&mut self, reply: &Reply, fds: &[RawFd]) {
        if wire::send(&self.stream.as_raw_fd(), reply, fds).is_err() {
            self.closed = true;
        }
    }
}

//! What the loop waits for.

use super::{Server, TICK, Token};
use crate::supervisor::connection::Role;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::io;
use std::os::fd::AsFd;

impl Server {
    /// Waits until something can be done, and says what.
    pub(super) fn wait(&self) -> io::Result<Vec<Token>> {
        let mut tokens = vec![Token::Signals, Token::Listener];
        let mut fds = vec![
            PollFd::new(self.signals.as_fd(), PollFlags::POLLIN),
            PollFd::new(self.listener.as_fd(), PollFlags::POLLIN),
        ];
        if let Some(fence) = &self.fence {
            fds.push(PollFd::new(fence.as_fd(), PollFlags::POLLIN));
            // Woken in reverse: last.
            tokens.push(Token::Promise);
        }
        let mut full = Vec::new();
        let mut stalled = Vec::new();
        let mut hurry = false;
        for (id, connection) in &self.connections {
            if let Role::Attached(attachment) = &connection.role {
                hurry |= attachment.is_waiting();
                if attachment.is_full() {
                    full.push(attachment.container.as_str());
                }
                let container = self.containers.get(&attachment.container);
                let hungry = container.and_then(|it| it.input.as_ref()).is_none_or(|input| input.pending.is_empty());
                if let Some(stdin) = attachment.stdin.as_ref().filter(|_| hungry) {
                    fds.push(PollFd::new(stdin.as_fd(), PollFlags::POLLIN));
                    tokens.push(Token::Typed(*id));
                }
                for sink in attachment.sinks.iter().flatten().filter(|sink| !sink.waiting.is_empty()) {
                    fds.push(PollFd::new(sink.file.as_fd(), PollFlags::POLLOUT));
                    tokens.push(Token::Sink(*id));
                }
            }
            // Woken in reverse: requests (a terminal's size) come before what was typed.
            fds.push(PollFd::new(connection.stream.as_fd(), PollFlags::POLLIN));
            tokens.push(Token::Connection(*id));
        }
        for (id, container) in &self.containers {
            hurry |= container.ended.is_some();
            if !full.contains(&id.as_str()) {
                for (which, output) in container.outputs.iter().enumerate().rev() {
                    if output.stalled {
                        stalled.push(Token::Output(id.clone(), which));
                        hurry = true;
                        continue;
                    }
                    fds.push(PollFd::new(output.as_fd(), PollFlags::POLLIN));
                    tokens.push(Token::Output(id.clone(), which));
                }
            }
            if let Some(input) = container.input.as_ref().filter(|input| !input.pending.is_empty()) {
                fds.push(PollFd::new(input.file.as_fd(), PollFlags::POLLOUT));
                tokens.push(Token::Input(id.clone()));
            }
            if let Some(process) = &container.adopted {
                fds.push(PollFd::new(process.as_fd(), PollFlags::POLLIN));
                tokens.push(Token::Adopted(id.clone()));
            }
        }
        let timeout = if hurry { PollTimeout::try_from(TICK).unwrap_or(PollTimeout::ZERO) } else { PollTimeout::NONE };
        match poll(&mut fds, timeout) {
            Ok(_) => {}
            Err(nix::errno::Errno::EINTR) => return Ok(Vec::new()),
            Err(error) => return Err(error.into()),
        }
        let ready: Vec<bool> = fds.iter().map(|fd| fd.revents().is_some_and(|events| !events.is_empty())).collect();
        let ready = tokens.into_iter().zip(ready).filter_map(|(token, ready)| ready.then_some(token)).rev();
        Ok(ready.chain(stalled).collect())
    }
}

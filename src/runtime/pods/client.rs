//! Talking to a supervisor.

use crate::border::RuntimeError;
use crate::supervisor::protocol::{Reply, Request, SOCKET};
use crate::supervisor::wire::{Inbox, frame};
use crate::sys;
use std::io;
use std::os::fd::{OwnedFd, RawFd};
use std::path::Path;
use std::time::Duration;
use tokio::io::Interest;
use tokio::net::UnixStream;

/// A supervisor that does not answer for so long is broken.
const PATIENCE: Duration = Duration::from_secs(60);

/// One connection to a supervisor.
pub(crate) struct Client {
    stream: UnixStream,
    inbox: Inbox,
}

impl Client {
    /// Connects to the supervisor of the pod in `directory`.
    pub(crate) fn connect(directory: &Path) -> io::Result<Self> {
        let stream = sys::connect_path(&directory.join(SOCKET))?;
        stream.set_nonblocking(true)?;
        Ok(Self { stream: UnixStream::from_std(stream)?, inbox: Inbox::default() })
    }

    /// Sends a request with descriptors.
    pub(crate) async fn send(&mut self, request: &Request, fds: &[RawFd]) -> io::Result<()> {
        let bytes = frame(request)?;
        let mut sent = 0;
        while sent < bytes.len() {
            let fds = if sent == 0 { fds } else { &[] };
            let rest = &bytes[sent..];
            self.stream.writable().await?;
            match self.stream.try_io(Interest::WRITABLE, || sys::send_with_fds(&self.stream, rest, fds)) {
                Ok(more) => sent += more,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// The next reply; `None` when the supervisor is gone.
    pub(crate) async fn receive(&mut self) -> io::Result<Option<Reply>> {
        loop {
            if let Some(reply) = self.inbox.next()? {
                return Ok(Some(reply));
            }
            self.stream.readable().await?;
            let (stream, inbox) = (&self.stream, &mut self.inbox);
            match stream.try_io(Interest::READABLE, || inbox.fill(stream)) {
                Ok(true) => {}
                Ok(false) => return Ok(None),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) if error.kind() == io::ErrorKind::ConnectionReset => return Ok(None),
                Err(error) => return Err(error),
            }
        }
    }

    /// A descriptor that came with the last reply.
    pub(crate) fn fd(&mut self) -> Option<OwnedFd> {
        self.inbox.fd()
    }

    /// Sends a request and waits for its reply.
    pub(crate) async fn ask(&mut self, request: &Request, fds: &[RawFd]) -> Result<Reply, Refused> {
        let answer = async {
            self.send(request, fds).await?;
            self.receive().await?.ok_or_else(|| io::Error::from(io::ErrorKind::ConnectionReset))
        };
        let reply = tokio::time::timeout(PATIENCE, answer).await;
        match reply.unwrap_or_else(|_| Err(io::Error::from(io::ErrorKind::TimedOut))) {
            Ok(Reply::Failed { message, code }) => Err(Refused::Failed { message, code }),
            Ok(Reply::Frozen) => Err(Refused::Frozen),
            Ok(reply) => Ok(reply),
            Err(error) => Err(Refused::Gone(error)),
        }
    }
}

/// No good reply.
#[derive(Debug)]
pub(crate) enum Refused {
    /// The supervisor says no.
    Failed {
        /// Why.
        message: String,
        /// The exit code to show.
        code: i32,
    },
    /// The pod is fenced and may not run now.
    Frozen,
    /// There is no supervisor.
    Gone(io::Error),
}

impl Refused {
    /// As an error about `what`.
    pub(crate) fn about(self, what: &str) -> RuntimeError {
        match self {
            Self::Failed { message, .. } => RuntimeError::Invalid(format!("{what}: {message}")),
            Self::Frozen => {
                RuntimeError::Transient(format!("{what}: the pod is frozen until a leader says that it may run"))
            }
            Self::Gone(error) => RuntimeError::Transient(format!("{what}: its supervisor does not answer: {error}")),
        }
    }
}

/// One request on a connection of its own.
pub(crate) async fn ask(directory: &Path, request: &Request) -> Result<Reply, Refused> {
    let mut client = Client::connect(directory).map_err(Refused::Gone)?;
    client.ask(request, &[]).await
}

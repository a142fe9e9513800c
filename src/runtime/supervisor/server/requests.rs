//! What the agent asks for.

use super::Server;
use crate::supervisor::attach::Attachment;
use crate::supervisor::connection::{Connection, Role};
use crate::supervisor::container::{self, Container};
use crate::supervisor::executor::StartFailure;
use crate::supervisor::fence::Fence;
use crate::supervisor::protocol::{Reply, Request, StartContainer, StartExec};
use crate::supervisor::{complain, create, exec};
use crate::sys;
use std::os::fd::{AsRawFd, OwnedFd};

impl Server {
    pub(super) fn request(&mut self, id: u64, request: Request) {
        let reply = match request {
            Request::Ping => Ok(Reply::Done),
            Request::Start(start) => self.start(*start),
            Request::Signal { id: container, signal } => self.signal(&container, signal),
            Request::Remove { id: container, cgroup } => self.remove(&container, &cgroup),
            Request::Exec(request) => return self.exec(id, &request),
            Request::Attach { id: container, streams } => self.attach(id, container, streams),
            Request::Resize { width, height } => {
                self.resize(id, width, height);
                return;
            }
            Request::Subscribe => {
                if let Some(connection) = self.connections.get_mut(&id) {
                    connection.role = Role::Subscriber;
                }
                Ok(Reply::Done)
            }
            Request::Reaped { process, code, signal } => {
                let adopted = self.containers.values_mut().find(|it| it.process() == Some(process));
                if let Some(container) = adopted {
                    container.kill_rest(&self.hierarchies);
                    container.adopted = None;
                    container.end(code, signal);
                }
                Ok(Reply::Done)
            }
            Request::Admit { epoch } => self.admit(epoch),
            Request::Shutdown => {
                self.ending = true;
                Ok(Reply::Done)
            }
        };
        let reply = reply.unwrap_or_else(|failure| Reply::Failed { message: failure.message, code: failure.code });
        if let Some(connection) = self.connections.get_mut(&id) {
            connection.reply(&reply, &[]);
        }
    }

    fn start(&mut self, start: StartContainer) -> Result<Reply, StartFailure> {
        if let Some(process) = self.containers.get(&start.id).and_then(Container::process) {
            return Ok(Reply::Started { pid: process.pid });
        }
        if !self.admits() {
            return Ok(Reply::Frozen);
        }
        let (id, group) = (start.id.clone(), start.cgroup.clone());
        self.busy(true);
        let created = create::create(&self.directory, start);
        self.busy(false);
        match created {
            Ok(container) => {
                let pid = container.process().map_or(0, |process| process.pid);
                self.containers.insert(id, container);
                self.changed();
                // It may have ended already.
                self.reap();
                Ok(Reply::Started { pid })
            }
            Err(failure) => {
                self.reap();
                if let Err(error) = container::remove(&self.directory, &id, &group, &self.hierarchies) {
                    complain(&format!("container {id}: clean up: {error}\n"));
                }
                Err(failure)
            }
        }
    }

    /// It is not fenced, or may run now.
    fn admits(&self) -> bool {
        self.fence.as_ref().is_none_or(Fence::admits)
    }

    fn busy(&self, busy: bool) {
        self.fence.iter().for_each(|fence| fence.busy(busy));
    }

    fn admit(&mut self, epoch: u32) -> Result<Reply, StartFailure> {
        let Some(fence) = &mut self.fence else {
            return Err(StartFailure { code: 128, message: "the pod is not fenced".to_owned() });
        };
        let admitted = fence.admit(epoch)?;
        self.changed();
        Ok(if admitted { Reply::Done } else { Reply::Frozen })
    }

    fn running(&self, id: &str) -> Result<&Container, StartFailure> {
        let found = self.containers.get(id).filter(|container| container.ended.is_none());
        found.ok_or_else(|| StartFailure { code: 128, message: format!("container {id} is not running") })
    }

    fn signal(&self, id: &str, signal: i32) -> Result<Reply, StartFailure> {
        let container = self.running(id)?;
        match (&container.adopted, container.process()) {
            (Some(process), _) => process.kill(signal),
            // A child that was not reaped: the pid is its own.
            (None, Some(process)) => sys::kill_pid(process.pid, signal),
            (None, None) => {}
        }
        Ok(Reply::Done)
    }

    fn remove(&mut self, id: &str, group: &str) -> Result<Reply, StartFailure> {
        if self.containers.contains_key(id) {
            return Err(StartFailure { code: 128, message: format!("container {id} is running") });
        }
        container::remove(&self.directory, id, group, &self.hierarchies)?;
        Ok(Reply::Done)
    }

    fn take_streams(&mut self, id: u64, streams: [bool; 3]) -> [Option<OwnedFd>; 3] {
        let inbox = self.connections.get_mut(&id).map(|connection| &mut connection.inbox);
        match inbox {
            Some(inbox) => streams.map(|wanted| wanted.then(|| inbox.fd()).flatten()),
            None => [None, None, None],
        }
    }

    fn exec(&mut self, id: u64, request: &StartExec) {
        let streams = self.take_streams(id, request.streams);
        if !self.admits() {
            if let Some(connection) = self.connections.get_mut(&id) {
                connection.reply(&Reply::Frozen, &[]);
            }
            return;
        }
        self.busy(true);
        let started =
            self.running(&request.id).and_then(|container| exec::exec(&self.directory, container, request, streams));
        self.busy(false);
        let Some(connection) = self.connections.get_mut(&id) else {
            return;
        };
        match started {
            Ok(started) => {
                connection.role = Role::Exec { pid: started.pid };
                let fds: Vec<_> = started.terminal.iter().map(AsRawFd::as_raw_fd).collect();
                connection.reply(&Reply::Started { pid: started.pid }, &fds);
            }
            Err(failure) => {
                connection.reply(&Reply::Failed { message: failure.message, code: failure.code }, &[]);
            }
        }
        self.reap();
    }

    fn attach(&mut self, id: u64, container: String, streams: [bool; 3]) -> Result<Reply, StartFailure> {
        let fds = self.take_streams(id, streams);
        self.running(&container)?;
        let attachment = Attachment::new(container, fds)?;
        if let Some(connection) = self.connections.get_mut(&id) {
            connection.role = Role::Attached(attachment);
        }
        Ok(Reply::Done)
    }

    fn resize(&mut self, id: u64, width: u16, height: u16) {
        let Some(Connection { role: Role::Attached(attachment), .. }) = self.connections.get(&id) else {
            return;
        };
        let terminal = self.containers.get(&attachment.container).and_then(|container| container.terminal.as_ref());
        if let Some(terminal) = terminal {
            let _ = sys::set_terminal_size(terminal, width, height);
        }
    }
}

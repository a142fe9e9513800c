//! The supervisor's loop: one poll over the agent's connections, the containers' streams and the ends of children.

mod requests;
mod wait;

use crate::cgroup::Hierarchies;
use crate::supervisor::attach::Attachment;
use crate::supervisor::connection::{Connection, Role};
use crate::supervisor::container::{self, Container};
use crate::supervisor::fence::Fence;
use crate::supervisor::log::Stream;
use crate::supervisor::namespaces::Pod;
use crate::supervisor::protocol::{Boot, CONTAINERS, PROCESS_FILE, ProcessId, Reply, Request, SOCKET};
use crate::supervisor::{complain, log, record};
use crate::sys;
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// While something has a deadline, it is looked at this often.
const TICK: Duration = Duration::from_millis(200);

/// Killed children are waited for so long at the end.
const LAST_REAP: Duration = Duration::from_secs(2);

/// Who supervises a pod.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Processes {
    /// The supervisor.
    pub supervisor: ProcessId,
    /// The pause process.
    pub pause: Option<ProcessId>,
    /// The second process that freezes a fenced pod.
    #[serde(default)]
    pub guard: Option<ProcessId>,
}

/// What woke the loop.
enum Token {
    Signals,
    Listener,
    Connection(u64),
    Typed(u64),
    Sink(u64),
    Output(String, usize),
    Input(String),
    Adopted(String),
    Promise,
}

/// One pod's supervisor.
pub(crate) struct Server {
    directory: PathBuf,
    hierarchies: Hierarchies,
    listener: UnixListener,
    signals: SignalFd,
    connections: BTreeMap<u64, Connection>,
    next_connection: u64,
    containers: BTreeMap<String, Container>,
    fence: Option<Fence>,
    processes: Processes,
    ending: bool,
}

impl Server {
    /// Listens, records itself and takes over what an earlier supervisor of this pod left.
    pub(crate) fn open(directory: PathBuf, boot: Boot, pod: Pod) -> io::Result<Self> {
        let hierarchies = Hierarchies::detect()?;
        // First of all: it forks, and what may not run must not wait.
        let fence = boot.fencing.map(|fencing| Fence::open(&directory, &hierarchies, &fencing)).transpose()?;
        let mut mask = SigSet::empty();
        mask.add(Signal::SIGCHLD);
        mask.thread_block()?;
        let signals = SignalFd::with_flags(&mask, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC)?;
        fs::create_dir_all(directory.join(CONTAINERS))?;
        fs::create_dir_all(directory.join(container::RUNTIME_STATE))?;
        let mut containers = BTreeMap::new();
        for entry in fs::read_dir(directory.join(CONTAINERS))?.flatten() {
            let id = entry.file_name().to_string_lossy().into_owned();
            match Container::adopt(&directory, &id) {
                Ok(Some(container)) => {
                    containers.insert(id, container);
                }
                Ok(None) => {}
                Err(error) => complain(&format!("container {id}: cannot be taken over: {error}\n")),
            }
        }
        let pid = std::process::id() as i32;
        let start_time = sys::start_time(pid).ok_or_else(|| io::Error::other("/proc is not mounted"))?;
        let earlier: Option<Processes> = record::read(&directory.join(PROCESS_FILE)).unwrap_or_default();
        let pause = pod.pause.or(earlier.and_then(|earlier| earlier.pause));
        let listener = sys::bind_listener(&directory.join(SOCKET))?;
        listener.set_nonblocking(true)?;
        let guard = fence.as_ref().map(Fence::guard);
        let processes = Processes { supervisor: ProcessId { pid, start_time }, pause, guard };
        record::write(&directory.join(PROCESS_FILE), &processes)?;
        if let Some(guard) = earlier.and_then(|earlier| earlier.guard) {
            end(guard);
        }
        Ok(Self {
            directory,
            hierarchies,
            listener,
            signals,
            connections: BTreeMap::new(),
            next_connection: 0,
            containers,
            fence,
            processes,
            ending: false,
        })
    }

    /// Until the agent says that it is over.
    pub(crate) fn run(&mut self) -> io::Result<()> {
        let mut buffer = vec![0u8; log::BUFFER];
        // A child may have ended before the signal was blocked.
        self.reap();
        while !self.ending {
            for token in self.wait()? {
                self.wake(token, &mut buffer);
            }
            self.tidy();
        }
        if let Some(fence) = &self.fence {
            end(fence.guard());
        }
        self.last_reap();
        let _ = fs::remove_file(self.directory.join(SOCKET));
        Ok(())
    }

    fn wake(&mut self, token: Token, buffer: &mut [u8]) {
        match token {
            Token::Signals => {
                while let Ok(Some(_)) = self.signals.read_signal() {}
                self.reap();
                // The guard tells by the same signal that it has frozen the pod.
                self.enforce();
            }
            Token::Promise => self.enforce(),
            Token::Listener => {
                if let Ok((stream, _)) = self.listener.accept() {
                    self.connections.insert(self.next_connection, Connection::new(stream));
                    self.next_connection += 1;
                }
            }
            Token::Connection(id) => self.receive(id),
            Token::Typed(id) => self.typed(id, buffer),
            Token::Sink(id) => {
                if let Some(Connection { role: Role::Attached(attachment), .. }) = self.connections.get_mut(&id) {
                    attachment.flush();
                }
            }
            Token::Output(id, which) => {
                let piece = self.containers.get_mut(&id).and_then(|container| container.pump(which, buffer));
                if let Some((stream, taken)) = piece {
                    self.show(&id, stream, taken, buffer);
                }
            }
            Token::Input(id) => {
                if let Some(container) = self.containers.get_mut(&id) {
                    container.feed();
                }
            }
            Token::Adopted(id) => {
                if let Some(container) = self.containers.get_mut(&id) {
                    container.kill_rest(&self.hierarchies);
                    container.lost();
                }
            }
        }
    }

    /// Gives the output that was taken last to those who are attached.
    fn show(&mut self, id: &str, stream: Stream, taken: usize, buffer: &mut [u8]) {
        if self.attachments(id).next().is_none() {
            return;
        }
        match self.containers.get(id).map(|container| container.log.newest(stream, taken, buffer)) {
            Some(Ok(bytes)) => self.attachments(id).for_each(|attachment| attachment.put(stream, bytes)),
            Some(Err(error)) => complain(&format!("container {id}: attach: {error}\n")),
            None => {}
        }
    }

    /// Freezes the pod, if it is fenced and may not run.
    fn enforce(&mut self) {
        if self.fence.as_mut().is_some_and(Fence::enforce) {
            self.changed();
        }
        self.guard_again();
    }

    fn attachments(&mut self, container: &str) -> impl Iterator<Item = &mut Attachment> {
        self.connections.values_mut().filter_map(move |connection| match &mut connection.role {
            Role::Attached(attachment) if attachment.container == container => Some(attachment),
            _ => None,
        })
    }

    fn reap(&mut self) {
        // Any child: an unreaped one would keep the first process of its pid namespace from ending.
        // Looked at, recorded, and only then reaped: if this process dies meanwhile, the agent or the record knows how.
        while let Some(ended) = sys::ended_child() {
            let container = self.containers.values_mut().find(|container| {
                container.ended.is_none() && container.process().is_some_and(|process| process.pid == ended.pid)
            });
            if let Some(container) = container {
                container.end(ended.code, ended.signal);
                container.kill_rest(&self.hierarchies);
                sys::wait_child(ended.pid);
                continue;
            }
            sys::wait_child(ended.pid);
            let guard = self.fence.as_mut().filter(|fence| !self.ending && fence.guard().pid == ended.pid);
            guard.into_iter().for_each(Fence::guard_ended);
            for connection in self.connections.values_mut() {
                if matches!(connection.role, Role::Exec { pid } if pid == ended.pid) {
                    connection.role = Role::Requests;
                    connection.reply(&Reply::Exited { code: ended.code }, &[]);
                }
            }
        }
    }

    /// A guard that was killed is replaced.
    fn guard_again(&mut self) {
        if let Some(fence) = self.fence.as_mut()
            && fence.guard_again()
        {
            self.processes.guard = Some(fence.guard());
            if let Err(error) = record::write(&self.directory.join(PROCESS_FILE), &self.processes) {
                complain(&format!("{error}\n"));
            }
        }
    }

    /// What was killed just now must not be left to others as zombies.
    fn last_reap(&mut self) {
        let pid_one = record::read::<Processes>(&self.directory.join(PROCESS_FILE)).ok().flatten();
        let pause = pid_one.and_then(|processes| processes.pause).map(|pause| pause.pid);
        let deadline = Instant::now() + LAST_REAP;
        loop {
            self.reap();
            if sys::children().iter().all(|child| Some(*child) == pause) || Instant::now() > deadline {
                return;
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// Drops what is over.
    fn tidy(&mut self) {
        for container in self.containers.values_mut() {
            container.outputs.retain(|output| !output.ended);
        }
        let over: Vec<String> =
            self.containers.iter().filter(|(_, container)| container.is_over()).map(|(id, _)| id.clone()).collect();
        for id in over {
            if let Some(mut container) = self.containers.remove(&id) {
                let code = container.finish(&self.hierarchies);
                self.detach_all(&id, code);
                self.changed();
            }
        }
        for connection in self.connections.values_mut() {
            if let Role::Attached(attachment) = &mut connection.role {
                attachment.flush();
            }
            if let (true, Role::Exec { pid }) = (connection.closed, &connection.role) {
                // Nobody waits for it; it is a child that was not reaped, so the pid is its own.
                sys::kill_pid(*pid, libc::SIGKILL);
            }
        }
        self.connections.retain(|_, connection| !connection.closed);
    }

    fn detach_all(&mut self, container: &str, code: i32) {
        for connection in self.connections.values_mut() {
            if matches!(&connection.role, Role::Attached(attachment) if attachment.container == container) {
                if let Role::Attached(attachment) = &mut connection.role {
                    attachment.flush();
                }
                connection.role = Role::Requests;
                connection.reply(&Reply::Exited { code }, &[]);
            }
        }
    }

    fn changed(&mut self) {
        for connection in self.connections.values_mut() {
            if matches!(connection.role, Role::Subscriber) {
                connection.reply(&Reply::Changed, &[]);
            }
        }
    }

    fn typed(&mut self, id: u64, buffer: &mut [u8]) {
        let Some(Connection { role: Role::Attached(attachment), .. }) = self.connections.get_mut(&id) else {
            return;
        };
        let Some(read) = attachment.read(buffer) else {
            return;
        };
        let Some(container) = self.containers.get_mut(&attachment.container) else {
            return;
        };
        let once = container.start.stdin_once && !container.start.tty;
        let Some(input) = &mut container.input else {
            return;
        };
        input.pending.extend_from_slice(&buffer[..read]);
        input.closing |= read == 0 && once;
        container.feed();
    }

    fn receive(&mut self, id: u64) {
        let Some(connection) = self.connections.get_mut(&id) else {
            return;
        };
        match connection.inbox.fill(&connection.stream) {
            Ok(true) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
            _ => {
                connection.closed = true;
                return;
            }
        }
        loop {
            let Some(connection) = self.connections.get_mut(&id) else {
                return;
            };
            match connection.inbox.next::<Request>() {
                Ok(Some(request)) => self.request(id, request),
                Ok(None) => return,
                Err(error) => {
                    complain(&format!("a request cannot be read: {error}\n"));
                    // Of a newer agent, perhaps.
                    let message = format!("the pod's supervisor does not know this request: {error}");
                    connection.reply(&Reply::Failed { message, code: 128 }, &[]);
                    connection.closed = true;
                    return;
                }
            }
        }
    }
}

/// Kills a process that is known by more than its pid.
fn end(process: ProcessId) {
    if let Some(handle) = sys::PidFd::open(process.pid, process.start_time) {
        handle.kill(libc::SIGKILL);
    }
}

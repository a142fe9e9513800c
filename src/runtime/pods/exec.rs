//! Commands in a container, and its own streams.

use crate::border::{AttachIo, ExecRequest, RuntimeError, TerminalSize};
use crate::images::disk;
use crate::pods::client::Client;
use crate::pods::io::{Stream, copy_in, copy_out, pipe};
use crate::pods::local::Inner;
use crate::pods::plan;
use crate::pods::status::{self, Found};
use crate::pods::users::User;
use crate::supervisor::protocol::{Reply, Request, StartExec};
use crate::sys;
use bytes::Bytes;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

/// Output that comes so long after the end (of a process that went to the background) is not waited for.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Our ends of a process's streams, and the descriptors to send.
#[derive(Default)]
struct Ends {
    theirs: Vec<OwnedFd>,
    given: [bool; 3],
    stdin: Option<(mpsc::Receiver<Bytes>, Stream)>,
    outputs: Vec<(Stream, mpsc::Sender<Bytes>)>,
}

impl Ends {
    fn pipes(stdin: Option<mpsc::Receiver<Bytes>>, outputs: [Option<mpsc::Sender<Bytes>>; 2]) -> io::Result<Self> {
        let mut ends = Self::default();
        if let Some(receiver) = stdin {
            let (read, write) = pipe()?;
            ends.theirs.push(read);
            ends.given[0] = true;
            ends.stdin = Some((receiver, Stream::new(write)?));
        }
        for (which, sender) in outputs.into_iter().enumerate() {
            let Some(sender) = sender else { continue };
            let (read, write) = pipe()?;
            ends.theirs.push(write);
            ends.given[which + 1] = true;
            ends.outputs.push((Stream::new(read)?, sender));
        }
        Ok(ends)
    }

    fn raw(&self) -> Vec<RawFd> {
        self.theirs.iter().map(AsRawFd::as_raw_fd).collect()
    }

    /// Starts copying: input in one set (ends with the client), output in the other (ends with the process).
    fn copy(self, input: &mut JoinSet<()>, output: &mut JoinSet<()>) {
        // Theirs are closed here, or the end would never be seen.
        drop(self.theirs);
        if let Some((receiver, stream)) = self.stdin {
            input.spawn(async move { copy_in(receiver, &stream).await });
        }
        for (stream, sender) in self.outputs {
            output.spawn(async move { copy_out(&stream, Some(sender)).await });
        }
    }
}

async fn finish(mut output: JoinSet<()>) {
    let _ = tokio::time::timeout(LAST_WORDS, async { while output.join_next().await.is_some() {} }).await;
}

fn running(inner: &Inner, uid: &str, name: &str) -> Result<Found, RuntimeError> {
    let paths = inner.config.pod(uid);
    status::record_of(&paths, uid)?;
    let newest = status::newest(&paths, name)
        .ok_or_else(|| RuntimeError::NotFound(format!("container \"{name}\" of pod {uid}")))?;
    if newest.is_running() {
        return Ok(newest);
    }
    Err(RuntimeError::Invalid(format!("container \"{name}\" of pod {uid} is not running")))
}

/// Runs a command to its end. Dropping the future kills it.
pub(crate) async fn exec(
    inner: &Arc<Inner>,
    uid: &str,
    request: ExecRequest,
    io: AttachIo,
) -> Result<i32, RuntimeError> {
    let found = running(inner, uid, &request.container)?;
    let record = &found.record;
    let about = format!("exec in container \"{}\" of pod {uid}", request.container);
    if request.command.is_empty() {
        return Err(RuntimeError::Invalid(format!("{about}: no command is given")));
    }
    let user = User::from(&record.user);
    let no_new_privileges = record.spec.security.no_new_privileges && !record.spec.security.privileged;
    let mut env = record.env.clone();
    if request.tty && !env.iter().any(|variable| variable.starts_with("TERM=")) {
        env.push("TERM=xterm".to_owned());
    }
    let process = plan::process(&user, &request.command, &env, request.tty, no_new_privileges);
    let process = serde_json::from_value(process).map_err(io::Error::from).map_err(disk(&about))?;
    let AttachIo { stdin, stdout, stderr, resize } = io;
    let (ends, stdin, stdout) = match request.tty {
        true => (Ends::default(), stdin, stdout),
        false => (Ends::pipes(stdin, [stdout, stderr]).map_err(disk(&about))?, None, None),
    };
    let mut client = Client::connect(&inner.config.pod(uid).directory).map_err(disk(&about))?;
    let start = StartExec {
        id: record.id.clone(),
        process: Box::new(process),
        privileges: record.privileges.clone(),
        cwd: record.cwd.clone(),
        streams: ends.given,
    };
    client.ask(&Request::Exec(Box::new(start)), &ends.raw()).await.map_err(|error| error.about(&about))?;
    let (mut input, mut output) = (JoinSet::new(), JoinSet::new());
    ends.copy(&mut input, &mut output);
    if request.tty {
        let master = client.fd().ok_or_else(|| RuntimeError::Transient(format!("{about}: no terminal came")))?;
        let terminal = Arc::new(Stream::new(master).map_err(disk(&about))?);
        let mut resize = resize;
        // The first size before anything is typed.
        if let Some(size) = resize.as_mut().and_then(|sizes| sizes.try_recv().ok()) {
            let _ = sys::set_terminal_size(terminal.file(), size.width, size.height);
        }
        let reader = terminal.clone();
        output.spawn(async move { copy_out(&reader, stdout).await });
        if let Some(receiver) = stdin {
            let writer = terminal.clone();
            input.spawn(async move { copy_in(receiver, &writer).await });
        }
        if let Some(sizes) = resize {
            input.spawn(resize_terminal(sizes, terminal));
        }
    }
    let code = exit_code(&mut client, &about).await?;
    finish(output).await;
    Ok(code)
}

async fn resize_terminal(mut sizes: mpsc::Receiver<TerminalSize>, terminal: Arc<Stream>) {
    while let Some(size) = sizes.recv().await {
        let _ = sys::set_terminal_size(terminal.file(), size.width, size.height);
    }
}

async fn exit_code(client: &mut Client, about: &str) -> Result<i32, RuntimeError> {
    loop {
        match client.receive().await {
            Ok(Some(Reply::Exited { code })) => return Ok(code),
            Ok(Some(_)) => {}
            Ok(None) => {
                return Err(RuntimeError::Transient(format!("{about}: the supervisor has ended")));
            }
            Err(error) => return Err(disk(about)(error)),
        }
    }
}

/// Connects to a container's own streams until it ends, or the client has gone.
pub(crate) async fn attach(inner: &Arc<Inner>, uid: &str, name: &str, io: AttachIo) -> Result<(), RuntimeError> {
    let found = running(inner, uid, name)?;
    let about = format!("attach to container \"{name}\" of pod {uid}");
    let AttachIo { stdin, stdout, stderr, mut resize } = io;
    let stdin = stdin.filter(|_| found.record.spec.stdin || found.record.spec.tty);
    let stderr = stderr.filter(|_| !found.record.spec.tty);
    let listeners: Vec<mpsc::Sender<Bytes>> = [&stdout, &stderr].into_iter().flatten().cloned().collect();
    let ends = Ends::pipes(stdin, [stdout, stderr]).map_err(disk(&about))?;
    let mut client = Client::connect(&inner.config.pod(uid).directory).map_err(disk(&about))?;
    let request = Request::Attach { id: found.record.id.clone(), streams: ends.given };
    client.ask(&request, &ends.raw()).await.map_err(|error| error.about(&about))?;
    if let Some(size) = resize.as_mut().and_then(|sizes| sizes.try_recv().ok()) {
        let first = Request::Resize { width: size.width, height: size.height };
        client.send(&first, &[]).await.map_err(disk(&about))?;
    }
    let (mut input, mut output) = (JoinSet::new(), JoinSet::new());
    ends.copy(&mut input, &mut output);
    let has_listeners = !listeners.is_empty();
    let gone = async {
        for listener in &listeners {
            listener.closed().await;
        }
    };
    tokio::pin!(gone);
    loop {
        let size = async {
            match &mut resize {
                Some(sizes) => sizes.recv().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            reply = client.receive() => match reply {
                Ok(Some(Reply::Exited { .. }) | None) | Err(_) => break,
                Ok(Some(_)) => {}
            },
            () = &mut gone, if has_listeners => return Ok(()),
            size = size => match size {
                Some(size) => {
                    let resized = Request::Resize { width: size.width, height: size.height };
                    client.send(&resized, &[]).await.map_err(disk(&about))?;
                }
                None => resize = None,
            },
        }
    }
    finish(output).await;
    Ok(())
}

//! A command in a running container.

use crate::supervisor::container::{Container, RUNTIME_STATE};
use crate::supervisor::create::{
    chain, close_new, executor, null, open_descriptors, read_failure, report_pipe, take_terminal,
};
use crate::supervisor::executor::StartFailure;
use crate::supervisor::protocol::StartExec;
use crate::sys;
use libcontainer::container::builder::ContainerBuilder;
use libcontainer::syscall::syscall::SyscallType;
use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;

/// A started command.
pub(crate) struct Started {
    /// Its pid; a child of this process.
    pub pid: i32,
    /// Its terminal.
    pub terminal: Option<OwnedFd>,
}

/// Starts a command with the given streams.
pub(crate) fn exec(
    pod: &Path,
    container: &Container,
    request: &StartExec,
    streams: [Option<OwnedFd>; 3],
) -> Result<Started, StartFailure> {
    let before = open_descriptors();
    let result = run(pod, container, request, streams);
    // Names of sockets that nobody needs any more.
    let runtime = pod.join(RUNTIME_STATE).join(&request.id);
    for entry in fs::read_dir(&runtime).into_iter().flatten().flatten() {
        if entry.file_name().to_string_lossy().starts_with("tenant-") {
            let _ = fs::remove_file(entry.path());
        }
    }
    if result.is_err() {
        close_new(&before);
    }
    result
}

fn run(
    pod: &Path,
    container: &Container,
    request: &StartExec,
    streams: [Option<OwnedFd>; 3],
) -> Result<Started, StartFailure> {
    let tty = request.process.terminal().unwrap_or(false);
    let console = container.directory.join("exec-console.sock");
    let listener = if tty { Some(sys::bind_listener(&console)?) } else { None };
    let user = request.process.user();
    let (mut failure, report) = report_pipe()?;
    let executor =
        executor(&request.privileges, &request.cwd, container.start.oom_score_adj, (user.uid(), user.gid()), &report)?;
    let process = tempfile::Builder::new().prefix("exec-").tempfile_in(&container.directory)?;
    serde_json::to_writer(&process, &request.process).map_err(io::Error::from)?;
    let [stdin, stdout, stderr] = streams.map(|stream| stream.map_or_else(null, Ok));
    let pid = ContainerBuilder::new(request.id.clone(), SyscallType::default())
        .with_executor(executor)
        .with_root_path(pod.join(RUNTIME_STATE))
        .map_err(|error| chain(&error))?
        .with_console_socket(tty.then_some(&console))
        .with_stdin(stdin?)
        .with_stdout(stdout?)
        .with_stderr(stderr?)
        .as_tenant()
        .with_detach(true)
        .with_process(Some(process.path()))
        .build();
    drop(report);
    if let Some(failure) = read_failure(&mut failure) {
        return Err(failure);
    }
    let pid = pid.map_err(|error| chain(&error))?.as_raw();
    let terminal = listener.map(|listener| take_terminal(&listener)).transpose()?;
    let _ = fs::remove_file(&console);
    Ok(Started { pid, terminal })
}

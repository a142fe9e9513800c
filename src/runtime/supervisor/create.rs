//! Starting a container through libcontainer.

use crate::supervisor::container::{Container, RUNTIME_STATE, START_FILE, directory_of};
use crate::supervisor::executor::{PodExecutor, StartFailure};
use crate::supervisor::log::{Log, Stream};
use crate::supervisor::output::Output;
use crate::supervisor::protocol::{Privileges, ProcessId, StartContainer, State};
use crate::supervisor::{capability, overlay, record, seccomp};
use crate::sys;
use libcontainer::container::builder::ContainerBuilder;
use libcontainer::syscall::syscall::SyscallType;
use std::collections::HashSet;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::container::Input;

impl From<io::Error> for StartFailure {
    fn from(error: io::Error) -> Self {
        Self { code: 128, message: error.to_string() }
    }
}

/// Standard streams of a process to be started, and the place where a terminal is handed over.
pub(crate) struct Streams {
    /// In, out, err.
    pub fds: [OwnedFd; 3],
    /// The container's, with its own ends.
    pub console: Option<PathBuf>,
}

/// Makes and starts a container.
pub(crate) fn create(pod: &Path, start: StartContainer) -> Result<Container, StartFailure> {
    let directory = directory_of(pod, &start.id);
    overlay::mount_root(&directory, &start.layers_root, &start.layers)?;
    record::write(&directory.join(START_FILE), &start)?;
    let before = open_descriptors();
    let result = run(pod, &directory, start);
    if result.is_err() {
        // A failed create leaves descriptors open.
        close_new(&before);
    }
    result
}

fn run(pod: &Path, directory: &Path, start: StartContainer) -> Result<Container, StartFailure> {
    let mut outputs = Vec::new();
    let mut input = None;
    let listener = if start.tty { Some(sys::bind_listener(&directory.join("console.sock"))?) } else { None };
    let streams = if start.tty {
        Streams { fds: [null()?, null()?, null()?], console: Some(directory.join("console.sock")) }
    } else {
        let (ours, stdout) = Output::pipe(directory, Stream::Stdout)?;
        outputs.push(ours);
        let (ours, stderr) = Output::pipe(directory, Stream::Stderr)?;
        outputs.push(ours);
        let stdin = if start.stdin {
            let (theirs, ours) = nix::unistd::pipe2(nix::fcntl::OFlag::O_CLOEXEC).map_err(io::Error::from)?;
            input = Some(self::input(ours)?);
            theirs
        } else {
            null()?
        };
        Streams { fds: [stdin, stdout, stderr], console: None }
    };
    let (mut failure, report) = report_pipe()?;
    let executor = executor(&start.privileges, &start.cwd, start.oom_score_adj, (start.uid, start.gid), &report)?;
    let [stdin, stdout, stderr] = streams.fds;
    let built = ContainerBuilder::new(start.id.clone(), SyscallType::default())
        .with_executor(executor)
        .with_root_path(pod.join(RUNTIME_STATE))
        .map_err(|error| chain(&error))?
        .with_console_socket(streams.console)
        .with_stdin(stdin)
        .with_stdout(stdout)
        .with_stderr(stderr)
        .as_init(directory)
        .with_systemd(false)
        .build();
    drop(report);
    let mut made = built.map_err(|error| chain(&error))?;
    let pid = made.pid().map(|pid| pid.as_raw()).ok_or_else(|| io::Error::other("the container has no process"))?;
    let start_time = sys::start_time(pid).ok_or_else(|| io::Error::other("the container's process ended at once"))?;

    let mut terminal = None;
    if let Some(listener) = listener {
        let master = take_terminal(&listener)?;
        let _ = fs::remove_file(directory.join("console.sock"));
        terminal = Some(File::from(master.try_clone()?));
        input = Some(self::input(master.try_clone()?)?);
        outputs.push(Output::terminal(master));
    }
    let mut container = Container {
        log: Log::begin(directory, &start.log)?,
        directory: directory.to_owned(),
        state: State {
            boot_id: record::boot_id(),
            process: Some(ProcessId { pid, start_time }),
            started_at: None,
            ended: None,
            exit: None,
        },
        outputs,
        input,
        terminal,
        adopted: None,
        ended: None,
        start,
    };
    // Recorded before it runs, so that nobody ever runs unrecorded.
    container.save()?;
    made.start().map_err(|error| chain(&error))?;
    if let Some(failure) = read_failure(&mut failure) {
        return Err(failure);
    }
    container.state.started_at = Some(SystemTime::now());
    container.save()?;
    Ok(container)
}

/// Our end of a standard input.
fn input(fd: OwnedFd) -> io::Result<Input> {
    not_blocking(&fd)?;
    Ok(Input { file: File::from(fd), pending: Vec::new(), closing: false })
}

/// The executor for one process.
pub(crate) fn executor(
    privileges: &Privileges,
    cwd: &str,
    oom_score_adj: Option<i32>,
    owner: (u32, u32),
    report: &OwnedFd,
) -> io::Result<PodExecutor> {
    let names = privileges.capabilities.as_deref();
    Ok(PodExecutor {
        seccomp: match privileges.seccomp {
            true => Some(seccomp::default_profile(names.unwrap_or_default())?),
            false => None,
        },
        capabilities: names.map(capability::sets).transpose()?,
        cwd: cwd.to_owned(),
        oom_score_adj: oom_score_adj.unwrap_or(0),
        owner,
        report: report.as_raw_fd(),
    })
}

/// A pipe that tells of a failed start, and by its end of a good one.
pub(crate) fn report_pipe() -> io::Result<(File, OwnedFd)> {
    let (read, write) = nix::unistd::pipe2(nix::fcntl::OFlag::O_CLOEXEC)?;
    Ok((File::from(read), write))
}

/// Waits until the program runs, or did not.
pub(crate) fn read_failure(pipe: &mut File) -> Option<StartFailure> {
    let mut bytes = Vec::new();
    match pipe.read_to_end(&mut bytes) {
        Ok(0) => None,
        Ok(_) => serde_json::from_slice(&bytes).ok(),
        Err(error) => Some(error.into()),
    }
}

/// The terminal that libcontainer has made in the container and sent.
pub(crate) fn take_terminal(listener: &std::os::unix::net::UnixListener) -> io::Result<OwnedFd> {
    listener.set_nonblocking(true)?;
    let (connection, _) = listener.accept()?;
    let mut buffer = [0u8; 64];
    let (_, fds) = sys::recv_with_fds(&connection, &mut buffer)?;
    let master = fds.into_iter().next().ok_or_else(|| io::Error::other("the container sent no terminal"))?;
    not_blocking(&master)?;
    Ok(master)
}

pub(crate) fn not_blocking(fd: &impl AsRawFd) -> io::Result<()> {
    use nix::fcntl::{FcntlArg, OFlag, fcntl};
    let flags = OFlag::from_bits_truncate(fcntl(fd.as_raw_fd(), FcntlArg::F_GETFL)?);
    fcntl(fd.as_raw_fd(), FcntlArg::F_SETFL(flags | OFlag::O_NONBLOCK))?;
    Ok(())
}

pub(crate) fn null() -> io::Result<OwnedFd> {
    Ok(OpenOptions::new().read(true).write(true).open("/dev/null")?.into())
}

/// An error with all its causes.
pub(crate) fn chain(error: &dyn std::error::Error) -> StartFailure {
    let mut message = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        let text = inner.to_string();
        if !message.contains(&text) {
            message.push_str(": ");
            message.push_str(&text);
        }
        source = inner.source();
    }
    StartFailure { code: 128, message }
}

/// This process's descriptors.
pub(crate) fn open_descriptors() -> HashSet<RawFd> {
    let Ok(entries) = fs::read_dir("/proc/self/fd") else {
        return HashSet::new();
    };
    entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
}

/// Closes what was opened since and has no owner any more.
#[allow(unsafe_code, reason = "descriptors that libcontainer leaves open have no owner")]
pub(crate) fn close_new(before: &HashSet<RawFd>) {
    for fd in open_descriptors().difference(before) {
        // SAFETY: opened by a create that has failed and dropped everything that it owned; this process has one
        // thread, so nobody else can have opened it.
        drop(unsafe { OwnedFd::from_raw_fd(*fd) });
    }
}

//! The pod supervisor: this binary run again, one single-threaded process per pod, without an async runtime.
//!
//! It is the pod's root: it holds the net, ipc and uts namespaces, creates containers through libcontainer, keeps
//! their log pipes and terminals, reaps them and records how they ended, and outlives the agent that started it.

mod attach;
mod capability;
mod connection;
mod container;
mod create;
mod exec;
mod executor;
pub(crate) mod fence;
mod guard;
mod log;
mod namespaces;
mod output;
mod overlay;
mod pause;
pub(crate) mod protocol;
pub(crate) mod record;
mod seccomp;
mod server;
pub(crate) mod wire;

use protocol::Boot;
use std::io::Write as _;
use std::path::PathBuf;

/// The command line word that makes this binary a pod supervisor.
pub const COMMAND: &str = "pod-supervisor";

/// Runs a pod supervisor until its pod is removed. `args` is what follows [`COMMAND`] on the command line. To be called
/// first thing in `main`, while the process has one thread. Returns the exit code.
///
/// Its standard output is a pipe to the agent, on which it says once that it is ready, or why not.
pub fn main(args: &[String]) -> i32 {
    match start(args) {
        Ok(mut server) => {
            report("ready\n");
            match server.run() {
                Ok(()) => 0,
                Err(error) => {
                    complain(&format!("pod supervisor ends: {error}\n"));
                    1
                }
            }
        }
        Err(error) => {
            report(&format!("error: {error}\n"));
            1
        }
    }
}

fn start(args: &[String]) -> std::io::Result<server::Server> {
    let [directory] = args else {
        return Err(std::io::Error::other("expected one argument, the pod's directory"));
    };
    let directory = PathBuf::from(directory);
    let boot: Boot = record::read(&directory.join(protocol::BOOT_FILE))?
        .ok_or_else(|| std::io::Error::other(format!("{} is missing", protocol::BOOT_FILE)))?;
    let pod = namespaces::enter(&directory, &boot)?;
    server::Server::open(directory, boot, pod)
}

fn report(line: &str) {
    let mut out = std::io::stdout();
    let _ = out.write_all(line.as_bytes());
    let _ = out.flush();
    // The agent reads until the end; from here on nothing goes there.
    if let Ok(null) = std::fs::OpenOptions::new().write(true).open("/dev/null") {
        let _ = nix::unistd::dup2(std::os::fd::AsRawFd::as_raw_fd(&null), 1);
    }
}

/// To the supervisor's own log (its standard error).
fn complain(line: &str) {
    let _ = std::io::stderr().write_all(line.as_bytes());
}

/// In a pod's directory: the handle on its shared pid namespace.
pub(crate) fn pid_handle() -> &'static str {
    pause::HANDLE
}

pub(crate) use log::older as log_older;
pub(crate) use output::open_pipes;
pub(crate) use server::Processes;

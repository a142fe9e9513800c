//! The last steps inside a container, for its first process and for every exec alike: working directory, seccomp,
//! capabilities, and the program.
//!
//! libcontainer runs an exec without seccomp, and drops capabilities before a profile could be loaded; so the
//! specification names neither, and both happen here, the capabilities last.

#![allow(unsafe_code, reason = "the last steps before execve, in a forked child")]

use crate::supervisor::seccomp::{self, Program};
use libcontainer::oci_spec::runtime::{LinuxCapabilities, Spec};
use libcontainer::syscall::syscall::create_syscall;
use libcontainer::workload::{Executor, ExecutorError, ExecutorSetEnvsError, ExecutorValidationError};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::ffi::CString;
use std::fs;
use std::os::fd::RawFd;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

/// Why a program did not start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct StartFailure {
    /// 127: not found. 128: anything else.
    pub code: i32,
    /// For people.
    pub message: String,
}

impl StartFailure {
    fn new(message: String) -> Self {
        Self { code: 128, message }
    }
}

/// Runs one process in a container.
#[derive(Clone)]
pub(crate) struct PodExecutor {
    /// The default profile.
    pub seccomp: Option<Vec<Program>>,
    /// What it keeps; all if absent.
    pub capabilities: Option<LinuxCapabilities>,
    /// Where it starts; made if missing.
    pub cwd: String,
    /// For the kernel's OOM killer.
    pub oom_score_adj: i32,
    /// Owner of its standard streams.
    pub owner: (u32, u32),
    /// A failure is written here; a start closes it.
    pub report: RawFd,
}

impl Executor for PodExecutor {
    fn validate(&self, _spec: &Spec) -> Result<(), ExecutorValidationError> {
        // Whether the program can run is found out by running it.
        Ok(())
    }

    fn setup_envs(&self, _envs: HashMap<String, String>) -> Result<(), ExecutorSetEnvsError> {
        // The environment is given to execve, in its order; this process's own is not looked at.
        Ok(())
    }

    fn exec(&self, spec: &Spec) -> Result<(), ExecutorError> {
        let failure = self.run(spec);
        if let Ok(json) = serde_json::to_vec(&failure) {
            // SAFETY: the buffer is valid for its length; the descriptor was opened for this.
            unsafe { libc::write(self.report, json.as_ptr().cast(), json.len()) };
        }
        // SAFETY: ends this process without running the supervisor's exit handlers a second time.
        unsafe { libc::_exit(failure.code) }
    }
}

impl PodExecutor {
    /// Does not return if all goes well.
    fn run(&self, spec: &Spec) -> StartFailure {
        let Some(process) = spec.process() else {
            return StartFailure::new("there is nothing to run".to_owned());
        };
        let args = process.args().clone().unwrap_or_default();
        let env = process.env().clone().unwrap_or_default();
        if let Err(failure) = self.prepare() {
            return failure;
        }
        execute(&args, &env)
    }

    fn prepare(&self) -> Result<(), StartFailure> {
        for stream in 0..3 {
            // So that the user may open /dev/stdout again. Devices such as /dev/null keep their owner.
            own_stream(stream, self.owner);
        }
        let _ = fs::write("/proc/self/oom_score_adj", self.oom_score_adj.to_string());
        let failed = |what: &str, error: std::io::Error| {
            StartFailure::new(format!("working directory \"{}\" cannot be {what}: {error}", self.cwd))
        };
        if !Path::new(&self.cwd).is_dir() {
            fs::DirBuilder::new()
                .recursive(true)
                .mode(0o755)
                .create(&self.cwd)
                .map_err(|error| failed("made", error))?;
        }
        std::env::set_current_dir(&self.cwd).map_err(|error| failed("entered", error))?;
        default_signals();
        for program in self.seccomp.iter().flatten() {
            seccomp::load(program)
                .map_err(|error| StartFailure::new(format!("the seccomp profile cannot be loaded: {error}")))?;
        }
        if let Some(capabilities) = &self.capabilities {
            libcontainer::capabilities::drop_privileges(capabilities, create_syscall().as_ref())
                .map_err(|error| StartFailure::new(format!("capabilities cannot be dropped: {error}")))?;
        }
        Ok(())
    }
}

fn own_stream(stream: RawFd, (uid, gid): (u32, u32)) {
    // SAFETY: `found` is plain data that fstat fills in; the descriptors are open or the calls fail.
    unsafe {
        let mut found: libc::stat = std::mem::zeroed();
        if libc::fstat(stream, &mut found) != 0 {
            return;
        }
        let kind = found.st_mode & libc::S_IFMT;
        if kind == libc::S_IFIFO || libc::isatty(stream) == 1 {
            libc::fchown(stream, uid, gid);
        }
    }
}

/// A program starts with no signal blocked or ignored, whatever the supervisor does.
fn default_signals() {
    // SAFETY: sets default dispositions and an empty mask; numbers that are no signals are refused by the kernel.
    unsafe {
        for signal in 1..=64 {
            libc::signal(signal, libc::SIG_DFL);
        }
        let mut none: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&mut none);
        libc::sigprocmask(libc::SIG_SETMASK, &none, std::ptr::null_mut());
    }
}

fn execute(args: &[String], env: &[String]) -> StartFailure {
    let c_strings =
        |texts: &[String]| texts.iter().map(|text| CString::new(text.as_bytes())).collect::<Result<Vec<_>, _>>();
    let (Ok(c_args), Ok(c_env)) = (c_strings(args), c_strings(env)) else {
        return StartFailure::new("an argument or variable contains a NUL byte".to_owned());
    };
    let Some(program) = args.first().filter(|program| !program.is_empty()) else {
        return StartFailure::new("no command is given, by the container or by its image".to_owned());
    };
    let search = env.iter().rev().find_map(|variable| variable.strip_prefix("PATH=")).unwrap_or_default();
    let mut refused = None;
    for candidate in candidates(program, search) {
        let Ok(path) = CString::new(candidate.as_bytes()) else {
            continue;
        };
        let Err(error) = nix::unistd::execve(&path, &c_args, &c_env);
        match error {
            nix::errno::Errno::ENOENT | nix::errno::Errno::ENOTDIR => {
                if Path::new(&candidate).exists() {
                    refused = Some(format!("exec \"{candidate}\": its interpreter or loader is not in the image"));
                }
            }
            error => refused = Some(format!("exec \"{candidate}\": {}", error.desc())),
        }
    }
    match refused {
        Some(message) => StartFailure::new(message),
        None if program.contains('/') => {
            StartFailure { code: 127, message: format!("exec \"{program}\": no such file or directory") }
        }
        None => StartFailure { code: 127, message: format!("exec \"{program}\": executable file not found in $PATH") },
    }
}

fn candidates(program: &str, search: &str) -> Vec<String> {
    if program.contains('/') {
        return vec![program.to_owned()];
    }
    search
        .split(':')
        .filter(|dir| !dir.is_empty())
        .map(|dir| format!("{}/{program}", dir.trim_end_matches('/')))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_looked_up_in_path_unless_they_have_a_slash() {
        assert_eq!(candidates("sh", "/bin:/usr/bin/"), ["/bin/sh", "/usr/bin/sh"]);
        assert_eq!(candidates("./sh", "/bin"), ["./sh"]);
        assert!(candidates("sh", "").is_empty());
    }

    #[test]
    fn failures_say_what_is_missing() {
        let path = ["PATH=/nowhere".to_owned()];
        let missing = execute(&["no-such-program".to_owned()], &path);
        assert_eq!(missing.code, 127);
        assert!(missing.message.contains("no-such-program") && missing.message.contains("$PATH"));
        let refused = execute(&["/etc/passwd".to_owned()], &path);
        assert_eq!(refused.code, 128);
        assert!(refused.message.contains("Permission denied"), "{}", refused.message);
        assert_eq!(execute(&[], &path).code, 128);
    }
}

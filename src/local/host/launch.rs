//! The last step before a host's process runs: a moment in its skin.
//!
//! `raftsman host-launch` joins the host's cgroup and namespace, leaves the terminal's session, raises limits, and becomes
//! the program; its pid stays.

use crate::host::environment;
use crate::net::enter;
use anyhow::{Context, bail};
use clap::Args;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};

/// Name of the subcommand.
pub const LAUNCH: &str = "host-launch";
const FILES: u64 = 1_048_576;

/// Where it joins and what it becomes.
#[derive(Debug, Args)]
pub struct Launch {
    /// The network namespace
    #[arg(long)]
    netns: PathBuf,
    /// Files to write the pid to
    #[arg(long)]
    cgroup: Vec<PathBuf>,
    /// Variables of its environment, if the file is there
    #[arg(long)]
    environment: Option<PathBuf>,
    /// The program and its arguments
    #[arg(last = true, required = true)]
    program: Vec<String>,
}

impl Launch {
    /// The arguments for a child of ours.
    pub fn arguments(
        netns: PathBuf,
        cgroup: &[PathBuf],
        environment: &Path,
        program: &[String],
    ) -> Vec<std::ffi::OsString> {
        let mut all = vec![LAUNCH.into(), "--netns".into(), netns.into_os_string()];
        all.extend(["--environment".into(), environment.into()]);
        for file in cgroup {
            all.extend(["--cgroup".into(), file.clone().into_os_string()]);
        }
        all.push("--".into());
        all.extend(program.iter().map(std::ffi::OsString::from));
        all
    }

    /// Becomes the program; comes back only with an error.
    pub fn run(self) -> anyhow::Result<std::convert::Infallible> {
        for file in &self.cgroup {
            std::fs::write(file, std::process::id().to_string())
                .with_context(|| format!("join cgroup {}", file.display()))?;
        }
        // Of this thread only, and it is this thread that becomes the program.
        enter(&self.netns)?;
        // Already a leader of its session: as good.
        let _ = nix::unistd::setsid();
        raise_limits();
        let Some((program, arguments)) = self.program.split_first() else { bail!("no program is given") };
        let environment = self.environment.as_deref().map(environment::read).transpose()?.unwrap_or_default();
        let error = std::process::Command::new(program).args(arguments).envs(environment).exec();
        Err(error).with_context(|| format!("run {program}"))
    }
}

/// Open files: as many as we may.
fn raise_limits() {
    let Ok((_, hard)) = getrlimit(Resource::RLIMIT_NOFILE) else {
        return;
    };
    if setrlimit(Resource::RLIMIT_NOFILE, FILES.max(hard), FILES.max(hard)).is_err() {
        // Raising the hard limit needs a capability; the soft one does not.
        let _ = setrlimit(Resource::RLIMIT_NOFILE, hard, hard);
    }
}

//! The commands.

pub mod down;
pub mod heal;
mod host;
mod image;
pub mod join;
mod kernel;
mod kubeconfig;
pub mod members;
mod preflight;
mod progress;
mod restart;
mod restore;
mod sample;
mod status;
mod up;
mod wait;

use clap::{Args, Subcommand};
use std::path::PathBuf;
use std::process::ExitCode;

pub use host::HostCommand;
pub use image::ImageCommand;
pub use up::UpOptions;

/// Which local cluster.
#[derive(Debug, Clone, Args)]
pub struct Which {
    /// The local cluster's name
    #[arg(long, default_value = "local", value_name = "NAME")]
    pub name: String,
    /// Where its state is [default: /var/lib/raftsman/NAME]
    #[arg(long, value_name = "DIR")]
    pub dir: Option<PathBuf>,
}

impl Which {
    /// Its directory.
    pub fn dir(&self) -> PathBuf {
        self.dir.clone().unwrap_or_else(|| PathBuf::from("/var/lib/raftsman").join(&self.name))
    }

    /// The flags that lead to it, each after a space: for commands that are suggested.
    pub fn flags(&self) -> String {
        let name = if self.name == "local" { String::new() } else { format!(" --name {}", self.name) };
        let dir = self.dir.as_ref().map(|dir| format!(" --dir {}", dir.display()));
        name + &dir.unwrap_or_default()
    }
}

/// A whole cluster on this machine.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Start a cluster on this machine, or heal what is down of it
    Up(UpOptions),
    /// Stop it and remove every trace
    Down(down::DownOptions),
    /// Show masters, nodes and pods; of a cluster that is not on this machine: its masters
    Status(status::StatusOptions),
    /// Print the admin kubeconfig
    Kubeconfig(kubeconfig::KubeconfigOptions),
    /// Do to one host what may happen to it
    #[command(subcommand)]
    Host(HostCommand),
    /// Images of this machine
    #[command(subcommand)]
    Image(ImageCommand),
    /// Become a host's process (used by `up`)
    #[command(name = crate::host::LAUNCH, hide = true)]
    HostLaunch(crate::host::Launch),
}

/// Runs a command. Needs a tokio runtime with I/O and time, and several threads.
///
/// # Errors
/// What was wrong, with which host, and what to do.
pub async fn run(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Up(options) => up::run(&options).await,
        Command::Down(options) => down::run(&options).await,
        Command::Status(options) => status::run(&options).await,
        Command::Kubeconfig(options) => kubeconfig::run(&options),
        Command::Host(command) => host::run(command).await,
        Command::Image(command) => image::run(command).await,
        Command::HostLaunch(launch) => match launch.run()? {},
    }
}

//! The command line of `raftsman bench`.

use crate::member;
use crate::scenario::{FailoverOptions, QuietOptions, RecoveryOptions, StoreOptions, failover, quiet, recovery, store};
use clap::Subcommand;
use std::path::PathBuf;
use std::process::ExitCode;
use tokio::signal::unix::{SignalKind, signal};

/// What is measured. Members are processes on loopback; all of them end with the command.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Writes, linearizable reads and watches under load: rates, latencies, CPU time
    Store(StoreOptions),
    /// Kill the leader again and again: time to the next acknowledged write through another member
    Failover(FailoverOptions),
    /// Elections while all processors are busy: there must be none
    Quiet(QuietOptions),
    /// How long a restarted and a wiped member take to serve again
    Recovery(RecoveryOptions),
    /// One member of a cluster under measurement
    #[command(hide = true)]
    Member {
        /// Its settings
        settings: PathBuf,
    },
}

/// Runs a measurement. To be awaited on the main thread: members live as long as the thread that started them. `urgent` is
/// what their stores' threads do first, as a master's do.
///
/// # Errors
/// What could not be started or measured, or a measurement that must not be (an election for want of processors).
pub async fn run(command: Command, urgent: fn()) -> anyhow::Result<ExitCode> {
    let mut term = signal(SignalKind::terminate())?;
    let mut int = signal(SignalKind::interrupt())?;
    let work = async {
        match command {
            Command::Store(options) => store(&options).await,
            Command::Failover(options) => failover(&options).await,
            Command::Quiet(options) => quiet(&options).await,
            Command::Recovery(options) => recovery(&options).await,
            Command::Member { settings } => return member::serve(&settings, urgent).await,
        }
    };
    // Dropping the work ends all members and removes their directories. A member itself listens to TERM.
    tokio::select! {
        biased;
        result = work => result.map(|()| ExitCode::SUCCESS),
        _ = term.recv() => Ok(ExitCode::from(143)),
        _ = int.recv() => Ok(ExitCode::from(130)),
    }
}

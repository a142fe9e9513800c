//! `raftsman host`: what may happen to a machine, done to one host.

use crate::command::progress::Progress;
use crate::command::{Which, heal, join, members, preflight, restart};
use crate::host::HostProcess;
use crate::net::{Links, Namespaces};
use clap::{Args, Subcommand};
use raftsman_api::config::Role;
use std::process::ExitCode;
use std::time::Duration;

/// How long a master may take to join.
const PATIENCE: Duration = Duration::from_secs(180);

/// What happens.
#[derive(Debug, Subcommand)]
pub enum HostCommand {
    /// Ask the host's process to end (SIGTERM) and wait; its pods run on
    Stop(HostOptions),
    /// Start the host's process again; whatever else it lacks is made, too
    Start(HostOptions),
    /// Start processes again, with this very program; masters one after the other, the leader last, each when all are well
    Restart(RestartOptions),
    /// kill -9 everything that the host runs, pods too, and take its network away: the machine is lost
    Kill(KillOptions),
    /// Cut the host from the network: packets to and from it vanish without a reset
    Cut(HostOptions),
    /// Undo `cut`
    Heal(HostOptions),
    /// Add a master, which joins the running cluster, or a node
    Add(AddOptions),
    /// Take a host out of the cluster and off the machine, with all that it keeps
    Remove(HostOptions),
    /// Put a new, empty host in the place of a master, as if its machine were lost
    Replace(HostOptions),
}

/// Which host.
#[derive(Debug, Args)]
pub struct HostOptions {
    #[command(flatten)]
    which: Which,
    /// m1, m2, … or n1, n2, …
    host: String,
}

/// Which hosts.
#[derive(Debug, Args)]
pub struct RestartOptions {
    #[command(flatten)]
    pub(super) which: Which,
    /// m1, m2, … or n1, n2, …
    #[arg(required_unless_present = "all", conflicts_with = "all")]
    pub(super) host: Option<String>,
    /// All masters, then all nodes
    #[arg(long)]
    pub(super) all: bool,
}

/// What kind of host.
#[derive(Debug, Args)]
pub struct AddOptions {
    #[command(flatten)]
    which: Which,
    /// A node, not a master
    #[arg(long)]
    node: bool,
    /// A master that only learns, until `raftsman members promote`
    #[arg(long, conflicts_with = "node")]
    learner: bool,
}

/// Which host, and how much of it.
#[derive(Debug, Args)]
pub struct KillOptions {
    #[command(flatten)]
    host: HostOptions,
    /// Only the host's own process (master or agent): its pods run on
    #[arg(long)]
    process: bool,
}

/// Does it.
pub async fn run(command: HostCommand) -> anyhow::Result<ExitCode> {
    preflight::root()?;
    let options = match &command {
        HostCommand::Restart(options) => return restart::run(options).await,
        HostCommand::Add(options) => return add(options).await,
        HostCommand::Remove(options) => return remove(options).await,
        HostCommand::Replace(options) => return replace(options).await,
        HostCommand::Stop(options)
        | HostCommand::Start(options)
        | HostCommand::Cut(options)
        | HostCommand::Heal(options) => options,
        HostCommand::Kill(options) => &options.host,
    };
    let cluster = members::existing(&options.which)?;
    let host = members::host(&cluster, &options.host)?;
    let namespaces = Namespaces::default();
    let process = HostProcess::of(&cluster, host, &namespaces)?;
    let (name, flags) = (&host.name, options.which.flags());
    match &command {
        HostCommand::Restart(_) => {}
        HostCommand::Stop(_) => {
            let ran = process.stop()?;
            raftsman_cli::outln!("host {name} {}", if ran { "stopped" } else { "was not running" });
        }
        HostCommand::Start(_) => {
            let links = Links::here()?;
            heal::network(&cluster, [host], &namespaces, &links).await?;
            let started = heal::process(&cluster, host, &namespaces)?;
            raftsman_cli::outln!("host {name} {}", if started { "started" } else { "was running" });
        }
        HostCommand::Kill(options) if options.process => {
            let ran = process.kill_process()?;
            raftsman_cli::outln!("host {name}: its process {}", if ran { "is killed" } else { "was not running" });
        }
        HostCommand::Kill(_) => {
            heal::power_off(&cluster, host, &namespaces, &Links::here()?).await?;
            raftsman_cli::outln!(
                "host {name} is killed with everything on it; `raftsman host start {name}{flags}` brings it back"
            );
        }
        HostCommand::Cut(_) => {
            Links::here()?.connect(&cluster.link(host), false).await?;
            raftsman_cli::outln!("host {name} is cut off; `raftsman host heal {name}{flags}` undoes it");
        }
        HostCommand::Heal(_) => {
            Links::here()?.connect(&cluster.link(host), true).await?;
            raftsman_cli::outln!("host {name} is connected");
        }
        // Done above.
        HostCommand::Add(_) | HostCommand::Remove(_) | HostCommand::Replace(_) => {}
    }
    Ok(ExitCode::SUCCESS)
}

async fn add(options: &AddOptions) -> anyhow::Result<ExitCode> {
    let mut cluster = members::existing(&options.which)?;
    let _lock = members::lock(&cluster.dir)?;
    let before: Vec<String> = cluster.present().hosts.into_iter().map(|host| host.name).collect();
    let count =
        |role| before.iter().filter(|name| cluster.host(name).is_some_and(|host| host.role == role)).count() as u8;
    let (masters, nodes) = (count(Role::Master), count(Role::Node));
    let (masters, nodes) = if options.node { (masters, nodes + 1) } else { (masters + 1, nodes) };
    // What an earlier attempt has left is gone on with.
    cluster.grow(masters.max(cluster.of(Role::Master).count() as u8), nodes)?;
    members::write(&cluster)?;
    let mut progress = Progress::new();
    if options.node {
        let Some(host) = cluster.hosts.iter().find(|host| !before.contains(&host.name) && host.role == Role::Node)
        else {
            return Ok(ExitCode::SUCCESS);
        };
        let namespaces = Namespaces::default();
        heal::network(&cluster, [host], &namespaces, &Links::here()?).await?;
        heal::process(&cluster, host, &namespaces)?;
        raftsman_cli::outln!("host {} is started", host.name);
        return Ok(ExitCode::SUCCESS);
    }
    for name in cluster.expected() {
        progress.begin("join");
        let place = if options.learner { join::Place::Learner } else { join::Place::Voter };
        join::master(&mut cluster, &name, place, PATIENCE, &progress).await?;
        progress.done(&format!("{name} {}", if options.learner { "learns" } else { "votes" }));
    }
    Ok(ExitCode::SUCCESS)
}

async fn remove(options: &HostOptions) -> anyhow::Result<ExitCode> {
    let mut cluster = members::existing(&options.which)?;
    let _lock = members::lock(&cluster.dir)?;
    join::remove(&mut cluster, &options.host).await?;
    raftsman_cli::outln!("host {} is gone", options.host);
    Ok(ExitCode::SUCCESS)
}

async fn replace(options: &HostOptions) -> anyhow::Result<ExitCode> {
    let mut cluster = members::existing(&options.which)?;
    let _lock = members::lock(&cluster.dir)?;
    let mut progress = Progress::new();
    progress.begin("replace");
    join::replace(&mut cluster, &options.host, PATIENCE, &progress).await?;
    progress.done(&format!("a new {} votes in the place of the old", options.host));
    Ok(ExitCode::SUCCESS)
}

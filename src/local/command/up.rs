//! `raftsman up`.

use crate::command::heal::{self, Healed};
use crate::command::progress::Progress;
use crate::command::restore::Backup;
use crate::command::{Which, image, join, members, preflight, sample, status, wait};
use crate::net::{Links, Namespaces};
use crate::plan::{LocalCluster, check_name, choose_ranges};
use anyhow::bail;
use clap::Args;
use ipnet::{IpNet, Ipv4Net};
use raftsman_api::config::Role;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

/// How large, where, and what runs on it.
#[derive(Debug, Args)]
pub struct UpOptions {
    #[command(flatten)]
    which: Which,
    /// Masters: an odd number; more than a running cluster has join it [default: 3, or what the cluster has]
    #[arg(long, value_name = "N")]
    masters: Option<u8>,
    /// Nodes [default: 3, or what the cluster has]
    #[arg(long, value_name = "N")]
    nodes: Option<u8>,
    /// Load these image archives
    #[arg(long = "image", value_name = "FILE")]
    images: Vec<PathBuf>,
    /// Where scripts/images.sh has put its archives [default: ~/.cache/raftsman/images]
    #[arg(long, value_name = "DIR", env = "RAFTSMAN_IMAGES")]
    image_dir: Option<PathBuf>,
    /// Begin with what a backup holds; the cluster must not exist yet
    #[arg(long, value_name = "FILE")]
    restore: Option<PathBuf>,
    #[command(flatten)]
    passphrase: raftsman_cli::backup::PassphraseOptions,
    /// Do not deploy the sample
    #[arg(long)]
    no_sample: bool,
    /// Give up when the cluster is not ready after so many seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 180)]
    timeout: u64,
}

/// Starts or heals.
pub async fn run(options: &UpOptions) -> anyhow::Result<ExitCode> {
    preflight::root()?;
    check_name(&options.which.name)?;
    let dir = options.which.dir();
    preflight::check(&dir)?;
    let mut progress = Progress::new();
    let patience = Duration::from_secs(options.timeout);

    let _lock = members::lock(&dir)?;
    let links = Links::here()?;
    progress.begin("plan");
    let backup = options.restore.as_ref().map(|file| Backup::open(file, &options.passphrase)).transpose()?;
    let mut cluster = match members::read(&dir)? {
        Some(cluster) => again(options, cluster, &links).await?,
        None => new(options, &dir, &links, backup.as_ref(), &progress).await?,
    };
    if let Some(backup) = backup
        && let Err(error) = backup.restore(&cluster)
    {
        // There is no such cluster, and nobody to hold its addresses.
        links.remove(&cluster.bridge()).await?;
        return Err(error);
    }
    // Masters that are to join do so when the others are ready.
    let present = cluster.present();
    let (masters, nodes) = (present.of(Role::Master).count(), present.of(Role::Node).count());
    progress.done(&format!(
        "cluster {:?}, {masters} masters and {nodes} nodes on {}, pods {}, services {}",
        cluster.name, cluster.subnet, cluster.network.pod_cidr, cluster.network.service_cidr
    ));

    progress.begin("network");
    let namespaces = Namespaces::default();
    let mut healed =
        Healed { namespaces: heal::network(&present, &present.hosts, &namespaces, &links).await?, processes: 0 };
    for host in &present.hosts {
        if links.is_cut(&cluster.link(host)).await? {
            links.connect(&cluster.link(host), true).await?;
            progress.note(&format!("host {} was cut off, and is connected again", host.name));
        }
    }
    progress.done(&format!("bridge {}, {} namespaces made", cluster.bridge(), healed.namespaces));

    progress.begin("processes");
    for host in &present.hosts {
        healed.processes += usize::from(heal::process(&cluster, host, &namespaces)?);
        progress.update(&host.name);
    }
    let running = present.hosts.len() - healed.processes;
    progress.done(&format!("{} started, {running} were running", healed.processes));

    let api = wait::client(&present).await?;
    progress.begin("masters");
    wait::masters(&present, &api, &namespaces, patience, &progress).await?;
    progress.done(&format!("{masters} ready"));
    for name in cluster.expected() {
        progress.begin("join");
        join::master(&mut cluster, &name, join::Place::Voter, patience, &progress).await?;
        progress.done(&format!("{name} votes: {} masters", cluster.present().of(Role::Master).count()));
    }
    let api = wait::client(&cluster).await?;

    let archives = image::archives(&options.images, options.image_dir.as_deref())?;
    progress.begin("images");
    let loaded = image::load(&cluster.image_dir(), &archives, &progress).await?;
    progress.done(&if loaded.is_empty() { "none loaded".to_owned() } else { loaded.join(", ") });

    progress.begin("nodes");
    wait::nodes(&cluster, &api, &namespaces, patience, &progress).await?;
    progress.done(&format!("{nodes} ready"));

    let mut shown = None;
    if !options.no_sample && nodes > 0 {
        if sample::has_images(&loaded) {
            shown = Some(sample::deploy(&cluster, &api, patience, &mut progress).await?);
        } else {
            progress.note("the sample is not deployed: scripts/images.sh makes its images, then `raftsman up` again");
        }
    }
    raftsman_cli::outln!();
    status::print(&cluster, &api, &namespaces, &links).await?;
    next_steps(&cluster, &options.which.flags(), shown.as_ref());
    Ok(ExitCode::SUCCESS)
}

/// The plan of a cluster that is there, as it is to be from now on.
async fn again(options: &UpOptions, mut cluster: LocalCluster, links: &Links) -> anyhow::Result<LocalCluster> {
    if options.restore.is_some() {
        bail!(
            "--restore: there is a cluster {:?} already ({}); restore under another --name, or `raftsman down` first",
            cluster.name,
            cluster.dir.display()
        );
    }
    let count = |role| cluster.of(role).count() as u8;
    let masters = options.masters.unwrap_or(count(Role::Master));
    let nodes = options.nodes.unwrap_or(count(Role::Node));
    cluster.resize(masters, nodes)?;
    if !links.has(&cluster.bridge()).await? {
        cluster.fits(&links.used().await?)?;
    }
    members::write(&cluster)?;
    Ok(cluster)
}

/// The plan of a new cluster, whose ranges are in use from now on.
async fn new(
    options: &UpOptions,
    dir: &Path,
    links: &Links,
    backup: Option<&Backup>,
    progress: &Progress,
) -> anyhow::Result<LocalCluster> {
    // Held until the ranges can be seen: on this machine's links, and by the plan.
    let _lock =
        members::ranges_lock(|| progress.note("another `raftsman up` is choosing its address ranges; waiting"))?;
    let mut used = links.used().await?;
    used.extend(others(dir));
    let ranges = match backup {
        None => choose_ranges(&used)?,
        Some(backup) => backup.ranges(&used)?,
    };
    let id = raftsman_cli::cluster::new_cluster_id();
    let (masters, nodes) = (options.masters.unwrap_or(3), options.nodes.unwrap_or(3));
    let cluster = LocalCluster::plan(&options.which.name, dir, &id, ranges, masters, nodes)?;
    let Some(backup) = backup else {
        members::write(&cluster)?;
        links.ensure_bridge(&cluster).await?;
        return Ok(cluster);
    };
    backup.write(&cluster)?;
    if let Err(error) = links.ensure_bridge(&cluster).await {
        members::forget(&cluster)?;
        return Err(error.into());
    }
    Ok(cluster)
}

/// Ranges of clusters in neighbouring directories, also of those that are not running.
fn others(dir: &Path) -> Vec<Ipv4Net> {
    let siblings = dir.parent().and_then(|parent| std::fs::read_dir(parent).ok());
    let mut used = Vec::new();
    for entry in siblings.into_iter().flatten().flatten().filter(|entry| entry.path() != dir) {
        // A broken neighbour is no reason to stop.
        if let Ok(Some(other)) = members::read(&entry.path()) {
            used.push(other.subnet);
            let nets = [other.network.pod_cidr, other.network.service_cidr];
            used.extend(nets.into_iter().filter_map(|net| if let IpNet::V4(net) = net { Some(net) } else { None }));
        }
    }
    used
}

fn next_steps(cluster: &LocalCluster, flags: &str, sample: Option<&sample::Sample>) {
    let file = cluster.kubeconfig();
    raftsman_cli::outln!();
    if let Some(sample) = sample {
        raftsman_cli::outln!(
            "The sample answers at {} (and at every other node's address, port {}):",
            sample.url,
            sample::PORT
        );
        for line in &sample.page {
            raftsman_cli::outln!("  {line}");
        }
        raftsman_cli::outln!();
    }
    raftsman_cli::outln!("Try:");
    raftsman_cli::outln!("  export KUBECONFIG={}", file.display());
    raftsman_cli::outln!("  raftsman get pods -o wide        # or: kubectl get pods -o wide");
    raftsman_cli::outln!(
        "  raftsman host kill m1{flags} && raftsman status{flags}   # a master dies, the cluster does not"
    );
}

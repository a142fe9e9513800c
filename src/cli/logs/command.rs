//! Flags, and which containers they mean.

use crate::connect::Cluster;
use crate::flags::{duration, timeout};
use crate::kubeconfig::Target;
use crate::logs::follow::Follower;
use crate::output::print_error;
use crate::pods::{default_container, pods_of, selected};
use anyhow::bail;
use clap::Args;
use serde_json::Value;
use std::process::ExitCode;
use std::time::{Duration, Instant};

const PAUSE: Duration = Duration::from_millis(250);
/// The last lines of each of several pods.
const FEW: i64 = 10;

/// `raftsman logs`.
#[derive(Debug, Clone, Args)]
pub struct LogsOptions {
    #[command(flatten)]
    pub(super) target: Target,
    /// POD or TYPE/NAME, and the container
    #[arg(value_name = "POD CONTAINER", num_args = 0..=2)]
    what: Vec<String>,
    /// Go on as it grows
    #[arg(short, long)]
    pub(super) follow: bool,
    /// The container
    #[arg(short, long, value_name = "NAME")]
    container: Option<String>,
    /// All containers
    #[arg(long)]
    all_containers: bool,
    /// All pods with these labels
    #[arg(short = 'l', long, value_name = "SELECTOR")]
    selector: Option<String>,
    /// Of the container before this one
    #[arg(short, long)]
    pub(super) previous: bool,
    /// All pods of a workload
    #[arg(long)]
    all_pods: bool,
    /// Only so many of the last lines; -1: all [default: 10 with a selector, else all]
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    tail: Option<i64>,
    /// Only what is younger than this: 10s, 2m, 3h
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    since: Option<Duration>,
    /// Only what is younger than this moment (RFC 3339)
    #[arg(long, value_name = "TIME")]
    pub(super) since_time: Option<String>,
    /// With times
    #[arg(long)]
    pub(super) timestamps: bool,
    /// With the pod's and container's names
    #[arg(long)]
    prefix: bool,
    /// Go on with the others where one log cannot be read
    #[arg(long)]
    ignore_errors: bool,
    /// With --follow: how many logs at once
    #[arg(long, value_name = "N", default_value_t = 5)]
    max_log_requests: usize,
    /// How long a pod of a workload may take until it runs
    #[arg(long, value_name = "DURATION", default_value = "20s", value_parser = timeout)]
    pod_running_timeout: Duration,
    /// Taken from kubectl's command lines; masters always verify their nodes
    #[arg(long, hide = true)]
    insecure_skip_tls_verify_backend: bool,
    /// Stop after so many bytes
    #[arg(long, value_name = "BYTES")]
    limit_bytes: Option<u64>,
}

impl LogsOptions {
    /// Logs of several pods are meant.
    fn several(&self) -> bool {
        self.selector.is_some() || self.all_pods
    }

    /// How many of the last lines; all if `None`. Of several pods few, as kubectl.
    pub(super) fn last_lines(&self) -> Option<u64> {
        let lines = self.tail.unwrap_or(if self.selector.is_some() { FEW } else { -1 });
        u64::try_from(lines).ok()
    }

    /// How many bytes to print; 0 is no limit, as for kubectl.
    pub(super) fn limit(&self) -> Option<u64> {
        self.limit_bytes.filter(|bytes| *bytes > 0)
    }

    /// How old lines may be, in whole seconds.
    pub(super) fn since_seconds(&self) -> Option<u64> {
        let since = self.since.filter(|since| !since.is_zero())?;
        Some(since.as_secs() + u64::from(since.subsec_nanos() > 0))
    }

    /// Lines begin with the names of pod and container.
    pub(super) fn prefixed(&self) -> bool {
        self.prefix || self.all_pods
    }
}

/// Prints.
pub async fn run(options: &LogsOptions) -> anyhow::Result<ExitCode> {
    if options.since.is_some() && options.since_time.is_some() {
        bail!("--since and --since-time exclude each other");
    }
    let named = options.container.is_some() || options.what.len() > 1;
    if options.all_containers && named {
        bail!("--all-containers and a container exclude each other");
    }
    let cluster = Cluster::open(&options.target).await?;
    let mut followers = Vec::new();
    for pod in &started(&cluster, options).await? {
        for container in containers(pod, options)? {
            followers.push(Follower::new(&cluster, options, pod, container));
        }
    }
    if options.follow && followers.len() > options.max_log_requests {
        bail!(
            "you are attempting to follow {} log streams, but maximum allowed concurrency is {}, use --max-log-requests to \
             increase the limit",
            followers.len(),
            options.max_log_requests
        );
    }
    if options.follow {
        let all = followers.iter_mut().map(|follower| async { passed(options, follower.run().await) });
        futures::future::try_join_all(all).await?;
    } else {
        for follower in &mut followers {
            passed(options, follower.run().await)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// With --ignore-errors an error is only said.
fn passed(options: &LogsOptions, result: anyhow::Result<()>) -> anyhow::Result<()> {
    match result {
        Err(error) if options.ignore_errors => {
            print_error(&error);
            Ok(())
        }
        other => other,
    }
}

/// The pods, of which the first of a workload may still be on its way to run.
async fn started(cluster: &Cluster, options: &LogsOptions) -> anyhow::Result<Vec<Value>> {
    let workload = options.what.first().is_some_and(|what| what.contains('/'));
    let start = Instant::now();
    loop {
        let found = pods(cluster, options).await?;
        let waits = workload && found.first().is_some_and(|pod| pod["status"]["phase"] == "Pending");
        if !waits || start.elapsed() >= options.pod_running_timeout {
            return Ok(found);
        }
        tokio::time::sleep(PAUSE).await;
    }
}

async fn pods(cluster: &Cluster, options: &LogsOptions) -> anyhow::Result<Vec<Value>> {
    let namespace = cluster.namespace();
    if let Some(selector) = &options.selector {
        if !options.what.is_empty() {
            bail!("a name and --selector exclude each other");
        }
        let found = selected(cluster, namespace, selector).await?;
        if found.is_empty() {
            eprintln!("No resources found in {namespace} namespace.");
        }
        return Ok(found);
    }
    let Some(what) = options.what.first() else {
        bail!("say whose: `raftsman logs POD` or `raftsman logs -l SELECTOR`")
    };
    let mut found = pods_of(cluster, what).await?;
    if found.len() > 1 && !options.all_pods {
        let name = found[0]["metadata"]["name"].as_str().unwrap_or_default();
        eprintln!("Found {} pods, using pod/{name}", found.len());
        found.truncate(1);
    }
    Ok(found)
}

/// The containers that are meant; the first, or the annotated default, if none is named.
fn containers(pod: &Value, options: &LogsOptions) -> anyhow::Result<Vec<String>> {
    let names = |field: &str| {
        let list = pod["spec"][field].as_array().into_iter().flatten();
        list.filter_map(|container| container["name"].as_str().map(str::to_owned)).collect::<Vec<_>>()
    };
    let (main, init) = (names("containers"), names("initContainers"));
    if options.all_containers {
        return Ok(init.into_iter().chain(main).chain(names("ephemeralContainers")).collect());
    }
    if let Some(name) = options.container.as_ref().or(options.what.get(1)) {
        if !main.contains(name) && !init.contains(name) && !names("ephemeralContainers").contains(name) {
            let pod = pod["metadata"]["name"].as_str().unwrap_or_default();
            bail!("container {name} is not valid for pod {pod}; it has: {}", [init, main].concat().join(", "));
        }
        return Ok(vec![name.clone()]);
    }
    Ok(default_container(pod, options.several()).into_iter().collect())
}

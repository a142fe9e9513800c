//! Makes what a host lacks: namespace, link, process. What is there stays.

use crate::host::{HostProcess, unmount_below};
use crate::net::{Links, Namespaces, Outward, enter};
use crate::plan::{LocalCluster, LocalHost};
use anyhow::{Context, bail};
use raftsman_api::config::{Ports, Role};
use std::path::{Path, PathBuf};

/// What was done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Healed {
    /// Namespaces that were made.
    pub namespaces: usize,
    /// Processes that were started.
    pub processes: usize,
}

/// The program that hosts run: this very one, also when its file has been replaced meanwhile.
pub fn raftsman() -> anyhow::Result<PathBuf> {
    let exe = std::env::current_exe().context("find the raftsman program")?;
    match exe.to_str().and_then(|path| path.strip_suffix(" (deleted)")) {
        Some(path) => Ok(PathBuf::from(path)),
        None => Ok(exe),
    }
}

/// The bridge, the way out, and these hosts' namespaces and links; how many namespaces were made. A host that is cut off stays so.
pub async fn network<'a>(
    cluster: &LocalCluster,
    hosts: impl IntoIterator<Item = &'a LocalHost>,
    namespaces: &Namespaces,
    links: &Links,
) -> anyhow::Result<usize> {
    let bridge = links.ensure_bridge(cluster).await?;
    Outward::default().open(cluster)?;
    let mut made = 0;
    for host in hosts {
        let name = cluster.link(host);
        if !namespaces.exists(&name) {
            // What the host still runs has lost its network for good: it begins anew, like a machine that lost power.
            power_off(cluster, host, namespaces, links).await?;
        }
        made += usize::from(namespaces.ensure(&name)?);
        let path = namespaces.path(&name);
        links.ensure_host(cluster, host, &path, bridge).await?;
        sysctls(&path).with_context(|| format!("host {}", host.name))?;
    }
    Ok(made)
}

/// Takes away what a machine that lost power has no more: processes, mounts, link, namespace with its rules and routes.
pub async fn power_off(
    cluster: &LocalCluster,
    host: &LocalHost,
    namespaces: &Namespaces,
    links: &Links,
) -> anyhow::Result<()> {
    HostProcess::of(cluster, host, namespaces)?.kill_all()?;
    let errors = unmount_below(&cluster.host_dir(host));
    // The link first: a namespace goes some time after its last user, and a link's name would be taken until then.
    links.remove(&cluster.link(host)).await?;
    namespaces.remove(&cluster.link(host))?;
    if !errors.is_empty() {
        bail!("host {}: {}", host.name, errors.join("; "));
    }
    Ok(())
}

/// The process of one host; false if it runs.
pub fn process(cluster: &LocalCluster, host: &LocalHost, namespaces: &Namespaces) -> anyhow::Result<bool> {
    let raftsman = raftsman()?;
    let config = cluster.host_dir(host).join("config.yaml");
    let program = [&raftsman, Path::new("serve"), Path::new("--config"), &config as &Path]
        .map(|word: &Path| word.to_string_lossy().into_owned());
    let check = || ports_free(host, &namespaces.path(&cluster.link(host)));
    HostProcess::of(cluster, host, namespaces)?.start(&raftsman, &program, check)
}

/// In the namespace of the calling thread only, so it takes a thread.
fn inside<T: Send + 'static>(
    namespace: &Path,
    work: impl FnOnce() -> anyhow::Result<T> + Send + 'static,
) -> anyhow::Result<T> {
    let path = namespace.to_owned();
    match std::thread::spawn(move || enter(&path).and_then(|()| work())).join() {
        Ok(result) => result,
        Err(_) => bail!("work in {} ended early", namespace.display()),
    }
}

fn sysctls(namespace: &Path) -> anyhow::Result<()> {
    inside(namespace, || {
        let set = |name: &str, value: &str| {
            let path = format!("/proc/sys/net/{name}");
            std::fs::write(&path, value).with_context(|| format!("set {path} to {value}"))
        };
        set("ipv4/ip_forward", "1")?;
        // A peer that was cut off is heard again within a second after it heals. Older kernels lack it.
        if Path::new("/proc/sys/net/ipv4/tcp_rto_max_ms").exists() {
            set("ipv4/tcp_rto_max_ms", "1000")?;
        }
        Ok(())
    })
}

/// Nothing else holds the host's ports in its namespace.
fn ports_free(host: &LocalHost, namespace: &Path) -> anyhow::Result<()> {
    let ports = Ports::default();
    let wanted = if host.role == Role::Master { vec![ports.api, ports.peer] } else { vec![ports.node] };
    let (name, address) = (host.name.clone(), host.address);
    inside(namespace, move || {
        for port in wanted {
            crate::command::preflight::port_free(address, port).with_context(|| format!("host {name}"))?;
        }
        Ok(())
    })
}

//! `raftsman down`: nothing stays. One failure does not stop the rest.

use crate::command::{Which, members, preflight};
use crate::host::{Cgroups, mount_points, real, unmount_below};
use crate::net::{Links, Namespaces, Outward};
use crate::plan::check_name;
use anyhow::{Context, bail};
use clap::Args;
use raftsman_api::config::promise_page;
use std::path::Path;
use std::process::ExitCode;

/// Which, and what stays.
#[derive(Debug, Args)]
pub struct DownOptions {
    #[command(flatten)]
    which: Which,
    /// Keep the directory with all state: `up` starts the same cluster again
    #[arg(long)]
    keep_data: bool,
}

/// Stops and removes.
pub async fn run(options: &DownOptions) -> anyhow::Result<ExitCode> {
    preflight::root()?;
    let name = &options.which.name;
    check_name(name)?;
    let dir = options.which.dir();
    let existed = dir.exists();
    let lock = if existed { Some(members::lock(&dir)?) } else { None };
    let mut errors: Vec<String> = Vec::new();
    // By what there is, not by the plan: a plan that is lost or broken must not keep anything alive.
    let cgroups = Cgroups::at(&format!("raftsman/{name}"))?;
    let processes = cgroups.pids().len();
    errors.extend(cgroups.kill().err().map(|error| format!("{error:#}")));
    errors.extend(unmount_below(&dir));

    let links = Links::here()?;
    let namespaces = Namespaces::default();
    let mut removed = 0;
    for namespace in own_namespaces(name) {
        match namespaces.remove(&namespace) {
            Ok(there) => removed += usize::from(there),
            Err(error) => errors.push(format!("{error:#}")),
        }
    }
    errors.extend(namespaces.tidy().err().map(|error| format!("{error:#}")));
    for link in links.names(&format!("{name}-")).await? {
        if is_own(&link, name) {
            errors.extend(links.remove(&link).await.err().map(|error| error.to_string()));
        }
    }
    errors.extend(Outward::default().close(name).err().map(|error| format!("{error:#}")));
    errors.extend(cgroups.remove());
    cgroups.remove_empty_parents();
    remove_promises(&dir);
    if existed && !options.keep_data {
        errors.extend(remove_dir(&dir).err().map(|error| format!("{error:#}")));
    }
    drop(lock);
    if !errors.is_empty() {
        bail!("cluster {name:?} is not gone entirely, try again: {}", errors.join("; "));
    }
    if !existed && processes == 0 && removed == 0 {
        raftsman_cli::outln!("There is no local cluster {name:?}.");
    } else if options.keep_data {
        raftsman_cli::outln!("Cluster {name:?} is down; its state stays in {}.", dir.display());
    } else {
        raftsman_cli::outln!("Cluster {name:?} is gone.");
    }
    Ok(ExitCode::SUCCESS)
}

/// What nodes keep outside of their directories; nobody holds it any more.
fn remove_promises(dir: &Path) {
    for host in std::fs::read_dir(dir).into_iter().flatten().flatten() {
        let page = promise_page(&host.path().join("node"));
        let _ = std::fs::remove_file(&page);
        // Stays while another cluster's are in it.
        let _ = page.parent().map(std::fs::remove_dir);
    }
}

/// Namespaces of the cluster's hosts.
fn own_namespaces(name: &str) -> Vec<String> {
    let entries = std::fs::read_dir("/run/netns").into_iter().flatten().flatten();
    let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
    names.filter(|entry| is_own(entry, name)).collect()
}

/// `NAME-br`, `NAME-m1`, `NAME-n12`: and not a host of a cluster whose name begins with ours.
fn is_own(entry: &str, name: &str) -> bool {
    let Some(host) = entry.strip_prefix(name).and_then(|rest| rest.strip_prefix('-')) else {
        return false;
    };
    let number = host.strip_prefix(['m', 'n']).unwrap_or_default();
    host == "br" || (!number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
}

fn remove_dir(dir: &Path) -> anyhow::Result<()> {
    // A mount that could not be undone keeps its files: better a rest than someone's data.
    if mount_points().iter().any(|at| at.starts_with(real(dir))) {
        bail!("{} is kept: something is still mounted below it", dir.display());
    }
    match std::fs::remove_dir_all(dir) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("remove {}", dir.display()))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_goes() {
        for (entry, own) in [
            ("a-m1", true),
            ("a-n12", true),
            ("a-br", true),
            ("a-b-m1", false),
            ("a-m", false),
            ("ab-m1", false),
            ("a-x1", false),
        ] {
            assert_eq!(is_own(entry, "a"), own, "{entry}");
        }
    }
}

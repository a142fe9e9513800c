//! The cluster's plan on disk, and what every host needs in files.

use crate::command::Which;
use crate::plan::{LocalCluster, LocalHost, check_name};
use anyhow::{Context, bail};
use nix::fcntl::{Flock, FlockArg};
use raftsman_cli::kubeconfig::admin_kubeconfig;
use raftsman_pki::{Authority, write_private, write_public};
use std::fs::File;
use std::path::Path;

const PLAN: &str = "cluster.yaml";

/// The plan of a cluster, if there is one.
pub fn load(which: &Which) -> anyhow::Result<Option<LocalCluster>> {
    check_name(&which.name)?;
    read(&which.dir())
}

/// The plan in a directory.
pub fn read(dir: &Path) -> anyhow::Result<Option<LocalCluster>> {
    let path = dir.join(PLAN);
    match std::fs::read_to_string(&path) {
        Ok(text) => {
            let plan = serde_yaml::from_str(&text)
                .with_context(|| format!("{}; `raftsman down` removes the cluster", path.display()))?;
            Ok(Some(plan))
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| path.display().to_string()),
    }
}

/// The plan of a cluster that must be there.
pub fn existing(which: &Which) -> anyhow::Result<LocalCluster> {
    match load(which)? {
        Some(cluster) => Ok(cluster),
        None => bail!(
            "there is no local cluster {:?} ({} is missing); `raftsman up{}` starts one",
            which.name,
            which.dir().join(PLAN).display(),
            which.flags()
        ),
    }
}

/// A host of it that must be there.
pub fn host<'a>(cluster: &'a LocalCluster, name: &str) -> anyhow::Result<&'a LocalHost> {
    match cluster.host(name) {
        Some(host) => Ok(host),
        None => {
            let known: Vec<&str> = cluster.hosts.iter().map(|host| host.name.as_str()).collect();
            bail!("cluster {:?} has no host {name:?}; it has {}", cluster.name, known.join(", "))
        }
    }
}

/// One command at a time changes a cluster.
pub fn lock(dir: &Path) -> anyhow::Result<Flock<File>> {
    std::fs::create_dir_all(dir).with_context(|| dir.display().to_string())?;
    let file = File::open(dir).with_context(|| dir.display().to_string())?;
    match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
        Ok(lock) => Ok(lock),
        Err((_, nix::errno::Errno::EWOULDBLOCK)) => {
            bail!("another raftsman command is at work on {}; wait for it", dir.display())
        }
        Err((_, error)) => Err(error).with_context(|| dir.display().to_string()),
    }
}

/// One command at a time, of whichever cluster, chooses address ranges and takes them: waits for the others, and says so before.
pub fn ranges_lock(wait: impl FnOnce()) -> anyhow::Result<Flock<File>> {
    // A directory that every machine has, so that no file is left behind.
    locked(Path::new("/var/lib"), wait)
}

fn locked(dir: &Path, wait: impl FnOnce()) -> anyhow::Result<Flock<File>> {
    let file = File::open(dir).with_context(|| dir.display().to_string())?;
    let lock = Flock::lock(file, FlockArg::LockExclusiveNonblock).or_else(|(file, errno)| match errno {
        nix::errno::Errno::EWOULDBLOCK => {
            wait();
            Flock::lock(file, FlockArg::LockExclusive).map_err(|(_, errno)| errno)
        }
        errno => Err(errno),
    });
    lock.with_context(|| format!("lock {}", dir.display()))
}

/// Writes plan, keys and configuration files. What is there and good stays.
pub fn write(cluster: &LocalCluster) -> anyhow::Result<()> {
    let authority = Authority::open(&cluster.dir.join("pki"), &cluster.name)?;
    for host in cluster.hosts.iter().filter(|host| !host.joins) {
        let dir = cluster.host_dir(host);
        if !dir.join("pki/host.crt").exists() {
            authority.write_host(&dir.join("pki"), &cluster.profile(host))?;
        }
        let config = serde_yaml::to_string(&cluster.config(host)).context("configuration file")?;
        write_if_new(&dir.join("config.yaml"), &config)?;
    }
    std::fs::create_dir_all(cluster.image_dir()).with_context(|| cluster.image_dir().display().to_string())?;
    let masters = cluster.file().master_servers();
    if !lists(&cluster.kubeconfig(), &masters) {
        let admin = authority.issue_client("kubernetes-admin", &["system:masters"])?;
        let file = cluster.file();
        let value = admin_kubeconfig(
            &cluster.name,
            file.virtual_server().as_deref(),
            &masters,
            authority.certificate(),
            &admin,
        );
        write_private(&cluster.kubeconfig(), &serde_yaml::to_string(&value).context("kubeconfig")?)?;
    }
    write_if_new(&cluster.dir.join(PLAN), &serde_yaml::to_string(cluster).context("cluster plan")?)
}

/// The kubeconfig is there and leads to these masters and no others.
fn lists(path: &Path, masters: &[(String, String)]) -> bool {
    let Ok(text) = std::fs::read_to_string(path) else { return false };
    let value: serde_json::Value = serde_yaml::from_str(&text).unwrap_or_default();
    let servers = &value["clusters"][0]["cluster"]["extensions"][0]["extension"]["servers"];
    let listed = servers.as_array().into_iter().flatten().filter_map(serde_json::Value::as_str);
    listed.eq(masters.iter().map(|(_, url)| url.as_str()))
}

/// Takes the plan away, so that there is no cluster.
pub fn forget(cluster: &LocalCluster) -> anyhow::Result<()> {
    let path = cluster.dir.join(PLAN);
    std::fs::remove_file(&path).with_context(|| path.display().to_string())
}

fn write_if_new(path: &Path, text: &str) -> anyhow::Result<()> {
    if std::fs::read_to_string(path).is_ok_and(|old| old == text) {
        return Ok(());
    }
    Ok(write_public(path, text)?)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn who_has_to_wait_says_so_and_gets_it_afterwards() {
        let dir = tempfile::tempdir().unwrap();
        let first = locked(dir.path(), || unreachable!("nobody has it")).unwrap();
        let (path, (told, heard)) = (dir.path().to_owned(), std::sync::mpsc::channel());
        let second = std::thread::spawn(move || locked(&path, || told.send(()).unwrap()).map(drop));
        heard.recv().unwrap();
        drop(first);
        second.join().unwrap().unwrap();
    }
}

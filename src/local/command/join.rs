//! Masters that join a running cluster, leave it, or take another's place: as they would on real machines.

use crate::command::heal;
use crate::command::members;
use crate::command::progress::Progress;
use crate::command::wait;
use crate::host::{HostProcess, last_lines};
use crate::net::{Links, Namespaces};
use crate::plan::{LocalCluster, LocalHost};
use anyhow::{Context, bail};
use http::Method;
use raftsman_api::config::{HostConfig, Role};
use raftsman_cli::connect::Cluster;
use raftsman_cli::kubeconfig::Target;
use raftsman_cli::members::{NewToken, PATH, Purpose, ask, create_token, rows};
use serde_json::json;
use std::path::Path;
use std::time::{Duration, Instant};

const PAUSE: Duration = Duration::from_millis(100);

/// What a master joins as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// It votes.
    Voter,
    /// It only learns.
    Learner,
    /// It takes the vote of the one before it that had its name.
    Former,
}

/// Has a planned host join as a master; waits until it has its place and is ready.
pub async fn master(
    cluster: &mut LocalCluster,
    name: &str,
    place: Place,
    patience: Duration,
    progress: &Progress,
) -> anyhow::Result<()> {
    let api = wait::client(cluster).await?;
    let host = members::host(cluster, name)?.clone();
    let (namespaces, links) = (Namespaces::default(), Links::here()?);
    heal::network(cluster, [&host], &namespaces, &links).await?;
    let dir = cluster.host_dir(&host);
    let config = dir.join("config.yaml");
    let process = HostProcess::of(cluster, &host, &namespaces)?;
    if process.pid().is_none() && !config.exists() {
        let target = Target { kubeconfig: Some(cluster.kubeconfig()), ..Target::default() };
        let new = NewToken {
            purpose: Purpose::Master,
            replaces: (place == Place::Former).then(|| name.to_owned()),
            description: format!("host {name} of the local cluster {}", cluster.name),
            ..NewToken::default()
        };
        let token = create_token(&api, &target, &new).await?;
        let server = server(&api).await?;
        let address = host.address.to_string();
        let mut program =
            vec!["serve", "--join", &server, "--token", &token.token, "--name", name, "--address", &address];
        let data = dir.to_string_lossy();
        program.extend(["--data-dir", &data]);
        program.extend((place == Place::Learner).then_some("--learner"));
        let program: Vec<String> = program.into_iter().map(str::to_owned).collect();
        start(&process, &dir, &program)?;
    } else {
        heal::process(cluster, &host, &namespaces)?;
    }
    has(place, cluster, &api, &host, &process, patience, progress).await?;
    let id = own_id(&config)?;
    cluster.joined(name, id);
    members::write(cluster)
}

/// Starts the host's process with these arguments, in a directory that may be new.
fn start(process: &HostProcess, dir: &Path, arguments: &[String]) -> anyhow::Result<()> {
    std::fs::create_dir_all(dir).with_context(|| dir.display().to_string())?;
    let raftsman = heal::raftsman()?;
    let mut program = vec![raftsman.to_string_lossy().into_owned()];
    program.extend_from_slice(arguments);
    process.start(&raftsman, &program, || Ok(())).map(drop)
}

/// `host:port` of a master that answers.
async fn server(api: &Cluster) -> anyhow::Result<String> {
    let servers: Vec<String> =
        api.masters().servers().filter_map(|server| server.authority().map(ToString::to_string)).collect();
    let seen = raftsman_cli::masters::ask(api, 0..servers.len()).await;
    if let Some((server, _)) = servers.into_iter().zip(&seen).find(|(_, seen)| seen.is_ready()) {
        return Ok(server);
    }
    bail!("no master is ready; `raftsman up` heals what is down")
}

/// Waits until the master has its place and is ready.
async fn has(
    place: Place,
    cluster: &LocalCluster,
    api: &Cluster,
    host: &LocalHost,
    process: &HostProcess,
    patience: Duration,
    progress: &Progress,
) -> anyhow::Result<()> {
    let begun = Instant::now();
    loop {
        let mut state = "joins".to_owned();
        let address = std::net::SocketAddr::new(host.address.into(), cluster.file().ports.peer).to_string();
        if let Ok(answer) = api.read(PATH).await
            && let Some(row) = rows(&answer).into_iter().find(|row| row.name == host.name && row.address == address)
        {
            if (row.voter || place == Place::Learner) && row.ready == Some(true) {
                return Ok(());
            }
            state = match (row.voter, row.lag) {
                (true, _) => "gets ready".to_owned(),
                (false, Some(lag)) => format!("lacks {lag} entries"),
                (false, None) => "catches up".to_owned(),
            };
        }
        progress.update(&format!("{} {state}", host.name));
        if process.pid().is_none() {
            bail!("host {} has ended: {}", host.name, last_lines(&process.log(), 3));
        }
        if begun.elapsed() > patience {
            bail!(
                "master {} is not ready after {} s ({state}); its log is {}",
                host.name,
                patience.as_secs(),
                process.log().display()
            );
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// The id that the cluster gave it.
fn own_id(config: &Path) -> anyhow::Result<u64> {
    let text = std::fs::read_to_string(config).with_context(|| config.display().to_string())?;
    let config: HostConfig = serde_yaml::from_str(&text).with_context(|| config.display().to_string())?;
    config.own_master().map(|master| master.id).context("the host's configuration does not list it as a master")
}

/// Takes a host out of the cluster and off the machine.
pub async fn remove(cluster: &mut LocalCluster, name: &str) -> anyhow::Result<()> {
    let host = members::host(cluster, name)?.clone();
    let api = wait::client(cluster).await?;
    if host.role == Role::Master {
        let answer = api.read(PATH).await?;
        if let Some(row) = rows(&answer).into_iter().find(|row| row.name == name) {
            ask(&api, &json!({ "change": "remove", "member": row.id })).await?;
        }
    }
    gone(cluster, &host).await?;
    remove_all(&cluster.host_dir(&host))?;
    if host.role == Role::Node {
        match api.write(Method::DELETE, &format!("/api/v1/nodes/{name}"), "application/json", &json!({})).await {
            Err(failure) if failure.code() != Some(404) => return Err(failure.into()),
            _ => {}
        }
    }
    cluster.remove(name);
    members::write(cluster)
}

/// Puts a new host, of the same name, in the place of a master whose machine is lost.
pub async fn replace(
    cluster: &mut LocalCluster,
    name: &str,
    patience: Duration,
    progress: &Progress,
) -> anyhow::Result<()> {
    let host = members::host(cluster, name)?.clone();
    if host.role != Role::Master {
        bail!(
            "host {name} is no master; `raftsman host remove {name}` and `raftsman host add --node` do it for a node"
        );
    }
    if cluster.of(Role::Master).count() < 2 {
        bail!("host {name} is the only master: there is none that could let another in");
    }
    gone(cluster, &host).await?;
    cluster.expect(name);
    master(cluster, name, Place::Former, patience, progress).await
}

/// Nothing of what the host keeps stays.
async fn gone(cluster: &LocalCluster, host: &LocalHost) -> anyhow::Result<()> {
    heal::power_off(cluster, host, &Namespaces::default(), &Links::here()?).await?;
    empty(&cluster.host_dir(host))
}

/// Takes a directory away with all that is in it. One that is elsewhere, by a link, is a disk of the host's own: that loses all
/// that is on it and stays the host's.
fn empty(dir: &Path) -> anyhow::Result<()> {
    if !dir.is_symlink() {
        return remove_all(dir);
    }
    for entry in std::fs::read_dir(dir).with_context(|| dir.display().to_string())? {
        remove_all(&entry.with_context(|| dir.display().to_string())?.path())?;
    }
    Ok(())
}

/// Takes away what is there: a file, a link (not what it leads to), a directory with all that is in it.
fn remove_all(path: &Path) -> anyhow::Result<()> {
    let removed = match path.symlink_metadata() {
        Ok(found) if found.is_dir() => std::fs::remove_dir_all(path),
        Ok(_) => std::fs::remove_file(path),
        Err(error) => Err(error),
    };
    match removed {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| path.display().to_string())
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_disk_of_its_own_is_emptied_and_stays_the_hosts() {
        let top = tempfile::tempdir().unwrap();
        let (disk, elsewhere) = (top.path().join("disk"), top.path().join("elsewhere"));
        std::fs::create_dir_all(disk.join("store/log")).unwrap();
        std::fs::create_dir_all(&elsewhere).unwrap();
        std::fs::write(disk.join("config.yaml"), "x").unwrap();
        std::fs::write(elsewhere.join("kept"), "x").unwrap();
        std::os::unix::fs::symlink(&elsewhere, disk.join("link")).unwrap();
        let host = top.path().join("m1");
        std::os::unix::fs::symlink(&disk, &host).unwrap();
        empty(&host).unwrap();
        assert!(host.is_symlink() && std::fs::read_dir(&disk).unwrap().next().is_none());
        assert!(elsewhere.join("kept").exists());
        remove_all(&host).unwrap();
        assert!(!host.is_symlink() && disk.exists());
        empty(&elsewhere).unwrap();
        assert!(!elsewhere.exists());
        empty(&elsewhere).unwrap();
    }
}

//! Every master gets another program by one command, while clients write and read by the virtual address.

use crate::cluster::{Cluster, Said};
use crate::figures::Figures;
use crate::steps::keeper::Service;
use crate::steps::local::program_of;
use crate::steps::vip::{Creator, NAMESPACE, none_lost};
use anyhow::{Context, Result, ensure};
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(30);

/// From a program of an older version, which can less, to the one under test.
pub fn all_masters(c: &Cluster, figures: &mut Figures) -> Result<()> {
    let short: String = c.name.chars().take(7).collect();
    let own = Cluster { name: format!("{short}-up"), ..c.clone() };
    let dir = tempfile::tempdir().context("a directory for programs")?;
    let done = (|| {
        let programs = Programs::make(&own, dir.path())?;
        let mut services = begin(&own, &programs)?;
        upgrade(&own, figures, &programs)?;
        no_way_back(&own, &mut services[1])
    })();
    let down = own.raftsman(&format!("down --name {}", own.name)).and_then(Said::ok);
    done.and(down.map(drop))
}

/// What is installed, and what it is to be.
struct Programs {
    /// Where the services find it.
    installed: PathBuf,
    /// Versions before and after.
    versions: [String; 2],
    new: PathBuf,
}

impl Programs {
    /// The same program with another version in it, which is of the same length, holding back what it can by its environment.
    fn make(c: &Cluster, dir: &Path) -> Result<Self> {
        let version = |program: &Path| -> Result<String> {
            let output = Command::new(program).args(["version", "--client"]).output().context("version")?;
            let said = String::from_utf8_lossy(&output.stdout).into_owned();
            Ok(said.trim().rsplit_once('v').context("no version")?.1.to_owned())
        };
        let new = program_of(c)?;
        let current = version(&new)?;
        let last = current.chars().last().and_then(|last| last.to_digit(10)).context("a version ends in a digit")?;
        let other = format!("{}{}", &current[..current.len() - 1], (last + 9) % 10);
        let old = dir.join("old");
        let script = format!("s/{}/{other}/g", current.replace('.', "\\."));
        {
            // While it is open it cannot be run.
            let mut sed = Command::new("sed");
            sed.env("LC_ALL", "C").arg(script).arg(&new).stdout(std::fs::File::create(&old)?);
            ensure!(sed.status()?.success(), "no other program was made");
        }
        std::fs::set_permissions(&old, std::fs::metadata(&new)?.permissions())?;
        ensure!(version(&old)? == other, "the other program says {}, not {other}", version(&old)?);
        let installed = dir.join("raftsman");
        std::os::unix::fs::symlink(&old, &installed)?;
        std::fs::write(dir.join("raftsman.env"), "RAFTSMAN_LEVEL_AT_MOST=0\n")?;
        Ok(Self { installed, versions: [other, current], new })
    }

    /// As install.sh: in the place of what may be running.
    fn install(&self) -> Result<()> {
        let beside = self.installed.with_extension("new");
        std::os::unix::fs::symlink(&self.new, &beside)?;
        std::fs::remove_file(self.installed.with_extension("env"))?;
        Ok(std::fs::rename(beside, &self.installed)?)
    }
}

/// A cluster of three masters, of the old program, as services.
fn begin(c: &Cluster, programs: &Programs) -> Result<Vec<Service>> {
    std::fs::create_dir_all(c.dir())?;
    for master in c.masters() {
        std::fs::write(c.dir().join(format!("{master}.env")), "RAFTSMAN_LEVEL_AT_MOST=0\n")?;
    }
    // Without nodes nobody needs images.
    let none = programs.installed.with_file_name("images");
    std::fs::create_dir(&none)?;
    let up = format!("up --name {} --masters 3 --nodes 0 --no-sample --image-dir {}", c.name, none.display());
    c.raftsman(&up)?.ok()?;
    c.masters().iter().try_for_each(|master| c.kill_process(master))?;
    let services = c.masters().map(|master| Service::start(c, master, &programs.installed)).into();
    c.masters_ready(&c.masters())?;
    let said = status(c)?;
    ensure!(said.matches(&format!("v{}", programs.versions[0])).count() == 3, "not the old program: {said}");
    ensure!(said.contains("cluster level 0"), "the old program can too much: {said}");
    c.k(&format!("create namespace {NAMESPACE}"))?;
    Ok(services)
}

/// Of the cluster as if it were on other machines, where processes are not seen.
fn status(c: &Cluster) -> Result<String> {
    let file = c.dir().join("admin.kubeconfig");
    Ok(c.raftsman(&format!("status --kubeconfig {}", file.display()))?.out)
}

/// The cluster's level, then which versions there are.
fn look(c: &Cluster) -> Result<(u64, BTreeSet<String>)> {
    let status: Value = serde_json::from_str(&c.k("get --raw /raftsman/v1/status")?)?;
    let members: Value = serde_json::from_str(&c.raftsman("members list -o json")?.ok()?)?;
    let rows = members["members"].as_array().into_iter().flatten();
    let versions = rows.filter_map(|row| row["version"].as_str()).map(str::to_owned).collect();
    Ok((status["clusterLevel"].as_u64().context("no level")?, versions))
}

fn upgrade(c: &Cluster, figures: &mut Figures, programs: &Programs) -> Result<()> {
    let [old, new] = &programs.versions;
    let reader = c.clone();
    let read =
        move |_: &str| reader.kubectl(&["-n", NAMESPACE, "get", "configmaps", "-oname", "--request-timeout=20s"]);
    let clients =
        [Creator::kubectl(c, "kubectl", "20s"), Creator::raftsman(c, "raftsman"), Creator::start(read, "read")];
    let before = Instant::now();
    c.wait("the first requests", PATIENCE, || Ok(clients.iter().all(|client| client.answered(before).is_some())))?;
    let leader = c.leader()?;
    programs.install()?;
    let over = AtomicBool::new(false);
    let begun = Instant::now();
    let (said, seen) = std::thread::scope(|scope| {
        let looking = scope.spawn(|| {
            let mut seen = Vec::new();
            while !over.load(Ordering::Relaxed) {
                seen.extend(look(c).map(|(level, versions)| (level, versions, status(c).unwrap_or_default())));
            }
            seen
        });
        let said = c.raftsman("upgrade");
        over.store(true, Ordering::Relaxed);
        (said, looking.join())
    });
    figures.add("all masters upgraded, one after the other", begun.elapsed());
    let after = Instant::now();
    let answered =
        c.wait("requests afterwards", PATIENCE, || Ok(clients.iter().all(|client| client.answered(after).is_some())));
    let mut asked = Vec::new();
    for client in clients {
        asked.push(client.end()?);
    }
    let said = said?.ok()?;
    answered?;
    let order: Vec<&str> = said.lines().filter(|line| line.contains("started again")).collect();
    ensure!(order.len() == 3, "not each was started again once: {said}");
    ensure!(order[2].contains(&leader), "{leader} led, and was not the last: {said}");
    let failed = asked.iter().flatten().find_map(|asked| asked.outcome.as_ref().err());
    ensure!(failed.is_none(), "a request failed during the upgrade: {failed:?}");
    asked[..2].iter().try_for_each(|asked| none_lost(c, asked))?;

    // What is new waits for the last of the old.
    c.wait("the cluster's level rises", PATIENCE, || Ok(look(c)?.0 == 1))?;
    let seen = seen.map_err(|_| anyhow::anyhow!("the look at versions ended early"))?;
    let mixed = seen.iter().filter(|(_, versions, _)| versions.contains(old) && versions.contains(new));
    ensure!(mixed.clone().count() > 0, "the versions never were mixed: {seen:?}");
    ensure!(
        mixed.clone().any(|(_, _, status)| status.contains("the cluster stays at level 0")),
        "status names nobody who keeps the level down"
    );
    let early = seen.iter().find(|(level, versions, _)| *level > 0 && versions.contains(old));
    ensure!(early.is_none(), "the level rose while there was an old program: {early:?}");
    let said = status(c)?;
    ensure!(said.contains("cluster level 1") && said.matches(&format!("v{new}")).count() == 3, "afterwards: {said}");
    Ok(())
}

/// Who can less than the cluster does may not come back, and is told why.
fn no_way_back(c: &Cluster, service: &mut Service) -> Result<()> {
    service.stop()?;
    let output = service.once(&[("RAFTSMAN_LEVEL_AT_MOST", "0")])?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    ensure!(!output.status.success() && said.contains("less than the cluster's level, 1"), "it says: {said}");
    c.k("get namespace default").map(drop)
}

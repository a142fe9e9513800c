//! The local cluster itself: what `status` and `kubeconfig` say, what `up` heals, what a machine that will not do is told.

use crate::cluster::Cluster;
use crate::figures::Figures;
use anyhow::{Context, Result, ensure};
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(60);
/// Ours, from which this program was built.
const SCRIPTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../scripts");

/// `status` knows who leads and who is down, `kubeconfig` leads to every master, `up` heals what is down and nothing else.
pub fn life(c: &Cluster, figures: &mut Figures) -> Result<()> {
    well(c)?;
    let status = c.raftsman(&format!("status --name {}", c.name))?.ok()?;
    for master in c.masters() {
        ensure!(row(&status, master)?.contains("yes"), "{master} is not ready: {status}");
    }
    for host in c.masters().into_iter().chain(c.nodes()) {
        ensure!(row(&status, host)?.contains(" days"), "nothing on {host}'s certificate: {status}");
    }
    let leaders = c.masters().into_iter().filter(|name| row(&status, name).is_ok_and(|row| row.contains("leader")));
    ensure!(leaders.count() == 1, "not one leader: {status}");

    c.host("kill", "m2")?;
    let said = c.raftsman(&format!("status --name {}", c.name))?;
    ensure!(said.code == 1, "m2 is down, and the exit code is {}: {}", said.code, said.out);
    ensure!(row(&said.out, "m2")?.contains("down"), "m2 is not called down: {}", said.out);
    c.host("start", "m2")?;
    well(c)?;

    let file = std::fs::read_to_string(c.dir().join("admin.kubeconfig"))?;
    ensure!(c.raftsman(&format!("kubeconfig --name {}", c.name))?.ok()? == file, "kubeconfig is not the file");
    let contexts: BTreeSet<String> = c.k("config get-contexts -o name")?.lines().map(str::to_owned).collect();
    let masters = c.masters().map(|master| format!("{}-{master}", c.name));
    let wanted: BTreeSet<String> = masters.into_iter().chain([c.name.clone()]).collect();
    ensure!(contexts == wanted, "the kubeconfig has the contexts {contexts:?}");

    let before = pids(c)?;
    c.host("kill", "m1")?;
    c.host("kill", "n1")?;
    let begun = Instant::now();
    c.raftsman(&format!("up --name {} --no-sample", c.name))?.ok()?;
    figures.add("up heals a master and a node", begun.elapsed());
    let after = pids(c)?;
    for (host, pid) in &before {
        let lost = host == "m1" || host == "n1";
        ensure!((after.get(host) != Some(pid)) == lost, "{host} had pid {pid}, and now {:?}", after.get(host));
    }
    well(c)?;
    for tier in ["mysql", "myweb"] {
        c.wait(tier, PATIENCE, || {
            let rc = format!("rc {tier}");
            Ok(c.field(&rc, ".status.readyReplicas")? == c.field(&rc, ".spec.replicas")?)
        })?;
    }
    Ok(())
}

/// A line for each thing that keeps a cluster from starting, and not one more.
pub fn bad_machines(c: &Cluster, _: &mut Figures) -> Result<()> {
    let scratch = tempfile::tempdir()?;
    let at = scratch.path();
    std::fs::set_permissions(at, std::fs::Permissions::from_mode(0o755))?;
    // Where another user may run it, and where up.sh finds it built.
    let program = at.join("target/debug/raftsman");
    std::fs::create_dir_all(at.join("target/debug"))?;
    std::fs::copy(program_of(c)?, &program)?;
    let up = script(at)?;
    let (program, up) = (program.as_os_str(), up.as_os_str());

    let nobody = |program: &OsStr| {
        let mut command = Command::new("setpriv");
        command.args(["--reuid=65534", "--clear-groups"]).arg(program);
        command
    };
    one_line(nobody(program).arg("up"), "must run as root")?;
    one_line(&mut nobody(up), "must run as root")?;

    // In a mount namespace of its own: it is gone with its last process.
    let small = at.join("small");
    std::fs::create_dir(&small)?;
    let tiny = |words: &[&OsStr]| {
        let mut command = Command::new("unshare");
        let line = "mount -t tmpfs -o size=64m tmpfs \"$0\" && exec \"$@\" --name tiny --dir \"$0/state\"";
        command.args(["--mount", "sh", "-c", line]).arg(&small).args(words);
        command.env("CARGO_TARGET_DIR", at.join("target"));
        command
    };
    one_line(&mut tiny(&[program, OsStr::new("up")]), "too little disk")?;
    one_line(&mut tiny(&[up]), "too little disk")?;
    ensure!(std::fs::read_dir(&small)?.next().is_none(), "something was made in {}", small.display());

    port_in_use(c)?;
    flags(c, up)
}

/// A host does not start where another program has its port.
fn port_in_use(c: &Cluster) -> Result<()> {
    let (host, name) = ("m3", &c.name);
    c.host("stop", host)?;
    let namespace = PathBuf::from(format!("/run/netns/{name}-{host}"));
    // A thread of its own: it does not come back from the namespace.
    let listener = std::thread::spawn(move || -> Result<TcpListener> {
        raftsman_local::net::enter(&namespace)?;
        Ok(TcpListener::bind(("0.0.0.0", 6443))?)
    });
    let listener = listener.join().map_err(|_| anyhow::anyhow!("the listener's thread panicked"))??;
    let refused = one_line(&mut c.raftsman_command(&format!("host start --name {name} {host}")), "port 6443");
    drop(listener);
    c.host("start", host)?;
    well(c)?;
    refused
}

/// up.sh refuses what it does not know before it builds, and knows what `raftsman up` does.
fn flags(c: &Cluster, up: &OsStr) -> Result<()> {
    one_line(Command::new(up).arg("--mastres=5"), "unknown argument --mastres=5")?;
    one_line(Command::new(up).arg("--masters"), "--masters needs a value")?;
    let help = Command::new(up).arg("--help").output().context("up.sh --help")?;
    let help = String::from_utf8_lossy(&help.stdout).into_owned();
    let words = |text: &str| -> BTreeSet<String> {
        let words = text.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '-');
        words.filter(|word| word.starts_with("--") && word.len() > 2).map(str::to_owned).collect()
    };
    let mut missing = words(&c.raftsman("up --help")?.ok()?);
    missing.retain(|flag| flag != "--help" && !words(&help).contains(flag));
    ensure!(missing.is_empty(), "up.sh does not know {missing:?}");
    Ok(())
}

/// The command fails, and says why in one line.
fn one_line(command: &mut Command, words: &str) -> Result<()> {
    let output = command.stdin(Stdio::null()).output().with_context(|| format!("{command:?}"))?;
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    ensure!(!output.status.success(), "it should have failed: {command:?}");
    ensure!(
        out.is_empty() && err.lines().count() == 1 && err.contains(words),
        "not one line with {words:?} from {command:?}: {out}{err}"
    );
    Ok(())
}

/// All is well, after a while.
fn well(c: &Cluster) -> Result<()> {
    c.wait("status says that all is well", PATIENCE, || Ok(c.raftsman(&format!("status --name {}", c.name))?.code == 0))
        .map(drop)
}

/// A host's line of `status`.
fn row<'a>(status: &'a str, host: &str) -> Result<&'a str> {
    let found = status.lines().find(|line| line.split_whitespace().next() == Some(host));
    found.with_context(|| format!("no line for {host}: {status}"))
}

/// Every host's process.
fn pids(c: &Cluster) -> Result<BTreeMap<String, String>> {
    let hosts = c.masters().into_iter().chain(c.nodes());
    hosts
        .map(|host| {
            let pid =
                std::fs::read_to_string(c.dir().join(host).join("pid")).with_context(|| format!("pid of {host}"))?;
            Ok((host.to_owned(), pid.trim().to_owned()))
        })
        .collect()
}

/// Where the program is.
pub(super) fn program_of(c: &Cluster) -> Result<PathBuf> {
    if c.raftsman.components().count() > 1 {
        return Ok(c.raftsman.clone());
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).map(|dir| dir.join(&c.raftsman)).find(|file| file.is_file());
    found.with_context(|| format!("{} is not on the PATH", c.raftsman.display()))
}

/// up.sh and what it reads, where every user may read it.
fn script(at: &Path) -> Result<PathBuf> {
    let scripts = at.join("scripts");
    std::fs::create_dir(&scripts)?;
    for entry in std::fs::read_dir(SCRIPTS).context(SCRIPTS)? {
        let entry = entry?;
        if entry.path().extension() == Some(OsStr::new("sh")) {
            std::fs::copy(entry.path(), scripts.join(entry.file_name()))?;
        }
    }
    Ok(scripts.join("up.sh"))
}

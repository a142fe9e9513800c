//! A local cluster's hosts for real: namespaces, links, cgroups, processes. As root; this program stands in for `raftsman`.
//!
//! It has no test harness of its own, because `up` starts hosts by running the very program that it is part of.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use raftsman_local::Command;
use raftsman_local::command::{Which, heal, members};
use raftsman_local::host::{HostProcess, mount_points};
use raftsman_local::net::{Links, Namespaces, Outward};
use raftsman_local::plan::{LocalCluster, choose_ranges};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

const NAME: &str = "it-local";
/// A second cluster, that the first finds outside.
const OUTSIDE: &str = "it-outside";
const FORWARD: &str = "/proc/sys/net/ipv4/ip_forward";

/// The part of the command line that this test speaks.
#[derive(clap::Parser)]
struct Line {
    #[command(subcommand)]
    command: Command,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    match arguments.get(1).map(String::as_str) {
        Some("host-launch") => {
            let line = <Line as clap::Parser>::parse();
            let error = runtime().block_on(raftsman_local::run(line.command)).unwrap_err();
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
        Some("serve") => serve(Path::new(&arguments[3])),
        // What nextest asks for.
        Some("--list") => {
            if !arguments.iter().any(|argument| argument == "--ignored") {
                println!("hosts_live_and_die: test");
            }
            ExitCode::SUCCESS
        }
        _ => {
            assert!(nix::unistd::geteuid().is_root(), "this test needs root: it makes network namespaces");
            // Whatever an earlier run left.
            down();
            let result = std::panic::catch_unwind(|| runtime().block_on(hosts_live_and_die()));
            down();
            match result {
                Ok(()) => ExitCode::SUCCESS,
                Err(_) => ExitCode::FAILURE,
            }
        }
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Runtime::new().unwrap()
}

fn dir_of(name: &str) -> std::path::PathBuf {
    std::env::temp_dir().join(format!("raftsman-{name}"))
}

fn dir() -> std::path::PathBuf {
    dir_of(NAME)
}

fn raftsman(words: &[&str]) -> anyhow::Result<ExitCode> {
    raftsman_of(NAME, words)
}

fn raftsman_of(name: &str, words: &[&str]) -> anyhow::Result<ExitCode> {
    let dir = dir_of(name).display().to_string();
    let which = ["--name", name, "--dir", &dir].map(str::to_owned);
    let all = ["raftsman"].into_iter().chain(words.iter().copied()).map(str::to_owned).chain(which);
    let line = <Line as clap::Parser>::try_parse_from(all)?;
    // On a thread of its own: it may be called within a runtime.
    std::thread::spawn(move || runtime().block_on(raftsman_local::run(line.command))).join().unwrap()
}

fn down() {
    for name in [NAME, OUTSIDE] {
        raftsman_of(name, &["down"]).expect("down");
    }
}

/// A host's process: it answers on the port, and has a child that would survive it.
fn serve(config: &Path) -> ExitCode {
    let config: raftsman_api::config::HostConfig =
        serde_yaml::from_str(&std::fs::read_to_string(config).unwrap()).unwrap();
    let mut child = std::process::Command::new("/bin/sleep").arg("1000").spawn().unwrap();
    std::fs::write(config.data_dir.join("child"), child.id().to_string()).unwrap();
    std::thread::spawn(move || child.wait());
    let listener = TcpListener::bind((config.address, config.ports.api)).unwrap();
    for stream in listener.incoming() {
        let _ = stream.unwrap().write_all(config.name.as_bytes());
    }
    ExitCode::SUCCESS
}

/// Who answers at an address, within a second.
fn dial(address: SocketAddr) -> Option<String> {
    let mut stream = TcpStream::connect_timeout(&address, Duration::from_millis(500)).ok()?;
    stream.set_read_timeout(Some(Duration::from_millis(500))).ok()?;
    let mut name = String::new();
    stream.read_to_string(&mut name).ok()?;
    Some(name)
}

/// It runs: what nobody has reaped yet does not.
fn alive(pid: i32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit(") ").next().is_some_and(|rest| !rest.is_empty() && !rest.starts_with(['Z', 'X']))
}

fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < Duration::from_secs(10), "not within 10 s: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// A variable of a process.
fn variable_of(pid: i32, name: &str) -> Option<String> {
    let environment = std::fs::read(format!("/proc/{pid}/environ")).unwrap();
    let mut variables = environment.split(|byte| *byte == 0).map(String::from_utf8_lossy);
    variables.find_map(|variable| Some(variable.strip_prefix(name)?.strip_prefix('=')?.to_owned()))
}

/// Hosts reach what is outside, which sees the machine's address and knows no way back to theirs.
async fn hosts_get_out(cluster: &LocalCluster, namespaces: &Namespaces, links: &Links) {
    let ranges = choose_ranges(&links.used().await.unwrap()).unwrap();
    let outside = LocalCluster::plan(OUTSIDE, &dir_of(OUTSIDE), "c-out", ranges, 1, 0).unwrap();
    members::write(&outside).unwrap();
    heal::network(&outside, &outside.hosts, namespaces, links).await.unwrap();
    let server = SocketAddr::new(outside.hosts[0].address.into(), 7);
    let at = namespaces.path(&outside.link(&outside.hosts[0]));
    std::thread::spawn(move || {
        raftsman_local::net::enter(&at).unwrap();
        for stream in TcpListener::bind(server).unwrap().incoming() {
            let mut stream = stream.unwrap();
            let seen = stream.peer_addr().unwrap().ip().to_string();
            let _ = stream.write_all(seen.as_bytes());
        }
    });
    let from = namespaces.path(&cluster.link(&cluster.hosts[0]));
    // A new bridge carries nothing until the kernel has seen that its links are up.
    let dialled = std::thread::spawn(move || {
        raftsman_local::net::enter(&from).unwrap();
        let mut seen = None;
        eventually("a host reaches what is outside", || {
            seen = dial(server);
            seen.is_some()
        });
        seen
    });
    assert_eq!(dialled.join().unwrap(), Some(outside.gateway().to_string()));
    raftsman_of(OUTSIDE, &["down"]).unwrap();
    let outward = Outward::default();
    assert!(outward.is_open(NAME) && !outward.is_open(OUTSIDE));
    assert_eq!(std::fs::read_to_string(FORWARD).unwrap().trim(), "1", "one cluster still needs it");
}

async fn hosts_live_and_die() {
    let forwarded = std::fs::read_to_string(FORWARD).unwrap();
    let links = Links::here().unwrap();
    let namespaces = Namespaces::default();
    let ranges = choose_ranges(&links.used().await.unwrap()).unwrap();
    let cluster = LocalCluster::plan(NAME, &dir(), "c-it", ranges, 1, 2).unwrap();
    members::write(&cluster).unwrap();
    assert_eq!(members::read(&dir()).unwrap().as_ref(), Some(&cluster));

    assert_eq!(heal::network(&cluster, &cluster.hosts, &namespaces, &links).await.unwrap(), 3);
    assert_eq!(
        heal::network(&cluster, &cluster.hosts, &namespaces, &links).await.unwrap(),
        0,
        "again: nothing is made"
    );
    for host in &cluster.hosts {
        std::fs::write(dir().join(format!("{}.env", host.name)), format!("HOST_VARIABLE={}\n", host.name)).unwrap();
        let start = || heal::process(&cluster, host, &namespaces).unwrap();
        let started = std::thread::scope(|scope| {
            let both = [scope.spawn(start), scope.spawn(start)];
            both.map(|one| one.join().unwrap()).into_iter().filter(|started| *started).count()
        });
        assert_eq!(started, 1, "of two who start it at once one does");
        assert!(!start(), "again: it runs");
    }
    let m1 = cluster.host("m1").unwrap();
    let address = |name: &str| SocketAddr::new(cluster.host(name).unwrap().address.into(), 6443);
    for host in &cluster.hosts {
        eventually("a host answers", || dial(address(&host.name)).as_deref() == Some(&host.name));
    }
    // Hosts reach each other, by the stand-in of another namespace.
    let from = namespaces.path(&cluster.link(m1));
    let to = address("n1");
    let heard = std::thread::spawn(move || {
        raftsman_local::net::enter(&from).unwrap();
        dial(to)
    });
    assert_eq!(heard.join().unwrap().as_deref(), Some("n1"));
    hosts_get_out(&cluster, &namespaces, &links).await;

    // Only the process: its child lives on.
    let process = HostProcess::of(&cluster, m1, &namespaces).unwrap();
    let first = process.pid().unwrap();
    // A host that runs has no programs to call.
    assert_eq!(variable_of(first, "PATH").as_deref(), Some("/nonexistent"));
    assert_eq!(variable_of(first, "HOST_VARIABLE").as_deref(), Some("m1"));
    raftsman(&["host", "kill", "m1", "--process"]).unwrap();
    assert_eq!(process.pid(), None);
    let child: i32 = std::fs::read_to_string(cluster.host_dir(m1).join("child")).unwrap().parse().unwrap();
    assert!(alive(child));
    raftsman(&["host", "start", "m1"]).unwrap();
    assert_ne!(process.pid(), Some(first));
    eventually("m1 answers again", || dial(address("m1")).is_some());
    assert_eq!(variable_of(process.pid().unwrap(), "HOST_VARIABLE").as_deref(), Some("m1"), "every way of starting");

    // Everything.
    raftsman(&["host", "kill", "m1"]).unwrap();
    assert!(process.cgroups().pids().is_empty());
    assert!(!namespaces.exists(&cluster.link(m1)));
    assert!(!alive(child));
    raftsman(&["host", "start", "m1"]).unwrap();
    eventually("m1 answers again", || dial(address("m1")).is_some());

    raftsman(&["host", "cut", "m1"]).unwrap();
    assert_eq!(dial(address("m1")), None);
    heal::network(&cluster, &cluster.hosts, &namespaces, &links).await.unwrap();
    assert!(links.is_cut(&cluster.link(m1)).await.unwrap(), "what is cut stays cut until it is healed");
    raftsman(&["host", "heal", "m1"]).unwrap();
    eventually("m1 is heard again", || dial(address("m1")).is_some());

    // Its namespace lost its name: what runs in it is reached by nobody, and begins anew.
    namespaces.remove(&cluster.link(m1)).unwrap();
    assert_eq!(heal::network(&cluster, &cluster.hosts, &namespaces, &links).await.unwrap(), 1);
    assert!(heal::process(&cluster, m1, &namespaces).unwrap());
    eventually("m1 answers in its new namespace", || dial(address("m1")).is_some());

    raftsman(&["host", "stop", "m1"]).unwrap();
    assert_eq!(process.pid(), None);
    let error = raftsman(&["host", "stop", "m7"]).unwrap_err().to_string();
    assert!(error.contains("\"m7\"") && error.contains("m1, n1, n2"), "{error}");

    // A mount below the directory, as a pod would have one.
    let mounted = cluster.host_dir(m1).join("a mount");
    std::fs::create_dir_all(&mounted).unwrap();
    nix::mount::mount(Some("tmpfs"), &mounted, Some("tmpfs"), nix::mount::MsFlags::empty(), None::<&str>).unwrap();
    let pids: Vec<i32> = cluster
        .hosts
        .iter()
        .flat_map(|host| HostProcess::of(&cluster, host, &namespaces).unwrap().cgroups().pids())
        .collect();
    assert!(pids.len() >= 4, "{pids:?}");
    down();
    assert!(!dir().exists());
    assert!(!mount_points().iter().any(|at| at.starts_with(dir()) || at.ends_with(format!("{NAME}-m1"))));
    assert!(links.names(&format!("{NAME}-")).await.unwrap().is_empty());
    assert!(!Outward::default().is_open(NAME));
    assert_eq!(std::fs::read_to_string(FORWARD).unwrap(), forwarded);
    for pid in pids {
        assert!(!alive(pid), "process {pid} is left");
    }
    for root in std::fs::read_dir("/sys/fs/cgroup").unwrap().flatten() {
        assert!(!root.path().join("raftsman").join(NAME).exists(), "{}", root.path().display());
    }
    let which = Which { name: NAME.to_owned(), dir: Some(dir()) };
    assert!(members::existing(&which).unwrap_err().to_string().contains("raftsman up"));
}

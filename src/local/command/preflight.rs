//! What must be so before a cluster can start here; each with one line.

use anyhow::{Context, bail};
use nix::sys::statvfs::statvfs;
use std::path::Path;

const ROOM: u64 = 2 << 30;
const CONTROLLERS: [&str; 3] = ["cpu", "memory", "pids"];

/// Everything that does not depend on the cluster.
pub fn check(dir: &Path) -> anyhow::Result<()> {
    root()?;
    filesystem("overlay", "overlayfs")?;
    nf_tables()?;
    controllers()?;
    disk(dir)
}

/// As root.
pub fn root() -> anyhow::Result<()> {
    if !nix::unistd::geteuid().is_root() {
        bail!("must run as root: network namespaces, mounts and cgroups need it; try `sudo raftsman ...`");
    }
    Ok(())
}

fn filesystem(name: &str, word: &str) -> anyhow::Result<()> {
    let known = || {
        let list = std::fs::read_to_string("/proc/filesystems").unwrap_or_default();
        list.lines().any(|line| line.split_whitespace().last() == Some(name))
    };
    if !known() {
        load_module(name);
    }
    if !known() {
        bail!("this kernel has no {word} (/proc/filesystems lacks {name}); `modprobe {name}` or use a kernel with it");
    }
    Ok(())
}

/// A socket of the netfilter family, and the nf_tables subsystem behind it, by asking for its generation.
fn nf_tables() -> anyhow::Result<()> {
    if probe_nf_tables().is_ok() {
        return Ok(());
    }
    load_module("nf_tables");
    probe_nf_tables()
        .context("this kernel has no nf_tables, which services need; `modprobe nf_tables` or use a kernel with it")
}

fn probe_nf_tables() -> anyhow::Result<()> {
    use rtnetlink::sys::{Socket, SocketAddr, protocols::NETLINK_NETFILTER};
    /// NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETGEN (linux/netfilter/nf_tables.h).
    const GET_GENERATION: u16 = 10 << 8 | 16;
    /// NLM_F_REQUEST | NLM_F_ACK
    const FLAGS: u16 = 0x1 | 0x4;
    const NLMSG_ERROR: u16 = 2;

    let socket = Socket::new(NETLINK_NETFILTER)?;
    let mut message = Vec::with_capacity(20);
    message.extend(20u32.to_ne_bytes());
    message.extend(GET_GENERATION.to_ne_bytes());
    message.extend(FLAGS.to_ne_bytes());
    message.extend(1u32.to_ne_bytes());
    message.extend(0u32.to_ne_bytes());
    // nfgenmsg: family, version, resource id.
    message.extend([0, 0, 0, 0]);
    socket.send_to(&message, &SocketAddr::new(0, 0), 0)?;
    let (answer, _) = socket.recv_from_full()?;
    let kind = answer.get(4..6).and_then(|bytes| bytes.try_into().ok()).map(u16::from_ne_bytes);
    let code = answer.get(16..20).and_then(|bytes| bytes.try_into().ok()).map(i32::from_ne_bytes);
    match (kind, code) {
        (Some(NLMSG_ERROR), Some(code)) if code < 0 => {
            bail!("{}", std::io::Error::from_raw_os_error(code.saturating_neg()))
        }
        (Some(_), _) => Ok(()),
        (None, _) => bail!("a short answer"),
    }
}

fn controllers() -> anyhow::Result<()> {
    let mut known = std::fs::read_to_string("/sys/fs/cgroup/cgroup.controllers").unwrap_or_default();
    // v1: name, hierarchy, number of groups, enabled. A hierarchy of 0 is not mounted, unless v2 has it.
    for line in std::fs::read_to_string("/proc/cgroups").unwrap_or_default().lines() {
        let fields: Vec<&str> = line.split_whitespace().collect();
        if let [name, hierarchy, _, "1"] = fields[..]
            && hierarchy != "0"
        {
            known.push_str(&format!(" {name}"));
        }
    }
    let missing: Vec<&str> =
        CONTROLLERS.into_iter().filter(|wanted| !known.split_whitespace().any(|name| name == *wanted)).collect();
    if !missing.is_empty() {
        bail!(
            "cgroup controllers are missing: {}; mount them below /sys/fs/cgroup or enable them at boot",
            missing.join(", ")
        );
    }
    Ok(())
}

fn disk(dir: &Path) -> anyhow::Result<()> {
    let there = dir.ancestors().find(|dir| dir.exists()).unwrap_or(Path::new("/"));
    let stat = statvfs(there).with_context(|| format!("{}", there.display()))?;
    #[allow(clippy::useless_conversion, reason = "the fields' widths differ between architectures")]
    let free = u64::from(stat.blocks_available()) * u64::from(stat.fragment_size());
    if free < ROOM {
        bail!(
            "too little disk: {} has {} MiB free below {}, a cluster needs 2048; free some, or choose another place with --dir",
            dir.display(),
            free >> 20,
            there.display()
        );
    }
    Ok(())
}

/// Nothing listens on any address with this port.
pub fn port_free(address: std::net::Ipv4Addr, port: u16) -> anyhow::Result<()> {
    match std::net::TcpListener::bind((address, port)) {
        Ok(_) => Ok(()),
        Err(error) => {
            bail!("port {port} on {address} is in use ({error}); `ss -ltnp` shows by what")
        }
    }
}

/// modprobe is not everywhere, nor always needed: the check afterwards decides.
fn load_module(name: &str) {
    let _ = std::process::Command::new("modprobe")
        .arg(name)
        .stdin(std::process::Stdio::null())
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .status();
}

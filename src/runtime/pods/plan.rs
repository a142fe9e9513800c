//! The OCI specification of a container, as a pure function of what is wanted and of the pod's places.

use crate::border::{ContainerSpec, ImageConfig, Limits, MountSource, PodSpec, RuntimeError, Security};
use crate::pods::users::User;
use crate::supervisor::protocol::Privileges;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// Capabilities of an ordinary container, those of Docker and containerd.
const DEFAULT_CAPABILITIES: [&str; 14] = [
    "AUDIT_WRITE",
    "CHOWN",
    "DAC_OVERRIDE",
    "FOWNER",
    "FSETID",
    "KILL",
    "MKNOD",
    "NET_BIND_SERVICE",
    "NET_RAW",
    "SETFCAP",
    "SETGID",
    "SETPCAP",
    "SETUID",
    "SYS_CHROOT",
];

const ALL_CAPABILITIES: &[&str] = &[
    "AUDIT_CONTROL",
    "AUDIT_READ",
    "AUDIT_WRITE",
    "BLOCK_SUSPEND",
    "BPF",
    "CHECKPOINT_RESTORE",
    "CHOWN",
    "DAC_OVERRIDE",
    "DAC_READ_SEARCH",
    "FOWNER",
    "FSETID",
    "IPC_LOCK",
    "IPC_OWNER",
    "KILL",
    "LEASE",
    "LINUX_IMMUTABLE",
    "MAC_ADMIN",
    "MAC_OVERRIDE",
    "MKNOD",
    "NET_ADMIN",
    "NET_BIND_SERVICE",
    "NET_BROADCAST",
    "NET_RAW",
    "PERFMON",
    "SETFCAP",
    "SETGID",
    "SETPCAP",
    "SETUID",
    "SYSLOG",
    "SYS_ADMIN",
    "SYS_BOOT",
    "SYS_CHROOT",
    "SYS_MODULE",
    "SYS_NICE",
    "SYS_PACCT",
    "SYS_PTRACE",
    "SYS_RAWIO",
    "SYS_RESOURCE",
    "SYS_TIME",
    "SYS_TTY_CONFIG",
    "WAKE_ALARM",
];

const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

const MASKED: [&str; 10] = [
    "/proc/asound",
    "/proc/acpi",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/sys/firmware",
];

const READ_ONLY: [&str; 5] = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"];

/// What the specification is made of.
#[derive(Debug, Clone)]
pub(crate) struct Inputs<'a> {
    /// The pod.
    pub pod: &'a PodSpec,
    /// The container.
    pub container: &'a ContainerSpec,
    /// Its image.
    pub image: &'a ImageConfig,
    /// Who it is.
    pub user: &'a User,
    /// The pod's directory.
    pub directory: &'a Path,
    /// The termination message file on the host.
    pub message: &'a Path,
    /// Its cgroup.
    pub cgroup: &'a str,
    /// The machine has cgroup v2 alone.
    pub unified: bool,
    /// Where v1 has groups of containers.
    pub v1: &'a [PathBuf],
    /// Devices of the host (path, type, major, minor), for a privileged container.
    pub devices: &'a [(PathBuf, char, u64, u64)],
}

/// What to run: entrypoint and cmd of the image, replaced by `command` and `args`.
pub(crate) fn command(container: &ContainerSpec, image: &ImageConfig) -> Vec<String> {
    let (mut line, rest) = match (container.command.is_empty(), container.args.is_empty()) {
        (false, _) => (container.command.clone(), &container.args),
        (true, false) => (image.entrypoint.clone(), &container.args),
        (true, true) => (image.entrypoint.clone(), &image.cmd),
    };
    line.extend(rest.iter().cloned());
    line
}

/// The environment: defaults, the image's, the container's; the last word on a name wins.
pub(crate) fn environment(pod: &PodSpec, container: &ContainerSpec, image: &ImageConfig, user: &User) -> Vec<String> {
    let mut variables: Vec<(String, String)> = vec![
        ("PATH".to_owned(), DEFAULT_PATH.to_owned()),
        ("HOSTNAME".to_owned(), pod.hostname.clone()),
        ("HOME".to_owned(), user.home.clone()),
    ];
    if container.tty {
        variables.push(("TERM".to_owned(), "xterm".to_owned()));
    }
    let of_image = image.env.iter().map(|line| {
        let (name, value) = line.split_once('=').unwrap_or((line, ""));
        (name.to_owned(), value.to_owned())
    });
    for (name, value) in of_image.chain(container.env.iter().cloned()) {
        match variables.iter_mut().find(|(known, _)| *known == name) {
            Some(known) => known.1 = value,
            None => variables.push((name, value)),
        }
    }
    variables.into_iter().map(|(name, value)| format!("{name}={value}")).collect()
}

/// Capabilities that are kept, and seccomp.
pub(crate) fn privileges(security: &Security) -> Privileges {
    if security.privileged {
        return Privileges { capabilities: None, seccomp: false };
    }
    let plain = |name: &String| name.to_uppercase().trim_start_matches("CAP_").to_owned();
    let add: Vec<String> = security.add_capabilities.iter().map(plain).collect();
    let drop: Vec<String> = security.drop_capabilities.iter().map(plain).collect();
    let all = |names: &[String]| names.iter().any(|name| name == "ALL");
    let mut kept: Vec<String> = match (all(&add), all(&drop)) {
        (true, _) => ALL_CAPABILITIES.iter().map(|name| (*name).to_owned()).collect(),
        (false, true) => Vec::new(),
        (false, false) => DEFAULT_CAPABILITIES.iter().map(|name| (*name).to_owned()).collect(),
    };
    kept.retain(|name| !drop.contains(name));
    kept.extend(add.into_iter().filter(|name| name != "ALL"));
    kept.sort();
    kept.dedup();
    Privileges { capabilities: Some(kept), seccomp: security.seccomp_default }
}

/// The working directory.
pub(crate) fn working_dir(container: &ContainerSpec, image: &ImageConfig) -> String {
    let wanted = container.working_dir.clone().unwrap_or_else(|| image.working_dir.clone());
    if wanted.is_empty() { "/".to_owned() } else { wanted }
}

/// The process part, also for an exec.
pub(crate) fn process(user: &User, args: &[String], env: &[String], tty: bool, no_new_privileges: bool) -> Value {
    let mut process = json!({
        "terminal": tty,
        "user": { "uid": user.uid, "gid": user.gid, "additionalGids": user.groups },
        "args": args,
        "env": env,
        // Entered (and made) by the executor; capabilities are dropped there too, after seccomp.
        "cwd": "/",
    });
    if no_new_privileges {
        process["noNewPrivileges"] = json!(true);
    }
    process
}

/// The whole specification (`config.json`).
pub(crate) fn plan(inputs: &Inputs<'_>) -> Result<Value, RuntimeError> {
    let Inputs { pod, container, image, user, .. } = *inputs;
    let security = &container.security;
    let args = command(container, image);
    if args.is_empty() {
        return Err(RuntimeError::Invalid(format!(
            "container \"{}\": no command is given, by the container or by its image",
            container.name
        )));
    }
    let working_dir = working_dir(container, image);
    if !working_dir.starts_with('/') {
        return Err(RuntimeError::Invalid(format!(
            "container \"{}\": working directory \"{working_dir}\" is not an absolute path",
            container.name
        )));
    }
    let env = environment(pod, container, image, user);
    let no_new_privileges = security.no_new_privileges && !security.privileged;
    let mut spec = json!({
        "ociVersion": "1.0.2",
        "root": { "path": "rootfs", "readonly": security.read_only_root },
        "process": process(user, &args, &env, container.tty, no_new_privileges),
        "mounts": mounts(inputs),
        "linux": {
            "cgroupsPath": inputs.cgroup,
            "namespaces": namespaces(inputs),
            "resources": resources(&container.limits, security.privileged, inputs.unified),
        },
    });
    if security.privileged {
        spec["linux"]["devices"] = inputs
            .devices
            .iter()
            .map(|(path, kind, major, minor)| {
                json!({ "path": path, "type": kind.to_string(), "major": major, "minor": minor, "fileMode": 0o600 })
            })
            .collect();
    } else {
        spec["linux"]["maskedPaths"] = json!(MASKED);
        spec["linux"]["readonlyPaths"] = json!(READ_ONLY);
    }
    Ok(spec)
}

fn namespaces(inputs: &Inputs<'_>) -> Value {
    // Net, ipc and uts are the supervisor's own.
    let mut namespaces = vec![json!({ "type": "mount" })];
    if inputs.pod.share_pid && !inputs.pod.host_pid {
        let handle = inputs.directory.join(crate::supervisor::pid_handle());
        namespaces.push(json!({ "type": "pid", "path": handle }));
    } else if !inputs.pod.host_pid {
        namespaces.push(json!({ "type": "pid" }));
    }
    if inputs.unified && !inputs.container.security.privileged {
        namespaces.push(json!({ "type": "cgroup" }));
    }
    json!(namespaces)
}

fn resources(limits: &Limits, privileged: bool, unified: bool) -> Value {
    let mut cpu = json!({});
    if let Some(shares) = limits.cpu_shares {
        cpu["shares"] = json!(shares);
    }
    if let Some(quota) = limits.cpu_quota.filter(|quota| *quota > 0) {
        cpu["quota"] = json!(quota);
        cpu["period"] = json!(limits.cpu_period.unwrap_or(100_000));
    }
    let mut resources = json!({ "devices": [{ "allow": privileged, "access": "rwm" }] });
    if cpu != json!({}) {
        resources["cpu"] = cpu;
    }
    if let Some(memory) = limits.memory.filter(|memory| *memory > 0) {
        resources["memory"] = json!({ "limit": memory });
        if unified {
            // Memory and swap together: no swap. On v1 a kernel may lack that file.
            resources["memory"]["swap"] = json!(memory);
        }
    }
    if let Some(pids) = limits.pids.filter(|pids| *pids > 0) {
        resources["pids"] = json!({ "limit": pids });
    }
    resources
}

fn mounts(inputs: &Inputs<'_>) -> Vec<Value> {
    let Inputs { pod, container, directory, .. } = *inputs;
    let privileged = container.security.privileged;
    let sys_mode = if privileged { "rw" } else { "ro" };
    let shm = if pod.host_ipc { PathBuf::from("/dev/shm") } else { directory.join("shm") };
    let mut mounts = vec![
        json!({ "destination": "/proc", "type": "proc", "source": "proc", "options": ["nosuid", "noexec", "nodev"] }),
        json!({ "destination": "/dev", "type": "tmpfs", "source": "tmpfs",
            "options": ["nosuid", "strictatime", "mode=755", "size=65536k"] }),
        json!({ "destination": "/dev/pts", "type": "devpts", "source": "devpts",
            "options": ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"] }),
        json!({ "destination": "/dev/mqueue", "type": "mqueue", "source": "mqueue",
            "options": ["nosuid", "noexec", "nodev"] }),
        json!({ "destination": "/sys", "type": "sysfs", "source": "sysfs",
            "options": ["nosuid", "noexec", "nodev", sys_mode] }),
    ];
    mounts.extend(cgroup_mounts(inputs, sys_mode));
    mounts.push(bind(&shm, Path::new("/dev/shm"), false));
    let given = |target: &str| container.mounts.iter().any(|mount| mount.target == Path::new(target));
    let own = [("hosts", "/etc/hosts"), ("hostname", "/etc/hostname"), ("resolv.conf", "/etc/resolv.conf")];
    for (file, target) in own.iter().filter(|(_, target)| !given(target)) {
        mounts.push(bind(&directory.join(file), Path::new(target), container.security.read_only_root));
    }
    let message = container.termination_message_path.as_str();
    if !message.is_empty() && !given(message) {
        mounts.push(bind(inputs.message, Path::new(message), false));
    }
    for mount in &container.mounts {
        mounts.push(match &mount.source {
            MountSource::Bind(source) => bind(source, &mount.target, mount.read_only),
            MountSource::Tmpfs(size) => {
                let mut options = vec!["nosuid".to_owned(), "nodev".to_owned(), "mode=1777".to_owned()];
                options.extend(size.map(|bytes| format!("size={bytes}")));
                options.push(if mount.read_only { "ro" } else { "rw" }.to_owned());
                json!({ "destination": mount.target, "type": "tmpfs", "source": "tmpfs", "options": options })
            }
        });
    }
    mounts
}

/// The container's own groups at `/sys/fs/cgroup`.
fn cgroup_mounts(inputs: &Inputs<'_>, mode: &str) -> Vec<Value> {
    let target = Path::new("/sys/fs/cgroup");
    let shared = inputs.pod.share_pid && !inputs.pod.host_pid;
    if inputs.unified || !shared {
        let options = ["nosuid", "noexec", "nodev", "relatime", mode];
        return vec![json!({ "destination": target, "type": "cgroup", "source": "cgroup", "options": options })];
    }
    // libcontainer would look its process up in the host's /proc by the pid that it has in the pod's namespace, and find
    // another one or none.
    let options = ["nosuid", "noexec", "nodev", "mode=755", "size=64k"];
    let mut mounts = vec![json!({ "destination": target, "type": "tmpfs", "source": "tmpfs", "options": options })];
    for mount in inputs.v1 {
        if let Some(name) = mount.file_name() {
            mounts.push(json!({
                "destination": target.join(name),
                "type": "bind",
                "source": mount.join(inputs.cgroup.trim_start_matches('/')),
                "options": ["rbind", "rprivate", "nosuid", "noexec", "nodev", mode],
            }));
        }
    }
    mounts
}

fn bind(source: &Path, target: &Path, read_only: bool) -> Value {
    let mode = if read_only { "ro" } else { "rw" };
    json!({ "destination": target, "type": "bind", "source": source, "options": ["rbind", "rprivate", mode] })
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;

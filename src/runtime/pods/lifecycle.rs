//! A pod's root: making it and removing it.

use crate::border::{PodSpec, PodStatus, RuntimeError};
use crate::cgroup::{self, PodLimits};
use crate::images::{blocking, disk};
use crate::pods::config::PodPaths;
use crate::pods::local::Inner;
use crate::pods::status::{self, Found, PodRecord, Released, RootRecord};
use crate::pods::{adopt, client, files, pidfd};
use crate::supervisor::protocol::{BOOT_FILE, Boot, Fencing, PROCESS_FILE, Request};
use crate::supervisor::record;
use crate::sys;
use std::fs;
use std::io::{self, Read};
use std::net::IpAddr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A supervisor that is not stopped itself ends in less.
const POLITELY: Duration = Duration::from_secs(3);
/// Processes that were killed are gone after this at the latest.
const PATIENCE: Duration = Duration::from_secs(10);

/// Makes a pod, or finds it made.
pub(crate) async fn create(inner: &Arc<Inner>, spec: &PodSpec) -> Result<PodStatus, RuntimeError> {
    let _lock = inner.lock_pod(&spec.uid).await;
    let paths = inner.config.pod(&spec.uid);
    if paths.released().exists() {
        return Err(released(&spec.uid));
    }
    if !paths.record().exists() {
        let (inner, spec, paths) = (inner.clone(), spec.clone(), paths.clone());
        blocking(move || prepare(&inner, &spec, &paths)).await?;
    }
    adopt::watch(inner.clone(), spec.uid.clone()).await?;
    let (config, uid) = (inner.config.clone(), spec.uid.clone());
    blocking(move || status::pod(&config, &uid)).await
}

fn released(uid: &str) -> RuntimeError {
    RuntimeError::Invalid(format!("pod {uid} has ended and was released; it cannot run again"))
}

/// What a pod stands on and a start of the machine takes away: its cgroup with the limits, and its shared memory. Again: what
/// is there stays.
pub(crate) fn ground(inner: &Inner, spec: &PodSpec, paths: &PodPaths) -> Result<(), RuntimeError> {
    let about = format!("pod {}/{}", spec.namespace, spec.name);
    let group = inner.config.pod_group(&spec.uid);
    fs::create_dir_all(paths.shm()).map_err(disk(&about))?;
    inner.hierarchies.create(&group, true).map_err(disk(&about))?;
    PodLimits::from(spec).apply(&inner.hierarchies, &group).map_err(disk(&about))?;
    if !spec.host_ipc && !sys::is_mount_point(&paths.shm()) {
        sys::mount_tmpfs(&paths.shm(), "mode=1777,size=64m").map_err(disk(&about))?;
    }
    Ok(())
}

fn prepare(inner: &Inner, spec: &PodSpec, paths: &PodPaths) -> Result<(), RuntimeError> {
    let about = format!("pod {}/{}", spec.namespace, spec.name);
    ground(inner, spec, paths)?;
    let written = files::put(&paths.directory, "hosts", &files::hosts(spec, None))
        .and_then(|()| files::put(&paths.directory, "hostname", &format!("{}\n", spec.hostname)))
        .and_then(|()| files::put(&paths.directory, "resolv.conf", &spec.resolv_conf))
        // The record last: a pod without one was never made.
        .and_then(|()| record::write(&paths.record(), &PodRecord { spec: spec.clone(), address: None }));
    written.map_err(disk(&about))
}

/// Starts a pod's supervisor and pins its namespaces. Blocks until it is ready.
pub(crate) fn spawn(inner: &Inner, uid: &str) -> Result<(), RuntimeError> {
    let paths = inner.config.pod(uid);
    if paths.released().exists() {
        return Err(released(uid));
    }
    let record = status::record_of(&paths, uid)?;
    let spec = &record.spec;
    let about = format!("pod {}/{}: supervisor", spec.namespace, spec.name);
    // Every pod has a host name of its own, so this one is always pinned.
    if !sys::is_mount_point(&paths.pins.join("uts")) {
        record::write(&paths.root(), &RootRecord { since: SystemTime::now() }).map_err(disk(&about))?;
    }
    let boot = Boot {
        hostname: spec.hostname.clone(),
        host_network: spec.host_network,
        host_ipc: spec.host_ipc,
        host_pid: spec.host_pid,
        share_pid: spec.share_pid,
        sysctls: spec.sysctls.clone(),
        pins: paths.pins.clone(),
        pods: inner.config.pods(),
        all_pins: inner.config.pins(),
        cgroup: inner.config.supervisors_group(),
        fencing: spec
            .fenced
            .then(|| Fencing { page: inner.config.promise_page.clone(), group: inner.config.pod_group(uid) }),
    };
    record::write(&paths.file(BOOT_FILE), &boot).map_err(disk(&about))?;
    let log =
        fs::OpenOptions::new().create(true).append(true).open(paths.file("supervisor.log")).map_err(disk(&about))?;
    let mut child = Command::new(&inner.config.supervisor_exe)
        .args(&inner.config.supervisor_args)
        .arg(&paths.directory)
        .env_clear()
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(log)
        .spawn()
        .map_err(disk(format!("{about}: run {}", inner.config.supervisor_exe.display())))?;
    let mut word = String::new();
    if let Some(mut stdout) = child.stdout.take() {
        stdout.read_to_string(&mut word).map_err(disk(&about))?;
    }
    if word != "ready\n" {
        let _ = child.kill();
        let ended = child.wait().map(|status| status.to_string()).unwrap_or_default();
        let why = word.trim().trim_start_matches("error: ");
        let why = if why.is_empty() { ended.as_str() } else { why };
        return Err(RuntimeError::Transient(format!("{about}: {why}")));
    }
    let pid = child.id() as i32;
    // Waited for by the pod's monitor, by its pidfd.
    drop(child);
    pin(&paths, spec, pid, status::processes(&paths).and_then(|processes| processes.pause).map(|pause| pause.pid))
        .map_err(disk(&about))
}

/// Pins a pod's namespaces by bind mounts, so that they and their paths outlive the supervisor.
pub(crate) fn pin(paths: &PodPaths, spec: &PodSpec, pid: i32, pause: Option<i32>) -> io::Result<()> {
    fs::create_dir_all(&paths.pins)?;
    let kinds = [
        ("net", !spec.host_network, Some(pid)),
        ("ipc", !spec.host_ipc, Some(pid)),
        ("uts", true, Some(pid)),
        ("pid", spec.share_pid && !spec.host_pid, pause),
    ];
    for (name, own, holder) in kinds {
        let target = paths.pins.join(name);
        if let (true, Some(holder), false) = (own, holder, sys::is_mount_point(&target)) {
            sys::bind_file(Path::new(&format!("/proc/{holder}/ns/{name}")), &target)?;
        }
    }
    Ok(())
}

/// Records the pod's address.
pub(crate) async fn set_address(inner: &Arc<Inner>, uid: &str, address: IpAddr) -> Result<(), RuntimeError> {
    let _lock = inner.lock_pod(uid).await;
    let (paths, uid) = (inner.config.pod(uid), uid.to_owned());
    blocking(move || {
        let mut record = status::record_of(&paths, &uid)?;
        record.address = Some(address);
        files::put(&paths.directory, "hosts", &files::hosts(&record.spec, record.address))
            .and_then(|()| record::write(&paths.record(), &record))
            .map_err(disk(format!("pod {uid}")))
    })
    .await
}

/// Takes away all of a pod that will never run again but its records and logs.
pub(crate) async fn release(inner: &Arc<Inner>, uid: &str) -> Result<(), RuntimeError> {
    let _lock = inner.lock_pod(uid).await;
    let paths = inner.config.pod(uid);
    status::record_of(&paths, uid)?;
    if status::containers(&paths).iter().any(Found::is_running) {
        return Err(RuntimeError::Invalid(format!("pod {uid} has a container that runs; stop it first")));
    }
    // The mark first: from here on nobody revives it, whatever becomes of the rest.
    let mark =
        |whole| record::write(&paths.released(), &Released { whole }).map_err(disk(format!("release pod {uid}")));
    mark(false)?;
    end(inner, uid).await?;
    let (worker, name) = (inner.clone(), uid.to_owned());
    blocking(move || clear(&worker, &name)).await?;
    mark(true)?;
    inner.tell(uid);
    Ok(())
}

fn clear(inner: &Inner, uid: &str) -> Result<(), RuntimeError> {
    let paths = inner.config.pod(uid);
    let about = format!("release pod {uid}");
    unground(inner, uid, &about)?;
    for directory in ["volumes", "subpaths", "shm"] {
        unless_gone(fs::remove_dir_all(paths.file(directory)), &about)?;
    }
    unless_gone(fs::remove_file(paths.file(PROCESS_FILE)), &about)
}

/// Removes a pod with everything that is its own. A pod that is not there is removed.
pub(crate) async fn remove(inner: &Arc<Inner>, uid: &str) -> Result<(), RuntimeError> {
    let _lock = inner.lock_pod(uid).await;
    end(inner, uid).await?;
    let (worker, name) = (inner.clone(), uid.to_owned());
    blocking(move || sweep(&worker, &name)).await?;
    inner.tell(uid);
    Ok(())
}

/// Ends all processes of a pod, and the watching.
async fn end(inner: &Arc<Inner>, uid: &str) -> Result<(), RuntimeError> {
    if let Some(monitor) = inner.monitors.lock().remove(uid) {
        monitor.abort();
    }
    inner.pipes.release(uid);
    let paths = inner.config.pod(uid);
    if !paths.directory.exists() && !paths.pins.exists() {
        return Ok(());
    }
    let (worker, group) = (inner.clone(), inner.config.pod_group(uid));
    blocking(move || cgroup::kill_all(&worker.hierarchies, &group, PATIENCE).map_err(disk("remove pod"))).await?;
    if let Some(processes) = status::processes(&paths) {
        // Politely first: it reaps what was just killed.
        let _ = tokio::time::timeout(POLITELY, client::ask(&paths.directory, &Request::Shutdown)).await;
        for process in [Some(processes.supervisor), processes.pause, processes.guard].into_iter().flatten() {
            if let Some(handle) = sys::PidFd::open(process.pid, process.start_time) {
                handle.kill(libc::SIGKILL);
            }
            if tokio::time::timeout(PATIENCE, pidfd::ended(process)).await.is_err() {
                return Err(RuntimeError::Transient(format!("pod {uid}: process {} does not end", process.pid)));
            }
        }
    }
    Ok(())
}

/// Takes away the pod's mounts, namespaces and cgroup.
fn unground(inner: &Inner, uid: &str, about: &str) -> Result<(), RuntimeError> {
    let paths = inner.config.pod(uid);
    sys::unmount_below(&paths.pins).map_err(disk(about))?;
    sys::unmount_below(&paths.directory).map_err(disk(about))?;
    cgroup::remove(&inner.hierarchies, &inner.config.pod_group(uid)).map_err(disk(about))?;
    unless_gone(fs::remove_dir_all(&paths.pins), about)
}

fn unless_gone(result: io::Result<()>, about: &str) -> Result<(), RuntimeError> {
    match result {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(disk(about)(error)),
        _ => Ok(()),
    }
}

fn sweep(inner: &Inner, uid: &str) -> Result<(), RuntimeError> {
    let paths = inner.config.pod(uid);
    let about = format!("remove pod {uid}");
    for container in status::containers(&paths) {
        inner.images.release(&container.directory);
    }
    unground(inner, uid, &about)?;
    // Renamed first: a crash in the middle leaves no half of a pod.
    let stamp = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos());
    let trash = inner.config.trash().join(format!("{uid}-{stamp}"));
    unless_gone(fs::rename(&paths.directory, &trash), &about)?;
    unless_gone(fs::remove_dir_all(&trash), &about)
}

//! Starting a container, and forgetting one.

use crate::border::{ContainerSpec, RuntimeError};
use crate::images::{blocking, disk};
use crate::pods::client::{self, Refused};
use crate::pods::config::is_plain;
use crate::pods::local::Inner;
use crate::pods::pipes;
use crate::pods::plan::{self, Inputs};
use crate::pods::status::{self, CONTAINER_FILE, ContainerRecord, Found};
use crate::pods::users::{self, Accounts};
use crate::supervisor::protocol::{MESSAGE_FILE, Reply, Request, STATE_FILE, StartContainer};
use crate::supervisor::{log_older, record};
use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

fn about(name: &str, uid: &str) -> String {
    format!("container \"{name}\" of pod {uid}")
}

/// Makes and starts one run of a container, or finds it made.
pub(crate) async fn start(inner: &Arc<Inner>, uid: &str, spec: &ContainerSpec) -> Result<String, RuntimeError> {
    if !is_plain(&spec.name) {
        return Err(RuntimeError::Invalid(format!("container name \"{}\" is not a plain word", spec.name)));
    }
    let _lock = inner.lock_container(uid, &spec.name).await;
    let paths = inner.config.pod(uid);
    let about = about(&spec.name, uid);
    if let Some(found) = find(inner, uid, &spec.name, spec.attempt) {
        if found.state.is_some() {
            return Ok(found.record.id);
        }
        // Its start was interrupted before anything ran.
        forget(inner, uid, &found).await?;
    }
    let (worker, owned, wanted) = (inner.clone(), uid.to_owned(), spec.clone());
    let request = blocking(move || prepare(&worker, &owned, &wanted)).await?;
    let id = request.id.clone();
    match client::ask(&paths.directory, &Request::Start(Box::new(request))).await {
        Ok(Reply::Started { .. }) => {
            pipes::hold(inner, uid).await;
            Ok(id)
        }
        Ok(other) => Err(RuntimeError::Transient(format!("{about}: the supervisor answered {other:?}"))),
        Err(Refused::Failed { message, code }) => {
            let state = status::never_started(code, message.clone());
            record::write(&paths.container(&id).join(STATE_FILE), &state).map_err(disk(&about))?;
            inner.tell(uid);
            Err(RuntimeError::Invalid(format!("{about} failed to start: {message}")))
        }
        Err(gone) => Err(gone.about(&about)),
    }
}

fn find(inner: &Inner, uid: &str, name: &str, attempt: u32) -> Option<Found> {
    let found = status::containers(&inner.config.pod(uid));
    found.into_iter().find(|it| it.record.spec.name == name && it.record.spec.attempt == attempt)
}

fn prepare(inner: &Inner, uid: &str, spec: &ContainerSpec) -> Result<StartContainer, RuntimeError> {
    let about = about(&spec.name, uid);
    let paths = inner.config.pod(uid);
    let pod = status::record_of(&paths, uid)?.spec;
    let image = inner.images.by_id(&spec.image_id)?;
    let image = image.ok_or_else(|| RuntimeError::NotFound(format!("image {}", spec.image_id)))?;
    let layers = inner.images.layers(&image.id)?;
    let in_container = |error: RuntimeError| RuntimeError::Invalid(format!("{about}: {error}"));
    let user = users::resolve(&spec.security, &image.config.user, &Accounts::read(&layers)).map_err(in_container)?;
    let stamp = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos());
    let id = crate::hex::sha256(format!("{uid}/{}/{}/{stamp}", spec.name, spec.attempt).as_bytes());
    let directory = paths.container(&id);
    let cgroup = format!("{}/{id}", inner.config.pod_group(uid));
    let message = directory.join(MESSAGE_FILE);
    let devices = if spec.security.privileged { devices(Path::new("/dev")) } else { Vec::new() };
    let config = plan::plan(&Inputs {
        pod: &pod,
        container: spec,
        image: &image.config,
        user: &user,
        directory: &paths.directory,
        message: &message,
        cgroup: &cgroup,
        unified: inner.hierarchies.unified(),
        v1: &inner.hierarchies.v1_mounts(),
        devices: &devices,
    })?;
    let container = ContainerRecord {
        id: id.clone(),
        spec: spec.clone(),
        user: (&user).into(),
        env: plan::environment(&pod, spec, &image.config, &user),
        cwd: plan::working_dir(spec, &image.config),
        privileges: plan::privileges(&spec.security),
        cgroup: cgroup.clone(),
        stop_signal: image.config.stop_signal.clone(),
        created_at: SystemTime::now(),
    };
    let written = fs::create_dir_all(&directory)
        .and_then(|()| fs::write(&message, b""))
        .and_then(|()| fs::set_permissions(&message, fs::Permissions::from_mode(0o666)))
        .and_then(|()| record::write(&directory.join("config.json"), &config))
        .and_then(|()| record::write(&directory.join(CONTAINER_FILE), &container));
    written.map_err(disk(&about))?;
    inner.images.lease(&image.id, &directory)?;
    Ok(StartContainer {
        id,
        cgroup,
        layers_root: inner.images.layout().directory("layers"),
        layers,
        log: paths.log(&spec.name, spec.attempt),
        privileges: container.privileges,
        uid: user.uid,
        gid: user.gid,
        cwd: container.cwd,
        tty: spec.tty,
        stdin: spec.stdin,
        stdin_once: spec.stdin_once,
        oom_score_adj: spec.limits.oom_score_adj,
        kill_rest: pod.share_pid || pod.host_pid,
        message_from_log: spec.termination_message_from_log,
    })
}

/// The host's device nodes, for a privileged container.
fn devices(directory: &Path) -> Vec<(PathBuf, char, u64, u64)> {
    let skipped = ["pts", "shm", "fd", "mqueue", "console", ".udev", "ptmx"];
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let Ok(metadata) = fs::symlink_metadata(entry.path()) else {
            continue;
        };
        if entry.file_name().to_str().is_none_or(|name| skipped.contains(&name)) {
            continue;
        }
        let kind = metadata.file_type();
        if kind.is_dir() {
            found.extend(devices(&entry.path()));
        } else if kind.is_char_device() || kind.is_block_device() {
            let letter = if kind.is_char_device() { 'c' } else { 'b' };
            let device = metadata.rdev();
            let (major, minor) = (nix::sys::stat::major(device), nix::sys::stat::minor(device));
            found.push((entry.path(), letter, major, minor));
        }
    }
    found.sort();
    found
}

/// Forgets an ended run.
pub(crate) async fn remove(inner: &Arc<Inner>, uid: &str, name: &str, attempt: u32) -> Result<(), RuntimeError> {
    let _lock = inner.lock_container(uid, name).await;
    let Some(found) = find(inner, uid, name, attempt) else {
        return Ok(());
    };
    if found.is_running() {
        return Err(RuntimeError::Invalid(format!("{} is running; stop it first", about(name, uid))));
    }
    forget(inner, uid, &found).await?;
    let log = inner.config.pod(uid).log(name, attempt);
    for path in std::iter::once(log.clone()).chain((1..8).map(|n| log_older(&log, n))) {
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(disk(path.display())(error));
            }
            _ => {}
        }
    }
    Ok(())
}

async fn forget(inner: &Arc<Inner>, uid: &str, found: &Found) -> Result<(), RuntimeError> {
    let about = about(&found.record.spec.name, uid);
    let paths = inner.config.pod(uid);
    let request = Request::Remove { id: found.record.id.clone(), cgroup: found.record.cgroup.clone() };
    client::ask(&paths.directory, &request).await.map_err(|error| error.about(&about))?;
    let (worker, directory) = (inner.clone(), found.directory.clone());
    blocking(move || {
        fs::remove_dir_all(&directory).map_err(disk(&about))?;
        worker.images.release(&directory);
        Ok(())
    })
    .await
}

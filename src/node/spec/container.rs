//! What the runtime needs for one run of a container.

use super::security::security;
use super::{Environment, Facts, SpecError, expand, resources};
use k8s_openapi::api::core::v1::{Container, Pod};
use raftsman_runtime::border::{ContainerSpec, Mount, MountSource, ResolvedImage};
use std::path::PathBuf;

/// A `volumeMount` whose place on the host is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BoundMount {
    /// On the host.
    pub source: PathBuf,
    /// In the container.
    pub target: PathBuf,
    /// Not writable.
    pub read_only: bool,
}

/// The image's reference as it is asked for: `:latest` where neither tag nor digest is given.
pub fn image_reference(container: &Container) -> String {
    let image = container.image.clone().unwrap_or_default();
    let last = image.rsplit('/').next().unwrap_or_default();
    if image.is_empty() || last.contains(':') || image.contains('@') { image } else { format!("{image}:latest") }
}

/// One run of this container.
///
/// # Errors
/// What the pod asks for cannot be made.
pub fn container_spec(
    pod: &Pod,
    container: &Container,
    attempt: u32,
    image: &ResolvedImage,
    env: &Environment,
    mounts: Vec<BoundMount>,
    facts: &Facts,
) -> Result<ContainerSpec, SpecError> {
    let filled = |texts: Option<&Vec<String>>| -> Vec<String> {
        let texts = texts.map(Vec::as_slice).unwrap_or_default();
        texts.iter().map(|text| expand(text, |name| env.get(name).map(str::to_owned))).collect()
    };
    let message_path = container.termination_message_path.clone().filter(|path| !path.is_empty());
    Ok(ContainerSpec {
        name: container.name.clone(),
        attempt,
        image_id: image.id.clone(),
        image: container.image.clone().unwrap_or_default(),
        command: filled(container.command.as_ref()),
        args: filled(container.args.as_ref()),
        env: env.variables.clone(),
        working_dir: container.working_dir.clone().filter(|dir| !dir.is_empty()),
        mounts: mounts
            .into_iter()
            .map(|mount| Mount {
                source: MountSource::Bind(mount.source),
                target: mount.target,
                read_only: mount.read_only,
            })
            .collect(),
        limits: resources::limits(pod, container, facts.memory),
        security: security(pod, container)?,
        tty: container.tty.unwrap_or(false),
        stdin: container.stdin.unwrap_or(false),
        stdin_once: container.stdin_once.unwrap_or(false),
        termination_message_from_log: container.termination_message_policy.as_deref() == Some("FallbackToLogsOnError"),
        termination_message_path: message_path.unwrap_or_else(|| "/dev/termination-log".to_owned()),
    })
}

//! `securityContext`: the container's own over the pod's.

use super::SpecError;
use k8s_openapi::api::core::v1::{Container, Pod};
use raftsman_runtime::border::Security;

fn id(value: Option<i64>, what: &str) -> Result<Option<u32>, SpecError> {
    let Some(value) = value else { return Ok(None) };
    u32::try_from(value).map(Some).map_err(|_| SpecError(format!("securityContext.{what}: {value} is no id")))
}

/// Who the container's process is and what it may do.
///
/// # Errors
/// An id out of range; a seccomp profile that is not supported.
pub fn security(pod: &Pod, container: &Container) -> Result<Security, SpecError> {
    let spec = pod.spec.as_ref();
    let outer = spec.and_then(|spec| spec.security_context.clone()).unwrap_or_default();
    let inner = container.security_context.clone().unwrap_or_default();
    let capabilities = inner.capabilities.unwrap_or_default();
    let plain = |names: Option<Vec<String>>| -> Vec<String> {
        let names = names.unwrap_or_default().into_iter();
        names.map(|name| name.strip_prefix("CAP_").map(str::to_owned).unwrap_or(name)).collect()
    };
    let mut groups = Vec::new();
    for group in outer.supplemental_groups.unwrap_or_default().into_iter().chain(outer.fs_group) {
        groups.extend(id(Some(group), "supplementalGroups")?);
    }
    let privileged = inner.privileged.unwrap_or(false);
    let seccomp = inner.seccomp_profile.or(outer.seccomp_profile);
    let seccomp_default = match seccomp.as_ref().map(|profile| profile.type_.as_str()) {
        Some("RuntimeDefault") => !privileged,
        None | Some("Unconfined") => false,
        Some(other) => {
            return Err(SpecError(format!("securityContext.seccompProfile: type {other} is not supported")));
        }
    };
    Ok(Security {
        run_as_user: id(inner.run_as_user.or(outer.run_as_user), "runAsUser")?,
        run_as_group: id(inner.run_as_group.or(outer.run_as_group), "runAsGroup")?,
        run_as_non_root: inner.run_as_non_root.or(outer.run_as_non_root).unwrap_or(false),
        supplemental_groups: groups,
        add_capabilities: plain(capabilities.add),
        drop_capabilities: plain(capabilities.drop),
        privileged,
        read_only_root: inner.read_only_root_filesystem.unwrap_or(false),
        no_new_privileges: inner.allow_privilege_escalation == Some(false),
        seccomp_default,
    })
}

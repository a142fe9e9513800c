//! What is wrong with volumes and mounts.

use super::spec::{nonnegative, text};
use crate::cause::invalid_each;
use crate::format;
use crate::status::Cause;
use k8s_openapi::api::core::v1::{Container, KeyToPath, PodSpec, Volume};
use std::collections::HashSet;

const HOST_PATH_TYPES: &[&str] =
    &["", "BlockDevice", "CharDevice", "Directory", "DirectoryOrCreate", "File", "FileOrCreate", "Socket"];

/// The names that mounts may use, and what is wrong.
pub fn validate(spec: &PodSpec, path: &str) -> (HashSet<String>, Vec<Cause>) {
    let mut names = HashSet::new();
    let mut causes = Vec::new();
    for (index, volume) in spec.volumes.iter().flatten().enumerate() {
        let at = format!("{path}[{index}]");
        if volume.name.is_empty() {
            causes.push(Cause::required(format!("{at}.name"), ""));
        } else {
            causes.extend(invalid_each(&format!("{at}.name"), &volume.name, format::dns_label(&volume.name)));
            if !names.insert(volume.name.clone()) {
                causes.push(Cause::duplicate(format!("{at}.name"), volume.name.as_str()));
            }
        }
        causes.extend(source(volume, &at));
    }
    (names, causes)
}

/// No way out of the volume.
fn local_path(value: &str, path: &str) -> Vec<Cause> {
    if value.starts_with('/') {
        return vec![Cause::invalid(path, value, "must be a relative path")];
    }
    no_parent(value, path)
}

fn no_parent(value: &str, path: &str) -> Vec<Cause> {
    if value.split('/').any(|step| step == "..") {
        return vec![Cause::invalid(path, value, "must not contain '..'")];
    }
    Vec::new()
}

fn items(items: &Option<Vec<KeyToPath>>, path: &str) -> Vec<Cause> {
    let mut causes = Vec::new();
    for (index, item) in items.iter().flatten().enumerate() {
        let at = format!("{path}.items[{index}]");
        if item.key.is_empty() {
            causes.push(Cause::required(format!("{at}.key"), ""));
        }
        if item.path.is_empty() {
            causes.push(Cause::required(format!("{at}.path"), ""));
        }
        causes.extend(local_path(&item.path, &format!("{at}.path")));
        causes.extend(mode(item.mode, &format!("{at}.mode")));
    }
    causes
}

fn mode(mode: Option<i32>, path: &str) -> Vec<Cause> {
    match mode {
        Some(mode) if !(0..=0o777).contains(&mode) => {
            vec![Cause::invalid(path, mode, "must be a number between 0 and 0777 (octal), both inclusive")]
        }
        _ => Vec::new(),
    }
}

fn source(volume: &Volume, path: &str) -> Vec<Cause> {
    let mut causes = Vec::new();
    let count = serde_json::to_value(volume)
        .ok()
        .and_then(|value| value.as_object().map(|map| map.keys().filter(|key| *key != "name").count()))
        .unwrap_or(0);
    if count == 0 {
        causes.push(Cause::required(path, "must specify a volume type"));
    } else if count > 1 {
        causes.push(Cause::forbidden(path, "may not specify more than 1 volume type"));
    }
    if let Some(host) = &volume.host_path {
        if host.path.is_empty() {
            causes.push(Cause::required(format!("{path}.hostPath.path"), ""));
        }
        causes.extend(no_parent(&host.path, &format!("{path}.hostPath.path")));
        if !HOST_PATH_TYPES.contains(&text(&host.type_)) {
            let at = format!("{path}.hostPath.type");
            causes.push(Cause::not_supported(at, text(&host.type_), HOST_PATH_TYPES));
        }
    }
    if let Some(config) = &volume.config_map {
        if config.name.is_empty() {
            causes.push(Cause::required(format!("{path}.configMap.name"), ""));
        }
        causes.extend(mode(config.default_mode, &format!("{path}.configMap.defaultMode")));
        causes.extend(items(&config.items, &format!("{path}.configMap")));
    }
    if let Some(secret) = &volume.secret {
        if text(&secret.secret_name).is_empty() {
            causes.push(Cause::required(format!("{path}.secret.secretName"), ""));
        }
        causes.extend(mode(secret.default_mode, &format!("{path}.secret.defaultMode")));
        causes.extend(items(&secret.items, &format!("{path}.secret")));
    }
    if let Some(empty) = &volume.empty_dir
        && let Some(limit) = &empty.size_limit
    {
        let bytes = limit.0.parse::<crate::quantity::Quantity>().unwrap_or_default().value();
        causes.extend(nonnegative(&format!("{path}.emptyDir.sizeLimit"), Some(bytes)));
    }
    if let Some(claim) = &volume.persistent_volume_claim
        && claim.claim_name.is_empty()
    {
        causes.push(Cause::required(format!("{path}.persistentVolumeClaim.claimName"), ""));
    }
    causes
}

/// Mounts of one container.
pub fn mounts(container: &Container, path: &str, volumes: &HashSet<String>) -> Vec<Cause> {
    let mut causes = Vec::new();
    let mut places = HashSet::new();
    for (index, mount) in container.volume_mounts.iter().flatten().enumerate() {
        let at = format!("{path}.volumeMounts[{index}]");
        if mount.name.is_empty() {
            causes.push(Cause::required(format!("{at}.name"), ""));
        } else if !volumes.contains(&mount.name) {
            causes.push(Cause::not_found(format!("{at}.name"), mount.name.as_str()));
        }
        if mount.mount_path.is_empty() {
            causes.push(Cause::required(format!("{at}.mountPath"), ""));
        } else if !places.insert(mount.mount_path.as_str()) {
            causes.push(Cause::invalid(format!("{at}.mountPath"), mount.mount_path.as_str(), "must be unique"));
        }
        let (sub_path, expression) = (text(&mount.sub_path), text(&mount.sub_path_expr));
        causes.extend(local_path(sub_path, &format!("{at}.subPath")));
        causes.extend(local_path(expression, &format!("{at}.subPathExpr")));
        if !sub_path.is_empty() && !expression.is_empty() {
            let detail = "subPathExpr and subPath are mutually exclusive";
            causes.push(Cause::invalid(format!("{at}.subPathExpr"), expression, detail));
        }
        if let Some(propagation) = &mount.mount_propagation {
            let supported = ["Bidirectional", "HostToContainer", "None"];
            if !supported.contains(&propagation.as_str()) {
                causes.push(Cause::not_supported(format!("{at}.mountPropagation"), propagation, &supported));
            }
        }
    }
    causes
}

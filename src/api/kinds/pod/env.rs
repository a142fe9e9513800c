//! What is wrong with environment variables.

use super::spec::text;
use crate::cause::invalid_each;
use crate::format;
use crate::status::Cause;
use k8s_openapi::api::core::v1::{Container, EnvVar, EnvVarSource};

const FIELDS: &[&str] = &[
    "metadata.name",
    "metadata.namespace",
    "metadata.uid",
    "spec.nodeName",
    "spec.serviceAccountName",
    "status.hostIP",
    "status.hostIPs",
    "status.podIP",
    "status.podIPs",
];
const RESOURCES: &[&str] = &[
    "limits.cpu",
    "limits.ephemeral-storage",
    "limits.memory",
    "requests.cpu",
    "requests.ephemeral-storage",
    "requests.memory",
];

pub fn validate(container: &Container, path: &str) -> Vec<Cause> {
    let mut causes = Vec::new();
    for (index, variable) in container.env.iter().flatten().enumerate() {
        let at = format!("{path}.env[{index}]");
        if variable.name.is_empty() {
            causes.push(Cause::required(format!("{at}.name"), ""));
        } else {
            causes.extend(invalid_each(&format!("{at}.name"), &variable.name, format::env_name(&variable.name)));
        }
        causes.extend(value_from(variable, &format!("{at}.valueFrom")));
    }
    for (index, source) in container.env_from.iter().flatten().enumerate() {
        let at = format!("{path}.envFrom[{index}]");
        let prefix = text(&source.prefix);
        if !prefix.is_empty() {
            causes.extend(invalid_each(&format!("{at}.prefix"), prefix, format::env_name(prefix)));
        }
        match (&source.config_map_ref, &source.secret_ref) {
            (None, None) => {
                causes.push(Cause::invalid(&at, "", "must specify one of: `configMapRef` or `secretRef`"));
            }
            (Some(_), Some(_)) => {
                causes.push(Cause::invalid(&at, "", "may not have more than one field specified at a time"));
            }
            (Some(found), None) if found.name.is_empty() => {
                causes.push(Cause::required(format!("{at}.configMapRef.name"), ""));
            }
            (None, Some(found)) if found.name.is_empty() => {
                causes.push(Cause::required(format!("{at}.secretRef.name"), ""));
            }
            _ => {}
        }
    }
    causes
}

fn value_from(variable: &EnvVar, path: &str) -> Vec<Cause> {
    let Some(source) = &variable.value_from else {
        return Vec::new();
    };
    let mut causes = sources(source, path);
    let given = [
        source.field_ref.is_some(),
        source.resource_field_ref.is_some(),
        source.config_map_key_ref.is_some(),
        source.secret_key_ref.is_some(),
        source.file_key_ref.is_some(),
    ];
    let count = given.iter().filter(|given| **given).count();
    if count == 0 {
        let detail =
            "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`";
        causes.push(Cause::invalid(path, "", detail));
    } else if !text(&variable.value).is_empty() {
        causes.push(Cause::invalid(path, "", "may not be specified when `value` is not empty"));
    } else if count > 1 {
        causes.push(Cause::invalid(path, "", "may not have more than one field specified at a time"));
    }
    causes
}

fn sources(source: &EnvVarSource, path: &str) -> Vec<Cause> {
    let mut causes = Vec::new();
    if let Some(field) = &source.field_ref {
        let at = format!("{path}.fieldRef.fieldPath");
        let subscript = ["metadata.labels['", "metadata.annotations['"]
            .iter()
            .any(|start| field.field_path.strip_prefix(start).is_some_and(|rest| rest.ends_with("']")));
        if field.field_path.is_empty() {
            causes.push(Cause::required(at, ""));
        } else if !subscript && !FIELDS.contains(&field.field_path.as_str()) {
            causes.push(Cause::not_supported(at, &field.field_path, FIELDS));
        }
    }
    if let Some(field) = &source.resource_field_ref {
        let at = format!("{path}.resourceFieldRef.resource");
        let huge = ["limits.hugepages-", "requests.hugepages-"].iter().any(|start| field.resource.starts_with(start));
        if field.resource.is_empty() {
            causes.push(Cause::required(at, ""));
        } else if !huge && !RESOURCES.contains(&field.resource.as_str()) {
            causes.push(Cause::not_supported(at, &field.resource, RESOURCES));
        }
    }
    let config = source.config_map_key_ref.as_ref().map(|found| ("configMapKeyRef", &found.name, &found.key));
    let secret = source.secret_key_ref.as_ref().map(|found| ("secretKeyRef", &found.name, &found.key));
    for (field, name, key) in config.into_iter().chain(secret) {
        if name.is_empty() {
            causes.push(Cause::required(format!("{path}.{field}.name"), ""));
        }
        if key.is_empty() {
            causes.push(Cause::required(format!("{path}.{field}.key"), ""));
        } else {
            causes.extend(invalid_each(&format!("{path}.{field}.key"), key, format::config_key(key)));
        }
    }
    causes
}

//! A container's environment: `envFrom`, `env`, service variables, in the kubelet's order.

use super::{Facts, SpecError, expand, field, resource_field, service_links};
use crate::world::World;
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::{Container, EnvVarSource, Pod};
use std::collections::BTreeMap;

/// A container's environment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Environment {
    /// Names and values, each name once, in the order of their making.
    pub variables: Vec<(String, String)>,
    /// Names that no environment can have: (`ConfigMap ns/name`, keys).
    pub skipped: Vec<(String, Vec<String>)>,
}

impl Environment {
    /// A variable's value.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.variables.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    fn set(&mut self, name: &str, value: String) {
        match self.variables.iter_mut().find(|(known, _)| known == name) {
            Some(known) => known.1 = value,
            None => self.variables.push((name.to_owned(), value)),
        }
    }
}

/// Printable ASCII but `=`, as relaxed validation has it.
fn valid(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| (0x20..0x7f).contains(&byte) && byte != b'=')
}

/// The environment of this container.
///
/// # Errors
/// A ConfigMap, Secret or key that is named and not optional is absent; a field that is not supported.
pub fn environment(pod: &Pod, container: &Container, world: &World, facts: &Facts) -> Result<Environment, SpecError> {
    let namespace = pod.metadata.namespace.as_deref().unwrap_or_default();
    let links = service_links(pod, world.services());
    let mut env = Environment::default();
    for source in container.env_from.iter().flatten() {
        let prefix = source.prefix.as_deref().unwrap_or_default();
        let (what, data) = if let Some(map) = &source.config_map_ref {
            let data = world.config_map(namespace, &map.name).map(|map| map.data.clone().unwrap_or_default());
            (missing("configmap", "ConfigMap", namespace, &map.name, map.optional, data.is_none())?, data)
        } else if let Some(secret) = &source.secret_ref {
            let data = world.secret(namespace, &secret.name).map(|secret| text(secret.data.as_ref()));
            (missing("secret", "Secret", namespace, &secret.name, secret.optional, data.is_none())?, data)
        } else {
            continue;
        };
        let mut skipped = Vec::new();
        for (key, value) in data.unwrap_or_default() {
            let name = format!("{prefix}{key}");
            if valid(&name) { env.set(&name, value) } else { skipped.push(name) }
        }
        if !skipped.is_empty() {
            env.skipped.push((what, skipped));
        }
    }
    for variable in container.env.iter().flatten() {
        let value = match (&variable.value, &variable.value_from) {
            (Some(value), _) if !value.is_empty() => Some(expand(value, |name| {
                let linked = || links.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone());
                env.get(name).map(str::to_owned).or_else(linked)
            })),
            (_, Some(source)) => from(pod, container, source, world, facts)?,
            _ => Some(String::new()),
        };
        if let Some(value) = value {
            env.set(&variable.name, value);
        }
    }
    for (name, value) in links {
        if env.get(&name).is_none() {
            env.variables.push((name, value));
        }
    }
    Ok(env)
}

/// The source's name for messages, or the error if it is absent and needed.
fn missing(
    lower: &str,
    kind: &str,
    namespace: &str,
    name: &str,
    optional: Option<bool>,
    absent: bool,
) -> Result<String, SpecError> {
    if absent && !optional.unwrap_or(false) {
        return Err(SpecError(format!("{lower} \"{name}\" not found")));
    }
    Ok(format!("{kind} {namespace}/{name}"))
}

fn text(data: Option<&BTreeMap<String, ByteString>>) -> BTreeMap<String, String> {
    let pairs = data.into_iter().flatten();
    pairs.map(|(key, value)| (key.clone(), String::from_utf8_lossy(&value.0).into_owned())).collect()
}

/// `None`: optional and absent.
fn from(
    pod: &Pod,
    container: &Container,
    source: &EnvVarSource,
    world: &World,
    facts: &Facts,
) -> Result<Option<String>, SpecError> {
    let namespace = pod.metadata.namespace.as_deref().unwrap_or_default();
    if let Some(selector) = &source.field_ref {
        return field(pod, &selector.field_path, facts).map(Some);
    }
    if let Some(selector) = &source.resource_field_ref {
        return resource_field(pod, Some(container), selector, facts).map(Some);
    }
    let (lower, kind, name, key, optional, data) = if let Some(key) = &source.config_map_key_ref {
        let data = world.config_map(namespace, &key.name).map(|map| map.data.clone().unwrap_or_default());
        ("configmap", "ConfigMap", &key.name, &key.key, key.optional, data)
    } else if let Some(key) = &source.secret_key_ref {
        let data = world.secret(namespace, &key.name).map(|secret| text(secret.data.as_ref()));
        ("secret", "Secret", &key.name, &key.key, key.optional, data)
    } else {
        return Err(SpecError("env: this valueFrom is not supported".to_owned()));
    };
    let optional = optional.unwrap_or(false);
    match data {
        None if optional => Ok(None),
        None => Err(SpecError(format!("{lower} \"{name}\" not found"))),
        Some(mut data) => match data.remove(key) {
            Some(value) => Ok(Some(value)),
            None if optional => Ok(None),
            None => Err(SpecError(format!("couldn't find key {key} in {kind} {namespace}/{name}"))),
        },
    }
}

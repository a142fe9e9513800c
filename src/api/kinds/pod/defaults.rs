//! Defaults of pods and pod templates.

use crate::value::{At, at_mut, ensure, list_mut, set, set_default};
use serde_json::{Map, Value, json};

/// A pod: its spec's defaults, and what only pods (not templates) get.
pub fn default_pod(object: &mut Value) {
    let Some(spec) = object.get_mut("spec") else {
        return;
    };
    default_spec(spec);
    set_default(spec, "enableServiceLinks", true);
    for list in ["initContainers", "containers"] {
        for container in list_mut(spec, list) {
            requests_from_limits(container);
        }
    }
}

/// What a container may use is what it asks for, unless it says otherwise.
fn requests_from_limits(container: &mut Value) {
    let Some(limits) = container.map("resources.limits").cloned() else {
        return;
    };
    let Some(requests) = ensure(container, "resources.requests") else {
        return;
    };
    for (resource, limit) in limits {
        requests.entry(resource).or_insert(limit);
    }
}

/// A pod spec, in a pod or in a template.
pub fn default_spec(spec: &mut Value) {
    if !spec.is_object() {
        return;
    }
    set_default(spec, "restartPolicy", "Always");
    set_default(spec, "dnsPolicy", "ClusterFirst");
    set_default(spec, "schedulerName", "default-scheduler");
    set_default(spec, "terminationGracePeriodSeconds", 30);
    set_default(spec, "securityContext", Value::Object(Map::new()));
    if spec.text("serviceAccountName").is_empty() && spec.has("serviceAccount") {
        let name = spec.at("serviceAccount").clone();
        set(spec, "serviceAccountName", name);
    }
    if spec.has("serviceAccountName") {
        // The deprecated alias always says the same.
        let name = spec.at("serviceAccountName").clone();
        set(spec, "serviceAccount", name);
    }
    let host_network = spec.flag("hostNetwork");
    for list in ["initContainers", "containers", "ephemeralContainers"] {
        for container in list_mut(spec, list) {
            default_container(container, host_network);
        }
    }
    for volume in list_mut(spec, "volumes") {
        default_volume(volume);
    }
    for constraint in list_mut(spec, "topologySpreadConstraints") {
        set_default(constraint, "maxSkew", 1);
    }
}

fn default_container(container: &mut Value, host_network: bool) {
    if container.text("imagePullPolicy").is_empty() {
        let policy = if is_latest(container.text("image")) { "Always" } else { "IfNotPresent" };
        set(container, "imagePullPolicy", policy);
    }
    set_default(container, "terminationMessagePath", "/dev/termination-log");
    set_default(container, "terminationMessagePolicy", "File");
    set_default(container, "resources", Value::Object(Map::new()));
    for port in list_mut(container, "ports") {
        set_default(port, "protocol", "TCP");
        if host_network && port.int("hostPort").unwrap_or(0) == 0 {
            let number = port.at("containerPort").clone();
            set(port, "hostPort", number);
        }
    }
    for probe in ["livenessProbe", "readinessProbe", "startupProbe"] {
        if let Some(probe) = container.get_mut(probe) {
            default_probe(probe);
        }
    }
    for hook in ["lifecycle.postStart", "lifecycle.preStop"] {
        if let Some(hook) = at_mut(container, hook) {
            default_http_get(hook);
        }
    }
    for variable in list_mut(container, "env") {
        if variable.has("valueFrom.fieldRef") {
            set_default(variable, "valueFrom.fieldRef.apiVersion", "v1");
        }
        if variable.has("valueFrom.resourceFieldRef") {
            set_default(variable, "valueFrom.resourceFieldRef.divisor", "0");
        }
    }
}

/// The image names no digest, and no tag or `latest`.
fn is_latest(image: &str) -> bool {
    if image.contains('@') {
        return false;
    }
    let last = image.rsplit('/').next().unwrap_or(image);
    last.split_once(':').is_none_or(|(_, tag)| tag == "latest")
}

fn default_http_get(handler: &mut Value) {
    if handler.has("httpGet") {
        set_default(handler, "httpGet.path", "/");
        set_default(handler, "httpGet.scheme", "HTTP");
    }
}

fn default_probe(probe: &mut Value) {
    default_http_get(probe);
    if probe.has("grpc") {
        set_default(probe, "grpc.service", "");
    }
    for (field, number) in
        [("timeoutSeconds", 1), ("periodSeconds", 10), ("successThreshold", 1), ("failureThreshold", 3)]
    {
        if probe.int(field).unwrap_or(0) == 0 {
            set(probe, field, number);
        }
    }
}

fn default_field_items(items: &mut [Value]) {
    for item in items {
        if item.has("fieldRef") {
            set_default(item, "fieldRef.apiVersion", "v1");
        }
        if item.has("resourceFieldRef") {
            set_default(item, "resourceFieldRef.divisor", "0");
        }
    }
}

fn default_volume(volume: &mut Value) {
    let sources = volume.as_object().map_or(0, |map| map.keys().filter(|key| *key != "name").count());
    if sources == 0 {
        set(volume, "emptyDir", json!({}));
    }
    for source in ["secret", "configMap", "downwardAPI", "projected"] {
        if volume.has(source) {
            set_default(volume, &format!("{source}.defaultMode"), 0o644);
        }
    }
    if volume.has("hostPath") {
        set_default(volume, "hostPath.type", "");
    }
    default_field_items(list_mut(volume, "downwardAPI.items"));
    for source in list_mut(volume, "projected.sources") {
        if source.has("serviceAccountToken") {
            set_default(source, "serviceAccountToken.expirationSeconds", 3600);
        }
        default_field_items(list_mut(source, "downwardAPI.items"));
    }
}

//! Environment, service variables, downward API.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use super::{Environment, Facts, SpecError, environment, field, resource_field};
use crate::world::World;
use k8s_openapi::api::core::v1::Pod;
use serde_json::{Value, json};
use std::net::{IpAddr, Ipv4Addr};

fn facts() -> Facts {
    Facts {
        host_ip: IpAddr::V4(Ipv4Addr::new(10, 89, 0, 11)),
        pod_ip: Some(IpAddr::V4(Ipv4Addr::new(10, 244, 1, 2))),
        cpus: 4,
        memory: 8 << 30,
        disk: 100 << 30,
    }
}

fn world() -> World {
    let mut world = World::default();
    let mut put = |resource: &str, namespace: &str, name: &str, mut json: Value| {
        json["metadata"] = json!({"name": name, "namespace": namespace});
        world.put(resource, &(namespace.to_owned(), name.to_owned()), &serde_json::to_vec(&json).unwrap()).unwrap();
    };
    put("configmaps", "ns", "map", json!({"data": {"A": "1", "B": "2", "no=name": "x"}}));
    put("secrets", "ns", "safe", json!({"data": {"PASS": "aHVzaA=="}}));
    put(
        "services",
        "ns",
        "my-sql",
        json!({"spec": {"clusterIP": "10.96.0.7", "ports": [
        {"name": "db", "port": 3306, "protocol": "TCP"}, {"name": "x-admin", "port": 9, "protocol": "UDP"}]}}),
    );
    put("services", "ns", "headless", json!({"spec": {"clusterIP": "None", "ports": [{"port": 1}]}}));
    put("services", "other", "far", json!({"spec": {"clusterIP": "10.96.0.8", "ports": [{"port": 1}]}}));
    put(
        "services",
        "default",
        "kubernetes",
        json!({"spec": {"clusterIP": "10.96.0.1", "ports": [{"name": "https", "port": 443}]}}),
    );
    world
}

fn pod(container: Value, more: Value) -> Pod {
    let mut spec =
        json!({"nodeName": "n1", "serviceAccountName": "sa", "enableServiceLinks": false, "containers": [container]});
    spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let metadata = json!({"name": "p", "namespace": "ns", "uid": "u", "labels": {"b": "2", "a": "x\"y"}});
    serde_json::from_value(json!({"metadata": metadata, "spec": spec})).unwrap()
}

fn make(container: Value, more: Value) -> Result<Environment, SpecError> {
    let pod = pod(container, more);
    environment(&pod, &pod.spec.as_ref().unwrap().containers[0], &world(), &facts())
}

#[test]
fn sources_come_first_and_variables_override() {
    let env = make(
        json!({"name": "c",
            "envFrom": [{"configMapRef": {"name": "map"}, "prefix": "P_"}, {"secretRef": {"name": "safe"}}, {"configMapRef": {"name": "none", "optional": true}}],
            "env": [
                {"name": "P_B", "value": "over $(P_A)"},
                {"name": "LATE", "value": "$(PASS) $(NEXT) $$(PASS)"},
                {"name": "NEXT", "value": "n"},
                {"name": "KEY", "valueFrom": {"configMapKeyRef": {"name": "map", "key": "A"}}},
                {"name": "SECRET", "valueFrom": {"secretKeyRef": {"name": "safe", "key": "PASS"}}},
                {"name": "OPTIONAL", "valueFrom": {"secretKeyRef": {"name": "safe", "key": "none", "optional": true}}},
                {"name": "IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
            ]}),
        json!({}),
    )
    .unwrap();
    for (name, value) in [
        ("P_A", "1"),
        ("P_B", "over 1"),
        ("PASS", "hush"),
        ("LATE", "hush $(NEXT) $(PASS)"),
        ("KEY", "1"),
        ("SECRET", "hush"),
        ("IP", "10.244.1.2"),
        ("KUBERNETES_SERVICE_HOST", "10.96.0.1"),
    ] {
        assert_eq!(env.get(name), Some(value), "{name}");
    }
    assert_eq!(env.get("OPTIONAL"), None);
    assert_eq!(env.get("MY_SQL_SERVICE_HOST"), None);
    assert_eq!(env.skipped, [("ConfigMap ns/map".to_owned(), vec!["P_no=name".to_owned()])]);
}

#[test]
fn services_of_the_namespace_are_linked() {
    let container = json!({"name": "c", "env": [
        {"name": "URL", "value": "jdbc://$(MY_SQL_SERVICE_HOST):$(MY_SQL_SERVICE_PORT)"},
        {"name": "MY_SQL_PORT", "value": "mine"}]});
    let env = make(container, json!({"enableServiceLinks": true})).unwrap();
    for (name, value) in [
        ("URL", "jdbc://10.96.0.7:3306"),
        ("MY_SQL_SERVICE_HOST", "10.96.0.7"),
        ("MY_SQL_SERVICE_PORT", "3306"),
        ("MY_SQL_SERVICE_PORT_DB", "3306"),
        ("MY_SQL_SERVICE_PORT_X_ADMIN", "9"),
        ("MY_SQL_PORT", "mine"),
        ("MY_SQL_PORT_3306_TCP", "tcp://10.96.0.7:3306"),
        ("MY_SQL_PORT_3306_TCP_PROTO", "tcp"),
        ("MY_SQL_PORT_3306_TCP_PORT", "3306"),
        ("MY_SQL_PORT_3306_TCP_ADDR", "10.96.0.7"),
        ("MY_SQL_PORT_9_UDP", "udp://10.96.0.7:9"),
        ("KUBERNETES_PORT", "tcp://10.96.0.1:443"),
    ] {
        assert_eq!(env.get(name), Some(value), "{name}");
    }
    assert!(env.variables.iter().all(|(name, _)| !name.starts_with("HEADLESS") && !name.starts_with("FAR")));
}

#[test]
fn what_is_missing_is_named() {
    for (source, expected) in [
        (
            json!({"env": [{"name": "X", "valueFrom": {"configMapKeyRef": {"name": "none", "key": "A"}}}]}),
            "configmap \"none\" not found",
        ),
        (
            json!({"env": [{"name": "X", "valueFrom": {"secretKeyRef": {"name": "none", "key": "A"}}}]}),
            "secret \"none\" not found",
        ),
        (
            json!({"env": [{"name": "X", "valueFrom": {"secretKeyRef": {"name": "safe", "key": "none"}}}]}),
            "couldn't find key none in Secret ns/safe",
        ),
        (json!({"envFrom": [{"configMapRef": {"name": "none"}}]}), "configmap \"none\" not found"),
        (
            json!({"env": [{"name": "X", "valueFrom": {"fieldRef": {"fieldPath": "spec.none"}}}]}),
            "unsupported fieldPath: spec.none",
        ),
    ] {
        let mut container = source;
        container["name"] = json!("c");
        assert_eq!(make(container, json!({})).unwrap_err().0, expected);
    }
}

#[test]
fn fields_and_resources_are_text() {
    let container =
        json!({"name": "c", "resources": {"limits": {"cpu": "1500m", "memory": "100Mi"}, "requests": {"cpu": "250m"}}});
    let pod = pod(container, json!({}));
    for (path, expected) in [
        ("metadata.name", "p"),
        ("metadata.namespace", "ns"),
        ("metadata.labels['b']", "2"),
        ("metadata.labels['none']", ""),
        ("metadata.labels", "a=\"x\\\"y\"\nb=\"2\""),
        ("spec.nodeName", "n1"),
        ("spec.serviceAccountName", "sa"),
        ("status.hostIP", "10.89.0.11"),
    ] {
        assert_eq!(field(&pod, path, &facts()).unwrap(), expected, "{path}");
    }
    for (resource, divisor, expected) in [
        ("limits.cpu", "0", "2"),
        ("limits.cpu", "1m", "1500"),
        ("requests.cpu", "1m", "250"),
        ("limits.memory", "1Mi", "100"),
        ("requests.memory", "0", "104857600"),
        ("limits.ephemeral-storage", "1Gi", "100"),
    ] {
        let selector =
            serde_json::from_value(json!({"containerName": "c", "resource": resource, "divisor": divisor})).unwrap();
        assert_eq!(resource_field(&pod, None, &selector, &facts()).unwrap(), expected, "{resource} {divisor}");
    }
}

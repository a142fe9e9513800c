#![allow(clippy::unwrap_used)]
use super::*;
use crate::registry;
use k8s_openapi::DeepMerge;
use k8s_openapi::api::core::v1 as core;
use serde_json::{Value, json};

/// Optional strings, numbers and booleans whose zero value is their absence.
const LEFT_OUT: usize = 382;

fn find(definition: &str) -> &'static Struct {
    match registry::definitions().by_name(definition) {
        Some(Shape::Struct(index)) => registry::definitions().get(*index).unwrap(),
        other => panic!("{definition}: {other:?}"),
    }
}

/// Every row stands for a field that is there, of the right shape, with keys that its items have.
#[test]
fn every_row_names_a_real_field() {
    let definitions = registry::definitions();
    let mut seen = 0;
    for found in definitions.structs() {
        for (name, field) in &found.fields {
            let Some(rule) = field.rule else { continue };
            seen += 1;
            let place = format!("{}.{name}", found.name);
            let items = match (&field.shape, rule.list) {
                (Shape::Map(_), ListKind::AtomicMap) | (Shape::Struct(_), ListKind::Untagged) => {
                    continue;
                }
                (Shape::List(items), _) => items,
                other => panic!("{place}: {other:?}"),
            };
            let mut keys: Vec<&str> = vec![rule.merge_key];
            if let ListKind::Map(map_keys) = rule.list {
                keys.extend(map_keys);
            }
            for key in keys.into_iter().filter(|key| !key.is_empty()) {
                let Shape::Struct(index) = **items else { panic!("{place} has no structs") };
                assert!(definitions.get(index).unwrap().fields.contains_key(key), "{place}: {key}");
            }
        }
    }
    assert_eq!(seen, MERGE_KEYS.len(), "a row that no type has");
}

/// With every list in one order: where items stand is not what is compared.
fn sorted(mut value: Value) -> Value {
    match &mut value {
        Value::Array(items) => {
            items.iter_mut().for_each(|item| *item = sorted(item.take()));
            items.sort_by_key(Value::to_string);
        }
        Value::Object(map) => map.values_mut().for_each(|value| *value = sorted(value.take())),
        _ => {}
    }
    value
}

/// `DeepMerge` of the generated types knows the same keys.
#[test]
fn deep_merge_agrees() {
    fn deep<T: DeepMerge + serde::de::DeserializeOwned + serde::Serialize>(a: &Value, b: &Value) -> Value {
        let mut merged: T = serde_json::from_value(a.clone()).unwrap();
        merged.merge_from(serde_json::from_value(b.clone()).unwrap());
        sorted(serde_json::to_value(merged).unwrap())
    }
    let strategic = |definition: &str, a: &Value, b: &Value| {
        let definitions = registry::definitions();
        sorted(crate::patch::strategic(definitions, definitions.by_name(definition).unwrap(), a, b).unwrap())
    };
    let (a, b) = (
        json!({
            "containers": [
                { "name": "a", "image": "1", "args": ["x"], "env": [{ "name": "A", "value": "1" }],
                  "volumeMounts": [{ "mountPath": "/a", "name": "v" }] },
                { "name": "b", "image": "2" },
            ],
            "volumes": [{ "name": "v", "emptyDir": {} }],
            "tolerations": [{ "key": "a" }],
            "hostAliases": [{ "ip": "1.1.1.1", "hostnames": ["x"] }],
            "imagePullSecrets": [{ "name": "s" }],
        }),
        json!({
            "containers": [
                { "name": "b", "image": "3" },
                { "name": "a", "args": ["y"], "env": [{ "name": "B", "value": "2" }, { "name": "A", "value": "3" }],
                  "volumeMounts": [{ "mountPath": "/b", "name": "v" }] },
            ],
            "volumes": [{ "name": "w", "emptyDir": {} }],
            "tolerations": [{ "key": "b" }],
            "hostAliases": [{ "ip": "1.1.1.1", "hostnames": ["y"] }],
            "imagePullSecrets": [{ "name": "t" }],
        }),
    );
    assert_eq!(strategic("io.k8s.api.core.v1.PodSpec", &a, &b), deep::<core::PodSpec>(&a, &b));
    let (a, b) = (
        json!({ "conditions": [{ "type": "Ready", "status": "False" }, { "type": "X", "status": "True" }] }),
        json!({ "conditions": [{ "type": "Ready", "status": "True" }] }),
    );
    assert_eq!(strategic("io.k8s.api.core.v1.PodStatus", &a, &b), deep::<core::PodStatus>(&a, &b));
    assert_eq!(strategic("io.k8s.api.core.v1.NodeStatus", &a, &b), deep::<core::NodeStatus>(&a, &b));
    let (a, b) = (
        json!({ "ports": [{ "port": 80, "protocol": "TCP", "nodePort": 30000 }], "externalIPs": ["1.1.1.1"] }),
        json!({ "ports": [{ "port": 80, "protocol": "TCP", "name": "http" }], "externalIPs": ["2.2.2.2"] }),
    );
    assert_eq!(strategic("io.k8s.api.core.v1.ServiceSpec", &a, &b), deep::<core::ServiceSpec>(&a, &b));
}

#[test]
fn shapes_are_those_of_the_types() {
    let container = find("io.k8s.api.core.v1.Container");
    assert_eq!(container.fields["image"].shape, Shape::Text);
    assert_eq!(container.fields["tty"].shape, Shape::Bool);
    let resources = find("io.k8s.api.core.v1.ResourceRequirements");
    assert_eq!(resources.fields["limits"].shape, Shape::Map(Box::new(Shape::Quantity)));
    let meta = find("io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta");
    assert_eq!(meta.fields["creationTimestamp"].shape, Shape::Time);
    assert_eq!(find("io.k8s.api.coordination.v1.LeaseSpec").fields["renewTime"].shape, Shape::MicroTime);
    assert_eq!(find("io.k8s.api.core.v1.Secret").fields["data"].shape, Shape::Map(Box::new(Shape::Bytes)));
    assert_eq!(find("io.k8s.api.core.v1.ServicePort").fields["targetPort"].shape, Shape::IntOrString);
    assert!(find("io.k8s.apimachinery.pkg.apis.meta.v1.LabelSelector").atomic);
    let entry = find("io.k8s.apimachinery.pkg.apis.meta.v1.ManagedFieldsEntry");
    assert_eq!(entry.fields["fieldsV1"].shape, Shape::Any);
}

/// Every row stands for a field that is there, and that nobody requires.
#[test]
fn zeros_are_kept_of_real_fields() {
    let scalar = |shape: &Shape| matches!(shape, Shape::Text | Shape::Bool | Shape::Int32 | Shape::Int64);
    let (mut kept, mut left_out) = (0, 0);
    for found in registry::definitions().structs() {
        let optional = found.fields.iter().filter(|(_, field)| scalar(&field.shape) && !field.required);
        for (_, field) in optional {
            *(if field.keeps_zero { &mut kept } else { &mut left_out }) += 1;
        }
    }
    assert_eq!(kept, KEEPS_ZERO.iter().map(|(_, fields)| fields.len()).sum::<usize>(), "a row that no type has");
    // A newer schema has more: whether upstream's type is a pointer decides where each of them belongs.
    assert_eq!(left_out, LEFT_OUT, "optional fields came or went");
}

#[test]
fn zeros_that_mean_nothing_are_left_out_and_the_others_stay() {
    let decoded = |definition: &str, json: Value| {
        let definitions = registry::definitions();
        decode(definitions, definitions.by_name(definition).unwrap(), &json).unwrap().object
    };
    let pod = json!({
        "hostNetwork": false, "hostPID": false, "hostname": "", "hostUsers": false, "priority": 0, "runtimeClassName": "",
        "enableServiceLinks": false, "terminationGracePeriodSeconds": 0,
        "containers": [{
            "name": "c", "tty": false, "stdin": false, "workingDir": "",
            "ports": [{ "containerPort": 80, "hostPort": 0 }],
            "securityContext": { "runAsUser": 0, "privileged": false },
            "livenessProbe": { "initialDelaySeconds": 0, "tcpSocket": { "port": 0 }, "terminationGracePeriodSeconds": 0 },
            "volumeMounts": [{ "name": "v", "mountPath": "/v", "readOnly": false }],
        }],
    });
    assert_eq!(
        decoded("io.k8s.api.core.v1.PodSpec", pod),
        json!({
            "hostUsers": false, "priority": 0, "runtimeClassName": "",
            "enableServiceLinks": false, "terminationGracePeriodSeconds": 0,
            "containers": [{
                "name": "c",
                "ports": [{ "containerPort": 80 }],
                "securityContext": { "runAsUser": 0, "privileged": false },
                "livenessProbe": { "tcpSocket": { "port": 0 }, "terminationGracePeriodSeconds": 0 },
                "volumeMounts": [{ "name": "v", "mountPath": "/v" }],
            }],
        })
    );
    let deployment = json!({ "replicas": 0, "minReadySeconds": 0, "paused": false, "selector": {}, "template": {} });
    assert_eq!(
        decoded("io.k8s.api.apps.v1.DeploymentSpec", deployment),
        json!({ "replicas": 0, "selector": {}, "template": {} })
    );
    // No class at all is not the default class.
    let claim = json!({ "storageClassName": "", "volumeName": "", "volumeAttributesClassName": "" });
    assert_eq!(
        decoded("io.k8s.api.core.v1.PersistentVolumeClaimSpec", claim),
        json!({ "storageClassName": "", "volumeAttributesClassName": "" })
    );
    let endpoint = json!({ "addresses": [], "nodeName": "", "conditions": { "ready": false } });
    assert_eq!(decoded("io.k8s.api.discovery.v1.Endpoint", endpoint.clone()), endpoint);
}

#![allow(clippy::unwrap_used)]
use super::*;
use crate::registry;
use serde_json::json;

fn apply(kind: &str, object: &Value, patch: &Value) -> Result<Value, PatchError> {
    let definitions = registry::definitions();
    strategic(definitions, definitions.by_name(kind).unwrap(), object, patch)
}

const POD: &str = "io.k8s.api.core.v1.Pod";
const SERVICE: &str = "io.k8s.api.core.v1.Service";
const DEPLOYMENT: &str = "io.k8s.api.apps.v1.Deployment";

#[track_caller]
fn check(kind: &str, object: Value, patch: Value, expected: Value) {
    assert_eq!(apply(kind, &object, &patch).unwrap(), expected);
}

#[test]
fn containers_merge_by_name() {
    check(
        POD,
        json!({ "spec": { "containers": [{ "name": "a", "image": "1", "tty": true }, { "name": "b", "image": "2" }] } }),
        json!({ "spec": { "containers": [{ "name": "a", "image": "3" }, { "name": "c", "image": "4" }] } }),
        json!({ "spec": { "containers": [
            { "name": "a", "image": "3", "tty": true }, { "name": "c", "image": "4" }, { "name": "b", "image": "2" },
        ] } }),
    );
}

#[test]
fn items_are_deleted_by_directive() {
    check(
        POD,
        json!({ "spec": { "containers": [{ "name": "a", "image": "1" }, { "name": "b", "image": "2" }] } }),
        json!({ "spec": { "containers": [{ "name": "a", "$patch": "delete" }] } }),
        json!({ "spec": { "containers": [{ "name": "b", "image": "2" }] } }),
    );
}

#[test]
fn a_list_is_replaced_by_directive() {
    check(
        POD,
        json!({ "spec": { "containers": [{ "name": "a", "image": "1" }] } }),
        json!({ "spec": { "containers": [{ "$patch": "replace" }, { "name": "z", "image": "9" }] } }),
        json!({ "spec": { "containers": [{ "name": "z", "image": "9" }] } }),
    );
}

#[test]
fn maps_merge_replace_and_go() {
    let object = json!({ "metadata": { "labels": { "a": "1", "b": "2" }, "annotations": { "x": "y" } } });
    check(
        POD,
        object.clone(),
        json!({ "metadata": { "labels": { "a": null, "c": "3" } } }),
        json!({ "metadata": { "labels": { "b": "2", "c": "3" }, "annotations": { "x": "y" } } }),
    );
    check(
        POD,
        object.clone(),
        json!({ "metadata": { "labels": { "$patch": "replace", "c": "3" } } }),
        json!({ "metadata": { "labels": { "c": "3" }, "annotations": { "x": "y" } } }),
    );
    check(
        POD,
        object,
        json!({ "metadata": { "labels": { "$patch": "delete" } } }),
        json!({ "metadata": { "annotations": { "x": "y" } } }),
    );
}

#[test]
fn atomic_lists_are_replaced_and_scalar_lists_joined() {
    check(
        POD,
        json!({ "metadata": { "finalizers": ["a/a"] }, "spec": { "tolerations": [{ "key": "x" }] } }),
        json!({ "metadata": { "finalizers": ["b/b", "a/a"] }, "spec": { "tolerations": [{ "key": "y" }] } }),
        json!({ "metadata": { "finalizers": ["b/b", "a/a"] }, "spec": { "tolerations": [{ "key": "y" }] } }),
    );
    check(
        POD,
        json!({ "metadata": { "finalizers": ["a/a", "b/b"] } }),
        json!({ "metadata": { "$deleteFromPrimitiveList/finalizers": ["a/a"] } }),
        json!({ "metadata": { "finalizers": ["b/b"] } }),
    );
}

#[test]
fn volumes_keep_only_the_keys_they_retain() {
    check(
        POD,
        json!({ "spec": { "volumes": [{ "name": "v", "emptyDir": {} }] } }),
        json!({ "spec": { "volumes": [{ "name": "v", "hostPath": { "path": "/x" }, "$retainKeys": ["name", "hostPath"] }] } }),
        json!({ "spec": { "volumes": [{ "name": "v", "hostPath": { "path": "/x" } }] } }),
    );
    check(
        DEPLOYMENT,
        json!({ "spec": { "strategy": { "type": "RollingUpdate", "rollingUpdate": { "maxSurge": 1 } } } }),
        json!({ "spec": { "strategy": { "type": "Recreate", "rollingUpdate": null, "$retainKeys": ["type"] } } }),
        json!({ "spec": { "strategy": { "type": "Recreate" } } }),
    );
}

#[test]
fn element_order_sorts_and_leaves_strangers_in_place() {
    check(
        POD,
        json!({ "spec": { "containers": [{ "name": "a" }, { "name": "sidecar" }, { "name": "b" }] } }),
        json!({ "spec": {
            "$setElementOrder/containers": [{ "name": "b" }, { "name": "c" }, { "name": "a" }],
            "containers": [{ "name": "c" }],
        } }),
        json!({ "spec": { "containers": [{ "name": "sidecar" }, { "name": "b" }, { "name": "c" }, { "name": "a" }] } }),
    );
    check(
        POD,
        json!({ "metadata": { "finalizers": ["a/a", "x/x", "b/b"] } }),
        json!({ "metadata": { "$setElementOrder/finalizers": ["b/b", "a/a"] } }),
        json!({ "metadata": { "finalizers": ["x/x", "b/b", "a/a"] } }),
    );
    let out_of_order = json!({ "spec": {
        "$setElementOrder/containers": [{ "name": "a" }, { "name": "b" }], "containers": [{ "name": "b" }, { "name": "a" }],
    } });
    let error = apply(POD, &json!({}), &out_of_order).unwrap_err();
    assert!(error.message.contains("does not match $setElementOrder/containers"), "{error}");
}

#[test]
fn an_item_deleted_and_given_anew_by_one_patch_is_new() {
    check(
        POD,
        json!({ "spec": { "containers": [{ "name": "a", "image": "1", "tty": true }] } }),
        json!({ "spec": { "containers": [{ "name": "a", "image": "2" }, { "name": "a", "$patch": "delete" }] } }),
        json!({ "spec": { "containers": [{ "name": "a", "image": "2" }] } }),
    );
}

#[test]
fn service_ports_merge_by_port() {
    check(
        SERVICE,
        json!({ "spec": { "selector": { "a": "1" }, "ports": [{ "port": 80, "nodePort": 30001 }] } }),
        json!({ "spec": { "selector": { "b": "2" }, "ports": [{ "port": 80, "name": "http" }, { "port": 443, "name": "tls" }] } }),
        json!({ "spec": { "selector": { "a": "1", "b": "2" }, "ports": [
            { "port": 80, "nodePort": 30001, "name": "http" }, { "port": 443, "name": "tls" },
        ] } }),
    );
}

#[test]
fn malformed_patches_are_refused_with_their_reason() {
    let object = json!({ "spec": { "containers": [{ "name": "a" }] } });
    for (patch, message) in [
        (json!({ "spec": { "containers": [{ "image": "x" }] } }), "does not contain declared merge key: name"),
        (json!({ "spec": { "containers": ["x"] } }), "must hold objects only"),
        (json!({ "spec": { "$patch": "dance" } }), "unknown patch type found: dance"),
        (json!({ "spec": { "$retainKeys": ["a"], "hostname": "x" } }), "hostname is missing"),
        (json!([]), "must be a JSON object"),
    ] {
        let error = apply(POD, &object, &patch).unwrap_err();
        assert!(error.message.contains(message), "{error}");
        assert_eq!(error.code, 400);
    }
}

//! The other kinds, and the registry.

use super::{NOW, create, refused, update, yaml};
use crate::kind::Subresource;
use crate::registry;
use crate::value::At;
use serde_json::json;

#[test]
fn config_maps_and_secrets() {
    let secret = create(&yaml(
        "{apiVersion: v1, kind: Secret, metadata: {name: s, namespace: default}, data: {a: eA==}, stringData: {b: hello}}",
    ))
    .unwrap();
    assert_eq!(secret["data"], json!({ "a": "eA==", "b": "aGVsbG8=" }));
    assert_eq!(secret["type"], "Opaque");
    assert!(!secret.has("stringData"));
    let mut typed = secret.clone();
    typed["type"] = "kubernetes.io/tls".into();
    let fields: Vec<String> = update(&typed, &secret, None).unwrap_err().into_iter().map(|cause| cause.field).collect();
    assert_eq!(fields, ["data[tls.crt]", "data[tls.key]", "type"]);

    let bad = yaml("{apiVersion: v1, kind: Secret, metadata: {name: s, namespace: default}, data: {a: '***'}}");
    let causes = create(&bad).unwrap_err();
    assert_eq!(causes[0].field, "data.a");
    assert!(!causes[0].message.contains("***"), "secrets are not shown");
    refused(
        "{apiVersion: v1, kind: ConfigMap, metadata: {name: c, namespace: default}, data: {'a b': x, '..': y}}",
        &[
            "data[..]: Invalid value: \"..\": must not be '..'",
            "data[a b]: Invalid value: \"a b\": a valid config key must consist of",
        ],
    );
    let fixed = create(&yaml(
        "{apiVersion: v1, kind: ConfigMap, metadata: {name: c, namespace: default}, immutable: true, data: {a: b}}",
    ))
    .unwrap();
    let mut changed = fixed.clone();
    changed["data"]["a"] = "c".into();
    let causes = update(&changed, &fixed, None).unwrap_err();
    assert_eq!(causes[0].message, "Forbidden: field is immutable when `immutable` is set");
}

#[test]
fn a_namespace_has_its_label_and_finalizer() {
    let namespace = create(&yaml("{apiVersion: v1, kind: Namespace, metadata: {name: team}}")).unwrap();
    assert_eq!(namespace["metadata"]["labels"], json!({ "kubernetes.io/metadata.name": "team" }));
    assert_eq!(namespace["spec"]["finalizers"], json!(["kubernetes"]));
    assert_eq!(namespace["status"]["phase"], "Active");
    let mut new = namespace.clone();
    new["spec"]["finalizers"] = json!([]);
    assert_eq!(update(&new, &namespace, None).unwrap()["spec"]["finalizers"], json!(["kubernetes"]));
    assert!(!update(&new, &namespace, Some(Subresource::Finalize)).unwrap().has("spec.finalizers"));
}

#[test]
fn nodes_bring_their_status_and_events_their_namespace() {
    let node = create(&json!({
        "apiVersion": "v1", "kind": "Node", "metadata": { "name": "n1" },
        "status": { "capacity": { "cpu": "2000m", "memory": "4096Mi" } },
    }))
    .unwrap();
    assert_eq!(node["status"]["allocatable"], json!({ "cpu": "2", "memory": "4Gi" }));
    refused(
        "{apiVersion: v1, kind: Event, metadata: {name: e, namespace: a}, involvedObject: {namespace: b, name: x}}",
        &["involvedObject.namespace: Invalid value: \"b\": does not match event.namespace"],
    );
}

#[test]
fn every_kind_is_served_under_its_names() {
    for strategy in registry::all() {
        let info = strategy.info();
        assert!(crate::schema::Shape::Any != *registry::shape(info), "{} has a shape", info.kind);
        for name in [info.plural, info.singular, info.kind].iter().chain(info.short_names) {
            let found = registry::by_name_or_short(name).unwrap().info();
            assert_eq!(found.kind, info.kind, "{name}");
        }
        assert!(registry::by_name_or_short(&info.qualified()).is_some());
        let object = json!({ "metadata": { "name": "x", "creationTimestamp": NOW } });
        assert_eq!(strategy.cells(&object, NOW).len(), strategy.columns().len(), "{}", info.kind);
    }
    assert!(registry::by_name_or_short("no-such-kind").is_none());
    assert_eq!(registry::by_name_or_short("deploy.v1.apps").unwrap().info().kind, "Deployment");
    assert!(registry::by_name_or_short("deploy.v2.apps").is_none());
}

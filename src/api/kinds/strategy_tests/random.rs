//! Whatever stands in a manifest: causes, never a panic, and what was accepted stays as it is.

use super::{NOW, pods::POD, services::SERVICE, workloads::DEPLOYMENT, yaml};
use crate::kind::{Moment, Strategy};
use crate::value::At;
use crate::{managed_fields, metadata, patch, registry};
use proptest::prelude::*;
use proptest::strategy::Strategy as _;
use serde_json::{Value, json};

fn manifests() -> Vec<Value> {
    vec![
        yaml(POD),
        yaml(SERVICE),
        yaml(DEPLOYMENT),
        json!({ "apiVersion": "v1", "kind": "Node", "metadata": { "name": "n" },
            "spec": { "taints": [{ "key": "a", "effect": "NoSchedule" }] },
            "status": { "capacity": { "cpu": "1" }, "conditions": [{ "type": "Ready", "status": "True" }] } }),
        json!({ "apiVersion": "v1", "kind": "Endpoints", "metadata": { "name": "e", "namespace": "d" },
            "subsets": [{ "addresses": [{ "ip": "10.0.0.1" }], "ports": [{ "port": 80 }] }] }),
        json!({ "apiVersion": "v1", "kind": "Event", "metadata": { "name": "e", "namespace": "d" },
            "involvedObject": { "kind": "Pod", "namespace": "d" }, "series": { "count": 1 }, "firstTimestamp": NOW }),
        json!({ "apiVersion": "v1", "kind": "Secret", "metadata": { "name": "s", "namespace": "d" }, "data": { "a": "eA==" }, "stringData": { "b": "c" } }),
    ]
}

fn anything() -> impl proptest::strategy::Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (-5..5_i32).prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
        "[a-z0-9.%:/-]{0,6}".prop_map(Value::from),
        Just(json!([])),
        Just(json!({})),
        Just(json!([null])),
        Just(json!([{}])),
        Just(json!({ "a": null, "name": "x", "$patch": "delete" })),
        Just(json!([{ "name": "c" }, { "name": "c", "image": "i" }])),
    ]
}

/// Replaces one place of a value, counted through its parts.
fn replace(value: &mut Value, place: &mut usize, new: &Value) {
    if *place == 0 {
        *place = usize::MAX;
        *value = new.clone();
        return;
    }
    *place -= 1;
    match value {
        Value::Object(map) => map.values_mut().for_each(|value| replace_once(value, place, new)),
        Value::Array(items) => items.iter_mut().for_each(|value| replace_once(value, place, new)),
        _ => {}
    }
}

fn replace_once(value: &mut Value, place: &mut usize, new: &Value) {
    if *place != usize::MAX {
        replace(value, place, new);
    }
}

fn walk(strategy: &dyn Strategy, manifest: &Value) -> Result<(), TestCaseError> {
    let Ok(decoded) = strategy.decode(manifest) else {
        return Ok(());
    };
    let mut object = decoded.object;
    strategy.default(&mut object);
    strategy.prepare_create(&mut object, &Moment { now: NOW.to_owned() });
    let _ = metadata::validate(&object, strategy.info());
    for cause in strategy.validate(&object) {
        prop_assert!(cause.reason != "FieldValueTypeInvalid", "the type refuses what the shape accepts: {:?}", cause);
    }
    let again = strategy.decode(&object).unwrap();
    prop_assert_eq!(&again.object, &object, "what was decoded and defaulted stays");
    prop_assert!(again.unknown.is_empty());
    prop_assert_eq!(strategy.cells(&object, NOW).len(), strategy.columns().len());
    let _ = (strategy.fields(&object), strategy.index(&object), strategy.deletion_grace(&object));
    managed_fields::update(strategy.info(), &mut object, None, "m", "", NOW);
    let mut new = object.clone();
    strategy.prepare_update(&mut new, &object, None);
    managed_fields::update(strategy.info(), &mut new, Some(&object), "n", "", NOW);
    prop_assert_eq!(&new, &object, "an update that changes nothing changes nothing");
    let causes = strategy.validate_update(&new, &object, None);
    prop_assert!(causes.is_empty(), "{causes:?}");
    Ok(())
}

proptest! {
    #[test]
    fn manifests_with_a_wrong_place(which in 0..7_usize, mut place in 1..60_usize, new in anything()) {
        let mut manifest = manifests().swap_remove(which);
        let api = manifest.text("apiVersion").to_owned();
        let (group, version) = api.split_once('/').unwrap_or(("", &api));
        let strategy = registry::by_kind(group, version, manifest.text("kind")).unwrap();
        replace(&mut manifest, &mut place, &new);
        walk(strategy, &manifest)?;
    }

    #[test]
    fn patches_with_a_wrong_place(which in 0..7_usize, mut place in 0..60_usize, new in anything()) {
        let object = manifests().swap_remove(which);
        let api = object.text("apiVersion").to_owned();
        let (group, version) = api.split_once('/').unwrap_or(("", &api));
        let strategy = registry::by_kind(group, version, object.text("kind")).unwrap();
        let mut change = object.clone();
        replace(&mut change, &mut place, &new);
        let shape = registry::shape(strategy.info());
        let _ = patch::json(&object, &change);
        let _ = patch::merge(&object, &change);
        if let Ok(patched) = patch::strategic(registry::definitions(), shape, &object, &change) {
            walk(strategy, &patched)?;
        }
        let _ = managed_fields::apply(strategy.info(), Some(&object), &change, "m", "", true, NOW);
    }
}

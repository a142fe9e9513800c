use super::merge::shape;
use super::*;
use serde_json::{Value, json};

/// The patch for a Deployment's pods, where what was applied last is what is live.
fn pods(last: &Value, now: &Value) -> Value {
    let whole = |spec: &Value| json!({"spec": {"template": {"spec": spec}}});
    let last = whole(last);
    three_way(&last, &last, &whole(now), shape("apps", "v1", "Deployment"))["spec"]["template"]["spec"].clone()
}

#[test]
fn what_is_no_longer_said_is_removed_and_the_rest_is_kept() {
    let last = json!({"metadata": {"labels": {"a": "1", "b": "2"}}, "spec": {"replicas": 2, "paused": true}});
    let now = json!({"metadata": {"labels": {"a": "3"}}, "spec": {"replicas": 2}});
    let wanted = json!({"metadata": {"labels": {"a": "3", "b": null}}, "spec": {"replicas": 2, "paused": null}});
    let deployment = shape("apps", "v1", "Deployment");
    assert_eq!(three_way(&last, &last, &now, deployment), wanted);
    assert_eq!(three_way(&json!({}), &json!({}), &now, deployment), now);
}

#[test]
fn items_with_keys_are_removed_one_by_one() {
    let last = json!({"containers": [{"name": "a", "env": [{"name": "X", "value": "1"}]}, {"name": "b"}]});
    let now = json!({"containers": [{"name": "a", "image": "i", "env": []}]});
    let wanted = json!({"containers": [
        {"name": "a", "image": "i", "env": [{"$patch": "delete", "name": "X"}]},
        {"$patch": "delete", "name": "b"},
    ]});
    assert_eq!(pods(&last, &now), wanted);
    // A custom kind has no merge keys: lists are replaced.
    assert!(shape("example.com", "v1", "Deployment").is_none());
    assert_eq!(three_way(&last, &last, &now, None), now);
}

#[test]
fn ports_of_containers_and_of_services_have_their_own_keys() {
    let ports = |ports: Value| json!({ "spec": { "ports": ports } });
    let (last, now) = (ports(json!([{"port": 1}])), ports(json!([{"port": 2}])));
    let service = three_way(&last, &last, &now, shape("", "v1", "Service"));
    assert_eq!(service, ports(json!([{"port": 2}, {"$patch": "delete", "port": 1}])));
    let container = json!({"containers": [{"name": "a", "ports": [{"containerPort": 1}]}]});
    assert_eq!(pods(&container, &container), container);
    // Lists that merge by no key are said as a whole.
    let args = |arg: &str| json!({"containers": [{"name": "a", "args": [arg]}]});
    assert_eq!(pods(&args("a"), &args("b")), args("b"));
}

#[test]
fn another_source_of_a_volume_takes_the_place_of_the_one_before() {
    let last = json!({"volumes": [{"name": "v", "emptyDir": {}}]});
    let now = json!({"volumes": [{"name": "v", "configMap": {"name": "c"}}]});
    let wanted = json!({"volumes": [{"name": "v", "configMap": {"name": "c"}, "$retainKeys": ["configMap", "name"]}]});
    assert_eq!(pods(&last, &now), sorted(wanted));
    assert_eq!(pods(&now, &now), now, "nothing changes");
}

fn sorted(mut value: Value) -> Value {
    value["volumes"][0]["$retainKeys"].as_array_mut().into_iter().for_each(|keys| keys.sort_by_key(Value::to_string));
    value
}

#[test]
fn a_strategy_that_changes_keeps_nothing_of_the_one_before() {
    let whole = |strategy: &Value| json!({ "spec": { "strategy": strategy } });
    let patch = |last: &Value, live: &Value, now: &Value| {
        let deployment = shape("apps", "v1", "Deployment");
        three_way(&whole(last), &whole(live), &whole(now), deployment)["spec"]["strategy"].clone()
    };
    let recreate = json!({"type": "Recreate"});
    // The server has added what was not said.
    let live = json!({"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"}});
    let wanted = json!({"type": "Recreate", "$retainKeys": ["type"]});
    assert_eq!(patch(&Value::Null, &live, &recreate), wanted);
    let said = json!({"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1}});
    assert_eq!(patch(&said, &live, &recreate), wanted);
    // What somebody else has set stays while what is said is so.
    let rolling = json!({"type": "RollingUpdate"});
    assert_eq!(patch(&rolling, &live, &rolling), rolling);
}

#[test]
fn metadata_lists_merge_item_by_item() {
    let metadata = |finalizers: &[&str], owners: &[&str]| {
        let owners: Vec<Value> = owners.iter().map(|uid| json!({"uid": uid, "name": uid})).collect();
        json!({"metadata": {"finalizers": finalizers, "ownerReferences": owners}})
    };
    let (last, now) = (metadata(&["a/a", "b/b"], &["x", "y"]), metadata(&["b/b"], &["y"]));
    let wanted = json!({"metadata": {
        "$deleteFromPrimitiveList/finalizers": ["a/a"], "finalizers": ["b/b"],
        "ownerReferences": [{"uid": "y", "name": "y"}, {"$patch": "delete", "uid": "x"}],
    }});
    assert_eq!(three_way(&last, &last, &now, shape("", "v1", "ConfigMap")), wanted);
}

use super::*;
use serde_json::json;

#[test]
fn what_is_no_longer_said_is_removed_and_the_rest_is_kept() {
    let last = json!({"metadata": {"labels": {"a": "1", "b": "2"}}, "spec": {"replicas": 2, "paused": true}});
    let now = json!({"metadata": {"labels": {"a": "3"}}, "spec": {"replicas": 2}});
    let wanted = json!({"metadata": {"labels": {"a": "3", "b": null}}, "spec": {"replicas": 2, "paused": null}});
    assert_eq!(three_way(&last, &now, true), wanted);
    assert_eq!(three_way(&json!({}), &now, true), now);
}

#[test]
fn items_with_keys_are_removed_one_by_one() {
    let last = json!({"spec": {"containers": [{"name": "a", "env": [{"name": "X", "value": "1"}]}, {"name": "b"}]}});
    let now = json!({"spec": {"containers": [{"name": "a", "image": "i", "env": []}]}});
    let wanted = json!({"spec": {"containers": [
        {"name": "a", "image": "i", "env": [{"$patch": "delete", "name": "X"}]},
        {"$patch": "delete", "name": "b"},
    ]}});
    assert_eq!(three_way(&last, &now, true), wanted);
    // A custom kind has no merge keys: lists are replaced.
    assert_eq!(three_way(&last, &now, false), now);
}

#[test]
fn ports_of_containers_and_of_services_have_their_own_keys() {
    let service = three_way(&json!({"ports": [{"port": 1}]}), &json!({"ports": [{"port": 2}]}), true);
    assert_eq!(service, json!({"ports": [{"port": 2}, {"$patch": "delete", "port": 1}]}));
    let container =
        three_way(&json!({"ports": [{"containerPort": 1}]}), &json!({"ports": [{"containerPort": 1}]}), true);
    assert_eq!(container, json!({"ports": [{"containerPort": 1}]}));
    // Lists that merge by no key are said as a whole.
    assert_eq!(three_way(&json!({"args": ["a"]}), &json!({"args": ["b"]}), true), json!({"args": ["b"]}));
}

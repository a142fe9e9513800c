#![allow(clippy::unwrap_used)]
use super::*;
use crate::kind::Subresource;
use crate::value::At;
use serde_json::json;

const T1: &str = "2026-01-01T00:00:01Z";
const T2: &str = "2026-01-01T00:00:02Z";

fn deployment() -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": { "name": "web", "namespace": "default", "labels": { "app": "web" }, "uid": "u", "generation": 1 },
        "spec": {
            "replicas": 2,
            "selector": { "matchLabels": { "app": "web" } },
            "strategy": { "type": "RollingUpdate", "rollingUpdate": { "maxSurge": "25%" } },
            "template": {
                "metadata": { "labels": { "app": "web" } },
                "spec": { "containers": [{
                    "name": "c", "image": "nginx", "resources": {},
                    "ports": [{ "containerPort": 80, "protocol": "TCP" }],
                    "command": ["a", "b"],
                }] },
            },
        },
        "status": {},
    })
}

fn info() -> &'static KindInfo {
    registry::by_resource("apps", "v1", "deployments").unwrap().info()
}

fn fields<'a>(object: &'a Value, manager: &str) -> Option<&'a Value> {
    object
        .list("metadata.managedFields")
        .iter()
        .find(|entry| entry.text("manager") == manager)
        .map(|entry| entry.at("fieldsV1"))
}

fn created() -> Value {
    let mut object = deployment();
    update(info(), &mut object, None, "kubectl-create", "", T1);
    object
}

#[test]
fn a_create_owns_what_upstream_says_it_owns() {
    let object = created();
    let entry = &object["metadata"]["managedFields"][0];
    assert_eq!(entry["operation"], "Update");
    assert_eq!(entry["apiVersion"], "apps/v1");
    assert_eq!(entry["time"], T1);
    assert_eq!(
        entry["fieldsV1"],
        json!({
            "f:metadata": { "f:labels": { ".": {}, "f:app": {} } },
            "f:spec": {
                "f:replicas": {},
                "f:selector": {},
                "f:strategy": { "f:rollingUpdate": { ".": {}, "f:maxSurge": {} }, "f:type": {} },
                "f:template": {
                    "f:metadata": { "f:labels": { ".": {}, "f:app": {} } },
                    "f:spec": { "f:containers": { "k:{\"name\":\"c\"}": {
                        ".": {}, "f:command": {}, "f:image": {}, "f:name": {}, "f:resources": {},
                        "f:ports": { ".": {}, "k:{\"containerPort\":80,\"protocol\":\"TCP\"}": { ".": {}, "f:containerPort": {}, "f:protocol": {} } },
                    } } },
                },
            },
        })
    );
}

#[test]
fn a_change_moves_ownership_and_a_removal_ends_it() {
    let old = created();
    let mut new = old.clone();
    new["spec"]["replicas"] = 5.into();
    new["metadata"]["labels"].as_object_mut().unwrap().remove("app");
    new["metadata"]["labels"]["x"] = "y".into();
    update(info(), &mut new, Some(&old), "scaler", "", T2);
    assert_eq!(
        *fields(&new, "scaler").unwrap(),
        json!({ "f:metadata": { "f:labels": { "f:x": {} } }, "f:spec": { "f:replicas": {} } })
    );
    let first = fields(&new, "kubectl-create").unwrap();
    assert!(!first["f:spec"].as_object().unwrap().contains_key("f:replicas"));
    assert_eq!(first["f:metadata"]["f:labels"], json!({}), "the map itself is still its");

    let mut same = new.clone();
    update(info(), &mut same, Some(&new), "third", "", T2);
    assert_eq!(same, new, "nothing changed, nobody new");
}

#[test]
fn status_is_owned_through_its_subresource() {
    let old = created();
    let mut new = old.clone();
    new["status"] = json!({ "replicas": 1, "conditions": [{ "type": "Available", "status": "True" }] });
    update(info(), &mut new, Some(&old), "controller", "status", T2);
    let entry = new.list("metadata.managedFields").iter().find(|entry| entry.text("manager") == "controller").unwrap();
    assert_eq!(entry["subresource"], "status");
    assert_eq!(
        entry["fieldsV1"],
        json!({ "f:status": {
            "f:conditions": { ".": {}, "k:{\"type\":\"Available\"}": { ".": {}, "f:status": {}, "f:type": {} } },
            "f:replicas": {},
        } })
    );
}

#[test]
fn clients_may_wipe_ownership() {
    let old = created();
    let mut new = old.clone();
    new["metadata"]["managedFields"] = json!([{}]);
    update(info(), &mut new, Some(&old), "x", "", T2);
    assert!(!new.has("metadata.managedFields"));
}

#[test]
fn a_wipe_leaves_the_writer_with_what_it_changes() {
    let old = created();
    let mut new = old.clone();
    new["metadata"]["managedFields"] = json!([{}]);
    new["spec"]["replicas"] = 9.into();
    update(info(), &mut new, Some(&old), "x", "", T2);
    assert_eq!(new.list("metadata.managedFields").len(), 1);
    assert_eq!(*fields(&new, "x").unwrap(), json!({ "f:spec": { "f:replicas": {} } }));
}

#[test]
fn clients_may_change_the_entries_of_the_main_resource() {
    let old = created();
    let mut entries = old["metadata"]["managedFields"].clone();
    entries[0]["manager"] = "kubectl".into();
    entries[0]["operation"] = "Apply".into();
    let with = |entries: &Value| {
        let mut new = old.clone();
        new["metadata"]["managedFields"] = entries.clone();
        new
    };
    let mut new = with(&entries);
    update(info(), &mut new, Some(&old), "x", "", T2);
    assert_eq!(new["metadata"]["managedFields"], entries);
    // Not through a part.
    let mut new = with(&entries);
    update(info(), &mut new, Some(&old), "x", "status", T2);
    assert_eq!(new, old);
    // What cannot be read, and nothing, leave them as they are.
    let mut damaged = entries.clone();
    damaged[0]["fieldsV1"] = json!({ "spec": {} });
    let mut typeless = entries;
    typeless[0]["fieldsType"] = "".into();
    for sent in [damaged, typeless, json!([]), json!(null), json!([{ "manager": "x" }])] {
        let mut new = with(&sent);
        update(info(), &mut new, Some(&old), "x", "", T2);
        assert_eq!(new["metadata"]["managedFields"], old["metadata"]["managedFields"], "{sent}");
    }
}

#[test]
fn the_oldest_updates_are_folded_into_one() {
    let mut object = created();
    for n in 0..30 {
        let old = object.clone();
        object["metadata"]["labels"][format!("l{n}")] = "x".into();
        let part = if n == 3 { "scale" } else { "" };
        update(info(), &mut object, Some(&old), &format!("m{n:02}"), part, &format!("2026-01-01T00:01:{n:02}Z"));
    }
    let managers: Vec<&str> = object.list("metadata.managedFields").iter().map(|entry| entry.text("manager")).collect();
    let newest: Vec<String> = (21..30).map(|n| format!("m{n}")).collect();
    assert_eq!(managers[0], "ancient-changes");
    assert_eq!(managers[1..], newest);
    let ancient = object.list("metadata.managedFields").first().unwrap();
    assert_eq!((ancient.text("time"), ancient.has("subresource")), ("2026-01-01T00:01:20Z", false));
    let labels = ancient.at("fieldsV1.f:metadata.f:labels");
    assert!(["f:app", "f:l0", "f:l3", "f:l20"].iter().all(|label| labels.get(label).is_some()), "{labels}");
    // Who applies is not folded.
    let wanted = config(None, json!({ "team": "a" }));
    for n in 0..12 {
        object = apply(info(), Some(&object), &wanted, &format!("a{n:02}"), "", false, T2).unwrap();
    }
    assert_eq!(object.list("metadata.managedFields").len(), 22);
}

#[test]
fn kubectl_takes_over_what_it_applied_on_the_clients_side() {
    let annotated = |text: &str, replicas: i64| {
        let mut object = deployment();
        object["spec"]["replicas"] = replicas.into();
        object["metadata"]["annotations"] = json!({ "kubectl.kubernetes.io/last-applied-configuration": text });
        update(info(), &mut object, None, "kubectl-client-side-apply", "", T1);
        object
    };
    let before = config(Some(2), json!({ "app": "web" })).to_string();
    let wanted = config(Some(5), json!({ "app": "web" }));
    let live = annotated(&before, 2);
    assert!(apply(info(), Some(&live), &wanted, "somebody", "", false, T2).is_err(), "only kubectl's own");
    let applied = apply(info(), Some(&live), &wanted, "kubectl", "", false, T2).unwrap();
    assert_eq!(applied["spec"]["replicas"], 5);
    assert!(fields(&applied, "kubectl-client-side-apply").unwrap().at("f:spec").get("f:replicas").is_none());
    let kept = applied["metadata"]["annotations"]["kubectl.kubernetes.io/last-applied-configuration"].as_str().unwrap();
    assert_eq!(serde_json::from_str::<Value>(kept).unwrap(), wanted);
    assert_eq!(apply(info(), Some(&applied), &wanted, "kubectl", "", false, T2).unwrap(), applied);
    // What somebody changed since, and what was not applied, is not kubectl's.
    let unlisted = config(None, json!({ "app": "web" })).to_string();
    for live in [annotated(&before, 3), annotated(&unlisted, 2), annotated("nonsense", 2), created()] {
        let refused = apply(info(), Some(&live), &wanted, "kubectl", "", false, T2).unwrap_err();
        assert_eq!(refused[0].fields, [".spec.replicas"]);
    }
}

#[test]
fn an_applied_status_owns_and_conflicts_on_nothing_else() {
    let live = created();
    let mut wanted = config(Some(9), json!({ "app": "other" }));
    wanted["status"] = json!({ "observedGeneration": 1 });
    let applied = apply(info(), Some(&live), &wanted, "me", "status", false, T2).unwrap();
    assert_eq!(*fields(&applied, "me").unwrap(), json!({ "f:status": { ".": {}, "f:observedGeneration": {} } }));
    assert_eq!(fields(&applied, "kubectl-create"), fields(&live, "kubectl-create"));
    // Labels of pods may come with their status.
    let pods = registry::by_resource("", "v1", "pods").unwrap();
    assert!(pods.writes(Some(Subresource::Status)).unwrap().contains(&"metadata.labels"));
    let wanted = json!({ "metadata": { "labels": { "a": "b" } }, "spec": { "nodeName": "n" }, "status": { "phase": "Running" } });
    let applied = apply(pods.info(), Some(&json!({})), &wanted, "me", "status", false, T2).unwrap();
    assert_eq!(
        *fields(&applied, "me").unwrap(),
        json!({ "f:metadata": { "f:labels": { ".": {}, "f:a": {} } }, "f:status": { ".": {}, "f:phase": {} } })
    );
}

fn config(replicas: Option<i64>, labels: Value) -> Value {
    let mut config = json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": { "name": "web", "namespace": "default", "labels": labels },
    });
    if let Some(replicas) = replicas {
        config["spec"] = json!({ "replicas": replicas });
    }
    config
}

#[test]
fn apply_conflicts_unless_forced_and_takes_back_what_it_gave() {
    let live = created();
    let wanted = config(Some(7), json!({ "team": "a" }));
    let conflicts = apply(info(), Some(&live), &wanted, "me", "", false, T2).unwrap_err();
    assert_eq!(
        conflicts,
        [Conflict {
            manager: "kubectl-create".to_owned(),
            using: "Update".to_owned(),
            fields: vec![".spec.replicas".to_owned()]
        }]
    );
    let forced = apply(info(), Some(&live), &wanted, "me", "", true, T2).unwrap();
    assert_eq!(forced["spec"]["replicas"], 7);
    assert_eq!(forced["metadata"]["labels"], json!({ "app": "web", "team": "a" }));
    assert_eq!(forced["spec"]["template"], live["spec"]["template"]);
    assert!(fields(&forced, "kubectl-create").unwrap().at("f:spec").get("f:replicas").is_none());

    // The same value is shared, not a conflict.
    let shared = apply(info(), Some(&forced), &config(Some(7), json!({})), "other", "", false, T2).unwrap();
    let again = apply(info(), Some(&shared), &config(None, json!({})), "me", "", false, T2).unwrap();
    assert_eq!(again["spec"]["replicas"], 7, "the other still wants it");
    assert_eq!(again["metadata"]["labels"], json!({ "app": "web" }), "nobody else wanted the label");
    assert!(fields(&again, "me").is_none_or(|set| set.at("f:spec").is_null()));
}

#[test]
fn apply_joins_keyed_lists() {
    let live = created();
    let wanted = json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": { "name": "web", "namespace": "default" },
        "spec": { "template": { "spec": { "containers": [
            { "name": "c", "env": [{ "name": "A", "value": "1" }] }, { "name": "side", "image": "s" },
        ] } } },
    });
    let merged = apply(info(), Some(&live), &wanted, "me", "", false, T2).unwrap();
    let containers = merged.list("spec.template.spec.containers");
    assert_eq!(containers.len(), 2);
    assert_eq!(containers[0]["image"], "nginx");
    assert_eq!(containers[0]["env"], json!([{ "name": "A", "value": "1" }]));
    let none =
        json!({ "apiVersion": "apps/v1", "kind": "Deployment", "metadata": { "name": "web", "namespace": "default" } });
    let back = apply(info(), Some(&merged), &none, "me", "", false, T2).unwrap();
    assert_eq!(back.at("spec"), live.at("spec"));
    assert_eq!(back.at("metadata.managedFields"), live.at("metadata.managedFields"));
}

#[test]
fn a_key_that_is_not_given_is_its_default() {
    let info = registry::by_resource("", "v1", "services").unwrap().info();
    let wanted = json!({
        "apiVersion": "v1", "kind": "Service", "metadata": { "name": "s", "namespace": "default" },
        "spec": { "ports": [{ "port": 53, "name": "a" }, { "port": 53, "protocol": "UDP", "name": "b" }] },
    });
    let mut live = apply(info, None, &wanted, "me", "", false, T1).unwrap();
    assert!(fields(&live, "me").unwrap().at("f:spec.f:ports").get("k:{\"port\":53,\"protocol\":\"TCP\"}").is_some());
    live["spec"]["ports"][0]["protocol"] = "TCP".into();
    let again = apply(info, Some(&live), &wanted, "me", "", false, T2).unwrap();
    assert_eq!(again, live);
    let mut wanted = wanted;
    wanted["spec"]["ports"].as_array_mut().unwrap().remove(0);
    let one = apply(info, Some(&live), &wanted, "me", "", false, T2).unwrap();
    assert_eq!(one["spec"]["ports"], json!([live["spec"]["ports"][1]]));
}

#[test]
fn fields_v1_is_read_as_it_is_written() {
    let text = json!({ "f:a": { ".": {}, "k:{\"x\":1}": { ".": {}, "f:x": {} }, "v:\"s\"": {} }, "f:b": {} });
    let set = Set::from_json(&text).unwrap();
    assert_eq!(set.to_json(), text);
    assert_eq!(set.paths(), [".a", ".a[x=1]", ".a[x=1].x", ".a[=\"s\"]", ".b"]);
    assert!(set.without(&set).is_empty());
    assert_eq!(set.intersection(&set), set);
    for wrong in [json!(null), json!({ "a": {} }), json!({ "x:a": {} }), json!({ "f:a": { "f:b": 1 } })] {
        assert_eq!(Set::from_json(&wrong), None, "{wrong}");
    }
}

#![allow(clippy::unwrap_used, clippy::panic)]

use super::*;
use crate::testing::Cluster;
use crate::{Failure, Key};
use proptest::prelude::*;
use raftsman_api::value::{At, set};
use serde_json::{Value, json};

fn rs(name: &str, replicas: i64) -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": {"name": name, "namespace": "x", "generation": 1},
        "spec": {
            "replicas": replicas, "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name, "tier": "front"}, "annotations": {"note": "kept"}},
                "spec": {"containers": [{"name": "c", "image": "i"}]},
            },
        },
    })
}

fn pod(name: &str, labels: Value) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": "x", "labels": labels},
        "spec": {"containers": []}, "status": {"phase": "Pending"},
    })
}

fn controller() -> Replicas<ReplicaSet> {
    Replicas::replica_sets()
}

fn status(cluster: &Cluster, key: &Key) -> Value {
    cluster.json(key).at("status").clone()
}

#[test]
fn pods_are_made_of_the_template_and_counted() {
    let mut cluster = Cluster::default();
    let set = cluster.put(rs("web", 2)).key.clone();
    cluster.settle(&[&controller()]);
    let names = cluster.names(&PODS);
    assert_eq!(names.len(), 2);
    let made = cluster.json(&Key::new(&PODS, "x", &names[0]));
    assert!(names[0].starts_with("web-"), "{names:?}");
    assert_eq!(made.text("metadata.generateName"), "web-");
    assert_eq!(made.at("metadata.labels"), &json!({"app": "web", "tier": "front"}));
    assert_eq!(made.at("metadata.annotations"), &json!({"note": "kept"}));
    let owner = &made.list("metadata.ownerReferences")[0];
    assert_eq!(owner["uid"], cluster.json(&set)["metadata"]["uid"]);
    assert_eq!((&owner["kind"], &owner["controller"]), (&json!("ReplicaSet"), &json!(true)));
    let expected = json!({"replicas": 2, "fullyLabeledReplicas": 2, "observedGeneration": 1, "terminatingReplicas": 0});
    assert_eq!(status(&cluster, &set), expected);
    for name in &names {
        cluster.run_pod(&Key::new(&PODS, "x", name), true);
    }
    cluster.settle(&[&controller()]);
    assert_eq!(status(&cluster, &set)["readyReplicas"], 2);
    assert_eq!(status(&cluster, &set)["availableReplicas"], 2);
    let events: Vec<_> =
        cluster.view().list(&objects::EVENTS, Some("x")).map(|event| cluster.json(&event.key)).collect();
    assert_eq!(events.iter().filter(|event| event["reason"] == "SuccessfulCreate").count(), 2);
}

#[test]
fn a_replication_controller_selects_by_its_templates_labels() {
    let mut cluster = Cluster::default();
    let key = cluster
        .put(json!({
            "apiVersion": "v1", "kind": "ReplicationController", "metadata": {"name": "web", "namespace": "x"},
            "spec": {
                "replicas": 1,
                "template": {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": []}},
            },
        }))
        .key
        .clone();
    cluster.settle(&[&Replicas::replication_controllers()]);
    assert_eq!(cluster.names(&PODS).len(), 1);
    assert_eq!(status(&cluster, &key)["replicas"], 1);
}

#[test]
fn orphans_that_fit_are_adopted_and_what_fits_no_more_is_released() {
    let mut cluster = Cluster::default();
    cluster.put(pod("orphan", json!({"app": "web"})));
    cluster.put(pod("stranger", json!({"app": "other"})));
    let set = cluster.put(rs("web", 1));
    cluster.settle(&[&controller()]);
    assert_eq!(cluster.names(&PODS), ["orphan", "stranger"], "the adopted one is enough");
    let orphan = Key::new(&PODS, "x", "orphan");
    assert_eq!(cluster.view().get(&orphan).unwrap().meta.controller().unwrap().uid, set.meta.uid);
    cluster.edit(&orphan, |pod| set_label(pod, "app", "debug"));
    cluster.settle(&[&controller()]);
    assert!(cluster.view().get(&orphan).unwrap().meta.controller().is_none(), "released");
    assert_eq!(cluster.names(&PODS).len(), 3, "and replaced");
}

fn set_label(object: &mut Value, key: &str, value: &str) {
    object["metadata"]["labels"][key] = value.into();
}

#[test]
fn a_pod_that_is_being_deleted_is_replaced_at_once() {
    let mut cluster = Cluster::default();
    let set = cluster.put(rs("web", 1)).key.clone();
    cluster.settle(&[&controller()]);
    let first = Key::new(&PODS, "x", &cluster.names(&PODS)[0]);
    cluster.edit(&first, |pod| super::tests::set(pod, "spec.nodeName", "n1"));
    let json = cluster.json(&first);
    cluster.delete(json, None, None);
    cluster.settle(&[&controller()]);
    assert_eq!(cluster.names(&PODS).len(), 2);
    assert_eq!(
        (&status(&cluster, &set)["replicas"], &status(&cluster, &set)["terminatingReplicas"]),
        (&json!(1), &json!(1))
    );
}

#[test]
fn the_worst_pod_goes_first() {
    // Each case: two pods that differ in one thing; the first is to go.
    let base =
        json!({"node": "n1", "phase": "Running", "ready": "2026-01-02T03:00:00Z", "created": "2026-01-02T02:00:00Z"});
    let cases = [
        ("unscheduled", json!({"node": null})),
        ("pending", json!({"phase": "Pending"})),
        ("not ready", json!({"ready": null})),
        ("cheaper", json!({"cost": "-1"})),
        ("doubled up", json!({"node": "n2"})),
        ("ready for less long", json!({"ready": "2026-01-02T03:04:00Z"})),
        ("restarted more", json!({"restarts": 3})),
        ("younger", json!({"created": "2026-01-02T03:04:00Z"})),
    ];
    for (what, change) in cases {
        let mut cluster = Cluster::default();
        let owner = cluster.put(rs("web", 0));
        let reference = json!([{
            "apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "web", "uid": &*owner.meta.uid, "controller": true,
        }]);
        let mut all = vec![("better", base.clone())];
        let mut worse = base.clone();
        worse.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        all.push(("worse", worse));
        if what == "doubled up" {
            all.push(("companion", json!({"node": "n2", "phase": "Running", "ready": base["ready"], "created": base["created"], "cost": "9"})));
        }
        for (name, traits) in &all {
            let mut object = pod(name, json!({"app": "web"}));
            set(&mut object, "metadata.ownerReferences", reference.clone());
            set(&mut object, "metadata.creationTimestamp", traits["created"].clone());
            set(&mut object, "status.phase", traits["phase"].clone());
            if let Some(node) = traits["node"].as_str() {
                set(&mut object, "spec.nodeName", node);
            }
            if let Some(cost) = traits.get("cost") {
                set(&mut object, "metadata.annotations", json!({"controller.kubernetes.io/pod-deletion-cost": cost}));
            }
            if let Some(since) = traits["ready"].as_str() {
                set(
                    &mut object,
                    "status.conditions",
                    json!([{"type": "Ready", "status": "True", "lastTransitionTime": since}]),
                );
            }
            if let Some(restarts) = traits.get("restarts") {
                let status =
                    json!([{"name": "c", "image": "", "imageID": "", "ready": true, "restartCount": restarts}]);
                set(&mut object, "status.containerStatuses", status);
            }
            cluster.put(object);
        }
        cluster.edit(&owner.key, |owner| set(owner, "spec.replicas", all.len() - 1));
        let plan = cluster.step(&controller(), &owner.key);
        let deleted: Vec<_> = plan
            .actions()
            .filter(|action| action.verb() == "delete")
            .map(|action| action.key().name().to_owned())
            .collect();
        assert_eq!(deleted, ["worse"], "{what}");
    }
}

#[test]
fn availability_waits_for_min_ready_seconds() {
    let mut cluster = Cluster::default();
    let mut object = rs("web", 1);
    set(&mut object, "spec.minReadySeconds", 10);
    let key = cluster.put(object).key.clone();
    cluster.settle(&[&controller()]);
    cluster.run_pod(&Key::new(&PODS, "x", &cluster.names(&PODS)[0]), true);
    let plan = cluster.step(&controller(), &key);
    assert_eq!(plan.requeue_after, Some(std::time::Duration::from_secs(10)));
    assert_eq!(status(&cluster, &key).get("availableReplicas"), None);
    cluster.pass(10);
    cluster.step(&controller(), &key);
    assert_eq!(status(&cluster, &key)["availableReplicas"], 1);
}

#[test]
fn a_refusal_becomes_a_condition_and_an_event_until_it_is_over() {
    let mut cluster = Cluster::default();
    let key = cluster.put(rs("web", 1)).key.clone();
    let mut now = cluster.now();
    now.failure = Some(Arc::new(Failure { verb: "create", message: "quota exceeded".into() }));
    let plan = controller().plan(&cluster.view(), &key, &now);
    let text = plan.to_string();
    assert!(text.contains("\"reason\":\"FailedCreate\"") && text.contains("ReplicaFailure"), "{text}");
    assert!(text.contains("Warning FailedCreate: Error creating: quota exceeded"), "{text}");
    plan.actions().for_each(|action| cluster.execute(action).unwrap());
    cluster.settle(&[&controller()]);
    assert_eq!(status(&cluster, &key).get("conditions"), None);
}

#[test]
fn one_plan_makes_no_more_than_a_burst() {
    let mut cluster = Cluster::default();
    let key = cluster.put(rs("web", 1200)).key.clone();
    let creates = |plan: &Plan| plan.actions().filter(|action| action.verb() == "create").count();
    let counts: Vec<usize> = (0..4).map(|_| creates(&cluster.step(&controller(), &key))).collect();
    assert_eq!(counts, [500, 500, 200, 0]);
}

#[derive(Debug, Clone)]
enum Step {
    Plan(usize),
    Scale(usize, i64),
    Delete(usize),
    Finish(usize, bool),
    Relabel(usize, bool),
    Run(usize),
    Bind(usize),
    Leave(usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..2_usize).prop_map(Step::Plan),
        1 => (0..2_usize, 0..6_i64).prop_map(|(set, size)| Step::Scale(set, size)),
        1 => any::<usize>().prop_map(Step::Delete),
        1 => (any::<usize>(), any::<bool>()).prop_map(|(pod, well)| Step::Finish(pod, well)),
        1 => (any::<usize>(), any::<bool>()).prop_map(|(pod, other)| Step::Relabel(pod, other)),
        1 => any::<usize>().prop_map(Step::Run),
        1 => any::<usize>().prop_map(Step::Bind),
        1 => any::<usize>().prop_map(Step::Leave),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]
    /// Whatever happens in between, every set ends with exactly as many active pods as it wants.
    #[test]
    fn converges_to_exactly_the_wanted_number(steps in prop::collection::vec(step(), 0..60)) {
        let mut cluster = Cluster::default();
        let sets = [cluster.put(rs("a", 3)).key.clone(), cluster.put(rs("b", 2)).key.clone()];
        for step in steps {
            let names = cluster.names(&PODS);
            let pick = |at: usize| (!names.is_empty()).then(|| Key::new(&PODS, "x", &names[at % names.len()]));
            match step {
                Step::Plan(at) => { cluster.step(&controller(), &sets[at]); }
                Step::Scale(at, size) => cluster.edit(&sets[at], |set| super::tests::set(set, "spec.replicas", size)),
                Step::Delete(at) => if let Some(key) = pick(at) {
                    let pod = cluster.json(&key);
                    cluster.delete(pod, None, None);
                },
                Step::Finish(at, well) => if let Some(key) = pick(at) {
                    cluster.edit(&key, |pod| set(pod, "status.phase", if well { "Succeeded" } else { "Failed" }));
                },
                Step::Relabel(at, other) => if let Some(key) = pick(at) {
                    cluster.edit(&key, |pod| set_label(pod, "app", if other { "a" } else { "b" }));
                },
                Step::Run(at) => if let Some(key) = pick(at) { cluster.run_pod(&key, true) },
                Step::Bind(at) => if let Some(key) = pick(at) {
                    cluster.edit(&key, |pod| set(pod, "spec.nodeName", "n1"));
                },
                Step::Leave(at) => if let Some(key) = pick(at).filter(|key| cluster.view().get(key).unwrap().meta.deleting) {
                    cluster.remove(&key);
                },
            }
        }
        cluster.settle(&[&controller()]);
        for key in &sets {
            let view = cluster.view();
            let object = view.get(key).unwrap();
            let wanted = cluster.json(key).int("spec.replicas").unwrap();
            let active = view.by_owner(&object.meta.uid).filter(|pod| {
                is_replica(&pod.decode::<Pod>().unwrap()) && pod.meta.label("app") == Some(key.name())
            });
            prop_assert_eq!(i64::try_from(active.count()).unwrap(), wanted);
            prop_assert_eq!(cluster.json(key).int("status.replicas"), Some(wanted));
        }
    }
}

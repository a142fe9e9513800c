#![allow(clippy::unwrap_used, clippy::panic)]

use super::*;
use proptest::prelude::*;
use raftsman_api::value::{At, set};
use raftsman_controllers::testing::Cluster;
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::Duration;

fn node(name: &str, cpu: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Node", "metadata": {"name": name}, "spec": {},
        "status": {"allocatable": {"cpu": cpu, "memory": "8Gi", "pods": "110"}},
    })
}

fn pod(name: &str, cpu: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": "x"},
        "spec": {"containers": [{"name": "c", "resources": {"requests": {"cpu": cpu}}}]}, "status": {"phase": "Pending"},
    })
}

fn key(name: &str) -> Key {
    Key::new(&objects::PODS, "x", name)
}

fn placed(cluster: &Cluster, name: &str) -> String {
    cluster.json(&key(name)).text("spec.nodeName").to_owned()
}

fn step(cluster: &mut Cluster, driver: &SchedulerDriver) -> Plan {
    cluster.step(driver, &queue())
}

#[test]
fn a_pod_is_bound_and_told_of() {
    let mut cluster = Cluster::default();
    cluster.put(node("n1", "4"));
    cluster.put(pod("a", "1"));
    let text = step(&mut cluster, &SchedulerDriver::default()).to_string();
    assert!(
        text.starts_with("bind pods x/a to n1\nevent pods x/a Normal Scheduled: Successfully assigned x/a to n1\n"),
        "{text}"
    );
    assert_eq!(placed(&cluster, "a"), "n1");
}

#[test]
fn decisions_of_one_plan_count_each_other() {
    let mut cluster = Cluster::default();
    for name in ["n1", "n2"] {
        cluster.put(node(name, "1"));
    }
    for name in ["a", "b", "c"] {
        cluster.put(pod(name, "800m"));
    }
    step(&mut cluster, &SchedulerDriver::default());
    let mut nodes: Vec<String> = ["a", "b", "c"].iter().map(|name| placed(&cluster, name)).collect();
    nodes.sort();
    assert_eq!(nodes, ["", "n1", "n2"]);
}

#[test]
fn what_fits_nowhere_says_so_once_and_waits_for_what_helps() {
    let mut cluster = Cluster::default();
    cluster.put(node("n1", "1"));
    cluster.put(pod("big", "2"));
    let driver = SchedulerDriver::default();
    step(&mut cluster, &driver);
    let message = "0/1 nodes are available: 1 Insufficient cpu.";
    let json = cluster.json(&key("big"));
    let condition = raftsman_api::meta::condition(&json, "PodScheduled").unwrap();
    let told = (condition.text("status"), condition.text("reason"), condition.text("message"));
    assert_eq!(told, ("False", "Unschedulable", message));
    let event = cluster.view().list(&objects::EVENTS, None).next().map(|event| cluster.json(&event.key)).unwrap();
    assert_eq!((event.text("reason"), event.text("message")), ("FailedScheduling", message));
    cluster.pass(5);
    assert!(step(&mut cluster, &driver).is_empty(), "nothing happened that helps");
    cluster.edit(&Key::new(&objects::NODES, "", "n1"), |node| set(node, "status.allocatable.cpu", "2"));
    step(&mut cluster, &driver);
    assert_eq!(placed(&cluster, "big"), "n1");
}

#[test]
fn a_pod_that_leaves_makes_room_after_the_back_off() {
    let mut cluster = Cluster::default();
    cluster.put(node("n1", "1"));
    cluster.put(pod("first", "1"));
    let driver = SchedulerDriver::default();
    step(&mut cluster, &driver);
    cluster.put(pod("second", "1"));
    step(&mut cluster, &driver);
    cluster.edit(&key("first"), |pod| set(pod, "status.phase", "Succeeded"));
    let plan = step(&mut cluster, &driver);
    assert!(plan.is_empty() && plan.requeue_after == Some(Duration::from_millis(250)), "{plan}");
    cluster.pass(1);
    step(&mut cluster, &driver);
    assert_eq!(placed(&cluster, "second"), "n1");
}

#[test]
fn the_more_important_goes_first_and_gates_and_other_schedulers_are_respected() {
    let mut cluster = Cluster::default();
    cluster.put(node("n1", "1"));
    for (name, field, value) in [
        ("a-low", "priority", json!(1)),
        ("b-high", "priority", json!(100)),
        ("c-gated", "schedulingGates", json!([{"name": "example.org/wait"}])),
        ("d-other", "schedulerName", json!("mine")),
    ] {
        let mut object = pod(name, "1");
        object["spec"][field] = value;
        cluster.put(object);
    }
    step(&mut cluster, &SchedulerDriver::default());
    let nodes = ["a-low", "b-high", "c-gated", "d-other"].map(|name| placed(&cluster, name));
    assert_eq!(nodes, ["", "n1", "", ""]);
    let json = cluster.json(&key("c-gated"));
    assert_eq!(raftsman_api::meta::condition(&json, "PodScheduled").unwrap().text("reason"), "SchedulingGated");
    assert!(raftsman_api::meta::condition(&cluster.json(&key("d-other")), "PodScheduled").is_none());
}

#[test]
fn a_binding_that_failed_takes_nothing() {
    let mut cluster = Cluster::default();
    cluster.put(node("n1", "1"));
    cluster.put(pod("a", "1"));
    let driver = SchedulerDriver::default();
    let now = cluster.now();
    let plan = driver.plan(&cluster.view(), &queue(), &now);
    assert_eq!(plan.actions().next().unwrap().verb(), "bind");
    // It was never carried out, and the pod is gone.
    cluster.remove(&key("a"));
    cluster.put(pod("b", "1"));
    step(&mut cluster, &driver);
    assert_eq!(placed(&cluster, "b"), "n1");
}

#[derive(Debug, Clone)]
enum Step {
    Add(u8, u16),
    Remove(u8),
    Finish(u8),
    Node(u8, u16),
    NodeGone(u8),
    Schedule,
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..12_u8, 1..1500_u16).prop_map(|(pod, cpu)| Step::Add(pod, cpu)),
        1 => (0..12_u8).prop_map(Step::Remove),
        1 => (0..12_u8).prop_map(Step::Finish),
        1 => (0..3_u8, 500..3000_u16).prop_map(|(node, cpu)| Step::Node(node, cpu)),
        1 => (0..3_u8).prop_map(Step::NodeGone),
        4 => Just(Step::Schedule),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]
    /// However changes and decisions interleave: no binding takes more than its node had left, the index kept from changes
    /// is the one made from scratch, and nothing is left waiting that fits.
    #[test]
    fn never_too_much_and_never_idle(steps in prop::collection::vec(any_step(), 0..80)) {
        let mut cluster = Cluster::default();
        let driver = SchedulerDriver::default();
        let name = |kind: char, number: u8| format!("{kind}{number}");
        for step_ in steps {
            cluster.pass(20);
            match step_ {
                Step::Add(at, cpu) => if cluster.view().get(&key(&name('p', at))).is_none() {
                    cluster.put(pod(&name('p', at), &format!("{cpu}m")));
                },
                Step::Remove(at) => cluster.remove(&key(&name('p', at))),
                Step::Finish(at) => if cluster.view().get(&key(&name('p', at))).is_some() {
                    cluster.edit(&key(&name('p', at)), |pod| set(pod, "status.phase", "Succeeded"));
                },
                Step::Node(at, cpu) => { cluster.put(node(&name('n', at), &format!("{cpu}m"))); }
                Step::NodeGone(at) => cluster.remove(&Key::new(&objects::NODES, "", &name('n', at))),
                Step::Schedule => schedule(&mut cluster, &driver)?,
            }
        }
        cluster.pass(120);
        schedule(&mut cluster, &driver)?;
        let mut fresh = Index::default();
        fresh.sync(&cluster.view());
        {
            let mut kept = driver.index.lock();
            kept.sync(&cluster.view());
            let used = |index: &Index| -> BTreeMap<String, i64> {
                index.nodes().map(|node| (node.name.clone(), node.used.get("cpu"))).collect()
            };
            prop_assert_eq!(used(&kept), used(&fresh));
        }
        for object in cluster.view().list(&objects::PODS, None) {
            let pod: Arc<Pod> = object.decode().unwrap();
            if pods::node_name(&pod).is_none() && !pods::is_terminal(&pod) {
                let decision = Scheduler::default().schedule(&fresh, &Demand::of(&pod));
                let waits = matches!(decision, Decision::Unschedulable { .. });
                prop_assert!(waits, "{} fits and waits", object.key);
            }
        }
    }
}

/// One plan; every node that it binds to has room for all that it then holds.
fn schedule(cluster: &mut Cluster, driver: &SchedulerDriver) -> Result<(), TestCaseError> {
    let plan = step(cluster, driver);
    let mut index = Index::default();
    index.sync(&cluster.view());
    for action in plan.actions() {
        if let Action::Bind { node, .. } = action {
            let node = index.node(node).unwrap();
            prop_assert!(node.used.get("cpu") <= node.allocatable.get("cpu"), "{} is overfull", node.name);
        }
    }
    Ok(())
}

fn with_claim(name: &str, claim: &str) -> Value {
    let mut pod = pod(name, "1");
    set(&mut pod, "spec.volumes", json!([{"name": "d", "persistentVolumeClaim": {"claimName": claim}}]));
    pod
}

fn claim(name: &str, class: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": name, "namespace": "x"},
        "spec": {"storageClassName": class, "accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
        "status": {"phase": "Pending"},
    })
}

fn volume_on(name: &str, node: &str, class: &str) -> Value {
    let term = json!({"matchExpressions": [{"key": "kubernetes.io/hostname", "operator": "In", "values": [node]}]});
    json!({
        "apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": name},
        "spec": {
            "storageClassName": class, "accessModes": ["ReadWriteOnce"], "capacity": {"storage": "1Gi"},
            "local": {"path": "/d"}, "nodeAffinity": {"required": {"nodeSelectorTerms": [term]}},
        },
    })
}

fn class(name: &str, provisioner: &str, mode: &str) -> Value {
    json!({
        "apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": {"name": name},
        "provisioner": provisioner, "volumeBindingMode": mode,
    })
}

fn storage_cluster() -> Cluster {
    let mut cluster = Cluster::default();
    for name in ["n1", "n2"] {
        let mut node = node(name, "8");
        set(&mut node, "metadata.labels", json!({"kubernetes.io/hostname": name}));
        cluster.put(node);
    }
    cluster
}

#[test]
fn a_claim_is_told_its_node_and_the_pod_follows_when_it_is_bound() {
    let mut cluster = storage_cluster();
    let driver = SchedulerDriver::default();
    cluster.put(with_claim("a", "data"));
    let text = step(&mut cluster, &driver).to_string();
    assert!(text.contains("0/2 nodes are available: persistentvolumeclaim \"data\" not found."), "{text}");
    cluster.put(class("local", raftsman_api::volumes::LOCAL_PATH, "WaitForFirstConsumer"));
    let data = cluster.put(claim("data", "local")).key.clone();
    cluster.pass(1);
    step(&mut cluster, &driver);
    assert_eq!(placed(&cluster, "a"), "", "its volume is not there yet");
    let told = cluster.json(&data).at("metadata.annotations")[SELECTED_NODE].as_str().unwrap().to_owned();
    assert!(step(&mut cluster, &driver).is_empty(), "told once");
    // The volume is made, on the other node for the test's sake: the pod goes where the volume is.
    let other = if told == "n1" { "n2" } else { "n1" };
    cluster.put(volume_on("v", other, "local"));
    cluster.edit(&data, |claim| {
        set(claim, "spec.volumeName", "v");
        set(claim, "status.phase", "Bound");
    });
    step(&mut cluster, &driver);
    assert_eq!(placed(&cluster, "a"), other);
}

#[test]
fn volumes_made_by_hand_say_where_their_first_consumer_runs() {
    let mut cluster = storage_cluster();
    let driver = SchedulerDriver::default();
    cluster.put(class("hand", "kubernetes.io/no-provisioner", "WaitForFirstConsumer"));
    cluster.put(class("now", "kubernetes.io/no-provisioner", "Immediate"));
    let data = cluster.put(claim("data", "hand")).key.clone();
    cluster.put(claim("unbound", "now"));
    cluster.put(with_claim("a", "data"));
    cluster.put(with_claim("b", "unbound"));
    let text = step(&mut cluster, &driver).to_string();
    assert!(text.contains("2 node(s) didn't find available persistent volumes to bind"), "{text}");
    assert!(text.contains("pod has unbound immediate PersistentVolumeClaims"), "{text}");
    cluster.put(volume_on("v", "n2", "hand"));
    cluster.pass(1);
    step(&mut cluster, &driver);
    assert_eq!(cluster.json(&data).at("metadata.annotations")[SELECTED_NODE], "n2");
    // Bound to where the pod cannot be: it says so.
    cluster.put(volume_on("w", "n9", "hand"));
    cluster.edit(&data, |claim| {
        set(claim, "spec.volumeName", "w");
        set(claim, "status.phase", "Bound");
    });
    cluster.pass(1);
    let text = step(&mut cluster, &driver).to_string();
    assert!(text.contains("0/2 nodes are available: 2 node(s) had volume node affinity conflict."), "{text}");
}

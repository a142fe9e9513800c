#![allow(clippy::unwrap_used, clippy::panic)]

use super::*;
use crate::Key;
use crate::replicas::Replicas;
use crate::testing::Cluster;
use proptest::prelude::*;
use raftsman_api::value::{At, set};
use serde_json::{Value, json};

fn deployment(replicas: i64, image: &str, surge: Value, unavailable: Value) -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "namespace": "x", "generation": 1},
        "spec": {
            "replicas": replicas, "selector": {"matchLabels": {"app": "web"}}, "revisionHistoryLimit": 2,
            "progressDeadlineSeconds": 600,
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": surge, "maxUnavailable": unavailable}},
            "template": {
                "metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "c", "image": image}]},
            },
        },
    })
}

struct World {
    cluster: Cluster,
    key: Key,
}

impl World {
    fn new(object: Value) -> Self {
        let mut cluster = Cluster::default();
        let key = cluster.put(object).key.clone();
        Self { cluster, key }
    }

    fn settle(&mut self) {
        self.cluster.settle(&[&Deployments, &Replicas::replica_sets()]);
    }

    /// Everything runs and is ready, again and again, until nothing moves.
    fn roll_out(&mut self) {
        for _ in 0..100 {
            self.settle();
            let before = self.cluster.state.revision();
            for name in self.cluster.names(&PODS) {
                self.cluster.run_pod(&Key::new(&PODS, "x", &name), true);
            }
            self.settle();
            if self.cluster.state.revision() == before {
                return;
            }
        }
        panic!("the rollout does not end");
    }

    fn set_image(&mut self, image: &str) {
        let image = image.to_owned();
        self.cluster
            .edit(&self.key.clone(), |web| web["spec"]["template"]["spec"]["containers"][0]["image"] = image.into());
    }

    fn json(&self) -> Value {
        self.cluster.json(&self.key)
    }

    /// (revision, image, wanted replicas) of every set, by revision.
    fn sets(&self) -> Vec<(String, String, i64)> {
        let view = self.cluster.view();
        let mut sets: Vec<_> = view
            .list(&REPLICA_SETS, None)
            .map(|set| self.cluster.json(&set.key))
            .map(|set| {
                let revision = set["metadata"]["annotations"][revisions::REVISION].as_str().unwrap().to_owned();
                let image = set["spec"]["template"]["spec"]["containers"][0]["image"].as_str().unwrap().to_owned();
                (revision, image, set.int("spec.replicas").unwrap())
            })
            .collect();
        sets.sort();
        sets
    }

    fn condition(&self, kind: &str) -> (String, String) {
        let json = self.json();
        let found = raftsman_api::meta::condition(&json, kind).unwrap_or_else(|| panic!("no {kind} in {json}"));
        (found.text("status").to_owned(), found.text("reason").to_owned())
    }

    fn events(&self, reason: &str) -> Vec<String> {
        let view = self.cluster.view();
        let events = view.list(&objects::EVENTS, None).map(|event| self.cluster.json(&event.key));
        let mut texts: Vec<String> =
            events.filter(|event| event["reason"] == reason).map(|event| event.text("message").to_owned()).collect();
        texts.sort();
        texts
    }
}

fn pair(a: &str, b: &str) -> (String, String) {
    (a.to_owned(), b.to_owned())
}

fn sized(sets: &[(&str, &str, i64)]) -> Vec<(String, String, i64)> {
    sets.iter().map(|(revision, image, size)| ((*revision).to_owned(), (*image).to_owned(), *size)).collect()
}

#[test]
fn a_new_deployment_becomes_available() {
    let mut world = World::new(deployment(3, "v1", json!("25%"), json!("25%")));
    world.settle();
    assert_eq!(world.condition("Available"), pair("False", "MinimumReplicasUnavailable"));
    assert_eq!(world.condition("Progressing").0, "True");
    world.roll_out();
    assert_eq!(world.sets(), sized(&[("1", "v1", 3)]));
    assert_eq!(world.condition("Available"), pair("True", "MinimumReplicasAvailable"));
    assert_eq!(world.condition("Progressing"), pair("True", "NewReplicaSetAvailable"));
    let json = world.json();
    assert_eq!(json["metadata"]["annotations"][revisions::REVISION], "1");
    for count in ["replicas", "updatedReplicas", "readyReplicas", "availableReplicas"] {
        assert_eq!(json["status"][count], 3, "{count}");
    }
    assert_eq!(json["status"].get("unavailableReplicas"), None);
    let name = world.cluster.names(&REPLICA_SETS)[0].clone();
    assert_eq!(world.events("ScalingReplicaSet"), [format!("Scaled up replica set {name} from 0 to 3")]);
    let set = world.cluster.json(&Key::new(&REPLICA_SETS, "x", &name));
    let hash = name.strip_prefix("web-").unwrap();
    assert_eq!(set["spec"]["selector"]["matchLabels"], json!({"app": "web", "pod-template-hash": hash}));
    assert_eq!(set["spec"]["template"]["metadata"]["labels"]["pod-template-hash"], hash);
}

#[test]
fn a_set_that_has_yet_to_shrink_makes_no_room() {
    let mut world = World::new(deployment(4, "v1", json!(1), json!(1)));
    world.roll_out();
    world.set_image("v2");
    // Nobody deletes or makes pods meanwhile.
    world.cluster.settle(&[&Deployments]);
    assert_eq!(world.sets(), sized(&[("1", "v1", 3), ("2", "v2", 1)]));
    world.roll_out();
    assert_eq!(world.sets(), sized(&[("1", "v1", 0), ("2", "v2", 4)]));
}

#[test]
fn a_rollout_is_numbered_and_can_be_undone() {
    let mut world = World::new(deployment(2, "v1", json!(1), json!(0)));
    world.roll_out();
    world.set_image("v2");
    world.roll_out();
    assert_eq!(world.sets(), sized(&[("1", "v1", 0), ("2", "v2", 2)]));
    // What `kubectl rollout undo` does: the old template again.
    world.set_image("v1");
    world.roll_out();
    assert_eq!(world.sets(), sized(&[("2", "v2", 0), ("3", "v1", 2)]));
    assert_eq!(world.json()["metadata"]["annotations"][revisions::REVISION], "3");
    let view = world.cluster.view();
    let set = view.list(&REPLICA_SETS, None).map(|set| world.cluster.json(&set.key));
    let again = set.into_iter().find(|set| set["metadata"]["annotations"][revisions::REVISION] == "3").unwrap();
    assert_eq!(again["metadata"]["annotations"]["deployment.kubernetes.io/revision-history"], "1");
    // Only so many old sets are kept.
    for image in ["v3", "v4", "v5"] {
        world.set_image(image);
        world.roll_out();
    }
    assert_eq!(world.sets(), sized(&[("4", "v3", 0), ("5", "v4", 0), ("6", "v5", 2)]));
}

#[test]
fn recreate_ends_the_old_before_it_begins_the_new() {
    let mut object = deployment(2, "v1", json!(1), json!(0));
    set(&mut object, "spec.strategy", json!({"type": "Recreate"}));
    let mut world = World::new(object);
    world.roll_out();
    for name in world.cluster.names(&PODS) {
        world.cluster.edit(&Key::new(&PODS, "x", &name), |pod| set(pod, "spec.nodeName", "n1"));
    }
    world.set_image("v2");
    world.settle();
    assert_eq!(world.sets(), sized(&[("1", "v1", 0)]), "pods of the old template are still ending");
    for name in world.cluster.names(&PODS) {
        world.cluster.remove(&Key::new(&PODS, "x", &name));
    }
    world.roll_out();
    assert_eq!(world.sets(), sized(&[("1", "v1", 0), ("2", "v2", 2)]));
}

#[test]
fn paused_scales_but_does_not_roll_and_resumes() {
    let mut world = World::new(deployment(2, "v1", json!(1), json!(0)));
    world.roll_out();
    world.cluster.edit(&world.key.clone(), |web| set(web, "spec.paused", true));
    world.set_image("v2");
    world.roll_out();
    assert_eq!(world.sets(), sized(&[("1", "v1", 2)]));
    assert_eq!(world.condition("Progressing"), pair("Unknown", "DeploymentPaused"));
    world.cluster.edit(&world.key.clone(), |web| set(web, "spec.replicas", 4));
    world.roll_out();
    assert_eq!(world.sets(), sized(&[("1", "v1", 4)]));
    world.cluster.edit(&world.key.clone(), |web| set(web, "spec.paused", false));
    world.roll_out();
    assert_eq!(world.sets(), sized(&[("1", "v1", 0), ("2", "v2", 4)]));
    assert_eq!(world.condition("Progressing"), pair("True", "NewReplicaSetAvailable"));
}

#[test]
fn scaling_in_mid_rollout_gives_every_set_its_share() {
    let mut world = World::new(deployment(10, "v1", json!(3), json!(2)));
    world.roll_out();
    world.set_image("v2");
    world.settle();
    assert_eq!(world.sets(), sized(&[("1", "v1", 8), ("2", "v2", 5)]), "the new ones never become ready");
    world.cluster.edit(&world.key.clone(), |web| set(web, "spec.replicas", 15));
    world.settle();
    assert_eq!(world.sets(), sized(&[("1", "v1", 11), ("2", "v2", 7)]));
}

#[test]
fn a_rollout_without_progress_times_out() {
    let mut world = World::new(deployment(1, "v1", json!(1), json!(0)));
    world.roll_out();
    world.set_image("broken");
    world.settle();
    let plan = world.cluster.step(&Deployments, &world.key.clone());
    assert_eq!(plan.requeue_after, Some(std::time::Duration::from_secs(600)));
    world.cluster.pass(600);
    world.settle();
    assert_eq!(world.condition("Progressing"), pair("False", "ProgressDeadlineExceeded"));
    assert_eq!(world.condition("Available"), pair("True", "MinimumReplicasAvailable"));
    world.set_image("v1");
    world.roll_out();
    assert_eq!(world.condition("Progressing"), pair("True", "NewReplicaSetAvailable"));
}

#[test]
fn a_name_that_is_taken_counts_as_a_collision() {
    let mut world = World::new(deployment(1, "v1", json!(1), json!(0)));
    world.settle();
    let name = world.cluster.names(&REPLICA_SETS)[0].clone();
    let other = json!({
        "apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": {"name": name, "namespace": "x"},
        "spec": {"replicas": 0, "selector": {"matchLabels": {"app": "other"}}, "template": {"metadata": {"labels": {"app": "other"}}}},
    });
    let mut world = World::new(deployment(1, "v1", json!(1), json!(0)));
    world.cluster.put(other);
    world.roll_out();
    assert_eq!(world.json()["status"]["collisionCount"], 1);
    assert_eq!(world.cluster.names(&REPLICA_SETS).len(), 2);
}

#[test]
fn a_rollout_turned_at_once_takes_no_more_than_it_may() {
    let mut world = World::new(deployment(3, "v0", json!(1), json!(1)));
    world.roll_out();
    for image in ["v2", "v1"] {
        world.set_image(image);
        for _ in 0..2 {
            world.cluster.step(&Deployments, &world.key.clone());
        }
    }
    // The first set was told to shrink to two and has not yet: it must not be told to shrink by what it still has too much.
    assert!(world.sets().contains(&("1".into(), "v0".into(), 2)), "{:?}", world.sets());
}

#[test]
fn a_size_that_the_old_set_has_by_chance_does_not_stop_the_rollout() {
    let mut world = World::new(deployment(6, "v0", json!(0), json!(0)));
    world.roll_out();
    world.set_image("v1");
    for _ in 0..2 {
        world.cluster.step(&Deployments, &world.key.clone());
    }
    world.cluster.edit(&world.key.clone(), |web| set(web, "spec.replicas", 5));
    world.roll_out();
    assert_eq!(world.sets(), sized(&[("1", "v0", 0), ("2", "v1", 5)]));
}

#[derive(Debug, Clone)]
enum Step {
    Deployment,
    Set(usize),
    Ready(usize),
    Unready(usize),
    Image(u8),
    Scale(i64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => Just(Step::Deployment),
        6 => any::<usize>().prop_map(Step::Set),
        6 => any::<usize>().prop_map(Step::Ready),
        1 => any::<usize>().prop_map(Step::Unready),
        1 => (0..4_u8).prop_map(Step::Image),
        1 => (1..8_i64).prop_map(Step::Scale),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]
    /// However its steps interleave with those of its ReplicaSets and with pods becoming ready, a rolling update asks for no
    /// more pods than surge allows and takes no available pod below the bound; and it ends.
    #[test]
    fn rolling_keeps_its_bounds(
        replicas in 1..8_i64, surge in 0..3_i64, unavailable in 0..3_i64, steps in prop::collection::vec(step(), 0..120),
    ) {
        let mut world = World::new(deployment(replicas, "v0", json!(surge), json!(unavailable)));
        world.roll_out();
        let unavailable = if surge == 0 && unavailable == 0 { 1 } else { unavailable };
        let mut scaled = false;
        for step in steps {
            let pods = world.cluster.names(&PODS);
            let sets = world.cluster.names(&REPLICA_SETS);
            let ready = |world: &World| {
                let pods = world.cluster.view();
                let pods = pods.list(&PODS, None).filter(|pod| crate::pods::is_ready(&pod.decode().unwrap())).count();
                i64::try_from(pods).unwrap()
            };
            let before = ready(&world);
            match step {
                Step::Deployment => { world.cluster.step(&Deployments, &world.key.clone()); }
                Step::Set(at) => {
                    let key = Key::new(&REPLICA_SETS, "x", &sets[at % sets.len()]);
                    world.cluster.step(&Replicas::replica_sets(), &key);
                    let wanted = world.json().int("spec.replicas").unwrap();
                    let least = (wanted - unavailable.min(wanted)).min(before);
                    prop_assert!(scaled || ready(&world) >= least, "{} ready of {before}, {least} needed", ready(&world));
                }
                Step::Ready(at) if !pods.is_empty() => {
                    world.cluster.run_pod(&Key::new(&PODS, "x", &pods[at % pods.len()]), true);
                }
                Step::Unready(at) if !pods.is_empty() => {
                    // Not the rollout's doing: from here the bound on availability is not its own.
                    scaled = true;
                    world.cluster.run_pod(&Key::new(&PODS, "x", &pods[at % pods.len()]), false);
                }
                Step::Image(image) => world.set_image(&format!("v{image}")),
                Step::Scale(size) => {
                    scaled = true;
                    world.cluster.edit(&world.key.clone(), |web| set(web, "spec.replicas", size));
                }
                _ => {}
            }
            let total: i64 = world.sets().iter().map(|(_, _, size)| size).sum();
            let wanted = world.json().int("spec.replicas").unwrap();
            prop_assert!(scaled || total <= wanted + surge, "{total} pods asked for, {wanted} + {surge} allowed");
        }
        world.roll_out();
        let wanted = world.json().int("spec.replicas").unwrap();
        let image = world.json()["spec"]["template"]["spec"]["containers"][0]["image"].clone();
        for (_, held, size) in world.sets() {
            prop_assert_eq!(size, if held == image { wanted } else { 0 });
        }
        prop_assert_eq!(world.condition("Progressing"), pair("True", "NewReplicaSetAvailable"));
    }
}

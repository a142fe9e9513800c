#![allow(clippy::unwrap_used)]

use super::*;
use crate::Key;
use crate::objects;
use crate::testing::Cluster;
use proptest::prelude::*;

fn object(name: &str, owners: &[(&str, &str, bool)]) -> Value {
    let owners: Vec<Value> = owners
        .iter()
        .map(|(name, uid, block)| {
            json!({"apiVersion": "v1", "kind": "ConfigMap", "name": name, "uid": uid, "blockOwnerDeletion": block})
        })
        .collect();
    json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": "x", "uid": format!("uid-{name}"), "ownerReferences": owners},
    })
}

fn names(cluster: &Cluster) -> Vec<String> {
    cluster.names(&objects::CONFIG_MAPS)
}

fn key(name: &str) -> Key {
    Key::new(&objects::CONFIG_MAPS, "x", name)
}

/// owner ← child ← grandchild, the child blocking its owner's deletion.
fn family() -> Cluster {
    let mut cluster = Cluster::default();
    cluster.put(object("owner", &[]));
    cluster.put(object("child", &[("owner", "uid-owner", true)]));
    cluster.put(object("grandchild", &[("child", "uid-child", true)]));
    cluster.put(object("stranger", &[]));
    cluster
}

fn delete_owner(cluster: &mut Cluster, propagation: Propagation) {
    let owner = cluster.json(&key("owner"));
    cluster.delete(owner, None, Some(propagation));
}

#[test]
fn background_takes_all_descendants() {
    let mut cluster = family();
    cluster.settle(&[&Garbage]);
    assert_eq!(names(&cluster).len(), 4, "nothing goes while its owner is there");
    delete_owner(&mut cluster, Propagation::Background);
    cluster.settle(&[&Garbage]);
    assert_eq!(names(&cluster), ["stranger"]);
}

/// Works off what changes after `cursor` ask for, in an order that follows from `random`, until nothing is asked for.
/// Gives the names in the order in which they went.
fn drive(cluster: &mut Cluster, mut cursor: u64, mut random: u64) -> Vec<String> {
    let (mut queue, mut gone) = (Vec::<Key>::new(), Vec::new());
    loop {
        let view = cluster.view();
        for change in view.changes_after(&objects::CONFIG_MAPS, cursor).unwrap() {
            queue.extend(Garbage.wants(change, &view));
            gone.extend(change.deleted.then(|| change.key().name().to_owned()));
        }
        cursor = view.revision();
        if queue.is_empty() {
            return gone;
        }
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let key = queue.swap_remove(usize::try_from(random >> 33).unwrap() % queue.len());
        cluster.step(&Garbage, &key);
    }
}

#[test]
fn foreground_goes_from_the_leaves() {
    for random in 0..20 {
        let mut cluster = family();
        let cursor = cluster.state.revision();
        delete_owner(&mut cluster, Propagation::Foreground);
        assert_eq!(drive(&mut cluster, cursor, random), ["grandchild", "child", "owner"]);
    }
}

#[test]
fn orphans_live_on_without_the_reference() {
    let mut cluster = family();
    delete_owner(&mut cluster, Propagation::Orphan);
    cluster.settle(&[&Garbage]);
    assert_eq!(names(&cluster), ["child", "grandchild", "stranger"]);
    assert!(meta::owners(&cluster.json(&key("child"))).is_empty());
}

#[test]
fn one_living_owner_is_enough() {
    let mut cluster = family();
    cluster.put(object("shared", &[("owner", "uid-owner", true), ("stranger", "uid-stranger", true)]));
    delete_owner(&mut cluster, Propagation::Background);
    cluster.settle(&[&Garbage]);
    assert_eq!(names(&cluster), ["shared", "stranger"]);
    assert_eq!(meta::owners(&cluster.json(&key("shared"))).len(), 1);
}

#[test]
fn what_another_kind_owns_is_left_alone_and_another_namespace_owns_nothing() {
    let mut cluster = Cluster::default();
    let mut foreign = object("foreign", &[("o", "uid-unknown", false)]);
    foreign["metadata"]["ownerReferences"][0]["kind"] = "Gadget".into();
    cluster.put(foreign);
    let mut other = object("other", &[]);
    other["metadata"]["namespace"] = "y".into();
    cluster.put(other);
    cluster.put(object("across", &[("other", "uid-other", false)]));
    cluster.settle(&[&Garbage]);
    assert_eq!(names(&cluster), ["foreign", "other"]);
}

fn reasons(cluster: &Cluster) -> Vec<String> {
    let events = cluster.view().list(&objects::EVENTS, None).map(|event| cluster.json(&event.key)).collect::<Vec<_>>();
    events.iter().map(|event| event.text("reason").to_owned()).collect()
}

#[test]
fn a_namespaced_owner_of_what_has_no_namespace_is_told_of_and_nothing_goes() {
    let mut cluster = Cluster::default();
    let owner = json!({"apiVersion": "v1", "kind": "ConfigMap", "name": "gone", "uid": "uid-gone"});
    let metadata = json!({"name": "pv", "uid": "uid-pv", "ownerReferences": [owner]});
    cluster.put(json!({"apiVersion": "v1", "kind": "PersistentVolume", "metadata": metadata}));
    cluster.settle(&[&Garbage]);
    assert_eq!(cluster.names(&objects::VOLUMES), ["pv"]);
    assert_eq!(reasons(&cluster), ["OwnerRefInvalidNamespace"]);
}

#[test]
fn circles_do_not_wait_for_themselves() {
    for (length, order) in (1..5_usize).flat_map(|length| (0..20).map(move |order| (length, order))) {
        let mut cluster = Cluster::default();
        let name = |at: usize| if at == 0 { "owner".to_owned() } else { format!("c{at}") };
        for at in 0..length {
            let owner = name((at + length - 1) % length);
            let uid = format!("uid-{owner}");
            cluster.put(object(&name(at), &[(owner.as_str(), uid.as_str(), true)]));
        }
        let cursor = cluster.state.revision();
        delete_owner(&mut cluster, Propagation::Foreground);
        drive(&mut cluster, cursor, order);
        assert_eq!(names(&cluster), [""; 0], "a circle of {length}, order {order}");
    }
}

#[test]
fn what_a_dependents_own_deletion_asked_for_is_kept() {
    let mut cluster = family();
    let child = key("child");
    cluster.edit(&child, |child| child["metadata"]["finalizers"] = json!(["orphan"]));
    delete_owner(&mut cluster, Propagation::Background);
    cluster.settle(&[&Garbage]);
    assert_eq!(names(&cluster), ["grandchild", "stranger"]);
    let mut cluster = family();
    cluster.edit(&child, |child| child["metadata"]["finalizers"] = json!(["foregroundDeletion"]));
    let cursor = cluster.state.revision();
    delete_owner(&mut cluster, Propagation::Background);
    assert_eq!(drive(&mut cluster, cursor, 0), ["owner", "grandchild", "child"]);
}

#[test]
fn a_dependent_that_got_another_owner_meanwhile_stays() {
    let mut cluster = family();
    delete_owner(&mut cluster, Propagation::Background);
    let now = cluster.now();
    let plan = Garbage.plan(&cluster.view(), &key("child"), &now);
    cluster.put(object("child", &[("stranger", "uid-stranger", true)]));
    let delete = plan.actions().next().unwrap().clone();
    assert!(matches!(cluster.execute(&delete), Err(crate::ExecuteError::Conflict(_))));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]
    /// Driven by changes alone, in any order of work, what is left is what has a living owner or never had one.
    #[test]
    fn what_is_left_is_what_is_owned(
        edges in prop::collection::vec((0..12_usize, 0..12_usize), 0..20), deleted in prop::collection::vec(0..12_usize, 0..6),
        order in any::<u64>(),
    ) {
        let mut cluster = Cluster::default();
        // Owners are older than what they own: no cycles.
        let owners = |at: usize| -> Vec<usize> {
            let mut owners: Vec<_> = edges.iter().filter(|(a, b)| (*a).max(*b) == at && a != b).map(|(a, b)| (*a).min(*b)).collect();
            owners.sort_unstable();
            owners.dedup();
            owners
        };
        for at in 0..12 {
            let owned: Vec<_> = owners(at).iter().map(|o| (format!("o{o:02}"), format!("uid-o{o:02}"))).collect();
            let owned: Vec<_> = owned.iter().map(|(name, uid)| (name.as_str(), uid.as_str(), true)).collect();
            cluster.put(object(&format!("o{at:02}"), &owned));
        }
        let cursor = cluster.state.revision();
        for at in &deleted {
            cluster.remove(&key(&format!("o{at:02}")));
        }
        drive(&mut cluster, cursor, order);
        let mut left = Vec::new();
        for at in 0..12 {
            let owners = owners(at);
            let owned = owners.is_empty() || owners.iter().any(|owner| left.contains(owner));
            if owned && !deleted.contains(&at) {
                left.push(at);
            }
        }
        let left: Vec<String> = left.iter().map(|at| format!("o{at:02}")).collect();
        prop_assert_eq!(names(&cluster), left);
    }
}

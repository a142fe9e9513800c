#![allow(clippy::unwrap_used)]

use super::fixture::{fixture, pod, service, target, value};
use super::*;
use raftsman_api::kind::Subresource;
use raftsman_api::value::{At, set};
use raftsman_store::border::{Leadership, Store};
use serde_json::{Value, json};

#[tokio::test]
async fn what_is_created_is_defaulted_admitted_stamped_and_stored() {
    let f = fixture().await;
    let made = f.create("pods", pod("p")).await.unwrap();
    let read = value(&made);
    assert_eq!(read["metadata"]["resourceVersion"], made.revision.to_string());
    assert_eq!(read["metadata"]["namespace"], "default");
    assert_eq!(read["metadata"]["uid"], &*made.meta.uid);
    assert!(raftsman_api::time::parse(read.text("metadata.creationTimestamp")).is_some());
    assert_eq!(read["spec"]["restartPolicy"], "Always");
    assert_eq!(read["spec"]["serviceAccountName"], "default");
    assert_eq!(read["spec"]["priority"], 0);
    assert_eq!(read.list("spec.tolerations").len(), 2);
    assert_eq!(read["status"]["phase"], "Pending");
    assert_eq!(read["metadata"]["managedFields"][0]["manager"], "test");
    assert_eq!(**f.store.view().get(&target("pods", "p").key()).unwrap(), *made);
    assert_eq!(f.create("pods", pod("p")).await.unwrap_err().reason, "AlreadyExists");
}

#[tokio::test]
async fn names_are_generated() {
    let f = fixture().await;
    let json = json!({ "metadata": { "generateName": "c-" } });
    let (a, b) = (f.create("configmaps", json.clone()).await.unwrap(), f.create("configmaps", json).await.unwrap());
    assert!(a.key.name().starts_with("c-") && a.key.name().len() == 7);
    assert_ne!(a.key, b.key);
}

#[tokio::test]
async fn nothing_is_created_in_a_namespace_that_is_missing_or_ends() {
    let f = fixture().await;
    let nowhere = Target::named("", "v1", "pods", "nowhere", "").unwrap();
    let refused = f.api.create(&f.caller, &nowhere, pod("p"), &WriteOptions::default()).await.unwrap_err();
    assert_eq!((refused.code, refused.message.as_str()), (404, "namespaces \"nowhere\" not found"));

    f.create("namespaces", json!({ "metadata": { "name": "x" } })).await.unwrap();
    let ns = target("namespaces", "x");
    let deleted = f.api.delete(&f.caller, &ns, &DeleteOptions::default()).await.unwrap();
    assert!(!deleted.gone);
    assert_eq!(value(&deleted.object)["status"]["phase"], "Terminating");
    let pods = Target::named("", "v1", "pods", "x", "").unwrap();
    let refused = f.api.create(&f.caller, &pods, pod("p"), &WriteOptions::default()).await.unwrap_err();
    assert_eq!(refused.code, 403);
    assert!(refused.message.contains("because it is being terminated"), "{refused}");

    // The namespace controller takes its finalizer away: gone in the same write.
    let finalize = ns.part(Subresource::Finalize);
    let emptied = |old: &Value| {
        let mut new = old.clone();
        set(&mut new, "spec.finalizers", Value::Array(Vec::new()));
        Some(new)
    };
    f.api.modify(&f.caller, &finalize, emptied).await.unwrap();
    assert!(f.store.view().get(&ns.key()).is_none());
    let immortal = f.api.delete(&f.caller, &target("namespaces", "default"), &DeleteOptions::default()).await;
    assert!(immortal.unwrap_err().message.contains("this namespace may not be deleted"));
}

#[tokio::test]
async fn updates_compare_the_revision_that_they_name() {
    let f = fixture().await;
    let made = f.create("configmaps", json!({ "metadata": { "name": "c" }, "data": { "a": "1" } })).await.unwrap();
    let c = target("configmaps", "c");
    let mut json = value(&made);
    json["data"]["a"] = "2".into();
    let changed = f.api.update(&f.caller, &c, json.clone(), &WriteOptions::default()).await.unwrap();
    assert!(changed.revision > made.revision);
    json["data"]["a"] = "3".into();
    let refused = f.api.update(&f.caller, &c, json.clone(), &WriteOptions::default()).await.unwrap_err();
    assert_eq!(
        refused.message,
        "Operation cannot be fulfilled on configmaps \"c\": the object has been modified; please apply your changes to the latest version and try again"
    );
    // Without one, the last writer wins; a write that changes nothing takes no revision.
    raftsman_api::value::remove(&mut json, "metadata.resourceVersion");
    let last = f.api.update(&f.caller, &c, json.clone(), &WriteOptions::default()).await.unwrap();
    let again = f.api.update(&f.caller, &c, json, &WriteOptions::default()).await.unwrap();
    assert_eq!(again.revision, last.revision);
    assert_eq!(f.store.view().revision(), last.revision);
}

#[tokio::test]
async fn modify_is_computed_anew_when_another_write_comes_first() {
    let f = fixture().await;
    f.create("configmaps", json!({ "metadata": { "name": "c" }, "data": { "n": "0" } })).await.unwrap();
    let c = target("configmaps", "c");
    let add = |old: &Value| {
        let mut new = old.clone();
        let count: u32 = old.text("data.n").parse().unwrap();
        set(&mut new, "data.n", (count + 1).to_string());
        Some(new)
    };
    let writers = (0..20).map(|_| {
        let (api, caller, c) = (f.api.clone(), f.caller.clone(), c.clone());
        tokio::spawn(async move { api.modify(&caller, &c, add).await.map(|_| ()) })
    });
    for done in futures::future::join_all(writers).await {
        done.unwrap().unwrap();
    }
    assert_eq!(value(f.store.view().get(&c.key()).unwrap())["data"]["n"], "20");
    let revision = f.store.view().revision();
    f.api.modify(&f.caller, &c, |_| None).await.unwrap();
    assert_eq!(f.store.view().revision(), revision);
}

#[tokio::test]
async fn a_deposed_leader_writes_nothing() {
    let f = fixture().await;
    let duty = Caller::duty("system:kube-scheduler", "scheduler", 1);
    f.api.create(&duty, &target("pods", ""), pod("a"), &WriteOptions::default()).await.unwrap();
    f.store.set_leadership(Leadership { term: 2, leader: Some(1), leading: Some(2) });
    let refused = f.api.create(&duty, &target("pods", ""), pod("b"), &WriteOptions::default()).await.unwrap_err();
    assert_eq!(refused.code, 503);
    assert!(f.store.view().get(&target("pods", "b").key()).is_none());
}

#[tokio::test]
async fn status_and_spec_are_written_apart() {
    let f = fixture().await;
    f.create("pods", pod("p")).await.unwrap();
    let p = target("pods", "p");
    let both = |old: &Value| {
        let mut new = old.clone();
        set(&mut new, "status.phase", "Running");
        set(&mut new, "spec.activeDeadlineSeconds", 5);
        Some(new)
    };
    let after = value(&f.api.modify(&f.caller, &p.part(Subresource::Status), both).await.unwrap());
    assert_eq!((after.text("status.phase"), after.int("spec.activeDeadlineSeconds")), ("Running", None));
    assert_eq!(after.int("metadata.generation"), Some(1));
    let after = value(&f.api.modify(&f.caller, &p, both).await.unwrap());
    assert_eq!((after.text("status.phase"), after.int("spec.activeDeadlineSeconds")), ("Running", Some(5)));
    assert_eq!(after.int("metadata.generation"), Some(2));
}

#[tokio::test]
async fn pods_go_at_once_until_a_node_has_them() {
    let f = fixture().await;
    let p = target("pods", "p");
    f.create("pods", pod("p")).await.unwrap();
    assert!(f.api.delete(&f.caller, &p, &DeleteOptions::default()).await.unwrap().gone);

    let uid = f.create("pods", pod("p")).await.unwrap().meta.uid.clone();
    f.api.bind(&f.caller, "default", "p", &Binding::to("n1"), &WriteOptions::default()).await.unwrap();
    let twice = f.api.bind(&f.caller, "default", "p", &Binding::to("n2"), &WriteOptions::default()).await;
    assert!(twice.unwrap_err().message.contains("already assigned to node \"n1\""));
    let marked = f.api.delete(&f.caller, &p, &DeleteOptions::default()).await.unwrap();
    assert!(!marked.gone && marked.object.meta.deleting);
    assert_eq!(value(&marked.object).int("metadata.deletionGracePeriodSeconds"), Some(30));
    // A second delete without a period of its own changes nothing; a shorter one shortens.
    let again = f.api.delete(&f.caller, &p, &DeleteOptions::default()).await.unwrap();
    assert_eq!(again.object.revision, marked.object.revision);
    let shorter = DeleteOptions { grace: Some(5), ..DeleteOptions::default() };
    let shorter = f.api.delete(&f.caller, &p, &shorter).await.unwrap();
    assert_eq!(value(&shorter.object).int("metadata.deletionGracePeriodSeconds"), Some(5));
    let stranger = f.api.delete(&f.caller, &p, &DeleteOptions::now("other")).await.unwrap_err();
    assert_eq!(stranger.code, 409);
    assert!(f.api.delete(&f.caller, &p, &DeleteOptions::now(&uid)).await.unwrap().gone);
    assert!(f.store.view().get(&p.key()).is_none());
}

#[tokio::test]
async fn finalizers_hold_and_the_last_one_lets_go_in_the_same_write() {
    let f = fixture().await;
    let json = json!({ "metadata": { "name": "c", "finalizers": ["example.com/a"] } });
    f.create("configmaps", json).await.unwrap();
    let c = target("configmaps", "c");
    let foreground = DeleteOptions { propagation: Some(Propagation::Foreground), ..DeleteOptions::default() };
    let marked = f.api.delete(&f.caller, &c, &foreground).await.unwrap();
    assert!(!marked.gone);
    assert_eq!(value(&marked.object)["metadata"]["finalizers"], json!(["example.com/a", "foregroundDeletion"]));
    let drop_first = |old: &Value| {
        let mut new = old.clone();
        let rest = old.list("metadata.finalizers")[1..].to_vec();
        set(&mut new, "metadata.finalizers", rest);
        Some(new)
    };
    f.api.modify(&f.caller, &c, drop_first).await.unwrap();
    let before = f.store.view().revision();
    f.api.modify(&f.caller, &c, drop_first).await.unwrap();
    assert!(f.store.view().get(&c.key()).is_none());
    assert_eq!(f.store.view().revision(), before + 1);
}

#[tokio::test]
async fn strict_and_warning_validation_of_fields() {
    let f = fixture().await;
    let mut json = pod("p");
    json["spec"]["foo"] = 1.into();
    let strict = WriteOptions { validation: FieldValidation::Strict, ..WriteOptions::default() };
    let refused = f.api.create(&f.caller, &target("pods", ""), json.clone(), &strict).await.unwrap_err();
    assert_eq!(refused.code, 400);
    assert!(refused.message.ends_with("strict decoding error: unknown field \"spec.foo\""), "{refused}");
    let warn = WriteOptions::default();
    f.api.create(&f.caller, &target("pods", ""), json, &warn).await.unwrap();
    assert_eq!(warn.warnings.take(), ["unknown field \"spec.foo\""]);
    let mut wrong = pod("q");
    wrong["spec"]["containers"][0]["image"] = 7.into();
    let refused = f.create("pods", wrong).await.unwrap_err();
    assert!(refused.message.contains("spec.containers[0].image") && refused.code == 400, "{refused}");
}

#[tokio::test]
async fn a_dry_run_leaves_nothing() {
    let f = fixture().await;
    let revision = f.store.view().revision();
    let dry = WriteOptions { dry_run: true, ..WriteOptions::default() };
    let shown = f.api.create(&f.caller, &target("services", ""), service("s", json!({})), &dry).await.unwrap();
    assert!(value(&shown).has("spec.clusterIP") && value(&shown).text("metadata.resourceVersion").is_empty());
    assert_eq!(f.store.view().revision(), revision);
}

#[tokio::test]
async fn patches_of_all_kinds() {
    let f = fixture().await;
    let deployment = json!({ "metadata": { "name": "d" }, "spec": {
        "selector": { "matchLabels": { "a": "b" } },
        "template": { "metadata": { "labels": { "a": "b" } }, "spec": { "containers": [
            { "name": "x", "image": "x:1" }, { "name": "y", "image": "y:1" },
        ]}},
    }});
    f.create("deployments", deployment).await.unwrap();
    let d = target("deployments", "d");
    let patch = async |kind, body: Value| {
        f.api.patch(&f.caller, &d, kind, &body, &WriteOptions::default()).await.map(|object| value(&object))
    };
    let strategic = json!({ "spec": { "template": { "spec": { "containers": [{ "name": "y", "image": "y:2" }] } } } });
    let after = patch(PatchKind::Strategic, strategic).await.unwrap();
    let images: Vec<&str> = after.list("spec.template.spec.containers").iter().map(|c| c.text("image")).collect();
    assert_eq!(images, ["x:1", "y:2"]);
    assert_eq!(after.int("metadata.generation"), Some(2));
    let after = patch(PatchKind::Merge, json!({ "metadata": { "labels": { "l": "1" } } })).await.unwrap();
    assert_eq!((after.text("metadata.labels.l"), after.int("metadata.generation")), ("1", Some(2)));
    let after =
        patch(PatchKind::Json, json!([{ "op": "replace", "path": "/spec/replicas", "value": 3 }])).await.unwrap();
    assert_eq!(after.int("spec.replicas"), Some(3));
    let refused = patch(PatchKind::Json, json!([{ "op": "test", "path": "/spec/replicas", "value": 9 }])).await;
    assert_eq!(refused.unwrap_err().code, 422);
    let stale = json!({ "metadata": { "resourceVersion": "1" }, "spec": { "replicas": 9 } });
    assert_eq!(patch(PatchKind::Merge, stale).await.unwrap_err().code, 409);
    let scale = d.part(Subresource::Scale);
    let body = json!({ "spec": { "replicas": 5 } });
    let scaled = f.api.patch(&f.caller, &scale, PatchKind::Merge, &body, &WriteOptions::default()).await.unwrap();
    assert_eq!(value(&scaled).int("spec.replicas"), Some(5));
}

#[tokio::test]
async fn apply_creates_owns_and_conflicts() {
    let f = fixture().await;
    let c = target("configmaps", "c");
    let by = |name: &str, force| WriteOptions { manager: Some(name.to_owned()), force, ..WriteOptions::default() };
    let config =
        |data: Value| json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "c" }, "data": data });
    let (made, created) =
        f.api.apply(&f.caller, &c, &config(json!({ "a": "1", "b": "1" })), &by("one", false)).await.unwrap();
    assert!(created);
    let (same, created) =
        f.api.apply(&f.caller, &c, &config(json!({ "a": "1", "b": "1" })), &by("one", false)).await.unwrap();
    assert!(!created && same.revision == made.revision);
    let refused = f.api.apply(&f.caller, &c, &config(json!({ "a": "2" })), &by("two", false)).await.unwrap_err();
    assert_eq!(refused.message, "Apply failed with 1 conflict: conflict with \"one\" using v1: .data.a");
    f.api.apply(&f.caller, &c, &config(json!({ "a": "2" })), &by("two", true)).await.unwrap();
    let (after, _) = f.api.apply(&f.caller, &c, &config(json!({})), &by("one", false)).await.unwrap();
    assert_eq!(value(&after)["data"], json!({ "a": "2" }));
    let nobody = f.api.apply(&f.caller, &c, &config(json!({})), &WriteOptions::default()).await.unwrap_err();
    assert_eq!(nobody.code, 422);
}

#[tokio::test]
async fn collections_are_deleted_by_selection() {
    let f = fixture().await;
    for (name, label) in [("a", "x"), ("b", "x"), ("c", "y")] {
        f.create("configmaps", json!({ "metadata": { "name": name, "labels": { "l": label } } })).await.unwrap();
    }
    let selection = Selection { labels: "l=x".to_owned(), fields: String::new() };
    let all = target("configmaps", "");
    let deleted = f.api.delete_collection(&f.caller, &all, &selection, &DeleteOptions::default()).await.unwrap();
    assert_eq!(deleted.len(), 2);
    let left: Vec<_> =
        f.store.view().list(&"configmaps".into(), Some("default")).map(|o| o.key.name().to_owned()).collect();
    assert_eq!(left, ["c"]);
}

#[tokio::test]
async fn a_replacement_of_nothing_creates_what_its_kind_allows() {
    let f = fixture().await;
    let options = WriteOptions::default();
    let lease = Target::named("coordination.k8s.io", "v1", "leases", "default", "l").unwrap();
    let json = json!({ "metadata": { "name": "l" }, "spec": { "holderIdentity": "a" } });
    let (made, created) = f.api.replace(&f.caller, &lease, json.clone(), &options).await.unwrap();
    assert!(created && value(&made).has("metadata.uid"));
    let (same, created) = f.api.replace(&f.caller, &lease, value(&made), &options).await.unwrap();
    assert!(!created && same.revision == made.revision);
    // Who replaces a certain one does not want another in its place.
    f.api.delete(&f.caller, &lease, &DeleteOptions::default()).await.unwrap();
    let refused = f.api.replace(&f.caller, &lease, value(&made), &options).await.unwrap_err();
    assert_eq!((refused.code, refused.reason), (409, "Conflict"));
    let plain = json!({ "metadata": { "name": "c" } });
    let refused = f.api.replace(&f.caller, &target("configmaps", "c"), plain, &options).await.unwrap_err();
    assert_eq!(refused.code, 404);
}

#[tokio::test]
async fn dependents_of_old_kinds_are_orphaned_unless_a_delete_says_otherwise() {
    let f = fixture().await;
    let spec = json!({
        "selector": { "a": "b" },
        "template": { "metadata": { "labels": { "a": "b" } }, "spec": { "containers": [{ "name": "c", "image": "i" }] } },
    });
    for (propagation, own, expected) in [
        (None, json!([]), Some(json!(["orphan"]))),
        (None, json!(["foregroundDeletion"]), Some(json!(["foregroundDeletion"]))),
        (Some(Propagation::Foreground), json!([]), Some(json!(["foregroundDeletion"]))),
        (Some(Propagation::Background), json!([]), None),
    ] {
        let json = json!({ "metadata": { "name": "rc", "finalizers": own }, "spec": spec });
        f.create("replicationcontrollers", json).await.unwrap();
        let rc = target("replicationcontrollers", "rc");
        let options = DeleteOptions { propagation, ..DeleteOptions::default() };
        let deleted = f.api.delete(&f.caller, &rc, &options).await.unwrap();
        let held = (!deleted.gone).then(|| value(&deleted.object)["metadata"]["finalizers"].clone());
        assert_eq!(held, expected, "{propagation:?}");
        if held.is_some() {
            let free = |old: &Value| {
                let mut new = old.clone();
                raftsman_api::value::remove(&mut new, "metadata.finalizers");
                Some(new)
            };
            f.api.modify(&f.caller, &rc, free).await.unwrap();
        }
    }
    f.create("configmaps", json!({ "metadata": { "name": "c" } })).await.unwrap();
    assert!(f.api.delete(&f.caller, &target("configmaps", "c"), &DeleteOptions::default()).await.unwrap().gone);
}

#[tokio::test]
async fn what_nothing_carries_out_is_warned_of_when_it_is_written() {
    let f = fixture().await;
    let template = |image: &str| {
        json!({
            "metadata": { "labels": { "a": "b" } },
            "spec": { "imagePullSecrets": [{ "name": "s" }], "containers": [{ "name": "c", "image": image }] },
        })
    };
    let deployment = |image: &str| {
        let spec = json!({ "selector": { "matchLabels": { "a": "b" } }, "template": template(image) });
        json!({ "metadata": { "name": "d" }, "spec": spec })
    };
    let warned =
        ["spec.template.spec.imagePullSecrets: accepted but not carried out: images are pulled without credentials"];
    let options = WriteOptions::default();
    f.api.create(&f.caller, &target("deployments", ""), deployment("i:1"), &options).await.unwrap();
    assert_eq!(options.warnings.take(), warned);
    f.api.update(&f.caller, &target("deployments", "d"), deployment("i:2"), &options).await.unwrap();
    assert_eq!(options.warnings.take(), warned);
    let label = json!({ "metadata": { "labels": { "l": "1" } } });
    f.api.patch(&f.caller, &target("deployments", "d"), PatchKind::Merge, &label, &options).await.unwrap();
    assert_eq!(options.warnings.take(), [""; 0], "said once is enough");
}

#[tokio::test]
async fn a_change_of_managed_fields_alone_is_a_change() {
    let f = fixture().await;
    let made = f.create("configmaps", json!({ "metadata": { "name": "c" }, "data": { "a": "1" } })).await.unwrap();
    let c = target("configmaps", "c");
    let patch = async |kind, body: Value| {
        f.api.patch(&f.caller, &c, kind, &body, &WriteOptions::default()).await.map(|object| value(&object))
    };
    // kubectl's own, on the way to server-side apply.
    let mut entries = value(&made)["metadata"]["managedFields"].clone();
    entries[0]["manager"] = "kubectl".into();
    entries[0]["operation"] = "Apply".into();
    let upgrade = json!([
        { "op": "replace", "path": "/metadata/managedFields", "value": entries },
        { "op": "replace", "path": "/metadata/resourceVersion", "value": made.revision.to_string() },
    ]);
    let after = patch(PatchKind::Json, upgrade).await.unwrap();
    assert_eq!(after["metadata"]["managedFields"], entries);
    let by = WriteOptions { manager: Some("kubectl".to_owned()), ..WriteOptions::default() };
    let config = json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "c" }, "data": { "a": "2" } });
    let (applied, _) = f.api.apply(&f.caller, &c, &config, &by).await.unwrap();
    assert_eq!(value(&applied)["data"], json!({ "a": "2" }));
    let wiped = patch(PatchKind::Merge, json!({ "metadata": { "managedFields": [{}] } })).await.unwrap();
    assert!(!wiped.has("metadata.managedFields"));
    // Who knows nothing of them changes nothing.
    let bare = patch(PatchKind::Merge, json!({ "metadata": { "managedFields": null } })).await.unwrap();
    assert_eq!(bare, wiped);
}

#[tokio::test]
async fn zeros_that_mean_nothing_come_and_go_without_a_change() {
    let f = fixture().await;
    let mut json = pod("p");
    json["spec"]["hostNetwork"] = false.into();
    json["spec"]["containers"][0]["tty"] = false.into();
    let made = f.create("pods", json.clone()).await.unwrap();
    assert!(!value(&made).has("spec.hostNetwork"));
    // As a version before this one stored it.
    let p = target("pods", "p");
    let mut older = value(&made);
    older["spec"]["hostNetwork"] = false.into();
    let body = raftsman_state::Body::plain(older.to_string());
    let put = raftsman_state::Op::Put { key: p.key(), meta: made.meta.clone(), body };
    f.store.propose(raftsman_state::Txn { ops: vec![put], ..Default::default() }).await.unwrap();
    let stored = f.store.view().revision();
    let mut typed = value(&made);
    raftsman_api::value::remove(&mut typed, "metadata.resourceVersion");
    let same = f.api.update(&f.caller, &p, typed.clone(), &WriteOptions::default()).await.unwrap();
    assert_eq!((same.revision, f.store.view().revision()), (stored, stored));
    set(&mut typed, "metadata.labels", json!({ "l": "1" }));
    f.api.update(&f.caller, &p, typed, &WriteOptions::default()).await.unwrap();
}

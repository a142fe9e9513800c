//! Stateful sets, jobs, claims and volumes.

use super::{create, refused, update, yaml};
use crate::kind::Subresource;
use crate::value::{At, set};
use serde_json::{Value, json};

const SET: &str = "
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db, namespace: default}
spec:
  serviceName: peers
  selector: {matchLabels: {app: db}}
  template:
    metadata: {labels: {app: db}}
    spec: {containers: [{name: c, image: 'db:1'}]}
  volumeClaimTemplates:
  - metadata: {name: data}
    spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
";

#[test]
fn a_stateful_set_gets_upstreams_defaults_and_rules() {
    let made = create(&yaml(SET)).unwrap();
    let mut spec = made["spec"].clone();
    spec.as_object_mut().unwrap().remove("template");
    assert_eq!(
        spec,
        json!({
            "podManagementPolicy": "OrderedReady", "replicas": 1, "revisionHistoryLimit": 10, "serviceName": "peers",
            "selector": { "matchLabels": { "app": "db" } },
            "persistentVolumeClaimRetentionPolicy": { "whenDeleted": "Retain", "whenScaled": "Retain" },
            "updateStrategy": { "type": "RollingUpdate", "rollingUpdate": { "partition": 0, "maxUnavailable": 1 } },
            "volumeClaimTemplates": [{
                "apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": { "name": "data" },
                "spec": {
                    "accessModes": ["ReadWriteOnce"], "resources": { "requests": { "storage": "1Gi" } },
                    "volumeMode": "Filesystem",
                },
                "status": { "phase": "Pending" },
            }],
        })
    );
    for (path, value, allowed) in [
        ("spec.replicas", json!(3), true),
        ("spec.ordinals", json!({ "start": 2 }), true),
        ("spec.updateStrategy", json!({ "type": "OnDelete" }), true),
        ("spec.minReadySeconds", json!(5), true),
        ("spec.persistentVolumeClaimRetentionPolicy.whenScaled", json!("Delete"), true),
        ("spec.serviceName", json!("other"), false),
        ("spec.podManagementPolicy", json!("Parallel"), false),
        ("spec.volumeClaimTemplates", json!([]), false),
    ] {
        let mut changed = made.clone();
        set(&mut changed, path, value);
        let result = update(&changed, &made, None);
        assert_eq!(result.is_ok(), allowed, "{path}: {result:?}");
        if let Err(causes) = result {
            assert!(causes[0].message.starts_with("Forbidden: updates to statefulset spec for fields other than"));
        }
    }
}

#[test]
fn a_stateful_set_is_refused_in_upstreams_words() {
    let with = |path: &str, value: Value| {
        let mut set_ = yaml(SET);
        set(&mut set_, path, value);
        create(&set_)
            .unwrap_err()
            .into_iter()
            .map(|cause| format!("{}: {}", cause.field, cause.message))
            .collect::<Vec<_>>()
    };
    assert_eq!(
        with("spec.podManagementPolicy", json!("Random")),
        ["spec.podManagementPolicy: Invalid value: \"Random\": must be 'OrderedReady' or 'Parallel'"]
    );
    assert_eq!(
        with("spec.updateStrategy", json!({ "type": "OnDelete", "rollingUpdate": { "partition": 1 } })),
        [
            "spec.updateStrategy.rollingUpdate: Invalid value: {\"partition\":1}: only allowed for updateStrategy 'RollingUpdate'"
        ]
    );
    assert_eq!(
        with("spec.persistentVolumeClaimRetentionPolicy", json!({ "whenDeleted": "Never" })),
        [
            "spec.persistentVolumeClaimRetentionPolicy.whenDeleted: Unsupported value: \"Never\": supported values: \"Delete\", \"Retain\""
        ]
    );
    assert_eq!(
        with("spec.ordinals", json!({ "start": -1 })),
        ["spec.ordinals.start: Invalid value: -1: must be greater than or equal to 0"]
    );
}

fn job(spec: &str) -> Value {
    let text = format!(
        "{{apiVersion: batch/v1, kind: Job, metadata: {{name: sum, namespace: default, uid: u1}}, spec: {{{spec} template: {{spec: {{restartPolicy: Never, containers: [{{name: c, image: x}}]}}}}}}}}"
    );
    yaml(&text)
}

#[test]
fn a_job_gets_upstreams_defaults_and_its_own_selector() {
    let made = create(&job("")).unwrap();
    let mut spec = made["spec"].clone();
    spec.as_object_mut().unwrap().remove("template");
    assert_eq!(
        spec,
        json!({
            "backoffLimit": 6, "completionMode": "NonIndexed", "completions": 1, "manualSelector": false, "parallelism": 1,
            "podReplacementPolicy": "TerminatingOrFailed", "suspend": false,
            "selector": { "matchLabels": { "batch.kubernetes.io/controller-uid": "u1" } },
        })
    );
    let labels = json!({
        "batch.kubernetes.io/controller-uid": "u1", "controller-uid": "u1", "batch.kubernetes.io/job-name": "sum",
        "job-name": "sum",
    });
    assert_eq!(made.at("spec.template.metadata.labels"), &labels);
    assert_eq!(made.at("metadata.labels"), &labels);
    assert!(!create(&job("parallelism: 2,")).unwrap().has("spec.completions"), "a work queue");
    let per_index = create(&job("completionMode: Indexed, completions: 2, backoffLimitPerIndex: 1,")).unwrap();
    assert_eq!(per_index.int("spec.backoffLimit"), Some(i32::MAX.into()));
}

#[test]
fn a_job_is_refused_in_upstreams_words() {
    for (spec, expected) in [
        (
            "completionMode: Indexed, parallelism: 1,",
            "spec.completions: Required value: when completion mode is Indexed",
        ),
        ("completions: -1,", "spec.completions: Invalid value: -1: must be greater than or equal to 0"),
        ("backoffLimitPerIndex: 1,", "spec.backoffLimitPerIndex: Invalid value: 1: requires indexed completion mode"),
        (
            "completionMode: Sorted,",
            "spec.completionMode: Unsupported value: \"Sorted\": supported values: \"Indexed\", \"NonIndexed\"",
        ),
        ("selector: {matchLabels: {a: b}},", "spec.selector: Invalid value:"),
        (
            "podReplacementPolicy: TerminatingOrFailed, podFailurePolicy: {rules: [{action: Ignore, onPodConditions: [{type: X}]}]},",
            "spec.podReplacementPolicy: Unsupported value: \"TerminatingOrFailed\": supported values: \"Failed\"",
        ),
        (
            "podFailurePolicy: {rules: [{action: FailIndex, onExitCodes: {operator: In, values: [1]}}]},",
            "spec.podFailurePolicy.rules[0].action: Invalid value: \"FailIndex\": requires the backoffLimitPerIndex to be set",
        ),
        (
            "podFailurePolicy: {rules: [{action: Count, onExitCodes: {containerName: d, operator: In, values: [1]}}]},",
            "spec.podFailurePolicy.rules[0].onExitCodes.containerName: Invalid value: \"d\": must be one of",
        ),
        (
            "podFailurePolicy: {rules: [{action: Count, onExitCodes: {operator: In, values: [2, 1]}}]},",
            "spec.podFailurePolicy.rules[0].onExitCodes.values: Invalid value: [2,1]: must be ordered",
        ),
        (
            "completionMode: Indexed, completions: 3, successPolicy: {rules: [{succeededIndexes: '2-4'}]},",
            "spec.successPolicy.rules[0].succeededIndexes: Invalid value: \"2-4\": error parsing",
        ),
        (
            "completionMode: Indexed, completions: 3, successPolicy: {rules: [{succeededIndexes: '0,1', succeededCount: 3}]},",
            "spec.successPolicy.rules[0].succeededCount: Invalid value: 3: must be less than or equal to 2",
        ),
    ] {
        let causes = create(&job(spec)).unwrap_err();
        let found: Vec<String> = causes.iter().map(|cause| format!("{}: {}", cause.field, cause.message)).collect();
        assert!(found.iter().any(|found| found.starts_with(expected)), "{spec}\n{found:#?}\n{expected}");
    }
    refused(
        "{apiVersion: batch/v1, kind: Job, metadata: {name: j, namespace: default}, spec: {template: {spec: {containers: [{name: c, image: x}]}}}}",
        &["spec.template.spec.restartPolicy: Required value: valid values: \"OnFailure\", \"Never\""],
    );
}

#[test]
fn a_job_hardly_changes() {
    let made = create(&job("completionMode: Indexed, completions: 3, parallelism: 3,")).unwrap();
    for (changes, allowed) in [
        (vec![("spec.parallelism", json!(1))], true),
        (vec![("spec.completions", json!(5))], false),
        (vec![("spec.completions", json!(5)), ("spec.parallelism", json!(5))], true),
        (vec![("spec.suspend", json!(true))], true),
        (vec![("spec.completionMode", json!("NonIndexed"))], false),
        (vec![("spec.template.spec.nodeSelector", json!({ "a": "b" }))], false),
    ] {
        let mut changed = made.clone();
        changes.iter().for_each(|(path, value)| set(&mut changed, path, value.clone()));
        assert_eq!(update(&changed, &made, None).is_ok(), allowed, "{changes:?}");
    }
    let asleep = create(&job("suspend: true,")).unwrap();
    let mut moved = asleep.clone();
    set(&mut moved, "spec.template.spec.nodeSelector", json!({ "a": "b" }));
    set(&mut moved, "spec.suspend", false);
    assert!(update(&moved, &asleep, None).is_ok(), "where it runs may still be said");
    let more = json!({ "requests": { "cpu": "2" }, "limits": { "cpu": "2" } });
    let with_resources = |job: &Value, name: &str| {
        let mut changed = job.clone();
        changed["spec"]["template"]["spec"]["containers"][0]["resources"] = more.clone();
        changed["spec"]["template"]["spec"]["containers"][0]["name"] = name.into();
        changed
    };
    assert!(update(&with_resources(&asleep, "c"), &asleep, None).is_ok(), "and on how much");
    assert!(update(&with_resources(&asleep, "d"), &asleep, None).is_err(), "but nothing else of a container");
    let mut busy = asleep.clone();
    set(&mut busy, "status", json!({ "startTime": "2026-01-01T00:00:00Z", "active": 1 }));
    assert!(update(&with_resources(&busy, "c"), &busy, None).is_err(), "not while pods of the old size are ending");
    let awake = create(&job("")).unwrap();
    assert!(update(&with_resources(&awake, "c"), &awake, None).is_err());
    let mut wrong = awake.clone();
    set(&mut wrong, "status", json!({ "completionTime": "2026-01-01T00:00:00Z" }));
    let causes = update(&wrong, &awake, Some(Subresource::Status)).unwrap_err();
    assert_eq!(causes[0].field, "status.completionTime");
}

#[test]
fn claims_and_volumes() {
    let claim = create(&yaml(
        "{apiVersion: v1, kind: PersistentVolumeClaim, metadata: {name: c, namespace: default}, spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}}",
    ))
    .unwrap();
    assert_eq!((claim.text("status.phase"), claim.text("spec.volumeMode")), ("Pending", "Filesystem"));
    assert_eq!(claim.at("metadata.finalizers"), &json!(["kubernetes.io/pvc-protection"]));
    let mut bound = claim.clone();
    set(&mut bound, "spec.volumeName", "pv");
    set(&mut bound, "spec.storageClassName", "fast");
    let bound = update(&bound, &claim, None).unwrap();
    let mut status = bound.clone();
    set(&mut status, "status.phase", "Bound");
    let bound = update(&status, &bound, Some(Subresource::Status)).unwrap();
    for (path, value, allowed) in [
        ("spec.volumeName", json!("other"), false),
        ("spec.resources.requests.storage", json!("2Gi"), true),
        ("spec.resources.requests.storage", json!("512Mi"), false),
    ] {
        let mut changed = bound.clone();
        set(&mut changed, path, value);
        assert_eq!(update(&changed, &bound, None).is_ok(), allowed, "{path}");
    }
    refused(
        "{apiVersion: v1, kind: PersistentVolume, metadata: {name: v}, spec: {accessModes: [Sometimes], capacity: {storage: 1Gi}, local: {path: /data}}}",
        &[
            "spec.accessModes: Unsupported value: \"Sometimes\"",
            "spec.nodeAffinity: Required value: Local volume requires node affinity",
        ],
    );
    refused(
        "{apiVersion: storage.k8s.io/v1, kind: StorageClass, metadata: {name: s}, volumeBindingMode: Never}",
        &["provisioner: Required value", "volumeBindingMode: Unsupported value: \"Never\""],
    );
}

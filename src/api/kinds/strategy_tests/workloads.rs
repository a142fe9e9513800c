//! Deployments, replica sets, replication controllers.

use super::{create, refused, update, yaml};
use crate::value::At;
use serde_json::json;

pub const DEPLOYMENT: &str = "
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: default}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: c, image: 'nginx:1'}]}
";

#[test]
fn a_deployment_gets_upstreams_defaults_and_rules() {
    let deployment = create(&yaml(DEPLOYMENT)).unwrap();
    let mut spec = deployment["spec"].clone();
    spec.as_object_mut().unwrap().remove("template");
    assert_eq!(
        spec,
        json!({
            "progressDeadlineSeconds": 600, "replicas": 1, "revisionHistoryLimit": 10,
            "selector": { "matchLabels": { "app": "web" } },
            "strategy": { "type": "RollingUpdate", "rollingUpdate": { "maxSurge": "25%", "maxUnavailable": "25%" } },
        })
    );
    assert!(deployment.at("spec.template.spec.enableServiceLinks").is_null(), "templates do not get it");

    let mut scaled = deployment.clone();
    scaled["spec"]["replicas"] = 0.into();
    assert_eq!(update(&scaled, &deployment, None).unwrap()["metadata"]["generation"], 2);
    assert_eq!(update(&deployment, &deployment, None).unwrap()["metadata"]["generation"], 1);
    let mut moved = deployment.clone();
    moved["spec"]["selector"]["matchLabels"]["x"] = "y".into();
    moved["spec"]["template"]["metadata"]["labels"]["x"] = "y".into();
    let causes = update(&moved, &deployment, None).unwrap_err();
    assert_eq!((causes[0].field.as_str(), causes.len()), ("spec.selector", 1));
    assert!(causes[0].message.ends_with(": field is immutable"), "{}", causes[0].message);
}

#[test]
fn workloads_are_refused_in_upstreams_words() {
    refused(
        "
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: default}
spec:
  replicas: -1
  strategy: {type: RollingUpdate, rollingUpdate: {maxSurge: 0, maxUnavailable: 0}}
  template:
    metadata: {labels: {app: web}}
    spec: {restartPolicy: Never, containers: [{name: c, image: x}]}
",
        &[
            "spec.replicas: Invalid value: -1: must be greater than or equal to 0",
            "spec.selector: Required value",
            "spec.template.spec.restartPolicy: Unsupported value: \"Never\": supported values: \"Always\"",
            "spec.strategy.rollingUpdate.maxUnavailable: Invalid value: 0: may not be 0 when `maxSurge` is 0",
        ],
    );
    refused(
        "
apiVersion: apps/v1
kind: ReplicaSet
metadata: {name: web, namespace: default}
spec:
  selector: {matchLabels: {app: db}}
  template: {metadata: {labels: {app: web}}, spec: {containers: [{name: c, image: x}]}}
",
        &[
            "spec.template.metadata.labels: Invalid value: {\"app\":\"web\"}: `selector` does not match template `labels`",
        ],
    );
    refused(
        "{apiVersion: v1, kind: ReplicationController, metadata: {name: x, namespace: default}, spec: {replicas: 2}}",
        &["spec.selector: Required value", "spec.template: Required value"],
    );
}

#[test]
fn a_replication_controller_selects_by_its_template() {
    let controller = create(&yaml(
        "
apiVersion: v1
kind: ReplicationController
metadata: {name: myweb, namespace: default}
spec:
  template: {metadata: {labels: {app: myweb}}, spec: {containers: [{name: c, image: x}]}}
",
    ))
    .unwrap();
    assert_eq!(controller["spec"]["selector"], json!({ "app": "myweb" }));
    assert_eq!(controller["metadata"]["labels"], json!({ "app": "myweb" }));
    assert_eq!(controller["spec"]["replicas"], 1);
}

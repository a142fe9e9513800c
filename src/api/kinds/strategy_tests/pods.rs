//! Pods.

use super::{NOW, create, refused, update, yaml};
use crate::kind::{DeletionGrace, Subresource};
use crate::registry;
use serde_json::json;

pub const POD: &str = "
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: default, labels: {app: web}}
spec:
  containers:
  - name: c
    image: nginx
    env: [{name: IP, valueFrom: {fieldRef: {fieldPath: status.podIP}}}]
    ports: [{containerPort: 80}]
    readinessProbe: {httpGet: {port: 80}}
    resources: {limits: {cpu: 0.5, memory: 1024Mi}}
    volumeMounts: [{name: config, mountPath: /etc/x}]
  volumes:
  - name: config
    configMap: {name: x}
  - name: empty
";

#[test]
fn a_pod_gets_upstreams_defaults() {
    let pod = create(&yaml(POD)).unwrap();
    assert_eq!(
        pod["spec"],
        json!({
            "containers": [{
                "name": "c",
                "image": "nginx",
                "imagePullPolicy": "Always",
                "env": [{ "name": "IP", "valueFrom": { "fieldRef": { "apiVersion": "v1", "fieldPath": "status.podIP" } } }],
                "ports": [{ "containerPort": 80, "protocol": "TCP" }],
                "readinessProbe": {
                    "httpGet": { "path": "/", "port": 80, "scheme": "HTTP" },
                    "failureThreshold": 3, "periodSeconds": 10, "successThreshold": 1, "timeoutSeconds": 1,
                },
                "resources": { "limits": { "cpu": "500m", "memory": "1Gi" }, "requests": { "cpu": "500m", "memory": "1Gi" } },
                "terminationMessagePath": "/dev/termination-log",
                "terminationMessagePolicy": "File",
                "volumeMounts": [{ "name": "config", "mountPath": "/etc/x" }],
            }],
            "dnsPolicy": "ClusterFirst",
            "enableServiceLinks": true,
            "restartPolicy": "Always",
            "schedulerName": "default-scheduler",
            "securityContext": {},
            "terminationGracePeriodSeconds": 30,
            "volumes": [
                { "name": "config", "configMap": { "name": "x", "defaultMode": 420 } },
                { "name": "empty", "emptyDir": {} },
            ],
        })
    );
    assert_eq!(pod["status"], json!({ "phase": "Pending", "qosClass": "Guaranteed" }));
    assert_eq!(pod["metadata"]["creationTimestamp"], NOW);
    assert_eq!(pod["metadata"]["generation"], 1);
}

#[test]
fn image_pull_policy_follows_the_tag() {
    for (image, policy) in [
        ("nginx", "Always"),
        ("nginx:latest", "Always"),
        ("nginx:1.27", "IfNotPresent"),
        ("host:5000/nginx", "Always"),
        ("host:5000/nginx:1", "IfNotPresent"),
        ("nginx@sha256:0123", "IfNotPresent"),
    ] {
        let mut pod = yaml(POD);
        pod["spec"]["containers"][0]["image"] = image.into();
        assert_eq!(create(&pod).unwrap()["spec"]["containers"][0]["imagePullPolicy"], policy, "{image}");
    }
}

#[test]
fn wrong_types_and_unknown_fields_have_paths() {
    let pod = yaml(
        "
apiVersion: v1
kind: Pod
metadata: {name: x, labels: {a: 1}, colour: red}
spec:
  containers:
  - {name: c, image: i, ports: [{containerPort: http}], tty: maybe}
  restartPolicies: Never
  activeDeadlineSeconds: 1.5
",
    );
    let strategy = registry::by_resource("", "v1", "pods").unwrap();
    let found: Vec<(String, String)> =
        strategy.decode(&pod).unwrap_err().into_iter().map(|cause| (cause.field, cause.message)).collect();
    let found: Vec<(&str, &str)> = found.iter().map(|(field, message)| (field.as_str(), message.as_str())).collect();
    assert_eq!(
        found,
        [
            ("metadata.labels.a", "Invalid value: 1: must be a string, not a number"),
            ("spec.activeDeadlineSeconds", "Invalid value: 1.5: must be a 64-bit integer, not a number"),
            (
                "spec.containers[0].ports[0].containerPort",
                "Invalid value: \"http\": must be a 32-bit integer, not a string"
            ),
            ("spec.containers[0].tty", "Invalid value: \"maybe\": must be a boolean (true or false), not a string"),
        ]
    );
    let mut pod = yaml(POD);
    pod["spec"]["containers"][0]["imagee"] = "x".into();
    pod["metadata"]["colour"] = "red".into();
    let unknown = strategy.decode(&pod).unwrap().unknown;
    assert_eq!(unknown, ["metadata.colour", "spec.containers[0].imagee"]);
}

#[test]
fn decoding_leaves_out_what_upstream_leaves_out() {
    let strategy = registry::by_resource("", "v1", "pods").unwrap();
    let decoded = strategy.decode(&json!({
        "metadata": { "name": "x", "labels": {}, "creationTimestamp": null, "annotations": null, "namespace": "" },
        "spec": { "containers": [{ "name": "", "image": "i", "env": [], "securityContext": {} }], "volumes": [], "nodeName": "" },
        "status": {},
    }));
    assert_eq!(
        decoded.unwrap().object,
        json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": { "name": "x" },
            "spec": { "containers": [{ "name": "", "image": "i", "securityContext": {} }] },
            "status": {},
        })
    );
}

#[test]
fn pods_are_refused_in_upstreams_words() {
    refused(
        "{apiVersion: v1, kind: Pod, metadata: {name: Web, namespace: default}, spec: {}}",
        &[
            "metadata.name: Invalid value: \"Web\": a lowercase RFC 1123 subdomain must consist of",
            "spec.containers: Required value",
        ],
    );
    refused(
        "
apiVersion: v1
kind: Pod
metadata: {name: x, namespace: default, labels: {-a: b, c: 'd e'}}
spec:
  restartPolicy: Sometimes
  dnsPolicy: Nowhere
  terminationGracePeriodSeconds: -1
  tolerations: [{operator: Equal, value: x}]
  containers:
  - {name: C, image: ' x'}
  - name: c
    ports: [{containerPort: 70000}, {containerPort: 80, protocol: ICMP, name: UPPER}]
    env: [{name: 'a=b'}, {name: V, value: x, valueFrom: {fieldRef: {fieldPath: spec.foo}}}]
    volumeMounts: [{name: gone, mountPath: /x}, {name: v, mountPath: /x, subPath: ../y}]
    livenessProbe: {exec: {command: [x]}, tcpSocket: {port: 1}, successThreshold: 2}
    resources: {requests: {cpu: 2, foo: 1}, limits: {cpu: 1}}
  - {name: c, image: i}
  volumes: [{name: v, emptyDir: {}, hostPath: {path: /}}, {name: v, secret: {}}]
",
        &[
            "metadata.labels: Invalid value: \"-a\": name part must consist of",
            "metadata.labels: Invalid value: \"d e\": a valid label must be an empty string or consist of",
            "spec.volumes[0]: Forbidden: may not specify more than 1 volume type",
            "spec.volumes[1].name: Duplicate value: \"v\"",
            "spec.volumes[1].secret.secretName: Required value",
            "spec.containers[0].name: Invalid value: \"C\": a lowercase RFC 1123 label must consist of",
            "spec.containers[0].image: Invalid value: \" x\": must not have leading or trailing whitespace",
            "spec.containers[1].image: Required value",
            "spec.containers[1].env[0].name: Invalid value: \"a=b\": a valid environment variable name",
            "spec.containers[1].env[1].valueFrom.fieldRef.fieldPath: Unsupported value: \"spec.foo\": supported values: \"metadata.name\"",
            "spec.containers[1].env[1].valueFrom: Invalid value: \"\": may not be specified when `value` is not empty",
            "spec.containers[1].volumeMounts[0].name: Not found: \"gone\"",
            "spec.containers[1].volumeMounts[1].mountPath: Invalid value: \"/x\": must be unique",
            "spec.containers[1].volumeMounts[1].subPath: Invalid value: \"../y\": must not contain '..'",
            "spec.containers[1].livenessProbe: Forbidden: may not specify more than 1 handler type",
            "spec.containers[1].livenessProbe.successThreshold: Invalid value: 2: must be 1",
            "spec.containers[1].resources.requests: Invalid value: \"foo\": must be a standard resource for containers",
            "spec.containers[1].resources.requests: Invalid value: \"2\": must be less than or equal to cpu limit of 1",
            "spec.containers[1].ports[0].containerPort: Invalid value: 70000: must be between 1 and 65535, inclusive",
            "spec.containers[1].ports[1].name: Invalid value: \"UPPER\": must contain only alpha-numeric characters",
            "spec.containers[1].ports[1].name: Invalid value: \"UPPER\": must contain at least one letter (a-z)",
            "spec.containers[1].ports[1].protocol: Unsupported value: \"ICMP\": supported values: \"SCTP\", \"TCP\", \"UDP\"",
            "spec.containers[2].name: Duplicate value: \"c\"",
            "spec.restartPolicy: Unsupported value: \"Sometimes\": supported values: \"Always\", \"Never\", \"OnFailure\"",
            "spec.dnsPolicy: Unsupported value: \"Nowhere\"",
            "spec.terminationGracePeriodSeconds: Invalid value: -1: must be greater than or equal to 0",
            "spec.tolerations[0].operator: Invalid value: \"Equal\": operator must be Exists when `key` is empty",
        ],
    );
}

#[test]
fn a_pod_changes_only_where_it_may() {
    let old = create(&yaml(POD)).unwrap();
    let mut new = old.clone();
    new["spec"]["containers"][0]["image"] = "nginx:2".into();
    new["spec"]["tolerations"] = json!([{ "key": "a", "operator": "Exists" }]);
    new["status"] = json!({ "phase": "Failed" });
    let changed = update(&new, &old, None).unwrap();
    assert_eq!(changed["status"], old["status"], "the main resource changes no status");
    assert_eq!(changed["metadata"]["generation"], 2);

    let mut new = changed.clone();
    new["spec"]["tolerations"] = json!([]);
    new["spec"]["hostname"] = "h".into();
    let causes = update(&new, &changed, None).unwrap_err();
    assert_eq!(causes[0].field, "spec.tolerations");
    assert!(
        causes[1]
            .message
            .starts_with("Forbidden: pod updates may not change fields other than `spec.containers[*].image`")
    );
    assert!(causes[1].message.ends_with("changed spec.hostname"), "{}", causes[1].message);

    let mut status = changed.clone();
    status["status"] = json!({ "phase": "Running" });
    status["spec"]["hostname"] = "h".into();
    let running = update(&status, &changed, Some(Subresource::Status)).unwrap();
    assert_eq!(running["spec"], changed["spec"], "/status changes no spec");
    assert_eq!(running["status"], json!({ "phase": "Running", "qosClass": "Guaranteed" }));
    assert_eq!(running["metadata"]["generation"], 2);

    let mut renamed = changed.clone();
    renamed["metadata"]["uid"] = "other".into();
    let mut had = changed.clone();
    had["metadata"]["uid"] = "one".into();
    let causes = update(&renamed, &had, None).unwrap_err();
    assert_eq!(causes[0].field, "metadata.uid");
}

#[test]
fn pods_are_graceful_only_on_a_node() {
    let strategy = registry::by_resource("", "v1", "pods").unwrap();
    let mut pod = create(&yaml(POD)).unwrap();
    assert_eq!(strategy.deletion_grace(&pod), DeletionGrace::Immediate);
    pod["spec"]["nodeName"] = "n1".into();
    assert_eq!(strategy.deletion_grace(&pod), DeletionGrace::Seconds(30));
    assert_eq!(strategy.index(&pod), [("pod-node", "n1".to_owned()), ("pod-orphan", "default".to_owned())]);
    pod["status"]["phase"] = "Failed".into();
    assert_eq!(strategy.deletion_grace(&pod), DeletionGrace::Immediate);
    let fields = strategy.fields(&pod);
    assert!(fields.contains(&("spec.hostNetwork", "false".to_owned())));
    assert!(fields.contains(&("status.phase", "Failed".to_owned())));
}

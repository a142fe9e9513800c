//! Services.

use super::{create, refused, update, yaml};
use crate::value::At;
use serde_json::json;

pub const SERVICE: &str = "
apiVersion: v1
kind: Service
metadata: {name: web, namespace: default}
spec: {type: NodePort, selector: {app: web}, ports: [{port: 8080, nodePort: 30001}]}
";

#[test]
fn a_service_gets_upstreams_defaults_and_keeps_what_was_allocated() {
    let service = create(&yaml(SERVICE)).unwrap();
    assert_eq!(
        service["spec"],
        json!({
            "externalTrafficPolicy": "Cluster", "internalTrafficPolicy": "Cluster",
            "ipFamilies": ["IPv4"], "ipFamilyPolicy": "SingleStack",
            "ports": [{ "nodePort": 30001, "port": 8080, "protocol": "TCP", "targetPort": 8080 }],
            "selector": { "app": "web" }, "sessionAffinity": "None", "type": "NodePort",
        })
    );
    let mut old = service.clone();
    old["spec"]["clusterIP"] = "10.96.0.7".into();
    old["spec"]["clusterIPs"] = json!(["10.96.0.7"]);
    let mut new = service.clone();
    new["spec"]["ports"][0].as_object_mut().unwrap().remove("nodePort");
    let kept = update(&new, &old, None).unwrap();
    assert_eq!(kept["spec"]["clusterIP"], "10.96.0.7");
    assert_eq!(kept["spec"]["ports"][0]["nodePort"], 30001);
    new["spec"]["type"] = "ClusterIP".into();
    new["spec"]["ports"][0]["nodePort"] = 30001.into();
    let inner = update(&new, &old, None).unwrap();
    assert!(!inner["spec"]["ports"][0].has("nodePort"));
    new["spec"]["clusterIP"] = "10.96.0.8".into();
    let causes = update(&new, &old, None).unwrap_err();
    assert_eq!(causes[0].message, "Invalid value: [\"10.96.0.8\"]: may not change once set");
}

#[test]
fn services_are_refused_in_upstreams_words() {
    refused(
        "{apiVersion: v1, kind: Service, metadata: {name: 1x, namespace: default}, spec: {}}",
        &["metadata.name: Invalid value: \"1x\": a DNS-1035 label must consist of", "spec.ports: Required value"],
    );
    refused(
        "
apiVersion: v1
kind: Service
metadata: {name: x, namespace: default}
spec:
  clusterIP: 10.96.0
  sessionAffinity: Yes
  ports: [{port: 80, nodePort: 30000}, {port: 80, name: b, targetPort: A_B}]
",
        &[
            "spec.sessionAffinity: Unsupported value: \"Yes\": supported values: \"ClientIP\", \"None\"",
            "spec.clusterIPs[0]: Invalid value: \"10.96.0\": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)",
            "spec.ports[0].name: Required value",
            "spec.ports[0].nodePort: Forbidden: may not be used when `type` is 'ClusterIP'",
            "spec.ports[1].targetPort: Invalid value: \"A_B\": must contain only alpha-numeric characters",
            "spec.ports[1].targetPort: Invalid value: \"A_B\": must contain at least one letter (a-z)",
            "spec.ports[1]: Duplicate value: {\"port\":80,\"protocol\":\"TCP\"}",
        ],
    );
}

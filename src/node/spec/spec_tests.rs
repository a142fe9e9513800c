//! Limits, resolver, image names.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use super::{Resolver, hostname, image_reference, pod_spec, resolv_conf, resources};
use k8s_openapi::api::core::v1::{Container, Pod};
use raftsman_runtime::border::QosClass;
use serde_json::{Value, json};

fn pod(spec: Value) -> Pod {
    serde_json::from_value(json!({"metadata": {"name": "p", "namespace": "ns", "uid": "u"}, "spec": spec})).unwrap()
}

fn resolver() -> Resolver {
    let host = "# made\nsearch corp.example\nnameserver 9.9.9.9\noptions edns0\n".to_owned();
    Resolver { cluster: "10.96.0.10".parse().unwrap(), domain: "cluster.local".to_owned(), host }
}

#[test]
fn resolvers_follow_the_policy() {
    let containers = json!([{"name": "c"}]);
    let cluster = "search ns.svc.cluster.local svc.cluster.local cluster.local corp.example\nnameserver 10.96.0.10\noptions ndots:5\n";
    let host = "search corp.example\nnameserver 9.9.9.9\noptions edns0\n";
    for (spec, expected) in [
        (json!({"containers": containers}), cluster),
        (json!({"containers": containers, "dnsPolicy": "Default"}), host),
        (json!({"containers": containers, "hostNetwork": true, "dnsPolicy": "ClusterFirst"}), host),
        (json!({"containers": containers, "hostNetwork": true, "dnsPolicy": "ClusterFirstWithHostNet"}), cluster),
        (
            json!({"containers": containers, "dnsPolicy": "None", "dnsConfig": {"nameservers": ["1.1.1.1"], "searches": ["x"],
                "options": [{"name": "ndots", "value": "2"}, {"name": "edns0"}]}}),
            "search x\nnameserver 1.1.1.1\noptions ndots:2 edns0\n",
        ),
        (
            json!({"containers": containers, "dnsConfig": {"options": [{"name": "ndots", "value": "1"}]}}),
            "search ns.svc.cluster.local svc.cluster.local cluster.local corp.example\nnameserver 10.96.0.10\noptions ndots:1\n",
        ),
    ] {
        assert_eq!(resolv_conf(&pod(spec.clone()), &resolver()), expected, "{spec}");
    }
}

#[test]
fn a_server_on_the_hosts_loopback_is_no_pods() {
    let conf = |host: &str, spec: Value| resolv_conf(&pod(spec), &Resolver { host: host.to_owned(), ..resolver() });
    let (own, hosts) = (
        json!({"dnsPolicy": "Default", "containers": []}),
        json!({"dnsPolicy": "Default", "hostNetwork": true, "containers": []}),
    );
    let both = "nameserver 127.0.0.53\nnameserver 9.9.9.9\n";
    assert_eq!(conf(both, own.clone()), "nameserver 9.9.9.9\n");
    assert_eq!(conf(both, hosts), both);
    assert_eq!(conf("nameserver 127.0.0.53\n", own), "nameserver 10.96.0.10\n");
}

#[test]
fn classes_follow_requests_and_limits() {
    let class = |resources: Value| resources::qos(&pod(json!({"containers": [{"name": "c", "resources": resources}]})));
    assert_eq!(class(json!({})), QosClass::BestEffort);
    assert_eq!(class(json!({"limits": {"cpu": "1", "memory": "1Gi"}})), QosClass::Guaranteed);
    assert_eq!(
        class(json!({"limits": {"cpu": "1", "memory": "1Gi"}, "requests": {"cpu": "1", "memory": "1Gi"}})),
        QosClass::Guaranteed
    );
    assert_eq!(class(json!({"limits": {"cpu": "1"}})), QosClass::Burstable);
    assert_eq!(class(json!({"requests": {"memory": "1"}})), QosClass::Burstable);
}

#[test]
fn limits_are_in_the_kernels_units() {
    let resources =
        json!({"limits": {"cpu": "500m", "memory": "128Mi"}, "requests": {"cpu": "250m", "memory": "64Mi"}});
    let pod = pod(json!({"containers": [{"name": "c", "resources": resources}, {"name": "d"}]}));
    let containers = &pod.spec.as_ref().unwrap().containers;
    let limits = resources::limits(&pod, &containers[0], 1 << 30);
    assert_eq!((limits.cpu_shares, limits.cpu_quota, limits.memory), (Some(256), Some(50_000), Some(128 << 20)));
    assert_eq!(limits.oom_score_adj, Some(938));
    let none = resources::limits(&pod, &containers[1], 1 << 30);
    assert_eq!((none.cpu_shares, none.cpu_quota, none.memory, none.oom_score_adj), (Some(2), None, None, Some(999)));
    assert_eq!(resources::pod_limits(&pod), (Some(256), None, None));
    for (class, request, expected) in [
        (QosClass::Guaranteed, 1, -997),
        (QosClass::BestEffort, 0, 1000),
        (QosClass::Burstable, 1 << 40, 3),
        (QosClass::Burstable, 0, 999),
    ] {
        assert_eq!(resources::oom_score_adj(class, request, 1 << 30), expected);
    }
}

#[test]
fn images_without_tag_are_latest() {
    for (image, expected) in [
        ("a", "a:latest"),
        ("a:1", "a:1"),
        ("host:5000/a", "host:5000/a:latest"),
        ("host:5000/a:1", "host:5000/a:1"),
        ("a@sha256:00", "a@sha256:00"),
    ] {
        let container = Container { image: Some(image.to_owned()), ..Container::default() };
        assert_eq!(image_reference(&container), expected);
    }
}

#[test]
fn host_names_fit() {
    let mut long = pod(json!({"containers": []}));
    long.metadata.name = Some(format!("{}-x", "a".repeat(62)));
    assert_eq!(hostname(&long), "a".repeat(62));
    assert_eq!(hostname(&pod(json!({"hostname": "h", "containers": []}))), "h");
    let spec =
        pod_spec(&pod(json!({"hostNetwork": true, "containers": []})), "n1", Some(9), &resolver(), false).unwrap();
    assert_eq!((spec.hostname.as_str(), spec.fqdn, spec.pids), ("n1", None, Some(9)));
    let sub = pod(json!({"hostname": "h", "subdomain": "s", "containers": []}));
    let spec = pod_spec(&sub, "n1", None, &resolver(), false).unwrap();
    assert_eq!((spec.hostname.as_str(), spec.fqdn.as_deref()), ("h", Some("h.s.ns.svc.cluster.local")));
    let bad = pod(json!({"hostAliases": [{"ip": "x", "hostnames": ["a"]}], "containers": []}));
    assert_eq!(pod_spec(&bad, "n1", None, &resolver(), false).unwrap_err().0, "hostAliases: \"x\" is no address");
}

//! What is no plain object: reviews, parts of objects, operations on the cluster.
#![allow(clippy::unwrap_used)]

use super::client::{client, names, request};
use super::front::Who;
use crate::auth::UserInfo;
use serde_json::{Value, json};

#[tokio::test]
async fn self_reviews_bindings_evictions_and_scale() {
    let c = client().await;
    let who = c.send("POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", &[], "{}").await.json();
    assert_eq!(who["status"]["userInfo"]["username"], "admin");
    let body = r#"{"spec":{"resourceAttributes":{"verb":"create","resource":"pods"}}}"#;
    let can = c.send("POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", &[], body).await.json();
    assert_eq!(can["status"]["allowed"], true);
    let pod = r#"{"metadata":{"name":"p"},"spec":{"containers":[{"name":"c","image":"i"}]}}"#;
    c.send("POST", "/api/v1/namespaces/default/pods", &[], pod).await;
    let binding = r#"{"metadata":{"name":"p"},"target":{"kind":"Node","name":"n1"}}"#;
    let bound = c.send("POST", "/api/v1/namespaces/default/pods/p/binding", &[], binding).await;
    assert_eq!((bound.code, bound.json()["status"].clone()), (201, "Success".into()));
    let on = c.get("/api/v1/pods?fieldSelector=spec.nodeName%3Dn1").await;
    assert_eq!(names(&on), ["p"]);
    // No node of that name: the log says which one is missing.
    let log = c.send("GET", "/api/v1/namespaces/default/pods/p/log", &[], "").await;
    assert!(log.code == 500 && log.json()["message"].as_str().unwrap().contains("n1"));
    let exec = c
        .send("GET", "/api/v1/namespaces/default/pods/p/exec?command=ls&stdout=1", &[("upgrade", "SPDY/3.1")], "")
        .await;
    assert!(exec.code == 400 && exec.json()["message"].as_str().unwrap().contains("SPDY"));
    let evicted = c
        .send(
            "POST",
            "/api/v1/namespaces/default/pods/p/eviction",
            &[],
            r#"{"metadata":{"name":"p"},"deleteOptions":{"gracePeriodSeconds":0}}"#,
        )
        .await;
    assert_eq!(evicted.code, 201);
    assert_eq!(c.send("GET", "/api/v1/namespaces/default/pods/p", &[], "").await.code, 404);
}

#[tokio::test]
async fn operations_are_for_admins_unless_they_are_open() {
    let c = client().await;
    let got = c.send("POST", "/raftsman/v1/members/a%20b", &[], "{}").await;
    assert_eq!(got.code, 201);
    let said: Value = serde_json::from_slice(&got.body).unwrap();
    assert_eq!(said["path"], json!(["members", "a b"]));
    assert_eq!(c.send("GET", "/raftsman/v1/missing", &[], "").await.code, 404);
    let ask = |path: &str, who: Who| {
        let front = c.front.clone();
        let asked = request("POST", path, &[("authorization", "Bearer t.s")], "");
        async move { front.handle(asked, who).await }
    };
    assert_eq!(ask("/raftsman/v1/members", Ok(UserInfo::new("jane", []))).await.status(), 403);
    assert_eq!(ask("/raftsman/v1/members", Err("none".into())).await.status(), 401);
    let open = ask("/raftsman/v1/open", Err("none".into())).await;
    assert_eq!(open.status(), 201);
}

#[tokio::test]
async fn a_backup_is_a_whole_view_for_admins_only() {
    let c = client().await;
    let revision = c.config_map("kept", "x").await;
    let got = c.send("GET", "/raftsman/v1/backup", &[], "").await;
    assert_eq!(got.code, 200);
    let mut reader = raftsman_backup::Reader::open(&got.body[..], None).unwrap();
    assert_eq!((reader.manifest().cluster_id.as_str(), reader.manifest().revision), ("c-1", revision));
    let mut found = false;
    while let Some(item) = reader.next_item().unwrap() {
        found |= matches!(&item, raftsman_backup::Item::Object(record) if record.key.name() == "kept");
    }
    assert!(found);
    assert_eq!(c.send("POST", "/raftsman/v1/backup", &[], "").await.code, 405);
    // There are no keys to give here.
    assert_eq!(c.send("GET", "/raftsman/v1/backup?keys=true", &[], "").await.code, 500);
    let stranger = UserInfo::new("jane", []);
    let refused = c.front.handle(request("GET", "/raftsman/v1/backup", &[], ""), Ok(stranger)).await;
    assert_eq!(refused.status(), 403);
}

#[tokio::test]
async fn a_scale_is_read_replaced_and_patched() {
    let c = client().await;
    let deployments = "/apis/apps/v1/namespaces/default/deployments";
    let body = json!({ "metadata": { "name": "d" }, "spec": {
        "replicas": 2, "selector": { "matchLabels": { "a": "b" } },
        "template": { "metadata": { "labels": { "a": "b" } }, "spec": { "containers": [{ "name": "c", "image": "i" }] } },
    }});
    let made = c.send("POST", deployments, &[], body.to_string()).await.json();
    let path = format!("{deployments}/d/scale");
    let mut scale = c.get(&path).await;
    assert_eq!((scale["kind"].as_str(), scale["apiVersion"].as_str()), (Some("Scale"), Some("autoscaling/v1")));
    assert_eq!((scale["spec"]["replicas"].clone(), scale["status"]["selector"].clone()), (json!(2), json!("a=b")));
    for field in ["name", "namespace", "uid", "resourceVersion"] {
        assert_eq!(scale["metadata"][field], made["metadata"][field], "{field}");
    }
    scale["spec"]["replicas"] = 5.into();
    let put = c.send("PUT", &path, &[], scale.to_string()).await;
    assert_eq!(
        (put.code, put.json()["kind"].clone(), put.json()["spec"]["replicas"].clone()),
        (200, json!("Scale"), json!(5))
    );
    // The same again is too late: it names the revision before.
    scale["spec"]["replicas"] = 6.into();
    assert_eq!(c.send("PUT", &path, &[], scale.to_string()).await.code, 409);
    let merge = [("content-type", "application/merge-patch+json")];
    let patched = c.send("PATCH", &path, &merge, r#"{"spec":{"replicas":7}}"#).await;
    assert_eq!((patched.code, patched.json()["spec"]["replicas"].clone()), (200, json!(7)));
    let json_patch = [("content-type", "application/json-patch+json")];
    let body = r#"[{"op":"replace","path":"/spec/replicas","value":8}]"#;
    assert_eq!(c.send("PATCH", &path, &json_patch, body).await.json()["spec"]["replicas"], 8);
    let whole = c.get(&format!("{deployments}/d")).await;
    assert_eq!((whole["spec"]["replicas"].clone(), whole["metadata"]["generation"].clone()), (json!(8), json!(4)));
    let refused = c.send("PATCH", &path, &merge, r#"{"spec":{"replicas":-1}}"#).await;
    assert_eq!(refused.code, 422, "{}", refused.json());
    assert_eq!(c.send("GET", &format!("{deployments}/none/scale"), &[], "").await.code, 404);
}

#[tokio::test]
async fn a_job_that_leaves_its_pods_behind_is_warned_of() {
    let c = client().await;
    let path = "/apis/batch/v1/namespaces/default/jobs";
    let template = json!({ "spec": { "restartPolicy": "Never", "containers": [{ "name": "c", "image": "i" }] } });
    for (query, warned, gone) in
        [("", true, false), ("?propagationPolicy=Background", false, true), ("?propagationPolicy=Orphan", false, false)]
    {
        let name = format!("j{}", query.len());
        let job = json!({ "metadata": { "name": name }, "spec": { "template": template } });
        assert_eq!(c.send("POST", path, &[], job.to_string()).await.code, 201);
        let deleted = c.send("DELETE", &format!("{path}/{name}{query}"), &[], "").await;
        assert_eq!(deleted.headers.contains_key("warning"), warned, "{query}");
        assert_eq!(deleted.json()["kind"] == "Status", gone, "{query}");
    }
}

#[tokio::test]
async fn a_put_that_creates_says_so() {
    let c = client().await;
    let path = "/apis/coordination.k8s.io/v1/namespaces/default/leases/l";
    let body = r#"{"metadata":{"name":"l"},"spec":{"holderIdentity":"a"}}"#;
    assert_eq!(c.send("PUT", path, &[], body).await.code, 201);
    assert_eq!(c.send("PUT", path, &[], body).await.code, 200);
}

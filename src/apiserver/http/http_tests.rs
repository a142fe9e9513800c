//! Who may ask, and the forms of questions and answers.
#![allow(clippy::unwrap_used)]

use super::Params;
use super::client::{client, request};
use crate::auth::UserInfo;
use crate::config::ApiConfig;
use http_body_util::BodyExt as _;
use serde_json::{Value, json};

#[tokio::test]
async fn who_is_unknown_or_may_not_is_told_so() {
    let c = client().await;
    let nobody = c.front.handle(request("GET", "/api/v1/pods", &[], ""), Err("none".to_owned())).await;
    assert_eq!(nobody.status(), 401);
    let open = c.front.handle(request("GET", "/readyz", &[], ""), Err("none".to_owned())).await;
    assert_eq!(open.status(), 200);
    let stranger = UserInfo::new("jane", []);
    let answer = c.front.handle(request("GET", "/api/v1/namespaces/default/pods", &[], ""), Ok(stranger)).await;
    let body: Value = serde_json::from_slice(&answer.into_body().collect().await.unwrap().to_bytes()).unwrap();
    assert_eq!(
        body["message"],
        "pods is forbidden: User \"jane\" cannot list resource \"pods\" in API group \"\" in the namespace \"default\""
    );
    let other = c.send("GET", "/api/v1/pods", &[("impersonate-user", "x")], "").await;
    assert_eq!(other.code, 403);
}

#[tokio::test]
async fn tables_metadata_and_yaml() {
    let c = client().await;
    c.config_map("a", "x").await;
    let path = "/api/v1/namespaces/default/configmaps";
    let accept = [("accept", "application/json;as=Table;v=v1;g=meta.k8s.io,application/json")];
    let table = c.send("GET", path, &accept, "").await.json();
    assert_eq!(table["kind"], "Table");
    assert_eq!(table["columnDefinitions"][0]["name"], "Name");
    assert_eq!(table["rows"][0]["cells"][0], "a");
    assert_eq!(table["rows"][0]["object"]["kind"], "PartialObjectMetadata");
    let full = c.send("GET", &format!("{path}?includeObject=Object"), &accept, "").await.json();
    assert_eq!(full["rows"][0]["object"]["kind"], "ConfigMap");
    let metadata = [("accept", "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io")];
    let list = c.send("GET", path, &metadata, "").await.json();
    assert_eq!(
        (list["kind"].as_str(), list["items"][0]["kind"].as_str()),
        (Some("PartialObjectMetadataList"), Some("PartialObjectMetadata"))
    );
    let yaml = c.send("GET", &format!("{path}/a"), &[("accept", "application/yaml")], "").await;
    assert!(String::from_utf8_lossy(&yaml.body).contains("kind: ConfigMap\n"));
    let none = c.send("GET", path, &[("accept", "application/vnd.kubernetes.protobuf")], "").await;
    assert_eq!(none.code, 406);
    let made = c.send("POST", path, &[("content-type", "application/yaml")], "metadata:\n  name: y\n").await;
    assert_eq!(made.code, 201);
}

#[tokio::test]
async fn bad_bodies_are_named() {
    let c = client().await;
    let path = "/api/v1/namespaces/default/configmaps";
    for (kind, body, code, says) in [
        ("application/json", "", 400, "empty"),
        ("application/json", "{", 400, "JSON"),
        ("application/yaml", "a:\n\t- b", 400, "line"),
        ("application/yaml", "metadata: {name: a}\n---\nmetadata: {name: b}\n", 400, "several"),
        ("text/plain", "x", 415, "unknown format (text/plain)"),
        ("application/json", r#"{"kind":"Pod","metadata":{"name":"x"}}"#, 400, "does not match the expected kind"),
        ("application/json", r#"{"metadata":{"name":"Not_Valid"}}"#, 422, "metadata.name"),
        ("application/json", r#"{"metadata":{"name":"a"},"data":{"x":1}}"#, 400, "data.x"),
    ] {
        let got = c.send("POST", path, &[("content-type", kind)], body).await;
        let message = got.json()["message"].as_str().unwrap().to_owned();
        assert_eq!(got.code, code, "{body}: {message}");
        assert!(message.contains(says), "{body}: {message}");
    }
    let large = c.send("POST", path, &[], vec![b' '; 3 * 1024 * 1024 + 1]).await;
    assert_eq!(large.code, 413);
    let twice = r#"{"metadata":{"name":"a"},"data":{"x":"1","x":"2"}}"#;
    let strict = c.send("POST", &format!("{path}?fieldValidation=Strict"), &[], twice).await;
    assert!(strict.json()["message"].as_str().unwrap().contains("duplicate field \"data.x\""));
    let warned = c.send("POST", path, &[], twice).await;
    assert_eq!(warned.headers["warning"], "299 - \"duplicate field \\\"data.x\\\"\"");
    let odd = c.send("PATCH", &format!("{path}/a"), &[("content-type", "application/odd")], "{}").await;
    assert_eq!(odd.code, 415);
}

#[tokio::test]
async fn refusals_say_why_and_where() {
    let c = client().await;
    let path = "/api/v1/namespaces/default/configmaps";
    let held = r#"{"metadata":{"name":"a","finalizers":["example.com/f"]}}"#;
    assert_eq!(c.send("POST", path, &[], held).await.code, 201);
    let again = c.send("POST", path, &[], held).await;
    assert_eq!((again.code, again.json()["message"].as_str()), (409, Some("configmaps \"a\" already exists")));
    assert_eq!(c.send("DELETE", &format!("{path}/a"), &[], "").await.code, 200);
    let going = c.send("POST", path, &[], held).await;
    let message = going.json()["message"].as_str().unwrap().to_owned();
    assert_eq!((going.code, message.as_str()), (409, "object is being deleted: configmaps \"a\" already exists"));
    let large = json!({ "metadata": { "name": "b" }, "data": { "x": "x".repeat(1024 * 1024 + 1) } }).to_string();
    let refused = c.send("POST", path, &[], large).await.json();
    assert_eq!(refused["details"]["causes"][0]["field"], "data", "{refused}");
    let dry = c.send("POST", &format!("{path}?dryRun=All"), &[], r#"{"metadata":{"name":"c"}}"#).await.json();
    assert!(dry["metadata"]["uid"].is_string() && dry["metadata"].get("resourceVersion").is_none(), "{dry}");
}

#[tokio::test]
async fn unknown_paths_and_methods() {
    let c = client().await;
    for (method, path, code) in [
        ("GET", "/api/v1/unicorns", 404),
        ("GET", "/apis/none", 404),
        ("GET", "/apis/apps/v2", 404),
        ("GET", "/nowhere", 404),
        ("GET", "/api/v1/namespaces/default/pods/p/unicorn", 404),
        ("GET", "/api/v1/namespaces/default/pods/p", 404),
        ("PUT", "/api/v1/namespaces/default/pods", 405),
        ("POST", "/api/v1/namespaces/default/pods/p", 405),
        ("POST", "/api/v1/pods", 405),
        ("POST", "/version2", 404),
    ] {
        let got = c.send(method, path, &[], "").await;
        let shown = got.json();
        assert!(got.code == code || method == "POST" && got.code == 405, "{method} {path}: {shown}");
        assert_eq!(shown["kind"], "Status");
        // Clients look into it without asking whether it is there.
        assert!(shown["details"].is_object(), "{method} {path}: {shown}");
    }
}

#[tokio::test]
async fn discovery_in_both_forms_names_the_same() {
    let c = client().await;
    let old = c.get("/api/v1").await;
    let pods = old["resources"].as_array().unwrap().iter().find(|one| one["name"] == "pods").unwrap().clone();
    assert_eq!(pods["shortNames"], json!(["po"]));
    let accept = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json";
    let new = c.send("GET", "/api", &[("accept", accept)], "").await;
    assert!(new.headers["content-type"].to_str().unwrap().contains("as=APIGroupDiscoveryList"));
    let tag = new.headers["etag"].to_str().unwrap().to_owned();
    let again = c.send("GET", "/api", &[("accept", accept), ("if-none-match", &tag)], "").await;
    assert_eq!((again.code, again.body.len()), (304, 0));
    let old: Vec<Value> = old["resources"].as_array().unwrap().iter().map(|one| one["name"].clone()).collect();
    let mut flat = Vec::new();
    for one in new.json()["items"][0]["versions"][0]["resources"].as_array().unwrap() {
        flat.push(one["resource"].clone());
        for part in one["subresources"].as_array().into_iter().flatten() {
            flat.push(
                format!("{}/{}", one["resource"].as_str().unwrap(), part["subresource"].as_str().unwrap()).into(),
            );
        }
    }
    assert_eq!(old, flat);
}

#[tokio::test]
async fn openapi_v2_in_both_forms() {
    let c = client().await;
    let json = c.send("GET", "/openapi/v2", &[("accept", "application/json")], "").await;
    assert_eq!((json.code, json.json()["swagger"].as_str()), (200, Some("2.0")));
    assert_eq!(c.get("/openapi/v2").await["swagger"], "2.0");
    for asked in ["spec.v2@v1.0+protobuf", "spec.v2.v1.0+protobuf"] {
        let accept = format!("application/com.github.proto-openapi.{asked}");
        let got = c.send("GET", "/openapi/v2", &[("accept", &accept)], "").await;
        // Go's parser of content types knows no `@`.
        assert_eq!(got.headers["content-type"], "application/com.github.proto-openapi.spec.v2.v1.0+protobuf");
        assert!(got.code == 200 && got.body.len() > 100_000, "{}", got.body.len());
        let held = got.headers["etag"].to_str().unwrap();
        let again = c.send("GET", "/openapi/v2", &[("accept", &accept), ("if-none-match", held)], "").await;
        assert_eq!(again.code, 304);
    }
    assert_eq!(c.send("GET", "/openapi/v2", &[("accept", "text/html")], "").await.code, 406);
}

#[tokio::test]
async fn long_lists_are_packed_for_those_who_ask() {
    let c = client().await;
    let data = "x".repeat(4000);
    for index in 0..50 {
        let body = json!({ "metadata": { "name": format!("c{index}") }, "data": { "d": data } }).to_string();
        c.send("POST", "/api/v1/namespaces/default/configmaps", &[], body).await;
    }
    let path = "/api/v1/configmaps";
    let plain = c.send("GET", path, &[], "").await;
    assert_eq!(plain.json()["items"].as_array().unwrap().len(), 50);
    let packed = c.send("GET", path, &[("accept-encoding", "gzip")], "").await;
    assert_eq!(packed.headers["content-encoding"], "gzip");
    let mut out = Vec::new();
    std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(&packed.body[..]), &mut out).unwrap();
    assert_eq!(out, plain.body);
    let short = c.send("GET", "/api/v1/namespaces", &[("accept-encoding", "gzip")], "").await;
    assert!(!short.headers.contains_key("content-encoding"));
}

#[tokio::test]
async fn too_many_at_once_are_sent_away() {
    let c = client().await;
    let held: Vec<_> = (0..ApiConfig::default().in_flight).map(|_| c.front.metrics.admit(usize::MAX)).collect();
    let refused = c.send("GET", "/api/v1/pods", &[], "").await;
    assert_eq!((refused.code, refused.headers["retry-after"].to_str().unwrap()), (429, "1"));
    drop(held);
    assert_eq!(c.send("GET", "/api/v1/pods", &[], "").await.code, 200);
    let text = c.send("GET", "/metrics", &[], "").await;
    assert!(
        String::from_utf8_lossy(&text.body)
            .contains("apiserver_request_total{verb=\"list\",resource=\"pods\",code=\"429\"} 1")
    );
}

#[test]
fn a_store_that_is_overloaded_asks_to_come_back() {
    let error = raftsman_store::border::StoreError::Overloaded("9 writes are waiting".to_owned());
    let answer = super::answer::refusal(&crate::write::store_error(&error));
    assert_eq!((answer.status().as_u16(), answer.headers()["retry-after"].to_str().unwrap()), (429, "1"));
}

#[test]
fn queries_are_decoded() {
    let params = Params::parse("a=x%20y&b&c=1+2&a=z");
    assert_eq!((params.text("a"), params.text("c"), params.has("b")), ("x y", "1 2", true));
    assert_eq!(params.all("a"), ["x y", "z"]);
    assert_eq!(params.flag("b").unwrap(), Some(true));
    assert!(params.flag("c").is_err());
}

#[tokio::test]
async fn field_managers_have_names_that_can_be_shown() {
    let c = client().await;
    let path = "/api/v1/namespaces/default/configmaps";
    let body = json!({ "metadata": { "name": "c" } }).to_string();
    let long = "m".repeat(129);
    for (manager, says) in [
        (long.as_str(), "Too long: may not be more than 128 bytes"),
        ("a%0Ab", "should only contain printable characters"),
    ] {
        let refused = c.send("POST", &format!("{path}?fieldManager={manager}"), &[], body.clone()).await;
        assert_eq!(refused.code, 422);
        let message = refused.json()["message"].as_str().unwrap().to_owned();
        assert!(
            message.starts_with("CreateOptions.meta.k8s.io \"\" is invalid: fieldManager: ") && message.contains(says),
            "{message}"
        );
    }
    assert_eq!(c.send("POST", &format!("{path}?fieldManager={}", &long[1..]), &[], body).await.code, 201);
}

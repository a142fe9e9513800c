#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::front::{Front, Who};
use super::metrics::Metrics;
use super::operations::{Operation, Operations};
use super::{Answer, Params};
use crate::auth::{MASTERS, UserInfo};
use crate::config::ApiConfig;
use crate::stream::NodeClients;
use crate::write::{Api, Caller};
use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use raftsman_api::status::Status;
use raftsman_state::{Op, Txn};
use raftsman_store::border::{Health, Store};
use raftsman_store::memory::MemoryStore;
use serde_json::{Value, json};
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

struct Client {
    front: Arc<Front>,
    store: Arc<MemoryStore>,
}

struct Got {
    code: u16,
    headers: http::HeaderMap,
    body: Bytes,
}

impl Got {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

async fn client() -> Client {
    let store = Arc::new(MemoryStore::default());
    let api = Api::new(store.clone(), ApiConfig::default());
    crate::bootstrap(&api, &Caller::system("system:test", "test")).await.unwrap();
    let front = Front {
        operations: Arc::new(Echo),
        api,
        nodes: Arc::new(NodeClients::plain()),
        metrics: Metrics::default(),
        shutdown: CancellationToken::new(),
        address: "127.0.0.1:6443".to_owned(),
        backup: Some(crate::BackupSource { cluster_id: "c-1".to_owned(), ..crate::BackupSource::default() }),
    };
    Client { front: Arc::new(front), store }
}

fn request(method: &str, path: &str, headers: &[(&str, &str)], body: impl Into<Bytes>) -> Request<Full<Bytes>> {
    let mut builder = Request::builder().method(method).uri(path);
    for (name, value) in headers {
        builder = builder.header(*name, *value);
    }
    builder.body(Full::new(body.into())).unwrap()
}

impl Client {
    async fn open(&self, method: &str, path: &str, headers: &[(&str, &str)], body: impl Into<Bytes>) -> Answer {
        let user = UserInfo::new("admin", [MASTERS.to_owned()]);
        self.front.handle(request(method, path, headers, body), Ok(user)).await
    }

    async fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: impl Into<Bytes>) -> Got {
        let (parts, body) = self.open(method, path, headers, body).await.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        Got { code: parts.status.as_u16(), headers: parts.headers, body }
    }

    async fn get(&self, path: &str) -> Value {
        self.send("GET", path, &[], "").await.json()
    }

    async fn config_map(&self, name: &str, label: &str) -> u64 {
        let body = json!({ "metadata": { "name": name, "labels": { "l": label } } });
        let made = self.send("POST", "/api/v1/namespaces/default/configmaps", &[], body.to_string()).await;
        assert_eq!(made.code, 201, "{}", made.json());
        revision(&made.json())
    }

    async fn watch(&self, query: &str) -> Lines {
        let answer = self.open("GET", &format!("/api/v1/namespaces/default/configmaps?watch=1&{query}"), &[], "").await;
        assert_eq!(answer.status(), StatusCode::OK);
        Lines { body: answer.into_body(), held: Vec::new() }
    }
}

fn revision(object: &Value) -> u64 {
    object["metadata"]["resourceVersion"].as_str().unwrap().parse().unwrap()
}

fn names(list: &Value) -> Vec<&str> {
    list["items"].as_array().unwrap().iter().map(|item| item["metadata"]["name"].as_str().unwrap()).collect()
}

/// The lines of a watch.
struct Lines {
    body: super::body::Body,
    held: Vec<u8>,
}

impl Lines {
    async fn next(&mut self) -> Option<Value> {
        loop {
            if let Some(end) = self.held.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.held.drain(..=end).collect();
                return Some(serde_json::from_slice(&line).unwrap());
            }
            let frame = self.body.frame().await?.unwrap();
            self.held.extend_from_slice(&frame.into_data().unwrap());
        }
    }

    async fn expect(&mut self, kind: &str, name: &str) -> Value {
        let event = self.next().await.unwrap();
        let got = (event["type"].as_str().unwrap(), event["object"]["metadata"]["name"].as_str().unwrap_or(""));
        assert_eq!(got, (kind, name), "{event}");
        event["object"].clone()
    }
}

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
async fn lists_page_at_one_revision_and_expire_with_a_fresh_token() {
    let c = client().await;
    for name in ["a", "b", "c", "d", "e"] {
        c.config_map(name, "x").await;
    }
    let path = "/api/v1/namespaces/default/configmaps";
    let first = c.get(&format!("{path}?limit=2")).await;
    assert_eq!(names(&first), ["a", "b"]);
    assert_eq!(first["metadata"]["remainingItemCount"], 3);
    let token = first["metadata"]["continue"].as_str().unwrap().to_owned();
    // What comes and goes meanwhile is not seen on later pages.
    c.send("DELETE", &format!("{path}/c"), &[], "").await;
    c.config_map("bb", "x").await;
    let second = c.get(&format!("{path}?limit=2&continue={token}")).await;
    assert_eq!(names(&second), ["c", "d"]);
    assert_eq!(revision(&second), revision(&first));
    let exact = c.get(&format!("{path}?resourceVersion={}&resourceVersionMatch=Exact", revision(&first))).await;
    assert_eq!(names(&exact), ["a", "b", "c", "d", "e"]);
    // Once compacted: 410, and a token that goes on inconsistently.
    let floor = c.store.view().revision();
    let compact = Op::Compact { resource: "configmaps".into(), floor };
    c.store.propose(Txn { ops: vec![compact], ..Txn::default() }).await.unwrap();
    let expired = c.send("GET", &format!("{path}?limit=2&continue={token}"), &[], "").await;
    assert_eq!((expired.code, expired.json()["reason"].as_str().unwrap().to_owned()), (410, "Expired".to_owned()));
    let fresh = expired.json()["metadata"]["continue"].as_str().unwrap().to_owned();
    let rest = c.get(&format!("{path}?continue={fresh}")).await;
    assert_eq!(names(&rest), ["bb", "d", "e"]);
    let bad = c.send("GET", &format!("{path}?continue=nonsense"), &[], "").await;
    assert_eq!(bad.code, 400);
}

#[tokio::test]
async fn lists_select_by_labels_and_fields() {
    let c = client().await;
    for (name, label) in [("a", "x"), ("b", "y"), ("c", "x")] {
        c.config_map(name, label).await;
    }
    let path = "/api/v1/configmaps";
    assert_eq!(names(&c.get(&format!("{path}?labelSelector=l%3Dx")).await), ["a", "c"]);
    assert_eq!(names(&c.get(&format!("{path}?labelSelector=l+in+(y,z)")).await), ["b"]);
    assert_eq!(names(&c.get(&format!("{path}?fieldSelector=metadata.name%3Db")).await), ["b"]);
    let unknown = c.send("GET", &format!("{path}?fieldSelector=spec.x%3Db"), &[], "").await;
    assert_eq!((unknown.code, unknown.json()["message"].clone()), (400, "field label not supported: spec.x".into()));
    // A revision that nobody has reached yet.
    tokio::time::pause();
    let far = c.send("GET", &format!("{path}?resourceVersion=999999"), &[], "").await;
    assert_eq!(far.code, 504);
    assert_eq!(far.json()["details"]["causes"][0]["reason"], "ResourceVersionTooLarge");
}

#[tokio::test]
async fn watches_follow_selection_and_deletion() {
    let c = client().await;
    let from = c.config_map("a", "x").await;
    let mut lines = c.watch(&format!("resourceVersion={from}&labelSelector=l%3Dx")).await;
    c.config_map("b", "x").await;
    c.config_map("no", "y").await;
    lines.expect("ADDED", "b").await;
    let path = "/api/v1/namespaces/default/configmaps/b";
    let merge = [("content-type", "application/merge-patch+json")];
    let left = c.send("PATCH", path, &merge, r#"{"metadata":{"labels":{"l":"y"}}}"#).await;
    let gone = lines.expect("DELETED", "b").await;
    // The object as it was when it was selected, at the revision of its leaving.
    assert_eq!((gone["metadata"]["labels"]["l"].as_str(), revision(&gone)), (Some("x"), revision(&left.json())));
    c.send("PATCH", path, &merge, r#"{"metadata":{"labels":{"l":"x"}}}"#).await;
    lines.expect("ADDED", "b").await;
    c.send("PATCH", path, &merge, r#"{"data":{"k":"v"}}"#).await;
    lines.expect("MODIFIED", "b").await;
    c.send("DELETE", path, &[], "").await;
    let gone = lines.expect("DELETED", "b").await;
    assert_eq!(revision(&gone), c.store.view().revision());
}

#[tokio::test]
async fn watches_begin_with_what_is_there_and_end_with_health() {
    let c = client().await;
    c.config_map("a", "x").await;
    let mut plain = c.watch("").await;
    plain.expect("ADDED", "a").await;
    let query = "sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true";
    let mut listing = c.watch(query).await;
    listing.expect("ADDED", "a").await;
    let end = listing.expect("BOOKMARK", "").await;
    assert_eq!(end["metadata"]["annotations"]["k8s.io/initial-events-end"], "true");
    assert_eq!(revision(&end), c.store.view().revision());
    c.store.set_health(Health { ready: false, reason: "no quorum".to_owned() });
    assert_eq!(listing.next().await, None);
    assert_eq!(c.send("GET", "/readyz", &[], "").await.code, 500);
    assert_eq!(c.send("GET", "/livez", &[], "").await.code, 200);
}

#[tokio::test(start_paused = true)]
async fn bookmarks_come_each_minute_and_watches_end_in_time() {
    let c = client().await;
    let from = c.config_map("a", "x").await;
    let mut lines = c.watch(&format!("resourceVersion={from}&allowWatchBookmarks=true&timeoutSeconds=100")).await;
    // Others' changes move the bookmark.
    let body = json!({ "metadata": { "name": "s" } }).to_string();
    c.send("POST", "/api/v1/namespaces/default/secrets", &[], body).await;
    let mark = lines.expect("BOOKMARK", "").await;
    assert_eq!(revision(&mark), c.store.view().revision());
    lines.expect("BOOKMARK", "").await;
    assert_eq!(lines.next().await, None);
}

#[tokio::test]
async fn a_watch_below_the_floor_gets_410() {
    let c = client().await;
    let from = c.config_map("a", "x").await;
    c.config_map("b", "x").await;
    let compact = Op::Compact { resource: "configmaps".into(), floor: from + 1 };
    c.store.propose(Txn { ops: vec![compact], ..Txn::default() }).await.unwrap();
    let mut lines = c.watch(&format!("resourceVersion={from}")).await;
    let event = lines.next().await.unwrap();
    assert_eq!((event["type"].as_str(), event["object"]["code"].as_i64()), (Some("ERROR"), Some(410)));
    assert_eq!(lines.next().await, None);
}

#[tokio::test]
async fn shutdown_ends_watches_and_readiness() {
    let c = client().await;
    let mut lines = c.watch("").await;
    c.front.shutdown.cancel();
    assert_eq!(lines.next().await, None);
    let ready = c.send("GET", "/readyz?verbose", &[], "").await;
    assert_eq!(ready.code, 500);
    assert!(String::from_utf8_lossy(&ready.body).contains("[-]shutdown failed"));
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
fn queries_are_decoded() {
    let params = Params::parse("a=x%20y&b&c=1+2&a=z");
    assert_eq!((params.text("a"), params.text("c"), params.has("b")), ("x y", "1 2", true));
    assert_eq!(params.all("a"), ["x y", "z"]);
    assert_eq!(params.flag("b").unwrap(), Some(true));
    assert!(params.flag("c").is_err());
}

/// Says who asked for what.
struct Echo;

#[async_trait::async_trait]
impl Operations for Echo {
    fn is_open(&self, path: &[&str]) -> bool {
        path == ["open"]
    }

    async fn carry_out(&self, operation: Operation) -> Result<Option<(u16, Value)>, Status> {
        if operation.words() == ["missing"] {
            return Ok(None);
        }
        let user = operation.user.map(|user| user.name);
        Ok(Some((201, json!({ "user": user, "path": operation.path, "bearer": operation.bearer }))))
    }
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

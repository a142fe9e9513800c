//! Lists and watches.
#![allow(clippy::unwrap_used)]

use super::client::{client, names, revision};
use raftsman_state::{Op, Txn};
use raftsman_store::border::{Health, Store};
use serde_json::json;
use std::time::Duration;

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

#[tokio::test(start_paused = true)]
async fn a_watch_that_nobody_reads_ends_all_the_same() {
    let c = client().await;
    let path = "/api/v1/namespaces/default/configmaps";
    for n in 0..20 {
        let body = json!({ "metadata": { "name": format!("big{n}") }, "data": { "k": "x".repeat(40_000) } });
        c.send("POST", path, &[], body.to_string()).await;
    }
    // More than is held for a reader, who goes away after the first line. The clock runs as fast as it likes.
    let ended = async || {
        let seconds = Duration::from_secs;
        let over = async {
            while c.front.metrics.watches() > 0 {
                tokio::time::sleep(seconds(1)).await;
            }
        };
        tokio::time::timeout(seconds(100), over).await.is_ok()
    };
    let mut in_time = c.watch("timeoutSeconds=7").await;
    in_time.expect("ADDED", "big0").await;
    assert!(ended().await, "at its time");
    let mut unhealthy = c.watch("").await;
    unhealthy.expect("ADDED", "big0").await;
    c.store.set_health(Health { ready: false, reason: "no quorum".to_owned() });
    assert!(ended().await, "with this master's health");
}

#[tokio::test]
async fn a_watch_may_ask_for_more_time_than_there_is() {
    let c = client().await;
    c.config_map("a", "x").await;
    let mut lines = c.watch(&format!("timeoutSeconds={}", i64::MAX)).await;
    lines.expect("ADDED", "a").await;
}

#![allow(clippy::unwrap_used, clippy::panic)]

use super::feed::Feed;
use bytes::Bytes;
use raftsman_proto::v1::{MasterMessage, master_message::Message};
use raftsman_state::{Body, Compare, Key, Meta, Op, Resource, State, Txn};
use serde_json::{Value, json};
use std::sync::Arc;

fn key(resource: &str, name: &str) -> Key {
    let namespace = if resource == "persistentvolumes" { "" } else { "x" };
    Key::new(&Resource::from(resource), namespace, name)
}

fn put(state: &mut State, resource: &str, name: &str, json: Value) {
    let node = json["spec"]["csi"]["volumeAttributes"]["node"].as_str();
    let local = node.map(|node| ("volume-node".into(), node.into()));
    let index = json["spec"]["nodeName"].as_str().map(|node| ("pod-node".into(), node.into())).or(local);
    let meta = Meta { uid: name.into(), index: index.into_iter().collect(), ..Meta::default() };
    let body = Body::plain(Bytes::from(json.to_string()));
    let op = Op::Put { key: key(resource, name), meta: Arc::new(meta), body };
    state.apply(1, &Txn { compares: Vec::<Compare>::new(), ops: vec![op], origin: None });
}

fn delete(state: &mut State, resource: &str, name: &str) {
    state.apply(1, &Txn { compares: vec![], ops: vec![Op::Delete { key: key(resource, name) }], origin: None });
}

fn pod(node: &str, secret: &str) -> Value {
    json!({"metadata": {"name": "p"}, "spec": {"nodeName": node, "containers": [
        {"name": "c", "envFrom": [{"secretRef": {"name": secret}}]},
    ]}})
}

fn texts(messages: Vec<MasterMessage>) -> Vec<String> {
    messages
        .into_iter()
        .map(|message| match message.message.unwrap() {
            Message::Put(put) => format!("put {} {}", put.resource, put.name),
            Message::Delete(delete) => format!("delete {} {}", delete.resource, delete.name),
            Message::Synced(_) => "synced".to_owned(),
            other => panic!("{other:?}"),
        })
        .collect()
}

#[test]
fn a_node_gets_its_pods_and_what_they_name_and_no_more() {
    let mut state = State::default();
    put(&mut state, "secrets", "mine", json!({}));
    put(&mut state, "secrets", "other", json!({}));
    put(&mut state, "pods", "a", pod("n1", "mine"));
    put(&mut state, "pods", "b", pod("n2", "other"));
    put(&mut state, "services", "s", json!({}));
    let mut feed = Feed::new("n1");
    assert_eq!(texts(feed.full(&state.view())), ["put services s", "put pods a", "put secrets mine", "synced"]);
    assert!(feed.step(&state.view()).unwrap().is_empty());
}

#[test]
fn a_secret_comes_before_the_pod_that_names_it_and_goes_after_it() {
    let mut state = State::default();
    put(&mut state, "secrets", "mine", json!({}));
    let mut feed = Feed::new("n1");
    assert_eq!(texts(feed.full(&state.view())), ["synced"]);
    put(&mut state, "pods", "a", pod("n1", "mine"));
    assert_eq!(texts(feed.step(&state.view()).unwrap()), ["put secrets mine", "put pods a", "synced"]);
    put(&mut state, "secrets", "mine", json!({"data": {}}));
    put(&mut state, "secrets", "foreign", json!({"data": {}}));
    assert_eq!(texts(feed.step(&state.view()).unwrap()), ["put secrets mine", "synced"]);
    delete(&mut state, "pods", "a");
    assert_eq!(texts(feed.step(&state.view()).unwrap()), ["delete pods a", "delete secrets mine", "synced"]);
}

#[test]
fn a_secret_stays_while_one_of_two_pods_names_it() {
    let mut state = State::default();
    put(&mut state, "secrets", "mine", json!({}));
    put(&mut state, "pods", "a", pod("n1", "mine"));
    put(&mut state, "pods", "b", pod("n1", "mine"));
    let mut feed = Feed::new("n1");
    feed.full(&state.view());
    delete(&mut state, "pods", "a");
    assert_eq!(texts(feed.step(&state.view()).unwrap()), ["delete pods a", "synced"]);
    // The last pod moves off this node.
    put(&mut state, "pods", "b", pod("n2", "mine"));
    assert_eq!(texts(feed.step(&state.view()).unwrap()), ["delete pods b", "delete secrets mine", "synced"]);
}

#[test]
fn what_is_made_anew_between_two_steps_goes_and_comes_in_that_order() {
    let mut state = State::default();
    put(&mut state, "secrets", "mine", json!({}));
    put(&mut state, "pods", "a", pod("n1", "mine"));
    let mut feed = Feed::new("n1");
    feed.full(&state.view());
    delete(&mut state, "secrets", "mine");
    delete(&mut state, "pods", "a");
    put(&mut state, "secrets", "mine", json!({}));
    put(&mut state, "pods", "a", pod("n1", "mine"));
    assert_eq!(
        texts(feed.step(&state.view()).unwrap()),
        ["delete secrets mine", "put secrets mine", "delete pods a", "put pods a", "synced"]
    );
}

#[test]
fn a_node_gets_the_volumes_behind_its_claims_and_hears_when_its_own_are_gone() {
    let mut state = State::default();
    put(&mut state, "persistentvolumeclaims", "data", json!({"spec": {"volumeName": ""}}));
    put(
        &mut state,
        "pods",
        "a",
        json!({"metadata": {"name": "a"}, "spec": {"nodeName": "n1", "containers": [], "volumes": [
            {"name": "d", "persistentVolumeClaim": {"claimName": "data"}},
        ]}}),
    );
    put(&mut state, "persistentvolumes", "shared", json!({"spec": {}}));
    let local =
        |node: &str| json!({"spec": {"csi": {"driver": "d", "volumeHandle": "h", "volumeAttributes": {"node": node}}}});
    put(&mut state, "persistentvolumes", "here", local("n1"));
    put(&mut state, "persistentvolumes", "there", local("n2"));
    let mut feed = Feed::new("n1");
    let first = texts(feed.full(&state.view()));
    assert_eq!(first, ["put pods a", "put persistentvolumeclaims data", "put persistentvolumes here", "synced"]);
    put(&mut state, "persistentvolumeclaims", "data", json!({"spec": {"volumeName": "shared"}}));
    let bound = texts(feed.step(&state.view()).unwrap());
    assert_eq!(bound, ["put persistentvolumeclaims data", "put persistentvolumes shared", "synced"]);
    delete(&mut state, "persistentvolumes", "here");
    delete(&mut state, "persistentvolumes", "there");
    assert_eq!(texts(feed.step(&state.view()).unwrap()), ["delete persistentvolumes here", "synced"]);
    delete(&mut state, "pods", "a");
    let gone = texts(feed.step(&state.view()).unwrap());
    assert_eq!(
        gone,
        ["delete pods a", "delete persistentvolumeclaims data", "delete persistentvolumes shared", "synced"]
    );
}

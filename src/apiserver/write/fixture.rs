//! A write path over a store in memory, for tests.
#![allow(clippy::unwrap_used, reason = "tests")]

use super::{Api, Caller, Target, WriteOptions};
use crate::config::ApiConfig;
use raftsman_state::{Key, Object};
use raftsman_store::border::Store;
use raftsman_store::memory::MemoryStore;
use serde_json::{Value, json};
use std::sync::Arc;

pub(super) struct Fixture {
    pub api: Arc<Api>,
    pub store: Arc<MemoryStore>,
    pub caller: Caller,
}

pub(super) async fn fixture() -> Fixture {
    let store = Arc::new(MemoryStore::default());
    let api = Api::new(store.clone(), ApiConfig::default());
    let caller = Caller::system("system:test", "test");
    crate::bootstrap(&api, &caller).await.unwrap();
    Fixture { api, store, caller }
}

pub(super) fn target(plural: &str, name: &str) -> Target {
    let group = if matches!(plural, "deployments" | "replicasets") { "apps" } else { "" };
    let namespace = if plural == "namespaces" || plural == "nodes" { "" } else { "default" };
    Target::named(group, "v1", plural, namespace, name).unwrap()
}

pub(super) fn value(object: &Object) -> Value {
    serde_json::from_slice(&object.json).unwrap()
}

pub(super) fn pod(name: &str) -> Value {
    json!({ "metadata": { "name": name }, "spec": { "containers": [{ "name": "c", "image": "i" }] } })
}

pub(super) fn service(name: &str, spec: Value) -> Value {
    let mut service = json!({ "metadata": { "name": name }, "spec": { "ports": [{ "port": 80 }] } });
    for (key, value) in spec.as_object().unwrap() {
        service["spec"][key] = value.clone();
    }
    service
}

impl Fixture {
    pub async fn create(&self, plural: &str, json: Value) -> Result<Arc<Object>, raftsman_api::status::Status> {
        self.api.create(&self.caller, &target(plural, ""), json, &WriteOptions::default()).await
    }

    pub fn held(&self, resource: &str, name: &str) -> bool {
        self.store.view().get(&Key::new(&resource.into(), "", name)).is_some()
    }
}

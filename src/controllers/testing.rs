//! An API server in memory for tests of planners: it applies actions to a [`State`] as the write path would, as far as
//! controllers can tell. Only compiled for tests and under the feature `testing`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use crate::{Action, Controller, ExecuteError, Key, Now, Plan, Propagation};
use jiff::Timestamp;
use raftsman_api::kind::Subresource;
use raftsman_api::meta;
use raftsman_api::value::{At, copy, ensure, remove, set, set_default};
use raftsman_state::{Body, Meta, Object, Op, Owner, Resource, State, Txn, View};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

/// A cluster's state, its clock, and a counter for uids and seeds.
pub struct Cluster {
    /// The state.
    pub state: State,
    /// The calendar's time.
    pub time: Timestamp,
    /// Time since leadership began.
    pub mono: Duration,
    count: u64,
}

/// The pod garbage collector of a cluster that fences nothing (Kubernetes' way).
#[cfg(test)]
pub(crate) fn pod_gc() -> crate::pod_gc::PodGc {
    let rule = raftsman_api::fencing::FencingRule { freeze: false, deadline: Duration::from_secs(30) };
    crate::pod_gc::PodGc { terminated_threshold: 0, heartbeats: Arc::new(crate::HeartbeatTable::default()), rule }
}

impl Default for Cluster {
    fn default() -> Self {
        let time = "2026-01-02T03:04:05Z".parse().unwrap();
        Self { state: State::default(), time, mono: Duration::ZERO, count: 0 }
    }
}

fn resource(object: &Value) -> Resource {
    let group = object.text("apiVersion").rsplit_once('/').map_or("", |(group, _)| group);
    let plural = match object.text("kind") {
        "Endpoints" => "endpoints".to_owned(),
        "StorageClass" => "storageclasses".to_owned(),
        kind => format!("{}s", kind.to_lowercase()),
    };
    Resource::new(group, &plural)
}

fn key_of(object: &Value) -> Key {
    Key::new(&resource(object), meta::namespace(object), meta::name(object))
}

fn meta_of(object: &Value) -> Meta {
    let pair = |key: &str, value: &str| (Arc::from(key), Arc::from(value));
    let mut index = Vec::new();
    let mut fields = Vec::new();
    if object.text("kind") == "Pod" {
        if object.has("spec.nodeName") {
            index.push(pair("pod-node", object.text("spec.nodeName")));
        }
        if meta::controller(object).is_none() {
            index.push(pair("pod-orphan", meta::namespace(object)));
        }
        for volume in object.list("spec.volumes").iter().filter(|volume| volume.has("persistentVolumeClaim")) {
            let claim = format!("{}/{}", meta::namespace(object), volume.text("persistentVolumeClaim.claimName"));
            index.push(pair("pod-claim", &claim));
        }
        fields.push(pair("spec.nodeName", object.text("spec.nodeName")));
        fields.push(pair("status.phase", object.text("status.phase")));
    }
    match object.text("kind") {
        "PersistentVolumeClaim" => index.push(pair("claim-class", object.text("spec.storageClassName"))),
        "PersistentVolume" => {
            index.push(pair("volume-class", object.text("spec.storageClassName")));
            if object.has("spec.claimRef.name") {
                let claim = format!("{}/{}", object.text("spec.claimRef.namespace"), object.text("spec.claimRef.name"));
                index.push(pair("volume-claim", &claim));
            }
        }
        _ => {}
    }
    Meta {
        uid: meta::uid(object).into(),
        labels: meta::labels(object).into_iter().map(|(key, value)| pair(key, value)).collect(),
        owners: meta::owners(object)
            .iter()
            .map(|owner| Owner {
                uid: owner.uid.into(),
                controller: owner.controller,
                block_deletion: owner.block_deletion,
            })
            .collect(),
        fields,
        index,
        deleting: meta::is_deleting(object),
    }
}

fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        return *target = patch.clone();
    };
    if !target.is_object() {
        *target = json!({});
    }
    for (key, value) in patch {
        if value.is_null() {
            target.as_object_mut().unwrap().remove(key);
        } else {
            merge(&mut target[key], value);
        }
    }
}

impl Cluster {
    /// The newest View.
    pub fn view(&self) -> View {
        self.state.view()
    }

    /// The moment, with a seed of its own.
    pub fn now(&mut self) -> Now {
        self.count += 1;
        Now { time: self.time, mono: self.mono, seed: self.count, failure: None }
    }

    /// Lets time pass.
    pub fn pass(&mut self, seconds: u64) {
        self.mono += Duration::from_secs(seconds);
        self.time += Duration::from_secs(seconds);
    }

    /// Creates or replaces an object as it is, filling in uid and creation time.
    pub fn put(&mut self, mut object: Value) -> Arc<Object> {
        let key = key_of(&object);
        self.count += 1;
        let held = self.view().get(&key).map(|held| serde_json::from_slice::<Value>(&held.json).unwrap());
        match held {
            Some(held) => copy(&mut object, &held, "metadata.uid"),
            None => set_default(&mut object, "metadata.uid", format!("u{}", self.count)),
        }
        set_default(&mut object, "metadata.creationTimestamp", raftsman_api::time::seconds(self.time));
        set(&mut object, "metadata.resourceVersion", "");
        let meta = Arc::new(meta_of(&object));
        let text = object.to_string();
        let at = text.find("\"resourceVersion\":\"\"").unwrap() + "\"resourceVersion\":\"".len();
        let body = Body::spliced(text, at).unwrap();
        self.apply(Op::Put { key: key.clone(), meta, body });
        self.view().get(&key).unwrap().clone()
    }

    fn apply(&mut self, op: Op) {
        self.state.apply(1, &Txn { ops: vec![op], ..Txn::default() });
    }

    /// Removes an object at once.
    pub fn remove(&mut self, key: &Key) {
        self.apply(Op::Delete { key: key.clone() });
    }

    /// An object as JSON.
    pub fn json(&self, key: &Key) -> Value {
        serde_json::from_slice(&self.view().get(key).unwrap_or_else(|| panic!("no {key}")).json).unwrap()
    }

    /// Changes an object's JSON as a client or an agent would, spec, status and all.
    pub fn edit(&mut self, key: &Key, change: impl FnOnce(&mut Value)) {
        let old = self.json(key);
        let mut new = old.clone();
        change(&mut new);
        self.replace(&old, new);
    }

    /// Sets the conditions and phase of a running pod, ready or not.
    pub fn run_pod(&mut self, key: &Key, ready: bool) {
        let time = raftsman_api::time::seconds(self.time);
        self.edit(key, |pod| {
            let now = if ready { "True" } else { "False" };
            set(pod, "status.phase", "Running");
            if meta::condition(pod, "Ready").is_none_or(|ready| ready.text("status") != now) {
                let condition = json!([{"type": "Ready", "status": now, "lastTransitionTime": time}]);
                set(pod, "status.conditions", condition);
            }
        });
    }

    fn replace(&mut self, old: &Value, mut new: Value) {
        if new.at("spec") != old.at("spec") {
            let generation = meta::generation(old) + 1;
            set(&mut new, "metadata.generation", generation);
        }
        let held = new.text("kind") == "Pod" && new.int("metadata.deletionGracePeriodSeconds").unwrap_or(0) > 0;
        let held = held || new.text("kind") == "Namespace" && !new.list("spec.finalizers").is_empty();
        if meta::is_deleting(&new) && meta::finalizers(&new).is_empty() && !held {
            return self.remove(&key_of(&new));
        }
        if new != *old {
            self.put(new);
        }
    }

    fn held(&self, key: &Key, uid: Option<&str>, revision: Option<u64>) -> Result<Value, ExecuteError> {
        let view = self.view();
        let object = view.get(key).ok_or_else(|| ExecuteError::NotFound(key.to_string()))?;
        if uid.is_some_and(|uid| uid != &*object.meta.uid) || revision.is_some_and(|at| at != object.revision) {
            return Err(ExecuteError::Conflict(key.to_string()));
        }
        Ok(serde_json::from_slice(&object.json).unwrap())
    }

    /// Carries out one action.
    pub fn execute(&mut self, action: &Action) -> Result<(), ExecuteError> {
        match action {
            Action::Create { key, object } => {
                if self.view().get(key).is_some() {
                    return Err(ExecuteError::AlreadyExists(key.to_string()));
                }
                assert_eq!(*key, key_of(object), "a created object is what its key says");
                let mut object = object.clone();
                remove(&mut object, "status");
                set(&mut object, "metadata.generation", 1);
                if object.text("kind") == "Pod" {
                    set(&mut object, "status.phase", "Pending");
                }
                self.put(object);
            }
            Action::Update { key, revision, object, part } => {
                let old = self.held(key, None, Some(*revision))?;
                self.write(&old, object.clone(), *part);
            }
            Action::Patch { key, uid, revision, patch, part } => {
                let old = self.held(key, Some(uid), *revision)?;
                let mut new = old.clone();
                merge(&mut new, patch);
                self.write(&old, new, *part);
            }
            Action::Delete { key, uid, revision, grace, propagation } => {
                let object = self.held(key, Some(uid), *revision)?;
                self.delete(object, *grace, *propagation);
            }
            Action::Event(note) => {
                let record = crate::events::record(&self.view(), note, crate::events::Source::of("tests"), self.time);
                self.execute(&record)?;
            }
            Action::Bind { pod, uid, node } => {
                let old = self.held(pod, Some(uid), None)?;
                if old.has("spec.nodeName") {
                    return Err(ExecuteError::Conflict(format!("{pod} is bound")));
                }
                let mut new = old;
                set(&mut new, "spec.nodeName", &**node);
                self.put(new);
            }
            Action::AssignPodCidr { node, uid, cidr } => {
                let mut new = self.held(node, Some(uid), None)?;
                set(&mut new, "spec.podCIDR", cidr.as_str());
                set(&mut new, "spec.podCIDRs", json!([cidr]));
                self.put(new);
            }
        }
        Ok(())
    }

    fn write(&mut self, old: &Value, new: Value, part: Option<Subresource>) {
        let mut object = if part.is_some() { old.clone() } else { new.clone() };
        match part {
            Some(Subresource::Status) => copy(&mut object, &new, "status"),
            Some(Subresource::Finalize) => copy(&mut object, &new, "spec.finalizers"),
            Some(other) => panic!("no such part: {other:?}"),
            None => copy(&mut object, old, "status"),
        }
        if part == Some(Subresource::Status) && old.text("kind") == "Job" {
            let kind = raftsman_api::registry::by_kind("batch", "v1", "Job").unwrap();
            let causes = kind.validate_update(&object, old, part);
            assert!(causes.is_empty(), "a status that the API refuses: {causes:?} {object}");
        }
        self.replace(old, object);
    }

    /// Deletes as the API does: with finalizers and grace, only marked.
    pub fn delete(&mut self, mut object: Value, grace: Option<i64>, propagation: Option<Propagation>) {
        let key = key_of(&object);
        let finalizer = match propagation {
            Some(Propagation::Foreground) => Some("foregroundDeletion"),
            Some(Propagation::Orphan) => Some("orphan"),
            _ => None,
        };
        let mut finalizers: Vec<Value> = object.list("metadata.finalizers").to_vec();
        finalizers.retain(|name| propagation.is_none() || *name != "foregroundDeletion" && *name != "orphan");
        finalizers.extend(finalizer.map(Value::from));
        let namespace = object.text("kind") == "Namespace" && !object.list("spec.finalizers").is_empty();
        let graceful = object.text("kind") == "Pod"
            && object.has("spec.nodeName")
            && grace != Some(0)
            && !matches!(object.text("status.phase"), "Succeeded" | "Failed");
        if finalizers.is_empty() && !graceful && !namespace {
            return self.remove(&key);
        }
        if meta::is_deleting(&object) && (graceful || namespace) && finalizer.is_none() {
            return;
        }
        if finalizers.is_empty() {
            remove(&mut object, "metadata.finalizers");
        } else {
            ensure(&mut object, "metadata").unwrap().insert("finalizers".into(), finalizers.into());
        }
        set_default(&mut object, "metadata.deletionTimestamp", raftsman_api::time::seconds(self.time));
        set(&mut object, "metadata.deletionGracePeriodSeconds", if graceful { 30 } else { 0 });
        if namespace {
            set(&mut object, "status.phase", "Terminating");
        }
        self.put(object);
    }

    /// Plans one key and carries the plan out, chain by chain; a failed chain ends. Gives the plan.
    pub fn step(&mut self, controller: &dyn Controller, key: &Key) -> Plan {
        let now = self.now();
        let plan = controller.plan(&self.view(), key, &now);
        for chain in plan.all_chains() {
            for action in chain {
                if self.execute(action).is_err() {
                    break;
                }
            }
        }
        plan
    }

    /// Plans everything until nobody wants anything more. Panics if that takes too long.
    pub fn settle(&mut self, controllers: &[&dyn Controller]) {
        for _ in 0..200 {
            let mut busy = false;
            for controller in controllers {
                for key in controller.all(&self.view()) {
                    busy |= self.step(*controller, &key).actions().any(|action| !matches!(action, Action::Event(_)));
                }
            }
            if !busy {
                return;
            }
        }
        panic!("controllers do not come to rest");
    }

    /// Names of a resource's objects.
    pub fn names(&self, resource: &Resource) -> Vec<String> {
        self.view().list(resource, None).map(|object| object.key.name().to_owned()).collect()
    }
}

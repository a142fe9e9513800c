//! What one node must know, as a pure function of the view: everything once, then what changed.

use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod, PodSpec};
use raftsman_api::volumes::VOLUME_NODE;
use raftsman_proto::v1::{Delete, MasterMessage, Put, Synced, master_message::Message};
use raftsman_state::{Change, Compacted, Key, Object, Resource, View};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The index entry under which pods are found by node.
pub(crate) const POD_NODE: &str = "pod-node";
/// Resources that every node gets whole.
const SHARED: [&str; 3] = ["services", "discovery.k8s.io/endpointslices", "nodes"];

/// Resources of which a node gets what its pods name.
const NAMED: [&str; 4] = ["secrets", "configmaps", CLAIMS, VOLUMES];
const CLAIMS: &str = "persistentvolumeclaims";
const VOLUMES: &str = "persistentvolumes";

/// Follows the view for one node.
pub struct Feed {
    node: String,
    cursor: u64,
    /// The Secrets, ConfigMaps and claims that each of the node's pods names.
    pods: BTreeMap<Key, BTreeSet<Key>>,
    /// What the node has of these, with the volumes behind the claims and those that are its own.
    sent: BTreeSet<Key>,
}

impl Feed {
    /// A feed that has sent nothing.
    pub fn new(node: &str) -> Self {
        Self { node: node.to_owned(), cursor: 0, pods: BTreeMap::new(), sent: BTreeSet::new() }
    }

    /// Everything, ending with `Synced`.
    pub fn full(&mut self, view: &View) -> Vec<MasterMessage> {
        let mut out = Vec::new();
        self.pods.clear();
        for resource in SHARED {
            out.extend(view.list(&Resource::from(resource), None).map(|object| put(object)));
        }
        for pod in view.by_index(POD_NODE, &self.node) {
            self.pods.insert(pod.key.clone(), references(pod));
            out.push(put(pod));
        }
        self.sent = self.needed(view);
        // What a pod names comes before the node acts on the pod: it acts after `Synced` only.
        out.extend(self.sent.iter().filter_map(|key| view.get(key)).map(|object| put(object)));
        self.cursor = view.revision();
        out.push(synced(self.cursor));
        out
    }

    /// What changed since the last call, ending with `Synced`; nothing if nothing concerns this node.
    ///
    /// # Errors
    /// History no longer reaches back to the last call: the node must connect again.
    pub fn step(&mut self, view: &View) -> Result<Vec<MasterMessage>, Compacted> {
        let mut out = Vec::new();
        for resource in SHARED {
            for change in view.changes_after(&Resource::from(resource), self.cursor)? {
                out.push(event(change));
            }
        }
        let mut own = view.changes_after(&Resource::from("pods"), self.cursor)?.next().is_some();
        for resource in NAMED {
            own |= view.changes_after(&Resource::from(resource), self.cursor)?.next().is_some();
        }
        if own {
            self.own(view, &mut out)?;
        }
        self.cursor = view.revision();
        if !out.is_empty() {
            out.push(synced(self.cursor));
        }
        Ok(out)
    }

    /// Changes of the node's pods and of what they name: that comes before the pods and goes after them.
    fn own(&mut self, view: &View, out: &mut Vec<MasterMessage>) -> Result<(), Compacted> {
        let mut pods = Vec::new();
        for change in view.changes_after(&Resource::from("pods"), self.cursor)? {
            self.pod(change, &mut pods);
        }
        let after = self.needed(view);
        let before = std::mem::replace(&mut self.sent, after);
        for resource in NAMED {
            for change in view.changes_after(&Resource::from(resource), self.cursor)? {
                if before.contains(change.key()) && self.sent.contains(change.key()) {
                    out.push(event(change));
                }
            }
        }
        out.extend(self.sent.difference(&before).filter_map(|key| view.get(key)).map(|object| put(object)));
        out.extend(pods);
        out.extend(before.difference(&self.sent).map(|key| delete(key, view.revision())));
        Ok(())
    }

    /// What the node's pods name, the volumes behind their claims, and the volumes that are directories of this node.
    fn needed(&self, view: &View) -> BTreeSet<Key> {
        let mut needed: BTreeSet<Key> = self.pods.values().flatten().cloned().collect();
        let claims = needed.iter().filter(|key| key.resource.plural() == CLAIMS).filter_map(|key| view.get(key));
        let volumes: Vec<Key> = claims.filter_map(|claim| volume_of(claim)).collect();
        needed.extend(volumes);
        needed.extend(view.by_index(VOLUME_NODE, &self.node).map(|volume| volume.key.clone()));
        needed
    }

    fn pod(&mut self, change: &Arc<Change>, out: &mut Vec<MasterMessage>) {
        let here = |object: &Object| object.meta.index.iter().any(|(i, v)| &**i == POD_NODE && **v == *self.node);
        if !change.deleted && here(&change.object) {
            self.pods.insert(change.key().clone(), references(&change.object));
            out.push(put(&change.object));
        } else if self.pods.remove(change.key()).is_some() {
            out.push(delete(change.key(), change.revision));
        }
    }
}

fn put(object: &Object) -> MasterMessage {
    let message = Message::Put(Put {
        resource: object.key.resource.to_string(),
        namespace: object.key.namespace().to_owned(),
        name: object.key.name().to_owned(),
        revision: object.revision,
        json: object.json.clone(),
    });
    MasterMessage { message: Some(message) }
}

fn delete(key: &Key, revision: u64) -> MasterMessage {
    let message = Message::Delete(Delete {
        resource: key.resource.to_string(),
        namespace: key.namespace().to_owned(),
        name: key.name().to_owned(),
        revision,
    });
    MasterMessage { message: Some(message) }
}

fn event(change: &Change) -> MasterMessage {
    if change.deleted { delete(change.key(), change.revision) } else { put(&change.object) }
}

fn synced(revision: u64) -> MasterMessage {
    MasterMessage { message: Some(Message::Synced(Synced { revision })) }
}

/// The volume that a claim is bound to.
fn volume_of(claim: &Object) -> Option<Key> {
    let claim = claim.decode::<PersistentVolumeClaim>().ok()?;
    let name = claim.spec.as_ref()?.volume_name.as_deref().filter(|name| !name.is_empty())?;
    Some(Key::new(&Resource::from(VOLUMES), "", name))
}

/// The Secrets, ConfigMaps and claims that a pod names, for its environment and its volumes.
fn references(object: &Object) -> BTreeSet<Key> {
    let mut keys = BTreeSet::new();
    let Ok(pod) = object.decode::<Pod>() else { return keys };
    let Some(spec) = &pod.spec else { return keys };
    let mut names = Names { namespace: object.key.namespace(), keys: &mut keys };
    names.containers(spec);
    names.volumes(spec);
    keys
}

struct Names<'a> {
    namespace: &'a str,
    keys: &'a mut BTreeSet<Key>,
}

impl Names<'_> {
    fn secret(&mut self, name: Option<&str>) {
        self.keys.extend(name.map(|name| Key::new(&Resource::from("secrets"), self.namespace, name)));
    }

    fn config_map(&mut self, name: Option<&str>) {
        self.keys.extend(name.map(|name| Key::new(&Resource::from("configmaps"), self.namespace, name)));
    }

    fn containers(&mut self, spec: &PodSpec) {
        let containers = spec.init_containers.iter().flatten().chain(&spec.containers);
        for container in containers {
            for from in container.env_from.iter().flatten() {
                self.config_map(from.config_map_ref.as_ref().map(|r| r.name.as_str()));
                self.secret(from.secret_ref.as_ref().map(|r| r.name.as_str()));
            }
            for from in container.env.iter().flatten().filter_map(|env| env.value_from.as_ref()) {
                self.config_map(from.config_map_key_ref.as_ref().map(|r| r.name.as_str()));
                self.secret(from.secret_key_ref.as_ref().map(|r| r.name.as_str()));
            }
        }
    }

    fn volumes(&mut self, spec: &PodSpec) {
        for volume in spec.volumes.iter().flatten() {
            self.config_map(volume.config_map.as_ref().map(|v| v.name.as_str()));
            self.secret(volume.secret.as_ref().and_then(|v| v.secret_name.as_deref()));
            let claim = volume.persistent_volume_claim.as_ref().map(|claim| claim.claim_name.as_str());
            self.keys.extend(claim.map(|name| Key::new(&Resource::from(CLAIMS), self.namespace, name)));
            let sources = volume.projected.iter().flat_map(|projected| projected.sources.iter().flatten());
            for source in sources {
                self.config_map(source.config_map.as_ref().map(|v| v.name.as_str()));
                self.secret(source.secret.as_ref().map(|v| v.name.as_str()));
            }
        }
        for secret in spec.image_pull_secrets.iter().flatten() {
            self.secret(Some(&secret.name));
        }
    }
}

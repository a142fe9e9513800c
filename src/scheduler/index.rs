//! What nodes offer and what is taken of it, kept from changes.

use crate::amounts::Amounts;
use crate::demand::{Demand, HostPort};
use crate::filters::HelpedBy;
use crate::pending::Pending;
use k8s_openapi::api::core::v1::{Node, Pod, Taint};
use raftsman_controllers::{Key, objects, pods};
use raftsman_state::{Change, Object, View};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// A node as filters and scores see it.
#[derive(Debug, Clone, Default)]
pub struct NodeInfo {
    /// Its name.
    pub name: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// `spec.taints`.
    pub taints: Vec<Taint>,
    /// `spec.unschedulable`.
    pub unschedulable: bool,
    /// `status.allocatable`.
    pub allocatable: Amounts,
    /// Requests of its pods.
    pub used: Amounts,
    /// The same with assumptions for containers without requests.
    pub assumed: Amounts,
    /// Ports of the host that its pods hold.
    pub ports: Vec<HostPort>,
    /// Pods by the uid of their controller.
    pub owners: HashMap<String, usize>,
    /// Bytes of the images that it has, by name.
    pub images: HashMap<String, i64>,
    /// The object is there: pods may be known before their node.
    exists: bool,
    /// Pods that count on it.
    pods: usize,
}

impl NodeInfo {
    fn take(&mut self, demand: &Demand) {
        self.pods += 1;
        self.used.add(&demand.requests);
        self.assumed.add(&demand.assumed);
        self.ports.extend(demand.ports.iter().cloned());
        if let Some(owner) = &demand.owner {
            *self.owners.entry(owner.clone()).or_default() += 1;
        }
    }

    fn free(&mut self, demand: &Demand) {
        self.pods = self.pods.saturating_sub(1);
        self.used.subtract(&demand.requests);
        self.assumed.subtract(&demand.assumed);
        for port in &demand.ports {
            if let Some(at) = self.ports.iter().position(|held| held == port) {
                self.ports.swap_remove(at);
            }
        }
        if let Some(owner) = &demand.owner
            && let Some(count) = self.owners.get_mut(owner)
        {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.owners.remove(owner);
            }
        }
    }
}

/// The index.
#[derive(Default)]
pub struct Index {
    nodes: BTreeMap<String, NodeInfo>,
    placed: HashMap<Key, (String, Arc<Demand>)>,
    assumed: Vec<(String, Arc<Demand>)>,
    revision: u64,
    synced: bool,
    /// Pods without a node.
    pub pending: Pending,
}

impl Index {
    /// Nodes that exist, by name.
    pub fn nodes(&self) -> impl Iterator<Item = &NodeInfo> {
        self.nodes.values().filter(|node| node.exists)
    }

    /// Nodes of which something is kept.
    #[cfg(test)]
    pub(crate) fn known(&self) -> usize {
        self.nodes.len()
    }

    /// One node.
    pub fn node(&self, name: &str) -> Option<&NodeInfo> {
        self.nodes.get(name).filter(|node| node.exists)
    }

    /// Catches up with a View: by changes, or from scratch where history does not reach back. What was assumed is forgotten:
    /// a View shows what became of it.
    pub fn sync(&mut self, view: &View) {
        for (node, demand) in std::mem::take(&mut self.assumed) {
            self.free(&node, &demand);
        }
        let after = self.revision;
        if view.revision() == after && self.synced {
            return;
        }
        let behind = !self.synced || view.revision() < after;
        let stored = [&objects::CLAIMS, &objects::VOLUMES, &objects::STORAGE_CLASSES];
        if stored
            .iter()
            .any(|resource| view.changes_after(resource, after).map_or(true, |mut all| all.next().is_some()))
        {
            self.pending.help(HelpedBy::VOLUME);
        }
        let nodes = view.changes_after(&objects::NODES, after);
        let pods = view.changes_after(&objects::PODS, after);
        match (nodes, pods) {
            (Ok(nodes), Ok(pods)) if !behind => {
                nodes.for_each(|change| self.change(change));
                pods.for_each(|change| self.change(change));
            }
            _ => self.rebuild(view),
        }
        self.revision = view.revision();
        self.synced = true;
    }

    fn rebuild(&mut self, view: &View) {
        *self = Self { pending: std::mem::take(&mut self.pending), ..Self::default() };
        self.pending.forget_missing(|key| view.get(key).is_some());
        view.list(&objects::NODES, None).for_each(|node| self.put_node(node));
        view.list(&objects::PODS, None).for_each(|pod| self.put_pod(pod));
        self.pending.help(HelpedBy::all());
    }

    fn change(&mut self, change: &Change) {
        if change.key().resource == *objects::NODES {
            match change.deleted {
                true => self.remove_node(change.key().name()),
                false => self.put_node(&change.object),
            }
        } else if change.deleted {
            self.remove_pod(change.key());
        } else {
            self.put_pod(&change.object);
        }
    }

    fn remove_node(&mut self, name: &str) {
        if let Some(node) = self.nodes.get_mut(name) {
            node.exists = false;
        }
        self.drop_unused(name);
    }

    fn free(&mut self, name: &str, demand: &Demand) {
        if let Some(node) = self.nodes.get_mut(name) {
            node.free(demand);
        }
        self.drop_unused(name);
    }

    /// Nothing is kept of nodes that come and go.
    fn drop_unused(&mut self, name: &str) {
        if self.nodes.get(name).is_some_and(|node| !node.exists && node.pods == 0) {
            self.nodes.remove(name);
        }
    }

    fn put_node(&mut self, object: &Object) {
        let Some(typed) = objects::decode::<Node>(object) else {
            return;
        };
        let status = typed.status.as_ref();
        let spec = typed.spec.clone().unwrap_or_default();
        let name = object.key.name();
        let labels = typed.metadata.labels.clone().unwrap_or_default();
        let taints = spec.taints.unwrap_or_default();
        let unschedulable = spec.unschedulable == Some(true);
        let allocatable = status.and_then(|status| status.allocatable.as_ref().or(status.capacity.as_ref()));
        let allocatable = Amounts::of(allocatable);
        let images = status.and_then(|status| status.images.as_deref()).unwrap_or_default();
        let images = images.iter().flat_map(|image| {
            let names = image.names.iter().flatten();
            names.map(|name| (name.clone(), image.size_bytes.unwrap_or(0)))
        });
        let node = self.nodes.entry(name.to_owned()).or_default();
        let helps = !node.exists
            || node.labels != labels
            || node.taints != taints
            || node.unschedulable != unschedulable
            || node.allocatable != allocatable;
        node.name = name.to_owned();
        node.exists = !object.meta.deleting;
        node.images = images.collect();
        (node.labels, node.taints, node.unschedulable, node.allocatable) = (labels, taints, unschedulable, allocatable);
        if helps {
            self.pending.help(HelpedBy::NODE);
        }
    }

    fn remove_pod(&mut self, key: &Key) {
        self.pending.remove(key);
        if let Some((node, demand)) = self.placed.remove(key) {
            self.free(&node, &demand);
            self.pending.help(HelpedBy::POD_GONE);
        }
    }

    fn put_pod(&mut self, object: &Arc<Object>) {
        let Some(pod) = objects::decode::<Pod>(object) else {
            return;
        };
        let key = &object.key;
        if pods::is_terminal(&pod) {
            return self.remove_pod(key);
        }
        let Some(node) = pods::node_name(&pod) else {
            return self.pending.put(object, &pod);
        };
        self.pending.remove(key);
        // Most changes of a placed pod are of its status.
        if let Some((held, demand)) = self.placed.get(key)
            && held == node
            && *demand.uid == *object.meta.uid
        {
            return;
        }
        self.remove_pod(key);
        let demand = Arc::new(Demand::of(&pod));
        self.nodes.entry(node.to_owned()).or_default().take(&demand);
        self.placed.insert(key.clone(), (node.to_owned(), demand));
    }

    /// Counts a pod on a node before its binding is written.
    pub fn assume(&mut self, node: &str, demand: Arc<Demand>) {
        self.nodes.entry(node.to_owned()).or_default().take(&demand);
        self.assumed.push((node.to_owned(), demand));
    }
}

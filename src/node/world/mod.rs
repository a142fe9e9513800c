//! What the masters told this node: its pods, the Secrets, ConfigMaps and claims they name, services, endpoint slices, nodes.

mod change;

pub use change::{Change, Name};

use k8s_openapi::api::core::v1::{ConfigMap, Node, PersistentVolume, PersistentVolumeClaim, Pod, Secret, Service};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The label that ties an endpoint slice to its service.
pub const SERVICE_LABEL: &str = "kubernetes.io/service-name";

/// The objects, decoded once.
#[derive(Debug, Default)]
pub struct World {
    pods: BTreeMap<Name, Arc<Pod>>,
    secrets: BTreeMap<Name, Arc<Secret>>,
    config_maps: BTreeMap<Name, Arc<ConfigMap>>,
    services: BTreeMap<Name, Arc<Service>>,
    slices: BTreeMap<Name, Arc<EndpointSlice>>,
    slices_of: BTreeMap<Name, BTreeSet<String>>,
    nodes: BTreeMap<String, Arc<Node>>,
    claims: BTreeMap<Name, Arc<PersistentVolumeClaim>>,
    volumes: BTreeMap<String, Arc<PersistentVolume>>,
}

fn decode<T: serde::de::DeserializeOwned>(json: &[u8]) -> Result<Arc<T>, serde_json::Error> {
    serde_json::from_slice(json).map(Arc::new)
}

/// The claim that a volume is for.
fn claim_of(volume: &PersistentVolume) -> Option<Name> {
    let claim = volume.spec.as_ref()?.claim_ref.as_ref()?;
    Some((claim.namespace.clone()?, claim.name.clone()?))
}

impl World {
    /// Takes an object as it now is. Gives what is touched; nothing for resources that no agent needs.
    ///
    /// # Errors
    /// The object is no such object.
    pub fn put(&mut self, resource: &str, name: &Name, json: &[u8]) -> Result<Vec<Change>, serde_json::Error> {
        let key = name.clone();
        Ok(match resource {
            "pods" => {
                self.pods.insert(key.clone(), decode(json)?);
                vec![Change::Pod(key)]
            }
            "secrets" => {
                self.secrets.insert(key.clone(), decode(json)?);
                vec![Change::Secret(key)]
            }
            "configmaps" => {
                self.config_maps.insert(key.clone(), decode(json)?);
                vec![Change::ConfigMap(key)]
            }
            "services" => {
                self.services.insert(key.clone(), decode(json)?);
                vec![Change::Service(key)]
            }
            "persistentvolumeclaims" => {
                self.claims.insert(key.clone(), decode(json)?);
                vec![Change::Claim(key)]
            }
            "persistentvolumes" => {
                let volume: Arc<PersistentVolume> = decode(json)?;
                let claim = claim_of(&volume);
                self.volumes.insert(key.1, volume);
                claim.map(Change::Claim).into_iter().collect()
            }
            "nodes" => {
                self.nodes.insert(key.1.clone(), decode(json)?);
                vec![Change::Node(key.1)]
            }
            "discovery.k8s.io/endpointslices" => {
                let slice: Arc<EndpointSlice> = decode(json)?;
                let mut changes = self.remove_slice(&key);
                let service = slice.metadata.labels.as_ref().and_then(|labels| labels.get(SERVICE_LABEL)).cloned();
                self.slices.insert(key.clone(), slice);
                if let Some(service) = service {
                    let service = (key.0.clone(), service);
                    self.slices_of.entry(service.clone()).or_default().insert(key.1);
                    changes.push(Change::Service(service));
                }
                changes.dedup();
                changes
            }
            _ => Vec::new(),
        })
    }

    /// The object is gone.
    pub fn delete(&mut self, resource: &str, name: &Name) -> Vec<Change> {
        let key = || name.clone();
        match resource {
            "pods" => self.pods.remove(name).map(|_| Change::Pod(key())).into_iter().collect(),
            "secrets" => self.secrets.remove(name).map(|_| Change::Secret(key())).into_iter().collect(),
            "configmaps" => self.config_maps.remove(name).map(|_| Change::ConfigMap(key())).into_iter().collect(),
            "services" => self.services.remove(name).map(|_| Change::Service(key())).into_iter().collect(),
            "nodes" => self.nodes.remove(&name.1).map(|_| Change::Node(name.1.clone())).into_iter().collect(),
            "persistentvolumeclaims" => self.claims.remove(name).map(|_| Change::Claim(key())).into_iter().collect(),
            "persistentvolumes" => {
                let gone = self.volumes.remove(&name.1);
                gone.map(|volume| Change::VolumeGone(Box::new((*volume).clone()))).into_iter().collect()
            }
            "discovery.k8s.io/endpointslices" => self.remove_slice(name),
            _ => Vec::new(),
        }
    }

    fn remove_slice(&mut self, name: &Name) -> Vec<Change> {
        let Some(old) = self.slices.remove(name) else {
            return Vec::new();
        };
        let service = old.metadata.labels.as_ref().and_then(|labels| labels.get(SERVICE_LABEL)).cloned();
        let Some(service) = service.map(|service| (name.0.clone(), service)) else {
            return Vec::new();
        };
        if let Some(slices) = self.slices_of.get_mut(&service) {
            slices.remove(&name.1);
            if slices.is_empty() {
                self.slices_of.remove(&service);
            }
        }
        vec![Change::Service(service)]
    }

    /// A pod.
    pub fn pod(&self, name: &Name) -> Option<&Arc<Pod>> {
        self.pods.get(name)
    }

    /// All pods of this node.
    pub fn pods(&self) -> impl Iterator<Item = (&Name, &Arc<Pod>)> {
        self.pods.iter()
    }

    /// A Secret.
    pub fn secret(&self, namespace: &str, name: &str) -> Option<&Arc<Secret>> {
        self.secrets.get(&(namespace.to_owned(), name.to_owned()))
    }

    /// A ConfigMap.
    pub fn config_map(&self, namespace: &str, name: &str) -> Option<&Arc<ConfigMap>> {
        self.config_maps.get(&(namespace.to_owned(), name.to_owned()))
    }

    /// A claim.
    pub fn claim(&self, namespace: &str, name: &str) -> Option<&Arc<PersistentVolumeClaim>> {
        self.claims.get(&(namespace.to_owned(), name.to_owned()))
    }

    /// A volume.
    pub fn volume(&self, name: &str) -> Option<&Arc<PersistentVolume>> {
        self.volumes.get(name)
    }

    /// All services.
    pub fn services(&self) -> impl Iterator<Item = &Service> {
        self.services.values().map(Arc::as_ref)
    }

    /// The names of all services.
    pub fn service_names(&self) -> impl Iterator<Item = &Name> {
        self.services.keys()
    }

    /// A service.
    pub fn service(&self, name: &Name) -> Option<&Arc<Service>> {
        self.services.get(name)
    }

    /// The slices of a service.
    pub fn slices(&self, service: &Name) -> impl Iterator<Item = &Arc<EndpointSlice>> {
        let names = self.slices_of.get(service).into_iter().flatten();
        let namespace = service.0.clone();
        names.filter_map(move |name| self.slices.get(&(namespace.clone(), name.clone())))
    }

    /// A node.
    pub fn node(&self, name: &str) -> Option<&Arc<Node>> {
        self.nodes.get(name)
    }

    /// All nodes.
    pub fn nodes(&self) -> impl Iterator<Item = (&String, &Arc<Node>)> {
        self.nodes.iter()
    }
}

//! The ConfigMap `kube-root-ca.crt` of every namespace: how pods know the API's certificate.

use crate::objects::{self, CONFIG_MAPS, NAMESPACES, keys};
use crate::service_accounts::namespace_of;
use crate::{Action, Controller, Key, Now, Plan, WorkKey};
use k8s_openapi::api::core::v1::ConfigMap;
use raftsman_state::{Change, View};
use serde_json::json;

/// Its name.
const NAME: &str = "kube-root-ca.crt";
/// The key of its one entry.
const ENTRY: &str = "ca.crt";

/// Publishes the cluster's CA.
pub struct RootCa {
    /// PEM of the CA certificates.
    pub pem: String,
}

impl Controller for RootCa {
    fn name(&self) -> &'static str {
        "root-ca-certificate-publisher-controller"
    }

    fn wants(&self, change: &Change, _view: &View) -> Vec<WorkKey> {
        namespace_of(change, &CONFIG_MAPS, NAME)
    }

    fn all(&self, view: &View) -> Vec<WorkKey> {
        keys(view, &NAMESPACES)
    }

    fn plan(&self, view: &View, key: &WorkKey, _now: &Now) -> Plan {
        let mut plan = Plan::none();
        if view.get(key).is_none_or(|namespace| namespace.meta.deleting) {
            return plan;
        }
        let published = Key::new(&CONFIG_MAPS, key.name(), NAME);
        let data = json!({ ENTRY: self.pem });
        match objects::get::<ConfigMap>(view, &published) {
            None if view.get(&published).is_some() => {}
            None => {
                let metadata = json!({ "name": NAME, "namespace": key.name() });
                let object = json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data });
                plan.push(Action::Create { key: published, object });
            }
            Some((object, map)) => {
                let held = map.data.as_ref().and_then(|data| data.get(ENTRY));
                if held != Some(&self.pem) {
                    let (uid, patch) = (object.meta.uid.clone(), json!({ "data": data }));
                    plan.push(Action::Patch { key: published, uid, revision: None, patch, part: None });
                }
            }
        }
        plan
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Cluster;
    use raftsman_api::value::At;

    #[test]
    fn published_and_kept_true() {
        let mut cluster = Cluster::default();
        cluster.put(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "a"}}));
        let published = Key::new(&CONFIG_MAPS, "a", NAME);
        for pem in ["one", "two"] {
            cluster.settle(&[&RootCa { pem: pem.to_owned() }]);
            assert_eq!(cluster.json(&published).at("data")[ENTRY], pem);
        }
    }
}

//! The ServiceAccount `default` of every namespace.

use crate::objects::{NAMESPACES, SERVICE_ACCOUNTS, keys};
use crate::{Action, Controller, Key, Now, Plan, WorkKey};
use raftsman_state::{Change, View};
use serde_json::json;

/// Its name.
const NAME: &str = "default";

/// The controller of default service accounts.
pub struct ServiceAccounts;

/// The namespace that a change of a namespace, or of one fixed name in it, concerns.
pub(crate) fn namespace_of(change: &Change, resource: &raftsman_state::Resource, name: &str) -> Vec<WorkKey> {
    let key = change.key();
    if key.resource == *NAMESPACES {
        vec![key.clone()]
    } else if key.resource == *resource && key.name() == name {
        vec![Key::new(&NAMESPACES, "", key.namespace())]
    } else {
        Vec::new()
    }
}

impl Controller for ServiceAccounts {
    fn name(&self) -> &'static str {
        "service-account-controller"
    }

    fn wants(&self, change: &Change, _view: &View) -> Vec<WorkKey> {
        namespace_of(change, &SERVICE_ACCOUNTS, NAME)
    }

    fn all(&self, view: &View) -> Vec<WorkKey> {
        keys(view, &NAMESPACES)
    }

    fn plan(&self, view: &View, key: &WorkKey, _now: &Now) -> Plan {
        let mut plan = Plan::none();
        let account = Key::new(&SERVICE_ACCOUNTS, key.name(), NAME);
        if view.get(key).is_some_and(|namespace| !namespace.meta.deleting) && view.get(&account).is_none() {
            let metadata = json!({ "name": NAME, "namespace": key.name() });
            let object = json!({ "apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata });
            plan.push(Action::Create { key: account, object });
        }
        plan
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Cluster;

    #[test]
    fn every_living_namespace_has_one_again() {
        let mut cluster = Cluster::default();
        for name in ["a", "b"] {
            cluster.put(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}));
        }
        cluster.put(json!({
            "apiVersion": "v1", "kind": "Namespace",
            "metadata": {"name": "c", "deletionTimestamp": "2026-01-01T00:00:00Z"},
        }));
        cluster.settle(&[&ServiceAccounts]);
        let account = |namespace| Key::new(&SERVICE_ACCOUNTS, namespace, NAME);
        assert_eq!(keys(&cluster.view(), &SERVICE_ACCOUNTS), [account("a"), account("b")]);
        cluster.remove(&account("a"));
        cluster.settle(&[&ServiceAccounts]);
        assert_eq!(keys(&cluster.view(), &SERVICE_ACCOUNTS), [account("a"), account("b")]);
    }
}

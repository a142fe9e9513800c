//! What every cluster begins with: made by each new leader if it is missing.

use crate::write::{Api, Caller, Target, WriteOptions};
use raftsman_api::status::Status;
use raftsman_api::volumes::{DEFAULT_CLASS, LOCAL_PATH, LOCAL_PATH_CLASS};
use serde_json::{Value, json};

const NAMESPACES: &[&str] = &["default", "kube-system", "kube-public", "kube-node-lease"];

/// Makes the first namespaces, the Service `kubernetes` and the storage class of the built-in provisioner; what exists is left as it is. A leader calls it, with its
/// duty's caller, before its controllers start.
///
/// # Errors
/// What the store refuses; it is safe to call again.
pub async fn bootstrap(api: &Api, caller: &Caller) -> Result<(), Status> {
    for name in NAMESPACES {
        make(
            api,
            caller,
            ("", "namespaces"),
            "",
            &json!({
                "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": name },
            }),
        )
        .await?;
    }
    let ip = api
        .config()
        .kubernetes_ip()
        .ok_or_else(|| Status::internal(format!("serviceCidr {} holds no address", api.config().service_cidr)))?;
    make(
        api,
        caller,
        ("", "services"),
        "default",
        &json!({
            "apiVersion": "v1", "kind": "Service",
            "metadata": {
                "name": "kubernetes", "namespace": "default",
                "labels": { "component": "apiserver", "provider": "kubernetes" },
            },
            "spec": {
                "type": "ClusterIP", "clusterIP": ip.to_string(), "sessionAffinity": "None",
                "ports": [{ "name": "https", "protocol": "TCP", "port": 443, "targetPort": api.config().api_port }],
            },
        }),
    )
    .await?;
    make(
        api,
        caller,
        ("storage.k8s.io", "storageclasses"),
        "",
        &json!({
            "apiVersion": "storage.k8s.io/v1", "kind": "StorageClass",
            "metadata": { "name": LOCAL_PATH_CLASS, "annotations": { DEFAULT_CLASS: "true" } },
            "provisioner": LOCAL_PATH, "reclaimPolicy": "Delete", "volumeBindingMode": "WaitForFirstConsumer",
        }),
    )
    .await
}

async fn make(
    api: &Api,
    caller: &Caller,
    (group, plural): (&str, &str),
    namespace: &str,
    object: &Value,
) -> Result<(), Status> {
    let Some(target) = Target::named(group, "v1", plural, namespace, "") else {
        return Err(Status::internal(format!("{plural} are not served")));
    };
    // Looked for first: what holds an address would be refused for the address, not for the name.
    let name = object["metadata"]["name"].as_str().unwrap_or_default();
    if api.store().view().get(&target.named_as(name).key()).is_some() {
        return Ok(());
    }
    match api.create(caller, &target, object.clone(), &WriteOptions::default()).await {
        Err(status) if status.reason != "AlreadyExists" => Err(status),
        _ => Ok(()),
    }
}

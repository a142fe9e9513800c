//! Where a pod's container runs.

use crate::http::Params;
use crate::write::{Api, Target, store_error};
use raftsman_api::status::Status;
use raftsman_api::value::At;
use raftsman_proto::v1::PodRef;
use raftsman_state::{Key, Resource, View};
use serde_json::Value;
use std::net::{IpAddr, SocketAddr};

/// A container and its node.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Place {
    /// The pod.
    pub pod: PodRef,
    /// The container.
    pub container: String,
    /// The node's name.
    pub node: String,
    /// The node's own service.
    pub address: SocketAddr,
    /// Why the container does not run yet (`state.waiting.reason`); empty when it does or did.
    pub waiting: String,
}

impl Place {
    /// What went wrong on the way to the node or on it.
    pub(super) fn failed(&self, status: &tonic::Status) -> Status {
        use tonic::Code;
        match status.code() {
            Code::InvalidArgument | Code::FailedPrecondition | Code::OutOfRange => {
                Status::bad_request(status.message())
            }
            Code::NotFound => Status::new(404, "NotFound", status.message()),
            Code::Unimplemented => Status::new(501, "NotImplemented", status.message()),
            Code::Unavailable | Code::DeadlineExceeded | Code::Cancelled => Status::unavailable(format!(
                "node {} ({}) cannot be reached: {}",
                self.node,
                self.address,
                status.message()
            )),
            _ => Status::internal(format!("node {}: {}", self.node, status.message())),
        }
    }
}

/// Finds a pod's container.
///
/// # Errors
/// 404 for the pod, 400 for the container or a pod without a node, 500 for a node without an address.
pub(super) async fn find(api: &Api, target: &Target, params: &Params) -> Result<Place, Status> {
    let view = api.store.read().await.map_err(|error| store_error(&error))?;
    let key = Target { part: None, ..target.clone() }.key();
    let object = view.get(&key).ok_or_else(|| Status::not_found("", "pods", &target.name))?;
    let pod: Value = serde_json::from_slice(&object.json).map_err(|error| Status::internal(error.to_string()))?;
    let container = container(&pod, params.text("container"))?;
    let node = pod.text("spec.nodeName").to_owned();
    if node.is_empty() {
        return Err(Status::bad_request(format!("pod {} does not have a host assigned", target.name)));
    }
    let address = address(&view, &node, api.config.node_port)?;
    let reference =
        PodRef { namespace: target.namespace.clone(), name: target.name.clone(), uid: object.meta.uid.to_string() };
    Ok(Place { pod: reference, waiting: waiting(&pod, &container).to_owned(), container, node, address })
}

/// Why a container waits to start; empty if it does not wait.
fn waiting<'a>(pod: &'a Value, container: &str) -> &'a str {
    ["status.containerStatuses", "status.initContainerStatuses", "status.ephemeralContainerStatuses"]
        .into_iter()
        .flat_map(|list| pod.list(list))
        .find(|status| status.text("name") == container)
        .map_or("", |status| status.text("state.waiting.reason"))
}

/// The container that is meant: the named one, or the only one.
fn container(pod: &Value, asked: &str) -> Result<String, Status> {
    let name = pod.text("metadata.name");
    let of = |list: &str| -> Vec<&str> { pod.list(list).iter().map(|container| container.text("name")).collect() };
    let (main, init, ephemeral) = (of("spec.containers"), of("spec.initContainers"), of("spec.ephemeralContainers"));
    if !asked.is_empty() {
        let known = main.iter().chain(&init).chain(&ephemeral).any(|container| *container == asked);
        if !known {
            return Err(Status::bad_request(format!("container {asked} is not valid for pod {name}")));
        }
        return Ok(asked.to_owned());
    }
    if let [only] = main.as_slice() {
        return Ok((*only).to_owned());
    }
    let mut hint = format!("a container name must be specified for pod {name}, choose one of: [{}]", main.join(" "));
    if !init.is_empty() {
        hint.push_str(&format!(" or one of the init containers: [{}]", init.join(" ")));
    }
    Err(Status::bad_request(hint))
}

fn address(view: &View, node: &str, port: u16) -> Result<SocketAddr, Status> {
    let object = view
        .get(&Key::new(&Resource::from("nodes"), "", node))
        .ok_or_else(|| Status::internal(format!("the pod's node {node} is not registered")))?;
    let value: Value = serde_json::from_slice(&object.json).map_err(|error| Status::internal(error.to_string()))?;
    let ip: IpAddr = value
        .list("status.addresses")
        .iter()
        .find(|address| address.text("type") == "InternalIP")
        .and_then(|address| address.text("address").parse().ok())
        .ok_or_else(|| Status::internal(format!("node {node} has no InternalIP")))?;
    let own = value.int("status.daemonEndpoints.kubeletEndpoint.Port").and_then(|port| u16::try_from(port).ok());
    Ok(SocketAddr::new(ip, own.filter(|port| *port > 0).unwrap_or(port)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;

    #[test]
    fn the_only_container_need_not_be_named() {
        let one = json!({ "metadata": { "name": "p" }, "spec": { "containers": [{ "name": "a" }] } });
        assert_eq!(container(&one, "").unwrap(), "a");
        assert_eq!(container(&one, "b").unwrap_err().message, "container b is not valid for pod p");
        let two = json!({ "metadata": { "name": "p" }, "spec": {
            "containers": [{ "name": "a" }, { "name": "b" }], "initContainers": [{ "name": "i" }],
        }});
        assert_eq!(
            container(&two, "").unwrap_err().message,
            "a container name must be specified for pod p, choose one of: [a b] or one of the init containers: [i]"
        );
        assert_eq!(container(&two, "i").unwrap(), "i");
    }
}

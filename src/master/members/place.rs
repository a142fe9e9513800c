//! Whether a host that joins may have its address: what its certificate names, others believe. Pure.

use raftsman_api::config::{HostConfig, JoinRequest, Role};
use raftsman_api::status::Status;
use raftsman_state::{Resource, View};
use raftsman_store::border::Members;
use serde_json::Value;
use std::net::{IpAddr, SocketAddr};

/// What can be said of it by the configuration alone.
///
/// # Errors
/// 400.
pub fn check(config: &HostConfig, address: IpAddr) -> Result<(), Status> {
    let wrong = |why: &str| Err(Status::bad_request(format!("address {address}: {why}")));
    if config.vip == Some(address) {
        return wrong("it is the control plane's virtual one");
    }
    if address.is_loopback() || address.is_unspecified() || address.is_multicast() {
        return wrong("the others cannot reach it");
    }
    if config.network.service_cidr.contains(&address) {
        return wrong(&format!("it is of the services' range, {}", config.network.service_cidr));
    }
    if config.network.pod_cidr.contains(&address) {
        return wrong(&format!("it is of the pods' range, {}", config.network.pod_cidr));
    }
    Ok(())
}

/// Nobody else has its name or address. A master's own name is judged where members are changed, and it may take the place
/// of the master of the name `replaces`.
///
/// # Errors
/// 409.
pub fn free(view: &View, members: &Members, asked: &JoinRequest, replaces: Option<&str>) -> Result<(), Status> {
    let node = asked.role == Role::Node;
    let other = |name: &str| name != asked.name && Some(name) != replaces;
    let taken_by = |name: &str, address: &str| {
        let there = host_of(address) == Some(asked.address);
        if node { there || name == asked.name } else { there && other(name) }
    };
    if let Some(master) = members.all.iter().find(|master| taken_by(&master.name, &master.address)) {
        return Err(taken(format!("{:?} at {} is a master", master.name, master.address)));
    }
    let Some(nodes) = view.table(&Resource::from("nodes")) else { return Ok(()) };
    for object in nodes.list(None, None) {
        let name = object.key.name();
        if node && name == asked.name {
            return Err(taken(format!(
                "there is a node {name:?} already; `kubectl delete node {name}` first if that one is gone, or take another \
                 name"
            )));
        }
        if other(name) && has(&object.json, asked.address) {
            return Err(taken(format!(
                "{} is the address of node {name:?}; `kubectl delete node {name}` first if that one is gone",
                asked.address
            )));
        }
    }
    Ok(())
}

/// A Node has this address.
fn has(node: &[u8], address: IpAddr) -> bool {
    let node: Value = serde_json::from_slice(node).unwrap_or_default();
    let mut addresses = node["status"]["addresses"].as_array().into_iter().flatten();
    addresses.any(|one| one["address"].as_str().and_then(|text| text.parse().ok()) == Some(address))
}

/// 409.
pub fn taken(why: String) -> Status {
    Status::new(409, "Conflict", why)
}

/// The address of a peer service's host.
pub fn host_of(address: &str) -> Option<IpAddr> {
    address.parse::<SocketAddr>().ok().map(|address| address.ip())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use raftsman_state::{Body, Key, Meta, Op, State, Txn};
    use raftsman_store::border::MemberAt;
    use serde_json::json;
    use std::sync::Arc;

    fn config() -> HostConfig {
        let config = json!({
            "cluster": "c", "clusterId": "c-1", "name": "m1", "roles": ["master"], "address": "10.0.0.1",
            "dataDir": "/d", "pki": { "dir": "/d/pki" }, "vip": "10.0.0.100",
            "masters": [{ "name": "m1", "id": 1, "address": "10.0.0.1" }],
        });
        serde_json::from_value(config).unwrap()
    }

    #[test]
    fn an_address_is_a_hosts() {
        let config = config();
        let checked = |text: &str| check(&config, text.parse().unwrap()).map_err(|status| status.code);
        assert_eq!(checked("10.0.0.7"), Ok(()));
        let kubernetes = config.network.kubernetes_ip().unwrap().to_string();
        for wrong in ["10.0.0.100", "127.0.0.1", "0.0.0.0", "224.0.0.1", "10.244.3.4", "10.96.200.1", &kubernetes] {
            assert_eq!(checked(wrong), Err(400), "{wrong}");
        }
    }

    #[test]
    fn an_address_is_one_hosts() {
        let mut state = State::default();
        let body = json!({ "status": { "addresses": [{ "type": "InternalIP", "address": "10.0.0.8" }] } });
        let key = Key::new(&Resource::from("nodes"), "", "n8");
        let op = Op::Put { key, meta: Arc::new(Meta::default()), body: Body::plain(body.to_string()) };
        state.apply(1, &Txn { ops: vec![op], ..Txn::default() });
        let master =
            |id: u64| MemberAt { id, name: format!("m{id}"), address: format!("10.0.0.{id}:6444"), voter: true };
        let members = Members { all: vec![master(1), master(2)] };
        let asks = |role: Role, name: &str, address: &str, replaces: Option<&str>| {
            let asked = JoinRequest {
                name: name.to_owned(),
                address: address.parse().unwrap(),
                role,
                learner: false,
                request: String::new(),
                time: 0,
            };
            free(&state.view(), &members, &asked, replaces).map_err(|status| status.code)
        };
        for role in [Role::Master, Role::Node] {
            assert_eq!(asks(role, "x", "10.0.0.9", None), Ok(()));
            assert_eq!(asks(role, "x", "10.0.0.2", None), Err(409), "a master's");
            assert_eq!(asks(role, "x", "10.0.0.8", None), Err(409), "a node's");
        }
        assert_eq!(asks(Role::Node, "m2", "10.0.0.9", None), Err(409));
        assert_eq!(asks(Role::Node, "n8", "10.0.0.9", None), Err(409));
        // It asks again, takes another one's place, or serves on the machine of its own node.
        assert_eq!(asks(Role::Master, "m2", "10.0.0.2", None), Ok(()));
        assert_eq!(asks(Role::Master, "x", "10.0.0.2", Some("m2")), Ok(()));
        assert_eq!(asks(Role::Master, "n8", "10.0.0.8", None), Ok(()));
    }
}
